"""What is JSON, and what is too much of it."""

import functools
import json
import tracemalloc
from typing import Any, NoReturn

import hypothesis
import pytest
from hypothesis import strategies as st

from proxy.protocol import Judge, is_json_object, is_message
from proxy.protocol.grammar import (
    MAX_DEPTH,
    MAX_DIGITS,
    as_taken,
    fault,
    is_blank,
    is_deeper_than,
    is_utf8,
    is_within_limits,
)
from tests.protocol import corpus


class _ConstantError(ValueError):
    """NaN and the infinities, which Python's json reads though they are no JSON."""


def refuse(constant: str) -> NoReturn:
    """Refuse a constant."""
    raise _ConstantError(constant)


def strictly(line: bytes) -> Any:
    """Return what the line holds, read by Python's json at its strictest."""
    return json.loads(line.decode(), parse_constant=refuse)


def inside(value: bytes) -> bytes:
    """Return a message that holds the value where no schema looks."""
    return b'{"type":"keep_alive","x":' + value + b"}"


MALFORMED = [
    b"",
    b" \t\r",
    b"hello",
    b"{",
    b'{"type":"keep_alive"',
    b'{"type":"keep_alive"} x',
    b'{"type":"keep_alive"}\x00',
    b'\xef\xbb\xbf{"type":"keep_alive"}',
    b'\x0c{"type":"keep_alive"}',
    b'{"type":"keep_alive",}',
    b"{'type':'keep_alive'}",
    inside(b"NaN"),
    inside(b"-Infinity"),
    inside(b"01"),
    inside(b"1."),
    inside(b".5"),
    inside(b"+1"),
    inside(b"1e"),
    inside(b"[1,]"),
    inside(b"tru"),
    inside(b'"\x01"'),
    inside(b'"\n"'),
    inside(b'"\\x"'),
    inside(b'"\\u12"'),
    inside(b'"\xff"'),
    b'{"type":"\xff"}',
    b'{"type":"keep_alive","\xff":1}',
    b'{"type":"keep_alive","startup_mark":"\xff"}',
    b'{"type":"system","subtype":"\xff"}',
    inside(b'"\xed\xa0\x80"'),  # a surrogate in UTF-8
    inside(b'"\xc0\xaf"'),  # an overlong form
    inside(b"1") + inside(b"1"),
    inside(b"\\ud800"),
]
WELL_FORMED = [
    inside(b'"\\ud800"'),
    inside(b'"\\uDFFF\\uD83D"'),
    inside(b'"\\ud83d\\ude00"'),
    inside(b'"\\\\ud800"'),
    inside(b"1e999"),
    inside(b"-1E-999"),
    inside(b"-0"),
    inside(b"123456789012345678901234567890"),
    inside(b'"\x7f\xc2\x80\xe2\x80\xa8\xf4\x8f\xbf\xbf"'),
    b' \t{"type" : "keep_alive"}\r',
    b'{"type":"keep_alive","type":"keep_alive"}',
]


@pytest.mark.parametrize("line", MALFORMED)
def test_what_is_no_json_is_malformed(line: bytes) -> None:
    """RFC 8259 in UTF-8 and nothing else; Python's json at its strictest agrees."""
    with pytest.raises((json.JSONDecodeError, UnicodeDecodeError, _ConstantError)):
        strictly(line)
    judge = Judge("stdout")
    judge.judge(b'{"type":"keep_alive"}')
    judgement = judge.judge(line)
    assert judgement.verdict == "malformed"
    assert not judgement.spliceable
    (error,) = judgement.errors
    assert error.path == ""
    assert error.message.endswith(".")


@pytest.mark.parametrize("line", WELL_FORMED)
def test_poor_taste_is_still_json(line: bytes) -> None:
    """Lone surrogates, numbers beyond a double and doubled keys are within the grammar."""
    strictly(line)
    for stream in corpus.STREAMS:
        assert Judge(stream).judge(line).verdict == "valid"


@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"]":', b"}]")])
@pytest.mark.parametrize("padding", [b"", b'"' + b'[{\\"' * 200 + b'",'])
def test_nesting_has_a_limit_wherever_the_stack_stands(brackets: tuple[bytes, bytes], padding: bytes) -> None:
    """MAX_DEPTH levels are fine and one more is not, with brackets in strings counting for nothing."""
    opening, closing = brackets
    step = opening.count(b"[") + opening.count(b"{")
    for depth, verdict in ((MAX_DEPTH - 1, "valid"), (MAX_DEPTH, "valid"), (MAX_DEPTH + 1, "invalid")):
        levels, odd = divmod(depth - 2, step)  # the message itself and the list round it are two
        nested = b"[" * odd + opening * levels + b"1" + closing * levels + b"]" * odd
        line = inside(b"[" + padding + nested + b"]")
        judgement = Judge("stdout").judge(line)
        assert judgement.verdict == verdict
        assert [error.keyword for error in judgement.errors] == ["depth"] * (verdict == "invalid")
        assert at_depth(200, functools.partial(Judge("stdout").judge, line)).verdict == verdict


