"""The processes beside the server, for what is processor-bound: the event loop has others to serve meanwhile.

What they are given are pure functions: everything comes with the question and goes back with the answer, so any
process can take any question, and one that dies takes nothing with it.
"""

import math
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import BrokenWorkerProcess, CapacityLimiter, fail_after, to_process

from proxy.server.base.errors import UnavailableError

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")

_LONGEST_S = 60.0
"""What is asked takes some seconds at most on any machine; what has not ended by then never will, and is killed."""


class Pool:
    """A bounded number of processes, each started when it is first needed. They end with the event loop."""

    def __init__(self, processes: int, longest_s: float = _LONGEST_S) -> None:
        """``longest_s``: seconds after which what has not ended is killed."""
        self._longest_s = longest_s
        self._limiter = CapacityLimiter(processes)
        self._unlimited = CapacityLimiter(math.inf)

    async def run(self, function: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
        """Return what a function of a module gives in one of the processes; wait for one if all are busy.

        Raises:
            UnavailableError: the process has died, or took too long and was killed.
            Exception: what the function raises.
        """
        async with self._limiter:
            try:
                with fail_after(self._longest_s):
                    return await to_process.run_sync(
                        function, *arguments, cancellable=True, limiter=self._unlimited
                    )
            except BrokenWorkerProcess:
                raise UnavailableError("The process that was to do this has died; ask again.") from None
            except TimeoutError:
                raise UnavailableError(
                    f"This was not done within {self._longest_s:g} s; ask for less."
                ) from None
