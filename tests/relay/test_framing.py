"""Cutting a stream into lines: whatever the bytes and wherever they are cut, nothing is changed, joined or lost."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.relay.framing import LineFramer, with_newline

if TYPE_CHECKING:
    from proxy.relay.framing import Hold

MB = 1024 * 1024
HOLDS: list[Hold] = ["nothing", "messages", "everything"]
holds: st.SearchStrategy[Hold] = st.sampled_from(HOLDS)

# Bytes that mean something to somebody: line ends of other conventions, the beginnings of messages, broken UTF-8.
pieces = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"\r",
        b"\0",
        b"{",
        b"}",
        b" ",
        b"\t",
        b'{"type":"x"}',
        b"\xe2\x80\xa8",
        b"\xc2\x85",
        b"\xff",
        b"\xe2",
        b"text",
        b"\xef\xbb\xbf",
    ]
)
streams = st.lists(pieces | st.binary(max_size=8), max_size=40).map(b"".join)


class Passage:
    """What came out of a framer for what went in."""

    def __init__(self, framer: LineFramer) -> None:
        self.framer = framer
        self.lines: list[
            bytes
        ] = []  # in the order in which they are recorded; overlong ones by their beginning
        self.overlong: list[bytes] = []
        self.passed = b""
        self.last = b""

    def feed(self, chunk: bytes) -> bytes:
        """Feed one read, as the pump does, and return what it lets pass."""
        batch = self.framer.feed(chunk)
        if batch.overlong is not None:
            self.overlong.append(batch.overlong)
            self.lines.append(batch.overlong)
        self.lines += map(bytes, batch.lines)
        passing = batch.data + self.framer.early()
        self.passed += passing
        return passing

    def finish(self) -> None:
        """End the stream."""
        self.last, rest = self.framer.finish()
        self.passed += rest


def cut(data: bytes, places: list[int], limit: int | None = None) -> list[bytes]:
    """Cut data at the places, and further where a piece would be longer than ``limit``."""
    edges = sorted({0, len(data), *(place for place in places if place < len(data))})
    chunks = [data[start:stop] for start, stop in pairwise(edges)]
    size = limit or len(data) or 1
    return [chunk[at : at + size] for chunk in chunks for at in range(0, len(chunk), size)]


def passage(chunks: list[bytes], hold: Hold = "nothing", **limits: int) -> Passage:
    """Return what becomes of a stream."""
    passage = Passage(LineFramer(hold, **limits))
    for chunk in chunks:
        passage.feed(chunk)
    passage.finish()
    return passage


@given(streams, st.lists(st.integers(0, 300), max_size=20), holds)
def test_out_equals_in(data: bytes, places: list[int], hold: Hold) -> None:
    """For any bytes and any cuts the bytes that pass are those that came, and the lines are those between newlines."""
    seen = passage(cut(data, places), hold)
    assert seen.passed == data
    assert [*seen.lines, seen.last] == data.split(b"\n")
    assert seen.overlong == []


@given(streams, st.lists(st.tuples(st.integers(1, 9), holds), min_size=1, max_size=20))
def test_out_equals_in_when_the_hold_changes(data: bytes, steps: list[tuple[int, Hold]]) -> None:
    """A stream that turns out to carry messages, or none, loses nothing by that."""
    seen = Passage(LineFramer())
    at = 0
    while at < len(data):
        size, seen.framer.hold = steps[at % len(steps)]
        seen.feed(data[at : at + size])
        at += size
    seen.finish()
    assert seen.passed == data
    assert [*seen.lines, seen.last] == data.split(b"\n")


@given(streams, st.lists(st.integers(0, 300), max_size=20))
def test_text_passes_at_once(data: bytes, places: list[int]) -> None:
    """Where nothing is held, every byte passes with the read that brought it: somebody may be waiting for it."""
    seen = Passage(LineFramer("nothing"))
    for chunk in cut(data, places):
        assert seen.feed(chunk) == chunk


@given(streams, st.lists(st.integers(0, 300), max_size=20), st.sampled_from(["messages", "everything"]))
def test_no_message_passes_before_it_is_whole(data: bytes, places: list[int], hold: Hold) -> None:
    """What begins like a JSON object passes only with or after its newline; under ``everything`` so does any line."""
    seen = Passage(LineFramer(hold))
    for chunk in cut(data, places):
        seen.feed(chunk)
        begun = seen.passed.rpartition(b"\n")[2]
        if hold == "everything":
            assert begun == b""
        else:
            assert begun.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r")[:1] != b"{"
            assert begun == b"" or begun.strip(b" \t\r") != b""
        assert len(seen.lines) == seen.passed.count(b"\n")  # recorded and passed together


@pytest.mark.parametrize("hold", HOLDS)
@pytest.mark.parametrize("step", [1, 3, 8])
@pytest.mark.parametrize(("size", "is_overlong"), [(7, False), (8, False), (9, True), (30, True)])
@pytest.mark.parametrize("end", [b"\n", b"\nnext\n", b""])
def test_the_limit_of_a_line(hold: Hold, step: int, size: int, is_overlong: bool, end: bytes) -> None:
    """A line of the limit is recorded whole; one byte more and it passes whole and is recorded by its beginning."""
    line = b'{"0123456789' * 3
    data = line[:size] + end
    seen = passage(cut(data, list(range(0, len(data), step))), hold, max_line_bytes=8)
    assert seen.passed == data
    assert seen.overlong == ([line[:8]] if is_overlong else [])
    rest = data.split(b"\n")[1:]
    whole = [] if is_overlong or not end else [line[:size]]
    assert seen.lines == [*seen.overlong, *whole, *rest[:-1]]
    assert seen.last == (line[:size] if not end and not is_overlong else b"")


@given(streams, st.lists(st.integers(0, 300), max_size=20), holds, st.integers(1, 12))
def test_out_equals_in_around_the_limit(data: bytes, places: list[int], hold: Hold, limit: int) -> None:
    """Overlong lines among others: each line is recorded once, in order, in full or by its beginning."""
    seen = passage(cut(data, places, limit), hold, max_line_bytes=limit)
    assert seen.passed == data
    *lines, last = data.split(b"\n")
    assert seen.lines == [line[:limit] for line in lines] + ([last[:limit]] if len(last) > limit else [])
    assert seen.last == (last if len(last) <= limit else b"")


def test_the_rest_of_an_overlong_line_passes_at_once() -> None:
    """Once it has begun to pass, nothing of an overlong line waits, and the line after it is held as ever."""
    seen = Passage(LineFramer("messages", max_line_bytes=4))
    assert seen.feed(b'{"ab') == b""
    assert seen.feed(b"cd") == b'{"abcd'
    assert seen.feed(b"ef") == b"ef"
    assert seen.feed(b'g}\n{"') == b"g}\n"
    assert seen.lines == [b'{"ab']


def test_the_promised_limit() -> None:
    """Lines up to 256 MiB are recorded whole: the log format promises it."""
    framer = LineFramer("everything")
    assert framer._max == 256 * 1024 * 1024


@pytest.mark.parametrize("hold", HOLDS)
@pytest.mark.parametrize("size", [MB - 1, MB, MB + 1, 3 * MB])
@pytest.mark.parametrize("step", [65_536, 100_000])
@pytest.mark.parametrize("around", [(b"", b""), (b"one\n", b"two\nthree"), (b"\n\n", b"\n")])
def test_long_lines_are_not_copied_more_than_need_be(
    hold: Hold, size: int, step: int, around: tuple[bytes, bytes]
) -> None:
    """A line of more than a megabyte may come as a view of the very bytes to pass on; it is the same line."""
    line = b'{"' + b"x" * (size - 2)
    data = around[0] + line + b"\n" + around[1]
    framer = LineFramer(hold)
    lines: list[bytes] = []
    passed = b""
    for at in range(0, len(data), step):
        batch = framer.feed(data[at : at + step])
        assert batch.overlong is None
        for found in batch.lines:
            if isinstance(found, memoryview):
                assert batch.lines == [found]
                assert len(batch.data) > MB
                assert with_newline(found) is batch.data
            assert with_newline(found).removesuffix(b"\n") == found
        lines += map(bytes, batch.lines)
        passed += batch.data + framer.early()
    last, rest = framer.finish()
    assert passed + rest == data
    assert [*lines, last] == data.split(b"\n")