def at_depth(frames: int, call: Any) -> Any:
    """Return what the call returns when it is made from so many frames further down."""
    return call() if frames == 0 else at_depth(frames - 1, call)


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, inside(b'{"a":' * 100_000)]
)
def test_absurd_nesting_is_invalid(line: bytes) -> None:
    """However deep, closed or not: a verdict, and no crash."""
    judgement = Judge("stdin").judge(line)
    assert judgement.verdict == "invalid"
    assert not judgement.spliceable


@pytest.mark.parametrize(
    "before", [b"", b"-", b"true,", b'"1' + b"2" * 5000 + b'",', b'"' + b"\\\\" * 40_000 + b'",']
)
def test_integers_have_a_limit(before: bytes) -> None:
    """An integer that Python would not read is invalid, wherever in a line it is."""
    opening = b"[" + before
    for digits, verdict in ((MAX_DIGITS - 1, "valid"), (MAX_DIGITS, "valid"), (MAX_DIGITS + 1, "invalid")):
        judgement = Judge("stdout").judge(inside(opening + b"9" * digits + b"]"))
        assert judgement.verdict == verdict
        assert judgement.spliceable == (verdict == "valid")
    assert not Judge("stdout").judge(b"9" * (MAX_DIGITS + 1)).spliceable


@pytest.mark.parametrize(
    "value", [b"%b.5", b"%be5", b"1.%b", b"1E%b", b"1e-%b", b'"%b"', b'"\\"%b"', b'"\\\\",0.%b']
)
def test_long_runs_of_digits_are_fine_where_they_are_no_integer(value: bytes) -> None:
    """In a fraction, an exponent or a string there may be as many as there like."""
    line = inside(b"[" + value % (b"9" * 100_000) + b"]")
    strictly(line)
    assert Judge("stdout").judge(line).verdict == "valid"


@pytest.mark.parametrize("levels", [1, 100, 511, 513])
@pytest.mark.parametrize("text", [b"", b'"]}' + b"\\\\" * 40_000 + b'\\"{["', b'"' + b"[" * 70_000 + b'"'])
def test_depth_is_counted_across_pieces(levels: int, text: bytes) -> None:
    """A long line is looked at in pieces, and an escape or a string may lie across two of them."""
    tower = b"[" * (levels - 1) + b"[" + text + b"]" + b"]" * (levels - 1)
    for padding in range(4):
        line = b" " * padding + b"[" + b",".join([tower] * 5) + b"]"
        assert is_deeper_than(levels, line)
        assert not is_deeper_than(levels + 1, line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"user","parent_tool_use_id":null,"message":{"role":"user","content":"%s"}}'
        % (b"x" * 10_000_000),
        inside(b'"' + "é".encode() * 5_000_000 + b'"'),
        inside(b"[" + b"[]," * 3_300_000 + b"1]"),
    ],
    ids=["text", "beyond ASCII", "brackets"],
)
def test_long_lines_cost_no_more_than_a_few_times_their_size(line: bytes) -> None:
    """10 MB, whatever they hold, are judged with bounded memory."""
    tracemalloc.start()
    try:
        assert Judge("stdout").judge(line).verdict == "valid"
        assert tracemalloc.get_traced_memory()[1] < 3 * len(line)
    finally:
        tracemalloc.stop()


@hypothesis.given(st.binary(max_size=40), st.data())
def test_a_changed_line_is_malformed_exactly_when_it_is_no_json(noise: bytes, data: st.DataObject) -> None:
    """Whatever bytes are put into a message: not malformed means that others can read it."""
    line = data.draw(st.sampled_from([*WELL_FORMED, *sorted(corpus.by_kind("stdin").values())]))
    at = data.draw(st.integers(0, len(line)))
    length = data.draw(st.integers(0, 3))
    changed = line[:at] + noise + line[at + length :]
    judgement = Judge("stdin").judge(changed)
    try:
        strictly(changed.removeprefix(b"\xef\xbb\xbf"))  # which Claude Code passes over
    except ValueError:
        assert judgement.verdict == "malformed"
        return
    assert judgement.verdict != "malformed"


