"""Which cases of a large matrix the short tier plays; the others are marked ``slow``, for ``./check --all``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["examples", "first_in_short", "in_short"]


def in_short(cases: Iterable[Any], *, names: Collection[Any]) -> list[Any]:
    """Return the cases of a test, all marked but those in the short tier: ``names`` has them, or their names."""
    found = list(cases)
    short = [case for case in found if case in names or getattr(case, "name", None) in names]
    assert len(short) == len(names), f"not every one of {names} is a case"
    return [case if case in short else _slow(case) for case in found]


def first_in_short(cases: Iterable[Any], count: int = 1) -> list[Any]:
    """Return the cases of a test, all marked but the first ones; a tuple has a value for each of its parameters."""
    found = list(cases)
    assert count < len(found), "no case is left out"
    return [*found[:count], *map(_slow, found[count:])]


def examples(count: int) -> int:
    """Return how many examples a property has that gets ``count`` in the long tier: there the default is 100."""
    return max(1, count * hypothesis.settings().max_examples // 100)


def _slow(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
