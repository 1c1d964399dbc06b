"""What is waited for after the command's exit.

The supervisor may end once what the command wrote is with the caller (`Delivery`). It waits for delivery, not for time,
but

* not for what descendants of the command go on writing, however fast: no further than what the command itself may
  have left in the pipe;
* not for a caller that takes nothing: then it is not reading, and learns the status at once, as without a wrapper.

The relay goes on for descendants that write, and lets go of a stream that nobody takes (`Stalls`).
"""

from __future__ import annotations

import select
import time

from proxy.relay.polling import is_gone, is_ready
from proxy.relay.pump import READ_BYTES, capacity

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proxy.relay.pump import Pump

STALLED_MS = 100
"""A caller that takes nothing for so long after the command's exit is not reading.

One that reads takes what is there within some milliseconds, and a tenth of a second is what people hardly notice."""
_PATIENCE = 20
"""So many times that long may pass without progress though the caller would take: a disk that hangs, a busy machine.

Two seconds: the SDKs wait five for an exit before they send a signal."""

KILLED_S = 1.0
"""A caller that has killed the wrapper, and takes nothing for so long, will not: it has had all that its pipe holds.

Long beside the milliseconds in which a reader takes that, and nobody waits for it but the end of the log."""
LEFT_S = 10.0
"""So long the output of a descendant waits for a caller that has the command's status.

Without the wrapper it would wait for ever. Longer than any step in which the SDKs end a session (5 s), and short enough
not to leave a process behind for each caller that keeps a pipe which it does not read."""


class Delivery:
    """The end of a session's output. Made when the command has exited."""

    def __init__(self, pumps: Sequence[Pump]) -> None:
        self._pumps = pumps
        # One read more than the pipe holds: it may have been taken, and not be counted yet.
        self._marks = {
            pump.name: pump.taken + capacity(pump.source) + READ_BYTES
            for pump in pumps
            if pump.name != "stdin"
        }
        self._delivered = -1
        self._quiet = 0

    def is_over(self, *, timed_out: bool) -> bool:
        """Whether nothing is left to be waited for; ``timed_out``: nothing was heard of the pumps for `STALLED_MS`."""
        left = [pump for pump in self._pumps if not self._is_settled(pump)]
        if not left:
            return True
        before, self._delivered = self._delivered, sum(pump.delivered for pump in self._pumps)
        if not timed_out or self._delivered != before:
            self._quiet = 0
            return False
        self._quiet += 1
        return self._quiet >= _PATIENCE or not any(is_ready(pump.sink, select.POLLOUT) for pump in left)

    def _is_settled(self, pump: Pump) -> bool:
        """Whether the pump has ended, or has delivered all that the command wrote and is going on for others."""
        if pump.ended:
            return True
        if is_gone(pump.sink):
            return False  # nobody is there any more, so it will end at once
        if pump.name == "stdin":
            return True
        if pump.delivered >= self._marks[pump.name]:
            return True
        # In this order: nothing left to read means that it was read, and `is_idle` then means that it was delivered.
        return not is_ready(pump.source, select.POLLIN) and pump.is_idle


class Stalls:
    """Tells which streams nobody takes. Made when the command has exited, or the wrapper was killed."""

    def __init__(
        self,
        pumps: Sequence[Pump],
        patience_s: float,
        *,
        from_descendants: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``patience_s``: how long a far side may take nothing of what waits for it.

        ``from_descendants``: only of streams that somebody still holds. What is left of a stream that nobody can write
        to is the command's last words, for which a pager may take its time.
        """
        self._pumps = pumps
        self._patience_s = patience_s
        self._from_descendants = from_descendants
        self._clock = clock
        self._progress = {pump.name: (pump.delivered, clock()) for pump in pumps}

    def stalled(self) -> list[Pump]:
        """Return the pumps whose far side has taken nothing for too long. To be asked every now and then."""
        now = self._clock()
        stalled = []
        for pump in self._pumps:
            delivered, since = self._progress[pump.name]
            if pump.delivered != delivered or not self._is_held_up(pump):
                self._progress[pump.name] = (pump.delivered, now)
            elif now - since >= self._patience_s:
                stalled.append(pump)
        return stalled

    def _is_held_up(self, pump: Pump) -> bool:
        if pump.ended or pump.is_idle or is_ready(pump.sink, select.POLLOUT):
            return False
        return not (self._from_descendants and is_gone(pump.source))
