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


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-02T03:04:05", "2026-13-01T00:00:00Z"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """A text without a zone, or that is no date, is an error and never taken for some other moment."""
    with pytest.raises(ValueError, match=r"."):
        microseconds(text)
