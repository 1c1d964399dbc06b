"""One direction of one stream: read, log, pass on. The only place where the bytes of a session are moved.

Each pump has a thread of its own, so that no direction can hold up another. Reads and writes block: the
descriptors are shared with the caller's other processes, so ``O_NONBLOCK`` must not be set on them. A pump ends when
its source ends or its reader is gone, and passes that on by closing the other side.

A pump does not poll before it reads: that is a tenth of a round trip. The relay's main thread watches its sink, and
calls `Pump.watch_both_ends` when the reader is gone, or the command. This ends a read that is blocked, and from then on
the pump polls its two ends: it ends when its reader goes, and others can tell whether it has delivered all there was.
"""

from __future__ import annotations

import _thread
import contextlib
import fcntl
import os
import select
import sys

from proxy.relay.framing import Batch, LineFramer
from proxy.relay.memory import LongLines
from proxy.relay.polling import can_poll, is_gone, wait_until_writable
from proxy.relay.recording import truncated
from proxy.relay.threads import Thread
from proxy.relay.writing import WriterThread

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.relay.recording import Recorder
    from proxy.sessions.writer import SessionLog

READ_BYTES = 64 * 1024
"""What a pipe holds: a larger read would not get more."""
_USUAL_BYTES = 16 * 1024
"""What is asked for when less came before. A blocked read holds its memory: with 64 KiB each, three pumps take 0.7 MB
more, and most lines are shorter than this."""
_LARGE_BYTES = 32 * 1024
"""A batch of this size takes longer to write than to change threads for: lines of 250 bytes both ways take a quarter
less time with the thread."""


class ReaderGoneError(Exception):
    """Nobody will ever read the far side again."""


