"""When to ask again, and when never to."""

import random
from collections.abc import Iterator

from proxy.client.errors import ClientError, RefusedError, ServerFaultError, UnreachableError

__all__ = ["delays", "may_repeat"]

FIRST_S = 0.1
LONGEST_S = 5.0
MOST_PATIENCE_S = 30.0
"""A server that asks for more patience (`Retry-After`) is not waited for: the caller may know better what to do."""


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
