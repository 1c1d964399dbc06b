"""One direction of one stream: read, log, pass on. The only place where the bytes of a session are moved.

Each pump has a thread of its own, so that no direction can hold up another. Reads and writes block: the
descriptors are shared with the caller's other processes, so ``O_NONBLOCK`` must not be set on them. A pump ends when
its source ends or its reader is gone, and passes that on by closing the other side.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading

from proxy.relay.framing import LineFramer

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proxy.relay.framing import Hold
    from proxy.relay.recording import Recorder
    from proxy.sessions.record import Alike, Body
    from proxy.sessions.writer import SessionLog

_READ_BYTES = 64 * 1024
"""What a pipe holds, and the largest read that maps no fresh memory: above 128 KB each costs 25 µs more."""
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class ReaderGoneError(Exception):
    """Nobody will ever read the far side again."""


class Pump(threading.Thread):
    """Moves one stream from ``source`` to ``sink`` (descriptors, closed at the end), recording it on the way."""

    def __init__(
        self,
        name: str,
        source: int,
        sink: int,
        recorder: Recorder,
        log: SessionLog,
        *,
        source_is_ours: bool,
        on_idle: Callable[[], None],
        on_fault: Callable[[str, Exception], None],
    ) -> None:
        """``source_is_ours``: no other program reads from ``source``, so what is left in it may be taken.

        ``on_idle`` is called by the pump's thread each time when all that it read has been delivered, and once
        when it has ended; ``on_fault`` with the pump's name when a fault of ours has ended it.
        """
        super().__init__(name=name, daemon=True)
        self.source = source
        self.sink = sink
        self.recorder = recorder
        self.idle = False
        self.ended = False
        self.delivered = 0  # bytes
        self._source_is_ours = source_is_ours
        self._on_idle = on_idle
        self._on_fault = on_fault
        self._log = log
        self._framer = LineFramer(self.hold())

    def run(self) -> None:
        """Pump until the source ends or the reader is gone; then close both ends."""
        try:
            self._pump()
        except ReaderGoneError:
            self._record_undelivered()
        except Exception as error:
            self._on_fault(self.name, error)
        finally:
            os.close(self.source)
            os.close(self.sink)
            self.idle = self.ended = True
            self._on_idle()

    @property
    def counts(self) -> Mapping[str, int]:
        """Lines recorded so far, by verdict."""
        return self.recorder.counts

    def write(self, data: bytes | memoryview) -> None:
        """Pass on all of ``data``, blocking as long as the reader takes; raise `ReaderGoneError`."""
        while data:
            try:
                written = os.write(self.sink, data)
            except BlockingIOError:  # another program set O_NONBLOCK on the descriptor it shares with us
                _wait_until_writable(self.sink)
                continue
            except OSError as error:
                raise ReaderGoneError from error
            self.delivered += written
            if written == len(data):
                return
            data = memoryview(data)[written:]

    def record(self, bodies: Sequence[Body] | Alike) -> None:
        """Put records into the log; on return they are there, or counted as lost."""
        self._log.append(bodies)

    def take_lines(self, lines: list[bytes], data: bytes) -> bytes:
        """Record complete lines and return what of ``data``, the bytes that end with them, is to be passed on."""
        self.record(self.recorder.bodies(lines, data))
        return data

    def pass_on(self, lines: list[bytes], data: bytes) -> None:
        """Pass on bytes whose complete ``lines`` are on record."""
        self.write(data)

    def hold(self) -> Hold:
        """Tell which unfinished lines must not pass, now that the recorder knows as much as it does."""
        return "messages" if self.recorder.kind == "messages" else "nothing"

    def _pump(self) -> None:
        source, sink = self.source, self.sink
        poller = select.poll()
        poller.register(source, select.POLLIN)
        poller.register(sink, 0)  # wakes up only when the reader is gone
        while True:
            self.idle = True
            self._on_idle()
            for fd, events in poller.poll():
                if fd == sink and events & _GONE:
                    raise ReaderGoneError
            self.idle = False
            try:
                chunk = os.read(source, _READ_BYTES)
            except BlockingIOError:  # as in `write`; or another reader was faster
                continue
            except OSError:  # a socket or terminal that broke down: the end, as the command would see it
                chunk = b""
            if not chunk:
                self._finish()
                return
            self._take(chunk)

    def _take(self, chunk: bytes) -> None:
        framer = self._framer
        lines, data, overlong = framer.feed(chunk)
        if overlong is not None:
            self.record([self.recorder.unfinished(overlong, cut=True)])
        if lines:
            data = self.take_lines(lines, data)
            framer.hold = self.hold()
        if early := framer.early():
            data += early
        if data:
            self.pass_on(lines, data)

    def _finish(self) -> None:
        """The source has ended: what is left is a line without a newline."""
        line, rest = self._framer.finish()
        if line:
            self.record([self.recorder.unfinished(line)])
        if rest:
            self.pass_on([], rest)

    def _record_undelivered(self) -> None:
        """The reader is gone: what the command has written by then is on record all the same."""
        poller = select.poll()
        poller.register(self.source, select.POLLIN)
        with contextlib.suppress(ReaderGoneError):
            # At most what a large pipe holds: a command that writes on has to notice that nobody reads.
            for _ in range(16):
                if not self._source_is_ours or not poller.poll(0):
                    break
                if not (chunk := os.read(self.source, _READ_BYTES)):
                    break
                lines, data, _ = self._framer.feed(chunk)
                self.record(self.recorder.bodies(lines, data))
            self._finish()


def _wait_until_writable(fd: int) -> None:
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    poller.poll()
