"""Figures of many values in one pass and bounded memory.

Up to `EXACT` values are kept and quantiles are exact. Beyond, values are counted in buckets whose width is 2 % of
their value (the way of DDSketch), so that a quantile is right to 1 %, whatever the values are. Count, total,
mean, deviation, least and most are exact always.
"""

import math
from bisect import bisect_left, insort

from proxy.analysis.report import Bucket, Figures

__all__ = ["ACCURACY", "EXACT", "Distribution"]

EXACT = 1000
ACCURACY = 0.01
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = math.log(_GAMMA)
_LEAST = 1e-6
_STEPS = [float(f"{digit}e{power}") for power in range(-6, 16) for digit in (1, 2, 5)]


class Distribution:
    """Takes numbers that are not negative, and says what they look like."""

    __slots__ = ("_counts", "_exact", "_m2", "_mean", "_steps", "count", "least", "most", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.least = math.inf
        self.most = 0.0
        self._mean = self._m2 = 0.0
        self._exact: list[float] | None = []
        self._counts: dict[int, int] = {}
        self._steps: dict[int, int] = {}

    def add(self, value: float) -> None:
        """Take one value."""
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)
        apart = value - self._mean
        self._mean += apart / self.count
        self._m2 += apart * (value - self._mean)
        step = bisect_left(_STEPS, value) if value else -1
        self._steps[step] = self._steps.get(step, 0) + 1
        if self._exact is None:
            self._put(value)
            return
        insort(self._exact, value)
        if len(self._exact) > EXACT:
            for kept in self._exact:
                self._put(kept)
            self._exact = None

    def quantile(self, share: float) -> float:
        """Return the value below which the share lies. ValueError when there are no values."""
        if not self.count:
            raise ValueError("no values")
        if self._exact is not None:
            place = share * (len(self._exact) - 1)
            low = int(place)
            high = min(low + 1, len(self._exact) - 1)
            return self._exact[low] + (self._exact[high] - self._exact[low]) * (place - low)
        wanted = share * (self.count - 1)
        before = 0
        for key in sorted(self._counts):
            before += self._counts[key]
            if before > wanted:
                break
        value = 0.0 if key == _ZERO else 2 * _GAMMA**key / (_GAMMA + 1)
        return min(max(value, self.least), self.most)

    def figures(self) -> Figures:
        """Return everything at once, to three decimals (six where values are small, such as costs)."""
        if not self.count:
            return Figures()
        digits = 3 if self.most >= 100 else 6
        named = {
            "mean": self.total / self.count,
            "median": self.quantile(0.5),
            "p95": self.quantile(0.95),
            "min": self.least,
            "max": self.most,
            "deviation": math.sqrt(max(0.0, self._m2) / self.count),
        }
        buckets = [
            Bucket(0.0 if step < 0 else _STEPS[min(step, len(_STEPS) - 1)], count)
            for step, count in sorted(self._steps.items())
        ]
        rounded = {name: round(value, digits) for name, value in named.items()}
        return Figures(self.count, round(self.total, digits), **rounded, distribution=buckets)

    def _put(self, value: float) -> None:
        key = _ZERO if value < _LEAST else math.ceil(math.log(value) / _LOG_GAMMA)
        self._counts[key] = self._counts.get(key, 0) + 1


_ZERO = -(1 << 30)
"""The bucket of what is as good as nothing."""
