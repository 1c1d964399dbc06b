"""The writing end of a session log: whole records or nothing, in order, whatever the disk does.

Rules it lives by:

* One writer per log. It holds the file with ``flock`` while it lives; that is how readers tell a running session
  from a crashed one.
* `append` returns after the records are with the kernel: they survive the death of this process, not the loss of
  power (no ``fsync``, as it would stall the session by milliseconds a line).
* A failing disk never reaches the caller. What could not be written is counted, and the first success after a
  failure begins with a ``recording_gap`` record that tells how much is missing and why. A record that was written
  in part is taken back, so that the log stays whole.
* A log that was deleted under us is begun anew at the same place, with a ``recording_gap``; what the user
  deleted stays deleted. What has been put there instead (by an editor, by ``sed -i``) is gone on with. The file is
  looked for ten times a second at most, and once more when it is closed: the new log takes over what the deleted
  file got since it was seen last, so nothing that came after the deletion is missing.
"""

from __future__ import annotations

import _thread
import contextlib
import errno
import fcntl
import os
import stat
import time
from itertools import islice

from proxy.sessions.identity import LATEST, log_path, make_sessions_dir, sessions_dir, start_of
from proxy.sessions.locking import take_turn
from proxy.sessions.private import open_private
from proxy.sessions.record import END, Alike, Clock, lifecycle, rfc3339

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its log
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from proxy.sessions.record import Bodies, Body

_JOIN_LIMIT = 256 * 1024
"""Up to this many bytes a batch is joined and written at once; beyond, the copy costs more than ``writev`` saves."""
_LOOK_S = 0.1
"""How often to look whether the log was deleted: at once for whoever deletes it, and no cost for a message."""
_IOV_LIMIT = 512
"""Buffers handed to one ``writev``; Linux takes up to 1024 (``IOV_MAX``)."""


