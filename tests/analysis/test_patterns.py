"""Patterns: what repeats, told once."""

import random

from hypothesis import given
from hypothesis import strategies as st

from proxy.analysis.patterns import LONGEST, MOST_PIECES, SHORTEST, Patterns


def found(steps: str, most: int = 10) -> dict[str, int]:
    """Return the patterns of a text, whose letters are the steps."""
    patterns = Patterns()
    for step in steps:
        patterns.add(step)
    return {"".join(one.steps): one.count for one in patterns.found(most)}


def test_rounds_are_told_once() -> None:
    """A B A B A B is A B three times: not B A, not A B A, not A B A B."""
    assert found("ABABABAB") == {"AB": 4}
    assert found("ABCABCABCABC") == {"ABC": 4}
    assert found("ABCDEABCDEABCDE") == {"ABCDE": 3}


def test_the_longest_whole_is_told() -> None:
    """What comes only as a piece of something longer is no pattern of its own."""
    assert found("xABCyABCzABCw") == {"ABC": 3}
    assert found("xABAyABAzABAw") == {"ABA": 3}


def test_a_piece_that_comes_elsewhere_too_is_told() -> None:
    """What is far more frequent than the longer pattern that it is in is one as well."""
    assert found("ABCxABCyAB1AB2AB3AB4AB5AB6") == {"AB": 8, "ABC": 2}


def test_one_step_again_and_again() -> None:
    """A run of one step is a pair of it, so many times."""
    assert found("AAAAAAAA") == {"AA": 4}


def test_rounds_longer_than_a_pattern_can_be() -> None:
    """They are told by pieces that hardly overlap, not by each of their beginnings."""
    assert len(found("ABCDEFGHI" * 5)) <= 3


def test_nothing_repeats() -> None:
    """No patterns, and none of an empty sequence."""
    assert found("ABCDEFG") == {}
    assert found("") == {}


@given(st.text(alphabet="ABC", max_size=60))
def test_counts_are_those_of_the_text(steps: str) -> None:
    """Each pattern is there as often as the text, searched without overlaps, says; and it repeats."""
    patterns = found(steps, most=1000)
    for pattern, count in patterns.items():
        assert count == steps.count(pattern) >= 2
        assert SHORTEST <= len(pattern) <= LONGEST


@given(st.text(alphabet="ABCD", min_size=2, max_size=5), st.integers(min_value=4, max_value=9))
def test_what_is_repeated_is_found(pattern: str, times: int) -> None:
    """A sequence made of one pattern is told by one pattern that covers nearly all of it."""
    steps = pattern * times
    patterns = found(steps)
    covered = max(len(one) * count for one, count in patterns.items())
    assert covered > len(steps) - 2 * LONGEST


def test_memory_is_bounded() -> None:
    """A sequence of ever new steps is not kept."""
    patterns, dice = Patterns(), random.Random(1)
    for _ in range(40_000):
        patterns.add(f"step {dice.randrange(5000)}")
    assert len(patterns._pieces) <= MOST_PIECES
    assert patterns.length == 40_000
