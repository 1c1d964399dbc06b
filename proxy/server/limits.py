"""How often one client may ask: so many requests in each stretch of time, which begins with its first one."""

import time
from collections.abc import Callable

__all__ = ["Limit"]

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_MOST_CLIENTS = 10_000
"""Clients that are remembered; beyond, those whose stretch is over are forgotten."""


class Limit:
    """Counts requests by client. ``clock`` gives seconds."""

    def __init__(self, rate: str, clock: Callable[[], float] = time.monotonic) -> None:
        """``rate``: as in the configuration, such as ``1000/hour``."""
        count, _, unit = rate.partition("/")
        self._most, self._period_s = int(count), _SECONDS[unit.strip()]
        self._clock = clock
        self._clients: dict[str, tuple[float, int]] = {}

    def wait_s(self, client: str) -> float:
        """Count a request; return 0 when it may pass, else the seconds after which the next one may."""
        now = self._clock()
        began, count = self._clients.get(client, (now, 0))
        if now - began >= self._period_s:
            began, count = now, 0
        if count >= self._most:
            return began + self._period_s - now
        if len(self._clients) >= _MOST_CLIENTS:
            self._forget(now)
        self._clients[client] = (began, count + 1)
        return 0.0

    def _forget(self, now: float) -> None:
        self._clients = {
            client: (began, count)
            for client, (began, count) in self._clients.items()
            if now - began < self._period_s
        }
