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
from proxy.sessions.drift import SearchState
from proxy.store.embedded.database import connect, index_path, shape_of, translated_errors
from proxy.store.embedded.rows import SessionRow, find_session, read_drift
from proxy.store.protocol import StoreError
from proxy.store.version import derivation_version

_PATIENCE_MS = 200  # who waits at a terminal would notice more


class Known(NamedTuple):
    """A session as it was when its log had been read up to `offset`."""

    session: Session
    drift: SearchState
    """What a search for drift goes on from."""
    offset: int


def known_sessions(data_dir: str, sessions: Iterable[SessionInfo]) -> dict[str, Known]:
    """Return what the index knows of logs, by their paths; those of which it knows nothing are left out."""
    found: dict[str, Known] = {}
    try:
        with translated_errors(), _opened(index_path(data_dir)) as connection:
            for info in sessions:
                # A row that is damaged is one log to be read whole.
                with contextlib.suppress(StoreError, OSError, ValueError, msgspec.MsgspecError):
                    row = find_session(connection, info.session_id)
                    if row is not None and (session := _checked(info, row)) is not None:
                        drift = read_drift(connection, row.id) or SearchState()
                        found[info.path] = Known(session, drift, row.offset)
    except (StoreError, OSError):
        return {}
    return found


@contextlib.contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    """Open an index for reading. sqlite3.Error or OSError when it cannot be read, or not be relied on."""
    before = _settled(path)
    # Without a journal nobody writes: then it is read as it lies there, which needs no file beside it and no permission
    # to make one, and is to be the same file when all is read.
    with contextlib.closing(connect(path, read_only=True, immutable=before is not None)) as connection:
        connection.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
        if connection.execute("PRAGMA user_version").fetchone()[0] != derivation_version():
            raise sqlite3.DatabaseError("the index is of another version")
        yield connection
        if before is not None and _settled(path) != before:
            raise sqlite3.OperationalError("the index was written meanwhile")


def _settled(path: str) -> tuple[int, int, int] | None:
    """Return what tells that a file is as it was; None while it has a journal."""
    return None if os.path.exists(f"{path}-wal") else shape_of(path)


def _checked(info: SessionInfo, row: SessionRow) -> Session | None:
    """Return what is known of a log if it still is the log that was read."""
    with open(info.path, "rb") as log:
        status = os.fstat(log.fileno())
        if status.st_ino != row.inode or status.st_size < row.offset:
            return None
        if os.pread(log.fileno(), len(row.mark), row.mark_at) != row.mark:
            return None
    session = row.session()
    if session.state == "failed" and (info.state != "crashed" or status.st_size != row.offset):
        return None  # it was taken for dead, and is not
    return session