class Pump:
    """Moves one stream from ``source`` to ``sink`` (descriptors, closed at the end), recording it on the way."""

    has_short_way = True
    """Whether a valid line that comes alone is logged and written without a `Batch`, by the pump's own thread."""

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

        ``on_idle`` is called by the pump's thread each time when all that it read has been delivered, if it watches
        both ends, and once when it has ended; ``on_fault`` with the pump's name when a fault of ours has ended it.
        """
        self.name = name
        self.source = source
        self.sink = sink
        self.recorder = recorder
        self.ended = False
        self.taken = 0  # bytes of the source
        self.delivered = 0  # of them
        self.write_failed = False  # though the reader is not gone: a full disk
        self._source_is_ours = source_is_ours
        self._on_idle = on_idle
        self._on_fault = on_fault
        self._log = log
        self._framer = LineFramer(recorder.hold)
        self._read_from = _duplicated(source)
        self._polls = self._read_from == source
        self._poller: select.poll | None = None
        self._waiting = False
        self._writer = WriterThread(self._deliver_behind, on_idle)
        self._thread = Thread(self._run)
        self._reader_gone = False
        self._long_lines = LongLines()
        self._ending = _thread.allocate_lock()  # held while the ends are closed, or the sink is replaced

    def start(self) -> None:
        """Pump, in a thread, until the source ends or the reader is gone; then close both ends."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait until it has ended, so many seconds at most."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._pump()
        except ReaderGoneError:
            self._reader_gone = True
            self._record_undelivered()
        except Exception as error:
            self._on_fault(self.name, error)
        finally:
            self._writer.finish()  # after a fault; else it is done already
            with self._ending:
                self.close_ends()
                self.ended = True
            self._long_lines.give_back()
            self._on_idle()

    def watch_both_ends(self, unreadable: int) -> None:
        """Poll source and sink from now on, and end a read that is blocked. To be called by another thread.

        ``unreadable``: any descriptor that cannot be read. It takes the place of the one that the read is blocked in.
        """
        if self._ending.acquire(blocking=False):  # else it is about to end
            try:
                if not self.watches_both_ends:
                    self._end_blocking_reads(unreadable)
                    self._thread.wake()
            finally:
                self._ending.release()

    @property
    def watches_both_ends(self) -> bool:
        """Whether nobody else need watch the sink."""
        return self._polls or self.ended

    def give_up(self) -> None:
        """Take the reader for gone, though it is there: it takes nothing. To be called by another thread.

        Whoever is blocked in a write to it, or polls it, finds a pipe that nobody reads in its place, and does what is
        done then.
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
        self._end_blocking_reads(write)
        os.close(write)
        for thread in self.threads():
            thread.wake()

    def _end_blocking_reads(self, unreadable: int) -> None:
        if not self._polls:
            self._polls = True
            os.dup2(unreadable, self._read_from, inheritable=False)

    def threads(self) -> list[Thread]:
        """Return the threads that may be writing."""
        return [self._thread, self._writer.thread]

    @property
    def is_idle(self) -> bool:
        """Whether all that was read has been delivered and the pump waits for more; false unless it watches both ends.

        A thread that is blocked in a read may have read: it says so only when it runs again.
        """
        return self._waiting and not self._writer.is_busy

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
                wait_until_writable(self.sink)
                continue
            except OSError as error:
                self.write_failed = not isinstance(error, BrokenPipeError)
                raise ReaderGoneError from error
            self.delivered += written
            if written == len(data):
                return
            data = memoryview(data)[written:]

    def close_ends(self) -> None:
        """Close both ends: whoever is on the far side of either sees it."""
        for fd in {self._read_from, self.source, self.sink}:
            # A network file system may say only now that its disk is full. It is closed all the same.
            with contextlib.suppress(OSError):
                os.close(fd)

    def deliver(self, batch: Batch) -> None:
        """Log first, pass on second: to be overridden by who does more in between."""
        if batch.records:
            self._log.append(batch.records)
        self.write(batch.data)

    def _pump(self) -> None:
        if is_gone(self.sink):
            raise ReaderGoneError
        long_lines, size = self._long_lines, _USUAL_BYTES
        while True:
            if self._polls or long_lines.patience_ms is not None:
                if not self._has_input():
                    continue
                fd = self.source
            else:
                fd = self._read_from
            try:
                chunk = os.read(fd, size)
            except BlockingIOError:  # as in `write`; or another reader was faster
                self._polls = True
                continue
            except OSError:  # a socket or terminal that broke down: the end, as the command would see it
                if self._polls and fd != self.source:
                    continue  # it was `watch_both_ends`
                chunk = b""
            if not chunk:
                self._writer.finish()
                self._finish()
                return
            size = READ_BYTES if len(chunk) >= _USUAL_BYTES else _USUAL_BYTES
            self.taken += len(chunk)
            self._take(chunk)

    def _has_input(self) -> bool:
        """Wait for something to read, or for a quiet time after long lines; raise `ReaderGoneError`."""
        self._waiting = True
        self._on_idle()
        ready = self._ends().poll(self._long_lines.patience_ms)
        self._waiting = False
        if not ready and not self._writer.is_busy:
            self._long_lines.give_back()
        if any(fd == self.sink for fd, _ in ready):
            raise ReaderGoneError
        return bool(ready)

    def _ends(self) -> select.poll:
        if self._poller is None:
            self._poller = select.poll()
            self._poller.register(self.source, select.POLLIN)
            if can_poll(self.sink):
                self._poller.register(self.sink, 0)  # wakes up only when the reader is gone
        return self._poller

    def _take(self, chunk: bytes) -> None:
        # Somebody waits for a line that comes alone: it goes a short way, if it may.
        if (
            self.has_short_way
            and len(chunk) < _LARGE_BYTES
            and self._framer.is_one_line(chunk)
            and not self._writer.is_busy
            and not self._reader_gone
        ):
            try:
                prefix = self.recorder.prefix(chunk)
            except Exception:
                prefix = None  # a fault of ours, which the long way meets again, and reports
            if prefix is not None:
                self._log.append_line(prefix, chunk)
                self.write(chunk)
                return
        batch = self._framer.feed(chunk)
        self._record(batch)
        batch.data += self._framer.early()
        if batch.data or batch.records:
            self._deliver(batch)

    def _record(self, batch: Batch) -> None:
        """Make the records of a batch. A fault of ours costs its lines their verdicts, and the session nothing."""
        before = [] if batch.overlong is None else [self.recorder.beginning(batch.overlong)]
        if batch.lines:
            self._long_lines.add(len(batch.lines[0]))  # any further ones came in one read
            try:
                self.recorder.record(batch)
            except Exception as error:
                self._on_fault(self.name, error)
                self.recorder.record_unjudged(batch)
            self._framer.hold = self.recorder.hold
        if before:
            batch.records = [*before, *batch.records]

    def _deliver(self, batch: Batch) -> None:
        """Deliver a batch: a large one by the thread for them, any other at once, and all in order."""
        if self._reader_gone:  # as the writer's thread found
            self._writer.finish()  # what is under way comes first in the log
            self._log.append(batch.records)
            raise ReaderGoneError
        if len(batch.data) >= _LARGE_BYTES or self._writer.is_busy:
            self._writer.give(batch)
        else:
            self.deliver(batch)

    def _deliver_behind(self, batch: Batch) -> None:
        """Deliver in the writer's thread, which must go on recording when nobody reads any more."""
        try:
            if self._reader_gone:
                self._log.append(batch.records)
            else:
                self.deliver(batch)
        except ReaderGoneError:
            self._reader_gone = True  # the pump itself learns it from its next poll, or its next delivery
        except Exception as error:
            self._on_fault(self.name, error)
            self._reader_gone = True  # what was not passed on must not be missing in the middle of the stream

    def _finish(self) -> None:
        """The source has ended: what is left is a line without a newline."""
        line, rest = self._framer.finish()
        if not line:
            return
        batch = Batch(rest)
        try:
            self.recorder.record_last(batch, line)
        except Exception as error:  # as in `_record`
            self._on_fault(self.name, error)
            batch.lines = [line]
            self.recorder.record_unjudged(batch)
            batch.records = [truncated(body) for body in batch.records]
        self.deliver(batch)

    def _record_undelivered(self) -> None:
        """The reader is gone: what the command has written by then is on record all the same."""
        self._writer.finish()
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
                batch = self._framer.feed(chunk)
                self._record(batch)
                self._log.append(batch.records)
            self._finish()


def capacity(pipe: int) -> int:
    """Return how many bytes a pipe holds, at most 64 KiB where the system does not tell; 0 for one that was closed."""
    try:
        os.fstat(pipe)
        return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) if hasattr(fcntl, "F_GETPIPE_SZ") else READ_BYTES
    except OSError:
        return 0


def _duplicated(source: int) -> int:
    """Return a descriptor to read from that can be replaced under a blocked read; ``source`` where there is none."""
    if sys.platform != "linux":
        return source  # on macOS, replacing it would not end the read, but the pipe
    try:
        return os.dup(source)
    except OSError:
        return source  # too few descriptors
