"""Which cases of a large matrix the short tier plays; the others are marked ``slow``, for ``./check --all``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["in_short"]


def in_short(cases: Iterable[Any], *, names: Collection[Any]) -> list[Any]:
    """Return the cases of a test, all marked but those in the short tier: ``names`` has them, or their names."""
    found = list(cases)
    short = [case for case in found if case in names or getattr(case, "name", None) in names]
    assert len(short) == len(names), f"not every one of {names} is a case"
    return [case if case in short else pytest.param(case, marks=pytest.mark.slow) for case in found]
