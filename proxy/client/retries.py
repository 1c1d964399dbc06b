"""When to ask again, and when never to."""

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import anyio

from proxy.client.errors import ClientError, RefusedError, ServerFaultError, UnreachableError

_T = TypeVar("_T")
FIRST_S = 0.1  # short beside the start of a server
LONGEST_S = 5.0  # a person waits that long
MOST_PATIENCE_S = 30.0
"""A server that asks for more patience (`Retry-After`) is not waited for: the caller may know better what to do."""

AWAY_S = 2.0
"""For how long, at least, a server that was found away is not asked again by whoever can do without it."""


def delays(retries: int | None = None) -> Iterator[float]:
    """Yield how long to wait before each further attempt, in seconds; None: for ever.

    Exponential with full jitter, so that many clients do not come back at the same moment.
    """
    longest, count = FIRST_S, 0
    while retries is None or count < retries:
        yield random.uniform(longest / 2, longest) if count == 0 else random.uniform(FIRST_S / 2, longest)
        longest, count = min(LONGEST_S, longest * 2), count + 1


def may_repeat(error: ClientError, *, repeatable: bool) -> bool:
    """Tell whether a call that failed may be made again.

    ``repeatable``: making it twice does no more than making it once. A call that is not is made again only if the
    server cannot have done anything yet.
    """
    if error.retry_after_s is not None and error.retry_after_s > MOST_PATIENCE_S:
        return False
    match error:
        case UnreachableError():
            return repeatable or not error.may_have_arrived
        case RefusedError():
            return error.status == 429  # refused before anything was looked at
        case ServerFaultError():
            return repeatable and error.status in (None, 200, 502, 503, 504)
    return False


class Patience:
    """Waits, with growing pauses, before a call is made again, or raises the error when there has been enough."""

    def __init__(
        self, *, retries: int | None = None, give_up_s: float | None = None, repeatable: bool = True
    ) -> None:
        """``retries``: so often at most; ``give_up_s``: for so long at most after the first failure."""
        self._retries = retries
        self._give_up_s = give_up_s
        self._repeatable = repeatable
        self.served()

    def answered(self) -> None:
        """The server is there: the time counts anew. Pauses go on to grow, until it is of use too."""
        self._gone_at: float | None = None

    def served(self) -> None:
        """The server does what it should: all begins anew."""
        self._pauses = delays(self._retries)
        self.answered()

    async def wait(self, error: ClientError) -> None:
        """Pause before the next attempt; raise the error when there is to be none."""
        now = anyio.current_time()
        self._gone_at = now if self._gone_at is None else self._gone_at
        is_over = self._give_up_s is not None and now - self._gone_at >= self._give_up_s
        pause = next(self._pauses, None)
        if is_over or pause is None or not may_repeat(error, repeatable=self._repeatable):
            raise error
        await anyio.sleep(max(pause, error.retry_after_s or 0.0))

    async def pause(self) -> None:
        """Pause before going on with a server that let us go."""
        await anyio.sleep(next(self._pauses, LONGEST_S))


class Absence:
    """Remembers that the server was found away: whoever can do without it waits for it half of the time at most."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def lasts(self) -> bool:
        """Whether the server is not to be asked now."""
        return anyio.current_time() < self._until

    def note(self, began: float) -> None:
        """Note that an attempt, begun at this moment of the loop's clock, found nobody."""
        now = anyio.current_time()
        self._until = now + max(AWAY_S, now - began)


async def patiently(ask: Callable[[], Awaitable[_T]], patience: Patience) -> _T:
    """Ask; a server that went away may come back."""
    while True:
        try:
            answer = await ask()
        except ClientError as error:
            await patience.wait(error)
        else:
            patience.served()
            return answer
