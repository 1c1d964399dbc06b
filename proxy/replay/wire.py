"""The standard streams of the process that stands in for ``claude``.

One thread, and reading only while nothing is written: what Claude Code does with its blocking standard output too.
So each run takes one course, which a test can rely on.

Rules it lives by:

* A line ends at byte 0x0A. What stands behind the last newline when the input ends is a line too.
* A reader of our output that is gone is no end: Claude Code lives on, and so do we, until the input ends.
* What is answered out of turn waits until the line that is being written has its end.
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import select
import stat
import termios
import time

TYPE_CHECKING = False  # `typing` and `signal` (for its `enum`) take long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_CHUNK = 1 << 16
_LOOK_S = 0.001


class Journal:
    """Notes, as it happens, what a stand-in meets: one JSON object a line, each with ``ns`` of the monotonic clock."""

    def __init__(self, path: str | None) -> None:
        """OSError when the file cannot be written."""
        self.is_kept = bool(path)
        """Whether there is a file."""
        if path:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def note(self, event: str, **data: Any) -> None:
        """Write one event."""
        if self.is_kept:
            line = json.dumps({"event": event, "ns": time.monotonic_ns(), **data})
            os.write(self._fd, line.encode() + b"\n")


class Wire:
    """Lines in, bytes out. ``on_line`` gets each line that comes, without its newline, while something waits."""

    def __init__(self, on_line: Callable[[bytes], None], journal: Journal) -> None:
        self.ended = False
        """Whether the input has ended."""
        self.reading = True
        """Whether waiting reads; a client whose lines are not read is held up in the end."""
        self.pace: tuple[int, float] | None = None
        """So many bytes each so many seconds at most; None is as fast as they come."""
        self._on_line = on_line
        self._journal = journal
        self._parts: list[bytes] = []
        self._gone: set[int] = set()
        self._line_open = False
        self._later: list[bytes] = []
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)

    def wait(self, seconds: float | None, until: Callable[[], bool] = lambda: False) -> bool:
        """Read for so long (None: without end), or until a condition holds; return whether it does.

        Returns too when there is nothing to wait for: neither a time nor more input.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while not until():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            if self.ended or not self.reading:
                if left is None:
                    return False
                time.sleep(left)
            else:
                self._read(left)
        return True

    def look(self) -> None:
        """Read what has come, without waiting."""
        if not self.ended and self.reading and not self.pace:
            self._read(0)

    def write(self, data: bytes, fd: int = 1) -> None:
        """Write to the client, all of it, however long it takes."""
        if fd == 1:
            self._line_open = not data.endswith(b"\n") if data else self._line_open
        self._write(data, fd)
        if fd == 1 and not self._line_open:
            self._write_later()

    def answer(self, line: bytes) -> None:
        """Write a line as soon as no other line is begun."""
        self._later.append(line + b"\n")
        if not self._line_open:
            self._write_later()

    def drain(self) -> None:
        """Wait until all that was written to a pipe has been read from it, or nobody reads it any more."""
        while not is_drained(1):
            self.wait(_LOOK_S)

    def close(self, fd: int) -> None:
        """Close one of the standard streams."""
        if fd == 0:
            self.ended = True
        # The number stays taken, so that nothing else is opened under it; the stream itself is let go.
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, fd)
        os.close(nothing)

    def _write_later(self) -> None:
        later, self._later = self._later, []
        for line in later:
            self._write(line, 1)

    def _write(self, data: bytes, fd: int) -> None:
        if self._journal.is_kept:
            self._journal.note("wrote", fd=fd, data=data.decode("utf-8", "surrogateescape"))
        left = memoryview(data)
        while left and fd not in self._gone:
            try:
                left = left[os.write(fd, left) :]
            except BlockingIOError:  # somebody has made it so that writing does not wait
                ready = select.poll()
                ready.register(fd, select.POLLOUT)
                ready.poll()
            except OSError:  # nobody reads any more, or it never was open
                self._gone.add(fd)

    def _read(self, seconds: float | None) -> None:
        """Read once, waiting for so long at most."""
        if not self._poll.poll(None if seconds is None else max(0, seconds) * 1000):
            return
        size = _CHUNK
        if self.pace:
            size, pause = self.pace
            time.sleep(pause if seconds is None else min(pause, seconds))
        try:
            data = os.read(0, size)
        except OSError:  # closed from the start, or the other end was reset
            data = b""
        if not data:
            self._end()
            return
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._parts.append(line)
            self._take()
        if rest:
            self._parts.append(rest)

    def _end(self) -> None:
        self.ended = True
        if self._parts:
            self._take(newline=False)
        self._journal.note("end_of_input")

    def _take(self, *, newline: bool = True) -> None:
        line, self._parts = b"".join(self._parts), []
        if self._journal.is_kept:
            self._journal.note("line", line=line.decode("utf-8", "surrogateescape"), newline=newline)
        self._on_line(line)


def is_drained(pipe: int) -> bool:
    """Tell by its writing end whether a pipe is empty, or will not be read any more; of anything else always yes."""
    try:
        if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
            return True
    except OSError:
        return True  # it is closed
    poller = select.poll()
    poller.register(pipe, 0)
    if poller.poll(0):
        return True
    unread = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, unread)
    return unread[0] == 0
