"""What the index knows of sessions already, for whoever reads logs without a server.

Rules it lives by:

* Looking changes nothing, and waits for nobody for long.
* Nothing that is wrong with the index is an error: what is not known for sure is not told, and the log has it.
* What is told of a session is what interpreting its log up to the offset would give.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from proxy.events import Session
from proxy.sessions.catalogue import SessionInfo
from proxy.store.database import VERSION, connect, index_path

__all__ = ["Remembered", "remembered"]

_PATIENCE_MS = 200
_COLUMNS = "SELECT inode, offset, mark_at, mark, state FROM sessions WHERE session_id = ? AND state != x''"


class Remembered(NamedTuple):
    """A session as it was when its log had been read up to `offset`."""

    session: Session
    offset: int


def remembered(data_dir: str, sessions: Iterable[SessionInfo]) -> dict[str, Remembered]:
    """Return what the index knows of logs, by their paths; those of which it knows nothing are left out."""
    found: dict[str, Remembered] = {}
    try:
        with _opened(index_path(data_dir)) as connection:
            for info in sessions:
                row = connection.execute(_COLUMNS, (info.session_id,)).fetchone()
                with contextlib.suppress(OSError, msgspec.DecodeError):  # that log is to be read whole
                    if row is not None and (one := _checked(info, row)) is not None:
                        found[info.path] = one
    except (sqlite3.Error, OSError):
        return {}
    return found


@contextlib.contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    """Open an index for reading. sqlite3.Error or OSError when it cannot be read, or not be relied on."""
    before = _standing(path)
    # Without a journal nobody writes: then it is read as it lies there, which needs no file beside it and no permission
    # to make one, and is to be the same file when all is read.
    with contextlib.closing(connect(path, read_only=True, immutable=before is not None)) as connection:
        connection.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
        if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            raise sqlite3.DatabaseError("the index is of another version")
        yield connection
        if before is not None and _standing(path) != before:
            raise sqlite3.OperationalError("the index was written meanwhile")


def _standing(path: str) -> tuple[int, int, int] | None:
    """Return what tells that a file is as it was; None while it has a journal."""
    if os.path.exists(f"{path}-wal"):
        return None
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns


def _checked(info: SessionInfo, row: tuple[int, int, int, bytes, bytes]) -> Remembered | None:
    """Return what is known of a log if it still is the log that was read."""
    inode, offset, mark_at, mark, state = row
    with open(info.path, "rb") as log:
        status = os.fstat(log.fileno())
        if status.st_ino != inode or status.st_size < offset:
            return None
        if os.pread(log.fileno(), len(mark), mark_at) != mark:
            return None
    session = msgspec.json.decode(state, type=Session)
    if session.state == "failed" and (info.state != "crashed" or status.st_size != offset):
        return None  # it was taken for dead, and is not
    return Remembered(session, offset)
