"""Seals: what lets anybody tell later whether a session log still is what was written.

Rules it lives by:

* A sealed log holds ``checkpoint`` records: size, number of records and SHA-256 of all bytes before them. What
  is summed up is what was written, after it was written. Only what is there already when a log is opened (it was
  replaced, or taken over from a writer that died) is read from the file.
* The line that a session leaves in ``seals.jsonl`` is about its whole log, and holds the SHA-256 of the line before it.
* Sealing never costs a record: a checkpoint or a line that cannot be written is made later, or left to the server.

Imported in sessions that are sealed, and by what looks after a data directory.
"""

from __future__ import annotations

import contextlib
import os
import time
from hashlib import sha256

from proxy.sessions.identity import START_BYTES, make_sessions_dir
from proxy.sessions.locking import take_turn
from proxy.sessions.private import open_private
from proxy.sessions.record import END, encode_json, lifecycle, rfc3339
from proxy.sessions.writer import SessionLog

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its log
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from proxy.sessions.record import Bodies

SEALS = "seals.jsonl"
_RECORDS = 1000
"""Records between two checkpoints: one costs 200 bytes and the time of two records."""
_SECONDS = 5.0
"""Time between two checkpoints of a log that is written to: what is behind the last one is not protected."""
_PIECE = 1 << 20  # bounds memory
_LONGEST_HEAD = 64
"""``seq`` and ``ts``: what is behind them is the session's id, or in a message."""
_LONGEST_SEAL = 1 << 16
"""A line has no more than a session's id, some numbers and hashes."""


class SealedLog(SessionLog):
    """A session log with checkpoints, and with a line in ``seals.jsonl`` when it has ended."""

    _is_stale = True  # whether the file has something that was not summed up
    _is_ending = False
    _ended: str | None = None
    _covered = 0  # records up to the newest checkpoint, and it
    _due_s = 0.0

    def append_line(self, prefix: bytes, line: bytes) -> bool:
        """As by `SessionLog`, with no way that is shorter."""
        return self.append([(prefix, line[:-1], END)])

    def append_end(self, data: dict[str, Any]) -> bool:
        """Write a checkpoint and ``session_ended``; `close` adds the log's line to ``seals.jsonl``."""
        self._is_ending = True
        if super().append_end(data):
            self._ended = rfc3339(self._clock.last_us * 1000)
        return self._ended is not None

    def take_over(self, fd: int, seq: int, last_us: int) -> None:
        """As by `SessionLog`; what the log holds is summed up anew."""
        super().take_over(fd, seq, last_us)
        self._is_stale = True

    def _close_files(self) -> None:
        if self._ended is not None and self._fd >= 0:
            if self._is_stale:
                self._sum_up()
            if not self._is_stale:
                started = first_timestamp(os.pread(self._fd, START_BYTES, 0))
                about = {"session_id": self.session_id, "started": started, **self._head()}
                add_seal(self._data_dir, {**about, "ended": self._ended})
        super()._close_files()

    def _open(self) -> None:
        super()._open()
        self._is_stale = True
        # From now on it is known that there are seals, also if this process dies.
        with contextlib.suppress(OSError):
            os.close(open_private(seals_path(self._data_dir), os.O_WRONLY | os.O_CREAT))

    def _end_line(self) -> None:
        super()._end_line()
        self._is_stale = True

    def _write_whole(self, records: Iterable[bytes]) -> None:
        """Write records of a log that was deleted: what its checkpoints say is not true of this one."""
        about = f'"session_id":"{self.session_id}","stream":"proxy","event":'
        start = about.encode() + b'{"event_type":"checkpoint","data":'

        def unsealed(record: bytes) -> bytes:
            head, found, _ = record.partition(start)
            return head + start + b"{}}}\n" if found and len(head) < _LONGEST_HEAD else record

        super()._write_whole(map(unsealed, records))
        self._is_stale = True

    def _write(self, bodies: Bodies) -> Sequence[bytes | memoryview]:
        if self._is_stale:
            self._sum_up()
        if not self._is_stale and self._is_due():
            self._write_checkpoint()
        return self._write_summed(bodies)

    def _write_summed(self, bodies: Bodies) -> Sequence[bytes | memoryview]:
        parts = super()._write(bodies)
        if not self._is_stale:
            for part in parts:
                self._sum.update(part)
                self._bytes += len(part)
            self._records += len(bodies)
        return parts

    def _is_due(self) -> bool:
        since = self._records - self._covered
        if not since:
            return False
        return since >= _RECORDS or self._is_ending or not self._covered or time.monotonic() >= self._due_s

    def _write_checkpoint(self) -> None:
        try:
            self._write_summed([lifecycle(self.session_id, "checkpoint", self._head())])
        except OSError:
            if self._unended:  # nothing may follow on that line
                raise
            return
        self._covered, self._due_s = self._records, time.monotonic() + _SECONDS

    def _head(self) -> dict[str, Any]:
        return {"bytes": self._bytes, "records": self._records, "sha256": self._sum.hexdigest()}

    def _sum_up(self) -> None:
        """Read what the file holds. Where that fails, there are no checkpoints until it works."""
        found, size, records = sha256(), 0, 0
        with contextlib.suppress(OSError):
            while piece := os.pread(self._fd, _PIECE, size):
                found.update(piece)
                size += len(piece)
                records += piece.count(b"\n")
            self._sum, self._bytes, self._records, self._covered = found, size, records, 0
            self._is_stale = False


def seals_path(data_dir: str) -> str:
    """Return the path of the file with a line for each sealed session that is over."""
    return os.path.join(data_dir, SEALS)


def add_seal(data_dir: str, fields: Mapping[str, Any]) -> bool:
    """Add a line to ``seals.jsonl``; return whether it is there. Never raises."""
    with contextlib.suppress(OSError):
        make_sessions_dir(data_dir)
        fd = open_private(seals_path(data_dir), os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            return take_turn(fd) and _append(fd, fields)
        finally:
            os.close(fd)
    return False


def is_sealed(path: str) -> bool:
    """Tell whether a log was begun as a sealed one; where it cannot be read, that it may have been."""
    try:
        with open(path, "rb") as file:
            return b'"seal":"on"' in file.readline()
    except FileNotFoundError:
        return False
    except OSError:
        return True


def first_timestamp(start: bytes) -> str:
    """Return when a log's first line was written, by its first bytes: a log that was begun anew has another one."""
    return start.partition(b"\n")[0].partition(b'"ts":"')[2][:27].decode(errors="replace")


def _append(fd: int, fields: Mapping[str, Any]) -> bool:
    size = os.fstat(fd).st_size
    tail = os.pread(fd, _LONGEST_SEAL, max(0, size - _LONGEST_SEAL))
    last = tail.removesuffix(b"\n").rpartition(b"\n")[2]
    line = encode_json({**fields, "prev": sha256(last).hexdigest() if last else None}) + b"\n"
    if tail and not tail.endswith(b"\n"):  # whoever wrote it was killed
        line = b"\n" + line
    written = 0
    try:
        written = os.write(fd, line)
    finally:
        if written < len(line):
            os.ftruncate(fd, size)
    return written == len(line)
