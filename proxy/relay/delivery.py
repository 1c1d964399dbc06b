"""When the supervisor may end after the command's exit: once what the command wrote is with the caller.

It waits for delivery, not for time, but

* not for what descendants of the command go on writing, however fast: no further than what the command itself may
  have left in the pipe;
* not for a caller that takes nothing: then it is not reading, and learns the status at once, as without a wrapper.
"""

from __future__ import annotations

import select

from proxy.relay.pump import READ_BYTES, capacity

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.relay.pump import Pump

STALLED_MS = 100
"""A caller that takes nothing for so long after the command's exit is not reading."""
_PATIENCE = 20
"""So many times that long may pass without progress though the caller would take: a disk that hangs, a busy machine."""


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
        return self._quiet >= _PATIENCE or not any(_is_ready(pump.sink, select.POLLOUT) for pump in left)

    def _is_settled(self, pump: Pump) -> bool:
        """Whether the pump has ended, or has delivered all that the command wrote and is going on for others."""
        if pump.ended:
            return True
        if _is_ready(pump.sink, 0):
            return False  # nobody is there any more, so it will end at once
        if pump.name == "stdin":
            return True
        if pump.delivered >= self._marks[pump.name]:
            return True
        # In this order: nothing left to read means that it was read, and `is_idle` then means that it was delivered.
        return not _is_ready(pump.source, select.POLLIN) and pump.is_idle


def _is_ready(fd: int, events: int) -> bool:
    """Whether one of the events is there, or the other side is gone."""
    poller = select.poll()
    poller.register(fd, events)
    return bool(poller.poll(0))
