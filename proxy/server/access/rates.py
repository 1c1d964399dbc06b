"""How often one client may ask: so many requests in each stretch of time, which begins with its first one."""

import time

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter


class Limit:
    """Counts requests by client, as long as the server runs. For the event loop's thread."""

    def __init__(self, rate: str) -> None:
        """``rate``: as in the configuration, such as ``1000/hour``."""
        self._item = parse(rate)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def wait_s(self, client: str) -> float:
        """Count a request; return 0 when it may pass, else the seconds after which the next one may."""
        if await self._limiter.hit(self._item, client):
            return 0.0
        left_s = (await self._limiter.get_window_stats(self._item, client)).reset_time - time.time()
        if left_s > self._item.get_expiry():  # the clock was set back: the window would last that much longer
            await self._limiter.clear(self._item, client)
            return await self.wait_s(client)
        return max(0.001, left_s)
