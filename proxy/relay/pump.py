"""One direction of one stream: read, log, pass on. The only place where the bytes of a session are moved.

Each pump has a thread of its own, so that no direction can hold up another. Reads and writes block: the
descriptors are shared with the caller's other processes, so ``O_NONBLOCK`` must not be set on them. A pump ends when
its source ends or its reader is gone, and passes that on by closing the other side.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import threading

from proxy.relay.framing import LineFramer
from proxy.relay.handover import Handover
from proxy.relay.memory import give_back
from proxy.relay.recording import truncated

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proxy.relay.framing import Hold
    from proxy.relay.recording import Recorder
    from proxy.sessions.record import Alike, Body
    from proxy.sessions.writer import SessionLog

READ_BYTES = 64 * 1024
"""What a pipe holds: a larger read would not get more."""
_HAND_OVER_BYTES = 32 * 1024
"""A read of this size takes longer to write than to change threads for."""
_LONG_BYTES = 1024 * 1024
_HUGE_BYTES = 32 * 1024 * 1024
WAKE = signal.SIGURG
"""What gets a thread out of a write that nobody takes: one that programs ignore unless they ask for it.

All other signals are blocked in the relay process (see ``supervisor``); the threads that write let this one through,
and the relay gives it a handler that does nothing, so that the system call ends. The price: sent to the whole process
group, it reaches the command twice.
"""
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
        self.ended = False
        self.taken = 0  # bytes of the source
        self.delivered = 0  # of them
        self._source_is_ours = source_is_ours
        self._on_idle = on_idle
        self._on_fault = on_fault
        self._log = log
        self._framer = LineFramer(self.hold())
        self._waiting = False
        self._handover = Handover(f"{name}-writer", on_idle)
        self._reader_gone = False
        self._was_long = False
        self._ending = threading.Lock()  # held while the ends are closed, or the sink is replaced

    def run(self) -> None:
        """Pump until the source ends or the reader is gone; then close both ends."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {WAKE})  # the thread of the handover inherits it
        try:
            self._pump()
        except ReaderGoneError:
            self._reader_gone = True
            self._record_undelivered()
        except Exception as error:
            self._on_fault(self.name, error)
        finally:
            self._handover.finish()  # after a fault; else it is done already
            with self._ending:
                self.close_ends()
                self.ended = True
            self._on_idle()

    def give_up(self) -> None:
        """Take the reader for gone, though it is there: it takes nothing. To be called by another thread.

        Whoever is blocked in a write to it finds a pipe that nobody reads in its place, and does what is done then.
        """
        if self._ending.acquire(blocking=False):  # else it is about to end
            try:
                if not self.ended:
                    self._replace_sink()
            finally:
                self._ending.release()

    def _replace_sink(self) -> None:
        read, write = os.pipe()
        os.close(read)
        os.dup2(write, self.sink, inheritable=False)
        os.close(write)
        for thread in self.threads():
            if thread.ident is not None and thread.is_alive():
                signal.pthread_kill(thread.ident, WAKE)

    def threads(self) -> list[threading.Thread]:
        """Return the threads that may be writing."""
        return [self, self._handover.thread]

    @property
    def is_idle(self) -> bool:
        """Whether all that was read has been delivered and the pump waits for more."""
        return self._waiting and not self._handover.is_busy

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

    def close_ends(self) -> None:
        """Close both descriptors: whoever is on the far side of either sees it."""
        os.close(self.source)
        os.close(self.sink)

    def take_lines(self, lines: list[bytes], data: bytes) -> tuple[Sequence[Body] | Alike, bytes]:
        """Return the records of complete lines, and what of ``data``, which ends with them, is to be passed on.

        A fault of ours costs the lines their verdicts, and the session nothing.
        """
        try:
            return self.recorder.bodies(lines, data), data
        except Exception as error:
            self._on_fault(self.name, error)
            return self.recorder.raw(lines), data

    def unfinished(self, line: bytes) -> Body:
        """Return the record of the last line, which has no newline; of a fault of ours, as in `take_lines`."""
        try:
            return self.recorder.unfinished(line)
        except Exception as error:
            self._on_fault(self.name, error)
            return truncated(self.recorder.raw([line])[0])

    def deliver(self, bodies: Sequence[Body] | Alike, lines: list[bytes], data: bytes) -> None:
        """Log first, pass on second: large reads by the thread for them, others at once."""
        if self._reader_gone:  # as the handover found
            self._handover.finish()  # what is under way comes first in the log
            self.record(bodies)
            raise ReaderGoneError
        if len(data) >= _HAND_OVER_BYTES or self._handover.is_busy:
            self._handover.give(lambda: self._deliver_elsewhere(bodies, lines, data))
            return
        self._log.append(bodies)
        self.pass_on(lines, data)

    def pass_on(self, lines: list[bytes], data: bytes) -> None:
        """Pass on bytes whose complete ``lines`` are on record."""
        self.write(data)

    def prefix(self, line: bytes) -> bytes | None:
        """Return what is before a line in its record; None if more is to be done for it than to record and write it."""
        if self._handover.is_busy or self._reader_gone or len(line) >= _HAND_OVER_BYTES:
            return None
        try:
            return self.recorder.prefix(line)
        except Exception:
            return None  # a fault of ours, which the long way meets again, and reports

    def hold(self) -> Hold:
        """Tell which unfinished lines must not pass, now that the recorder knows as much as it does."""
        return "messages" if self.recorder.kind == "messages" else "nothing"

    def _pump(self) -> None:
        source, sink = self.source, self.sink
        poller = select.poll()
        poller.register(source, select.POLLIN)
        poller.register(sink, 0)  # wakes up only when the reader is gone
        while True:
            self._waiting = True
            self._on_idle()
            for fd, events in poller.poll() if not self._was_long else self._poll_after_long_line(poller):
                if fd == sink and events & _GONE:
                    raise ReaderGoneError
            self._waiting = False
            try:
                chunk = os.read(source, READ_BYTES)
            except BlockingIOError:  # as in `write`; or another reader was faster
                continue
            except OSError:  # a socket or terminal that broke down: the end, as the command would see it
                chunk = b""
            if not chunk:
                self._handover.finish()
                self._finish()
                return
            self.taken += len(chunk)
            self._take(chunk)

    def _take(self, chunk: bytes) -> None:
        framer = self._framer
        # Somebody waits for a line that comes alone: it goes a short way, if it may.
        if framer.is_one_line(chunk) and (prefix := self.prefix(chunk)):
            self._log.append_line(prefix, chunk)
            self.write(chunk)
            return
        lines, data, overlong = framer.feed(chunk)
        if lines and len(lines[0]) > _HUGE_BYTES:
            give_back()  # the pieces that the line came in
        if overlong is not None:
            self.deliver([self.recorder.unfinished(overlong, cut=True)], [], b"")
        bodies: Sequence[Body] | Alike = ()
        if lines:
            bodies, data = self.take_lines(lines, data)
            framer.hold = self.hold()
        if early := framer.early():
            data += early
        if data or bodies:
            self._was_long = self._was_long or len(data) > _LONG_BYTES
            self.deliver(bodies, lines, data)

    def _deliver_elsewhere(self, bodies: Sequence[Body] | Alike, lines: list[bytes], data: bytes) -> None:
        """Deliver in the thread of the handover, which must go on recording when nobody reads any more."""
        try:
            self.record(bodies)
            if not self._reader_gone:
                self.pass_on(lines, data)
        except ReaderGoneError:
            self._reader_gone = True  # the pump itself learns it from its next poll, or its next delivery
        except Exception as error:
            self._on_fault(self.name, error)
            self._reader_gone = True  # what was not passed on must not be missing in the middle of the stream

    def _poll_after_long_line(self, poller: select.poll) -> list[tuple[int, int]]:
        """Wait as ever; if nothing comes for a second after its delivery, give back the memory that the line took."""
        while not (ready := poller.poll(1000)):
            if not self._handover.is_busy:
                break
        if ready:
            return ready
        self._was_long = False
        give_back()
        return poller.poll()

    def _finish(self) -> None:
        """The source has ended: what is left is a line without a newline."""
        line, rest = self._framer.finish()
        if line:
            self.record([self.unfinished(line)])
        if rest:
            self.pass_on([], rest)

    def _record_undelivered(self) -> None:
        """The reader is gone: what the command has written by then is on record all the same."""
        self._handover.finish()
        poller = select.poll()
        poller.register(self.source, select.POLLIN)
        with contextlib.suppress(ReaderGoneError):
            # No more than the pipe held: a command that writes on has to notice that nobody reads.
            left = capacity(self.source) if self._source_is_ours else 0
            while left > 0 and poller.poll(0):
                if not (chunk := os.read(self.source, READ_BYTES)):
                    break
                left -= len(chunk)
                self.taken += len(chunk)
                lines, data, _ = self._framer.feed(chunk)
                if lines:
                    self.record(self.take_lines(lines, data)[0])
            self._finish()


def capacity(pipe: int) -> int:
    """Return how many bytes a pipe holds, 0 for one that was closed."""
    try:
        return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
    except OSError:
        return 0


def _wait_until_writable(fd: int) -> None:
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    poller.poll()