def test_blank_is_what_claude_code_passes_over() -> None:
    """It trims lines as ECMAScript does: white space, ends of lines and the byte order mark, no other character."""
    trimmed = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    trimmed += "\u2028\u2029\u202f\u205f\u3000\ufeff"
    for character in [*map(chr, range(0xD800)), *map(chr, range(0xE000, 0x10000))]:
        assert is_blank(f" {character}\t".encode()) == (character in trimmed)


MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    "rest", [b'{"type":"keep_alive"}', b' {"type":"keep_alive"}\r', b'{"type":"x"}', b"{}", b"{"]
)
def test_a_byte_order_mark_before_a_line_of_input_is_passed_over(rest: bytes) -> None:
    """Claude Code takes one, on any line, and what follows is judged. A second one, or a later one, it refuses."""
    for lines in ([MARK + rest], [rest, MARK + rest, rest, MARK + rest]):
        one_by_one, together = Judge("stdin"), Judge("stdin")
        expected = [Judge("stdin").judge(rest)] * len(lines)
        assert [one_by_one.judge(line) for line in lines] == expected
        assert together.judge_lines(lines) == expected
    assert is_message(MARK + rest) == is_message(rest)
    assert Judge("stdout").judge(MARK + rest).verdict == "malformed"
    for refused in (MARK + MARK + rest, b" " + MARK + rest):
        assert Judge("stdin").judge(refused).verdict == "malformed"
        assert not is_message(refused)


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        (b'"\xff\xed\xa0\x80"', "\ufffd" * 4),
        (b'"\\ud800"', "\ufffd"),
        (b"9" * 5000, float("inf")),
        (b"1e999", float("inf")),
        (b"[" * 9000 + b'"["' + b"]" * 9000, None),
        (b'{"[":' * 9000 + b'"]"' + b"}" * 9000, None),
    ],
)
def test_what_claude_code_takes_is_read(value: bytes, taken: Any) -> None:
    """Whatever our own verdict: bytes that are no UTF-8, numbers of any length, nesting of any depth."""
    for line in (inside(value), MARK + b" " + inside(value) + b"\r"):
        message = as_taken(line)
        assert message["type"] == "keep_alive"
        inner = message["x"]
        levels = 1
        while isinstance(inner, list | dict) and inner:
            inner = inner[0] if isinstance(inner, list) else inner["["]
            levels += 1
        assert inner == taken
        assert levels in (1, MAX_DEPTH)


@pytest.mark.parametrize(
    "line", [line for line in MALFORMED if b"\xff" not in line and not line.startswith(MARK)]
)
def test_what_claude_code_refuses_is_not_read(line: bytes) -> None:
    """It ends with a syntax error, and so nothing has happened."""
    surrogates = (b"\xed\xa0\x80", b"\xc0\xaf")  # it decodes these with U+FFFD
    assert (as_taken(line) is not None) == any(one in line for one in surrogates)


@hypothesis.given(st.binary(max_size=60))
def test_no_bytes_break_the_reading(noise: bytes) -> None:
    """Whatever comes is read, or nothing is."""
    as_taken(noise)
    as_taken(inside(b'"' + noise + b'"'))


def test_utf8_is_checked_across_pieces() -> None:
    """A long line is checked in pieces, and a character may lie across two of them."""
    for length in range(65530, 65540):
        line = b"x" * length + "é😀".encode()
        assert is_utf8(line)
        assert not is_utf8(line[:-1])


def test_a_message_is_an_object_with_a_type() -> None:
    """What tells a stream of messages from other text."""
    assert is_message(b'{"type":"anything"}')
    assert is_message(b'\t{"x": "\\ud800", "type": "t"}\r')
    for line in (b"{}", b'{"type":1}', b'[{"type":"x"}]', b'"type"', b"text", b'{"type":"\xff"}', b""):
        assert not is_message(line), line
    assert not is_message(inside(b"[" * 100_000 + b"]" * 100_000))


def test_a_json_object_is_one_whatever_is_in_it() -> None:
    """Lines of other programs count as messages when they are JSON objects."""
    assert is_json_object(b' {"a": 1}\r')
    for line in (b"[]", b"1", b"{", b'{"a":NaN}', b"", b"x{}"):
        assert not is_json_object(line), line


def test_limits_are_kept_or_not() -> None:
    """The cheap check agrees with the whole one on lines of JSON."""
    for line in (*corpus.recorded("stdout"), inside(b"[" * 600 + b"]" * 600), inside(b"9" * 5000)):
        assert is_within_limits(line) == (fault(line) is None)
