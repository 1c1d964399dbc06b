"""Two runs count as the same exactly when only ids, times, figures and places differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.rig.sameness import differences, shape

ONE = "0b5c2d1e-3f4a-4b6c-8d7e-9f0a1b2c3d4e"
TWO = "1c6d3e2f-4a5b-4c7d-9e8f-0a1b2c3d4e5f"
HOME = Path("/somewhere/home")


def message(**fields: Any) -> dict[str, Any]:
    """Return a message such as a client sees it."""
    return {"type": "assistant", "uuid": ONE, "duration_ms": 17, "text": "hello", **fields}


@pytest.mark.parametrize(
    "other",
    [
        message(uuid=TWO),
        message(duration_ms=99),
    ],
    ids=["another id", "another duration"],
)
def test_ids_and_times_do_not_count(other: dict[str, Any]) -> None:
    """Another id or another duration is no difference."""
    assert differences(shape([message()], HOME), shape([other], HOME), ordered=True) == []


@pytest.mark.parametrize(
    "other",
    [
        message(text="goodbye"),
        message(duration_ms="17"),
        message(more=None),
        message(uuid=None),
    ],
    ids=["text", "type of a figure", "field", "no id"],
)
@pytest.mark.parametrize("ordered", [True, False])
def test_everything_else_counts(other: dict[str, Any], ordered: bool) -> None:
    """Another text, type, field or a missing id is a difference, with or without regard to order."""
    assert differences(shape([message()], HOME), shape([other], HOME), ordered=ordered) != []


def test_references_must_match() -> None:
    """Two messages with one id are not the same as two messages with an id each."""
    with_one = shape([message(), message()], HOME)
    with_two = shape([message(), message(uuid=TWO)], HOME)

    assert differences(with_one, with_two, ordered=True) != []


def test_order_counts_unless_it_is_said_not_to() -> None:
    """Messages that changed places are a difference only where order is looked at; a lost one always is."""
    first, second = message(text="first"), message(text="second")
    one, other = shape([first, second], HOME), shape([second, first], HOME)

    assert differences(one, other, ordered=True) != []
    assert differences(one, other, ordered=False) == []
    assert differences(one, other[:1], ordered=False) != []


def test_places_are_taken_out() -> None:
    """A run's home is replaced, also where Claude Code makes a folder's name of it."""
    there = Path("/elsewhere/home")
    one = shape([message(text=f"{HOME}/project"), message(text="-somewhere-home-project")], HOME)
    other = shape([message(text=f"{there}/project"), message(text="-elsewhere-home-project")], there)

    assert differences(one, other, ordered=True) == []


def test_a_difference_is_shown_where_it_is() -> None:
    """Of two long lines a person sees the beginning, and what is around the place where they part."""
    one, other = message(text="x" * 500 + "left"), message(text="x" * 500 + "right")
    (said,) = differences([one], [other], ordered=True)

    assert "xleft" in said
    assert "xright" in said
