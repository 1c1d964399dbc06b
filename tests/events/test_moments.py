"""Moments: text and microseconds say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.events.moments import Speller, microseconds, spelled


@given(st.lists(st.integers(0, 4_000_000_000_000_000), max_size=5))
def test_there_and_back(moments: list[int]) -> None:
    """A moment that is spelled and read again is the same, whatever was spelled before it."""
    speller = Speller()
    for moment in moments:
        assert speller.spelled(moment) == spelled(moment)
        assert speller.microseconds(spelled(moment)) == moment


@given(st.lists(st.integers(0, 5_000_000), max_size=5))
def test_what_was_read_is_spelled_as_it_was(moments: list[int]) -> None:
    """Whichever moment was read before, and spelled: a moment has one spelling."""
    speller = Speller()
    for moment in moments:
        assert speller.microseconds(spelled(moment)) == moment
        assert speller.spelled(moment + 1) == spelled(moment + 1)
        assert speller.spelled(moment) == spelled(moment)


@pytest.mark.parametrize("last", ["123456A", "12345\u0661Z"])
def test_a_moment_in_the_second_of_the_one_before_is_read_as_strictly(last: str) -> None:
    """What is no moment is none either when it shares its second with the moment before."""
    speller = Speller()
    speller.microseconds("2026-01-02T03:04:05.123456Z")
    with pytest.raises(ValueError, match=r"."):
        speller.microseconds(f"2026-01-02T03:04:05.{last}")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-02T03:04:05", "2026-13-01T00:00:00Z"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """A text without a zone, or that is no date, is an error and never taken for some other moment."""
    with pytest.raises(ValueError, match=r"."):
        microseconds(text)
