"""Delivering large reads by a thread of its own: writes run without the interpreter lock while the next read is judged.

Order is kept: what was given first is delivered first, and nothing is delivered past it. At most two reads are under
way, so that a caller who does not read is felt by the command as without a wrapper.
"""

from __future__ import annotations

from _queue import SimpleQueue  # `queue` has it from there, and imports more for its other queues

from proxy.relay.threads import Thread

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.relay.framing import Batch

_UNDER_WAY = 2  # one that is written and one that waits: with a third, memory grows and nothing gets faster


class WriterThread:
    """A queue of batches and the thread that delivers them, which starts with the first one."""

    def __init__(self, deliver: Callable[[Batch], None], on_done: Callable[[], None]) -> None:
        """``deliver`` must not raise; ``on_done`` is called by the thread when it has delivered a batch."""
        self._deliver = deliver
        self._on_done = on_done
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()  # a semaphore, which `_thread` does not have
        for _ in range(_UNDER_WAY):
            self._room.put(None)
        self.thread = Thread(self._run)
        self._given = 0  # changed by the giver alone
        self._done = 0  # changed by the thread alone

    @property
    def is_busy(self) -> bool:
        """Whether something that was given is not delivered yet."""
        return self._given != self._done

    def give(self, batch: Batch) -> None:
        """Have ``batch`` delivered after all earlier ones; wait while two are under way."""
        if not self._given:
            try:
                self.thread.start()
            except RuntimeError:
                self._deliver(batch)
                return
        self._room.get()
        self._given += 1
        self._batches.put(batch)

    def finish(self) -> None:
        """Wait until all is delivered, and end the thread."""
        if self.thread.is_alive:
            self._batches.put(None)
            self.thread.join()

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            self._deliver(batch)
            del batch  # it may be 100 MB, and the next may be long in coming
            self._done += 1
            self._room.put(None)
            self._on_done()
