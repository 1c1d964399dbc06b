"""Statistics of many values: what the standard library says of all of them at once."""

import math
import random
import statistics
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.analysis.distribution import ACCURACY, EXACT, Distribution
from proxy.analysis.report import Bucket, Statistics

if TYPE_CHECKING:
    from collections.abc import Callable

VALUES = st.floats(min_value=0, max_value=1e9, allow_nan=False)


def taken(values: list[float]) -> Distribution:
    """Return the distribution of some values."""
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    return distribution


@given(st.lists(VALUES, min_size=2, max_size=200))
def test_few_values_are_exact(values: list[float]) -> None:
    """Up to a thousand values the quantiles are those of `statistics`, and the rest always is."""
    distribution = taken(values)
    percentiles = statistics.quantiles(values, n=100, method="inclusive")
    for share in (0.05, 0.5, 0.9, 0.95):
        assert distribution.quantile(share) == pytest.approx(percentiles[round(share * 100) - 1], abs=1e-6)
    found = distribution.statistics()
    assert found.count == len(values) == sum(bucket.count for bucket in found.distribution)
    assert found.total == pytest.approx(math.fsum(values), abs=1e-3)
    assert found.mean == pytest.approx(statistics.fmean(values), abs=1e-3)
    assert found.deviation == pytest.approx(statistics.pstdev(values), rel=1e-6, abs=1e-3)
    assert (found.min, found.max) == pytest.approx((min(values), max(values)), abs=1e-3)


@pytest.mark.parametrize("shape", ["even", "long tail", "two heaps", "with nothing"])
def test_many_values_are_right_to_one_percent(shape: str) -> None:
    """Beyond, a quantile lies within one percent of a true value at its place."""
    dice = random.Random(shape)
    shapes: dict[str, Callable[[], float]] = {
        "even": lambda: dice.uniform(0.001, 1e6),
        "long tail": lambda: dice.lognormvariate(3, 4),
        "two heaps": lambda: dice.choice((dice.gauss(10, 1), dice.gauss(1e6, 10))),
        "with nothing": lambda: max(0.0, dice.gauss(0, 1)),
    }
    make = shapes[shape]
    values = sorted(max(0.0, make()) for _ in range(20 * EXACT))
    distribution = taken(dice.sample(values, len(values)))
    for share in (0.01, 0.25, 0.5, 0.9, 0.95, 0.999):
        place = share * (len(values) - 1)
        low, high = values[math.floor(place)], values[math.ceil(place)]
        found = distribution.quantile(share)
        assert low * (1 - ACCURACY) - 1e-6 <= found <= high * (1 + ACCURACY) + 1e-6


def test_memory_is_bounded() -> None:
    """However many different values there are, few numbers are kept."""
    dice = random.Random(1)
    distribution = taken([10 ** dice.uniform(-6, 12) for _ in range(30_000)])
    assert len(distribution._fresh) <= EXACT
    assert len(distribution._counts) < 2200


def test_no_values_have_no_figures() -> None:
    """There is no mean of nothing."""
    assert Distribution().statistics() == Statistics()
    with pytest.raises(ValueError, match="no values"):
        Distribution().quantile(0.5)


def test_the_distribution_is_of_steps() -> None:
    """Values are counted by steps of 1, 2, 5; nothing has a step of its own."""
    found = taken([0, 1, 1.5, 2, 4, 7]).statistics().distribution
    assert found == [Bucket(0, 1), Bucket(1, 1), Bucket(2, 2), Bucket(5, 1), Bucket(10, 1)]