class SessionLog:
    """The log of one session, open for appending. Safe to use from several threads."""

    def __init__(
        self,
        data_dir: str,
        session_id: str,
        started: Body,
        *,
        is_reserved: bool = False,
        look_s: float = _LOOK_S,
    ) -> None:
        """``started`` becomes the first record of the file; ``is_reserved``: which is there already, and empty.

        ``look_s``: how often to look whether the log was deleted.

        Nothing is opened yet: the first `append` does that, and tries again after a failure.
        """
        self.session_id = session_id
        self._started = started
        self.path = log_path(data_dir, session_id)
        self._data_dir = data_dir
        self._lock = _thread.allocate_lock()  # as `threading.Lock`, whose module a recorder does not need
        self._clock = Clock()
        self._fd = -1
        self._begun = False  # whether the file has its first record
        self._may_exist = is_reserved  # else a file of that name is another session's
        self._torn = 0  # bytes of records that are being written
        self._unended = False  # whether the file ends within a line that cannot be taken back
        self._unready = False  # whether something that the caller keeps could not be written
        self._look_ns = int(look_s * 1e9)
        self._looked_ns = 0
        self._seen = (0, 0, 0)
        """How the file was when it was last seen to have a name: its size, the next number, the newest timestamp."""
        self._deleted: tuple[int, tuple[int, int, int]] | None = None
        """A file that was deleted and how it was seen last, until what it got after that is in the new one."""
        self.lost_records = 0
        """Records that could not be written since the last time that writing worked."""
        self.lost_why = ""
        """What the disk said when writing failed last; empty while writing works."""
        self._lost_bytes = 0
        self._lost_since = ""

    def append(self, bodies: Bodies) -> bool:
        """Write one record for each body, in order and together. Return whether they are in the log.

        Never raises: a disk that fails is the log's trouble, not the session's.
        """
        return self.append_numbered(bodies) is not None

    def append_numbered(self, bodies: Bodies) -> int | None:
        """As `append`; return the number of the first record, None if they are not in the log."""
        with self._lock:
            try:
                self._append(bodies)
            except OSError as error:
                self._count_lost(bodies, error)
                return None
            return self._clock.seq - len(bodies)

    def try_append(self, bodies: Bodies) -> bool:
        """As `append`, for a caller that has the bodies still and tries again: what cannot be written is not lost."""
        with self._lock:
            try:
                self._append(bodies)
            except OSError:
                self._unready = True
                return False
            return True

    def _append(self, bodies: Bodies) -> None:
        if self.lost_why or self._unready or not self._begun or self._was_deleted():
            self._make_ready()
        self._write(bodies)

    def take_over(self, fd: int, seq: int, last_us: int) -> None:
        """Go on with a log whose writer is gone: ``fd`` is open and locked, and ends with a whole record.

        ``seq``, ``last_us``: of that record; its timestamp in microseconds since 1970.
        """
        self._fd, self._begun, self._may_exist = fd, True, True
        self._clock.seq, self._clock.last_us = seq + 1, last_us
        self._note_size(os.fstat(fd).st_size)

    def append_line(self, prefix: bytes, line: bytes) -> bool:
        """Write one record: a prefix, and as its message a line that is given with its newline. Else as `append`.

        The short way for a line that somebody waits for.
        """
        with self._lock:
            try:
                if self.lost_why or not self._begun or self._was_deleted():
                    self._make_ready()
                record = b"".join((self._clock.head(), prefix, line[:-1], END))
                try:
                    written = os.write(self._fd, record)
                    if written < len(record):
                        self._torn = written
                        self._write_all(memoryview(record)[written:])
                        self._torn = 0
                except OSError:
                    self._take_back(1)
                    raise
            except OSError as error:
                self._count_lost([(prefix, line[:-1], END)], error)
                return False
            return True

    def append_end(self, data: dict[str, Any]) -> bool:
        """Write the last record, ``session_ended``. Else as `append`."""
        return self.append([lifecycle(self.session_id, "session_ended", data)])

    def close(self) -> None:
        """Let go of the file; the lock goes with it. If it was deleted, what came after that is written first."""
        with self._lock:
            with contextlib.suppress(OSError):
                if self._fd >= 0 and self._is_deleted():
                    self._leave_deleted()
                if self._deleted:
                    self._make_ready()
            self._close_files()

    def _close_files(self) -> None:
        if self._deleted:
            os.close(self._deleted[0])
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._deleted = -1, None

    # -- opening ---------------------------------------------------------------------------------------------

    def _was_deleted(self) -> bool:
        """Whether the log has no name any more, as far as it is time to look."""
        now = time.monotonic_ns()
        if now - self._looked_ns < self._look_ns:
            return False
        self._looked_ns = now
        return self._is_deleted()

    def _is_deleted(self) -> bool:
        status = os.fstat(self._fd)
        if status.st_nlink == 0:
            return True
        self._note_size(status.st_size)
        return False

    def _note_size(self, size: int) -> None:
        self._seen = (size, self._clock.seq, self._clock.last_us)

    def _make_ready(self) -> None:
        """Open the log, or begin again after a failure or a deletion with the record that says so."""
        if self._fd >= 0 and self._is_deleted():
            self._leave_deleted()
        if self._fd < 0:
            self._open()
        if self._unended:
            self._end_line()
        if not self._begun:
            self._begin()
        if self._deleted:
            self._take_from_deleted()
        self._unready = False
        if self.lost_why:
            self._write([self._gap()])
            self.lost_records = self._lost_bytes = 0
            self.lost_why = self._lost_since = ""
        self._note_size(os.fstat(self._fd).st_size)

    def _begin(self) -> None:
        """Write the first record. Where older ones are to follow, it has the place of the one ahead of them."""
        if self._deleted:
            _, seq, last_us = self._deleted[1]
            head = b'{"seq":%d,"ts":"%b",' % (seq - 1, rfc3339(last_us * 1000).encode())
            self._write_whole([b"".join((head, *self._started))])
        else:
            self._write([self._started])
        self._begun = True

    def _leave_deleted(self) -> None:
        """Let go of the file that was deleted, but for what it may have got after that."""
        status = os.fstat(self._fd)
        # Deleting a file sets its ctime, writing to it both times.
        has_more = status.st_size > self._seen[0] and status.st_mtime_ns >= status.st_ctime_ns
        if has_more and not self._deleted:
            self._deleted = (self._fd, self._seen)
        else:
            os.close(self._fd)
        self._fd = -1
        self.lost_why = self.lost_why or "the log was deleted"

    def _take_from_deleted(self) -> None:
        """Write what the deleted file got since it was last seen with a name, but for what is in this one already."""
        from proxy.sessions.catalogue import last_record  # noqa: PLC0415 - for who deletes logs of live sessions

        assert self._deleted
        fd, (size, seq, _) = self._deleted
        last = last_record(self._fd, os.fstat(self._fd).st_size)
        with open(fd, "rb", closefd=False) as deleted:
            deleted.seek(size)
            known = max(0, last.seq + 1 - seq) if last else 0
            self._write_whole(line.rstrip(b"\n") + b"\n" for line in islice(deleted, known, None))
        os.close(fd)
        self._deleted = None

    def _open(self) -> None:
        make_sessions_dir(self._data_dir)
        fd = self._open_file()
        # On a file system without locks the session is recorded all the same, and looks crashed while it runs.
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._fd, self._may_exist = fd, True
        size = os.fstat(fd).st_size
        self._begun = size > 0
        self._unended = self._begun and os.pread(fd, 1, size - 1) != b"\n"

    def _open_file(self) -> int:
        flags = os.O_RDWR | os.O_APPEND
        try:
            return open_private(self.path, flags | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            if not self._may_exist or not stat.S_ISREG(os.lstat(self.path).st_mode):
                raise
            return open_private(self.path, flags)

    def point_latest_here(self) -> None:
        """Make ``latest.jsonl`` a link to this log, unless a newer session has it already. Never raises."""
        folder = sessions_dir(self._data_dir)
        link = os.path.join(folder, LATEST)
        own = os.path.basename(self.path)
        with contextlib.suppress(OSError):
            guard = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                take_turn(guard)
                with contextlib.suppress(OSError):
                    if start_of(os.path.join(folder, os.readlink(link))) >= start_of(self.path):
                        return
                fresh = f"{link}.{self.session_id}"
                os.symlink(own, fresh)
                os.rename(fresh, link)
            finally:
                os.close(guard)

    # -- writing ---------------------------------------------------------------------------------------------

    def _write(self, bodies: Bodies) -> Sequence[bytes | memoryview]:
        """Write all of the bodies' records or, on `OSError`, none of them; return what was written."""
        try:
            parts: list[bytes | memoryview]
            if isinstance(bodies, Alike) and bodies.size <= _JOIN_LIMIT:
                parts = [self._clock.records(bodies)]
                self._write_all(parts[0])
            else:
                parts = [part for body in bodies for part in (self._clock.head(), *body)]
                self._write_parts(parts)
        except OSError:
            self._take_back(len(bodies))
            raise
        self._torn = 0
        return parts

    def _write_whole(self, records: Iterable[bytes]) -> None:
        """Write records that have their numbers; all of them or, on `OSError`, none."""
        try:
            for record in records:
                self._write_all(record)
        except OSError:
            self._take_back(0)
            raise
        self._torn = 0

    def _write_parts(self, parts: list[bytes | memoryview]) -> None:
        if sum(map(len, parts)) <= _JOIN_LIMIT:
            self._write_all(b"".join(parts))
            return
        for index in range(0, len(parts), _IOV_LIMIT):
            some = parts[index : index + _IOV_LIMIT]
            written = os.writev(self._fd, some)
            self._torn += written
            if written < sum(map(len, some)):
                self._write_all(memoryview(b"".join(some))[written:])

    def _write_all(self, data: bytes | memoryview) -> None:
        while (written := os.write(self._fd, data)) < len(data):  # a disk that is nearly full takes a part
            self._torn += written
            data = memoryview(data)[written:]
        self._torn += written

    def _take_back(self, count: int) -> None:
        """Undo a failed write of so many records: none of them has been passed on, so nothing recorded is lost."""
        self._clock.take_back(count)
        torn, self._torn = self._torn, 0
        if not torn:
            return
        try:
            # From where our write ended, not by a count of our own: others may have cut the file.
            os.ftruncate(self._fd, os.lseek(self._fd, 0, os.SEEK_CUR) - torn)
        except OSError:
            # The torn line stays as the last one of this file, where readers expect one; the gap record follows
            # on a line of its own once writing works.
            self._unended = True
            with contextlib.suppress(OSError):
                self._end_line()

    def _end_line(self) -> None:
        os.write(self._fd, b"\n")
        self._unended = False

    # -- failing ---------------------------------------------------------------------------------------------

    def _count_lost(self, bodies: Bodies, error: OSError) -> None:
        if not self.lost_records:
            self._lost_since = rfc3339(time.time_ns())
        self.lost_why = errno.errorcode.get(error.errno or 0, "") + ": " + (error.strerror or str(error))
        self.lost_records += len(bodies)
        self._lost_bytes += sum(len(part) for body in bodies for part in body[1:-1])

    def _gap(self) -> Body:
        data = {
            "lost_records": self.lost_records,
            "lost_bytes": self._lost_bytes,
            "since": self._lost_since or None,
            "reason": self.lost_why,
        }
        return lifecycle(self.session_id, "recording_gap", data)
