"""Statistics of many values in one pass and bounded memory.

Up to `EXACT` values are kept and quantiles are exact. Beyond, so many at a time are counted in buckets whose width is
2 % of their value (the way of DDSketch), so that a quantile is right to 1 %, whatever the values are. Count, total,
mean, deviation, least and most are exact always.
"""

import math
from bisect import bisect_left
from collections import Counter

from proxy.analysis.report import Bucket, Statistics

EXACT = 1000  # bounds memory: beyond, values are counted in buckets
ACCURACY = 0.01  # relative; finer than any reader looks
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = math.log(_GAMMA)
_LEAST = 1e-6  # counts as zero: buckets are logarithmic
_STEPS = [float(f"{digit}e{power}") for power in range(-6, 16) for digit in (1, 2, 5)]


class Distribution:
    """Takes numbers that are not negative, and says what they look like."""

    __slots__ = ("_counts", "_folded", "_fresh", "_least", "_m2", "_mean", "_most", "_steps", "_total")

    def __init__(self) -> None:
        self._fresh: list[float] = []
        self._folded = 0
        self._least, self._most = math.inf, 0.0
        self._total = self._mean = self._m2 = 0.0
        self._counts: Counter[int] = Counter()
        self._steps: Counter[int] = Counter()

    @property
    def count(self) -> int:
        """How many values there are."""
        return self._folded + len(self._fresh)

    @property
    def total(self) -> float:
        """Their sum."""
        return self._total + sum(self._fresh)

    def add(self, value: float) -> None:
        """Take one value."""
        self._fresh.append(value)
        if len(self._fresh) > EXACT:
            self._fold()

    def quantile(self, share: float) -> float:
        """Return the value below which the share lies. ValueError when there are no values."""
        if not self.count:
            raise ValueError("no values")
        if not self._folded:
            values = sorted(self._fresh)
            place = share * (len(values) - 1)
            low = int(place)
            high = min(low + 1, len(values) - 1)
            return values[low] + (values[high] - values[low]) * (place - low)
        self._fold()
        wanted = share * (self._folded - 1)
        before = 0
        for key in sorted(self._counts):
            before += self._counts[key]
            if before > wanted:
                break
        value = 0.0 if key == _ZERO else 2 * _GAMMA**key / (_GAMMA + 1)
        return min(max(value, self._least), self._most)

    def statistics(self) -> Statistics:
        """Return everything at once, to three decimals (six where values are small, such as costs)."""
        if not self.count:
            return Statistics()
        median, p95 = self.quantile(0.5), self.quantile(0.95)
        total, mean, m2, steps = _summed(self._fresh)
        if self._folded:  # and nothing is fresh: the quantiles have seen to it
            total, mean, m2, steps = self._total, self._mean, self._m2, self._steps
        most = max([self._most, *self._fresh])
        named = {
            "mean": mean,
            "median": median,
            "p95": p95,
            "min": min([self._least, *self._fresh]),
            "max": most,
            "deviation": math.sqrt(max(0.0, m2) / self.count),
        }
        digits = 3 if most >= 100 else 6
        buckets = [
            Bucket(0.0 if step < 0 else _STEPS[min(step, len(_STEPS) - 1)], count)
            for step, count in sorted(steps.items())
        ]
        rounded = {name: round(value, digits) for name, value in named.items()}
        return Statistics(self.count, round(total, digits), **rounded, distribution=buckets)

    def _fold(self) -> None:
        """Count what is fresh in buckets; many at once take a fraction of what one by one would."""
        fresh, self._fresh = self._fresh, []
        if not fresh:
            return
        total, mean, m2, steps = _summed(fresh)
        apart, count = mean - self._mean, self._folded + len(fresh)
        self._m2 += m2 + apart * apart * self._folded * len(fresh) / count
        self._mean += apart * len(fresh) / count
        self._total += total
        self._folded = count
        self._least, self._most = min(self._least, *fresh), max(self._most, *fresh)
        self._steps.update(steps)
        keys = [_ZERO if value < _LEAST else math.ceil(math.log(value) / _LOG_GAMMA) for value in fresh]
        self._counts.update(keys)


def _summed(values: list[float]) -> tuple[float, float, float, Counter[int]]:
    """Return the sum, the mean, the squared distances from it, and how many values lie on each step."""
    if not values:
        return 0.0, 0.0, 0.0, Counter()
    total = math.fsum(values)
    mean = total / len(values)
    m2 = sum([(value - mean) ** 2 for value in values])
    return total, mean, m2, Counter([bisect_left(_STEPS, value) if value else -1 for value in values])


def share(part: float, whole: float) -> float:
    """Return a part of a whole, to four decimals; 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0


_ZERO = -(1 << 30)
"""The bucket of what is as good as nothing."""
