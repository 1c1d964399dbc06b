"""A pump that also writes lines of our own into its stream, between two lines of it.

Whatever is put in is recorded before it is written, like all that passes; and record and write are one turn, so that
the log has the order of the wire. A thread of its own writes such lines, so that a reader who does not read holds up
what is put in and nothing else.
"""

from __future__ import annotations

import contextlib
import threading
from _queue import Empty, SimpleQueue
from collections import Counter

from proxy.relay.pump import Pump, ReaderGoneError
from proxy.relay.threads import Thread

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from proxy.relay.framing import Batch
    from proxy.relay.recording import StreamRecorder
    from proxy.sessions.record import Body


class Injection:
    """A line of our own, a valid message without its newline.

    It is claimed once: by the pump, right before it is recorded, or by who no longer wants it.
    """

    def __init__(self, line: bytes, *, before: Sequence[Body] = (), tag: str | None = None) -> None:
        """``before``: records that stand before the line's. ``tag``: the action that it belongs to."""
        self.line = line
        self.before = before
        self.tag = tag
        self._claim = threading.Lock()

    def claim(self) -> bool:
        """Return whether nobody has claimed it before."""
        return self._claim.acquire(blocking=False)

    def settle(self, pump: InjectingPump) -> bytes | None:
        """Decide what is written, and record it; None: nothing.

        Called by the pump's thread with the stream between two lines. What is returned is written at once.
        """
        pump.record([*self.before, pump.own_record(self.line, self.tag)])
        return self.line

    def drop(self) -> None:
        """Take note that it will not be written: the stream has ended."""


class InjectingPump(Pump):
    """Moves one stream of messages, and takes lines of our own into it."""

    recorder: StreamRecorder
    has_short_way = False  # it knows nothing of turns
    opposite: InjectingPump | None = None
    """Where the replies to this stream go; None: nobody could hear them. Set before `start`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turn = threading.Condition()  # held by who records and writes
        self._within_line = False  # where the bytes written so far end
        self._over = False
        self._injected: Counter[str] = Counter()
        self._lines: SimpleQueue[Injection | None] = SimpleQueue()
        self._injector = Thread(self._inject)

    @property
    def counts(self) -> Mapping[str, int]:
        """Lines recorded so far, by verdict, those of our own among them."""
        return self._injected + Counter(self.recorder.counts)

    def inject(self, line: bytes | Injection) -> None:
        """Write a line, a valid message, when the stream is between two lines; return at once."""
        self._lines.put(line if isinstance(line, Injection) else Injection(line))
        if self._over:
            self._drop_rest()

    def own_record(self, line: bytes, tag: str | None) -> Body:
        """Return the record of a line of our own, and count it."""
        self._injected["valid"] += 1
        return self.recorder.own_words(line, tag)

    def record(self, records: Sequence[Body]) -> int | None:
        """Record what is to be written; return the number of the first record, None if it could not be recorded."""
        return self._log.append_numbered(records)

    def start_injecting(self) -> None:
        """Start the thread for lines of our own, before the stream's own are read."""
        self._injector.start()

    def start(self) -> None:
        """Start what is not started."""
        if not self._injector.is_started:
            self.start_injecting()
        super().start()

    def deliver(self, batch: Batch) -> None:
        """Record and pass on the stream's own lines in one turn, and hand over what is to be said about them."""
        with self._turn:
            if batch.records:
                self._log.append(batch.records)
            if self.opposite is not None:
                for line in batch.replies:
                    self.opposite.inject(line)
            self.write(batch.data)
            self.delivered += batch.held_bytes  # nobody is to have them
            if batch.data:
                self._within_line = not batch.data.endswith(b"\n")
            for line in batch.follow_ups:
                self.inject(line)
            self._turn.notify()

    def threads(self) -> list[Thread]:
        """Return the threads that may be writing."""
        return [*super().threads(), self._injector]

    def close_ends(self) -> None:
        """Close both ends, with no line of our own under way."""
        with self._turn:
            self._over = True
            super().close_ends()
        self._drop_rest()

    def _drop_rest(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                injection = self._lines.get_nowait()
                if injection is not None and injection.claim():
                    injection.drop()

    def _finish(self) -> None:
        """The stream has ended: what is left to put in is written before the reader sees the end."""
        super()._finish()
        with self._turn:
            self._within_line = False
            self._turn.notify()
        if self._injector.is_alive:
            self._lines.put(None)
            self._injector.join()

    def _inject(self) -> None:
        with contextlib.suppress(ReaderGoneError):
            while (injection := self._lines.get()) is not None:
                with self._turn:
                    self._turn.wait_for(lambda: not self._within_line)
                    if self._over:
                        if injection.claim():
                            injection.drop()
                        return
                    if injection.claim():
                        self._put_in(injection)

    def _put_in(self, injection: Injection) -> None:
        line = injection.settle(self)
        if line is not None:
            self.write(line + b"\n")
            self.delivered -= len(line) + 1  # none of it was taken from the source


def join(pumps: Iterable[Pump]) -> None:
    """Let two streams of one session reply to each other, where both can take lines of our own."""
    joined = [pump for pump in pumps if isinstance(pump, InjectingPump)]
    if len(joined) == 2:
        joined[0].opposite, joined[1].opposite = joined[1], joined[0]
