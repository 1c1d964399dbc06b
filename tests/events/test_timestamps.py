"""Timestamps: text and microseconds say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.events.timestamps import TimestampCodec, format_timestamp, parse_timestamp


@given(st.lists(st.integers(0, 4_000_000_000_000_000), max_size=5))
def test_there_and_back(moments: list[int]) -> None:
    """A timestamp that is formatted and parsed again is the same, whatever was formatted before it."""
    codec = TimestampCodec()
    for moment in moments:
        assert codec.format(moment) == format_timestamp(moment)
        assert codec.parse(format_timestamp(moment)) == moment


@given(st.lists(st.integers(0, 5_000_000), max_size=5))
def test_what_was_read_is_spelled_as_it_was(moments: list[int]) -> None:
    """Whichever timestamp was parsed before: a timestamp has one text."""
    codec = TimestampCodec()
    for moment in moments:
        assert codec.parse(format_timestamp(moment)) == moment
        assert codec.format(moment + 1) == format_timestamp(moment + 1)
        assert codec.format(moment) == format_timestamp(moment)


@pytest.mark.parametrize("last", ["123456A", "12345\u0661Z"])
def test_a_moment_in_the_second_of_the_one_before_is_read_as_strictly(last: str) -> None:
    """What is no moment is none either when it shares its second with the moment before."""
    codec = TimestampCodec()
    codec.parse("2026-01-02T03:04:05.123456Z")
    with pytest.raises(ValueError, match=r"."):
        codec.parse(f"2026-01-02T03:04:05.{last}")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-02T03:04:05", "2026-13-01T00:00:00Z"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """A text without a zone, or that is no date, is an error and never taken for some other moment."""
    with pytest.raises(ValueError, match=r"."):
        parse_timestamp(text)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_the_ends_of_time(text: str, end: str) -> None:
    """Regression: what a zone leads beyond them was read, and could not be written: a transcript's line stopped all."""
    assert format_timestamp(parse_timestamp(text)) == end
    assert TimestampCodec().parse(text) == parse_timestamp(end)
