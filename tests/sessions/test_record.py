"""How one record is spelled."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocol import Violation
from proxy.sessions.record import Alike, Body, Clock, StreamRecords, lifecycle, rfc3339
from tests.sessions.logs import Log, read_log_bytes

RECORDS = StreamRecords("s-1", "stdout")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
white_space = st.text(" \t\r", max_size=3)


class HandClock:
    """A wall clock that a test sets by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, us: int) -> None:
        self.us = us
        monkeypatch.setattr(time, "time_ns", lambda: self.us * 1000)


def written(*bodies: Body, clock: Clock | None = None) -> bytes:
    """Return the records as they stand in a log."""
    clock = clock or Clock()
    heads = [clock.head() for _ in bodies]
    return b"".join(head + b"".join(body) for head, body in zip(heads, bodies, strict=True))


def as_log(*bodies: Body) -> Log:
    """Return the log that consists of these records."""
    return read_log_bytes(written(*bodies))


def moments(content: bytes) -> list[datetime]:
    """Return the time of each record."""
    return [datetime.fromisoformat(json.loads(line)["ts"]) for line in content.splitlines()]


@given(
    json_values, st.booleans(), st.sampled_from([None, (",", ":"), (" , ", " : ")]), white_space, white_space
)
def test_a_message_stands_in_its_record_byte_for_byte(
    value: object, ascii_only: bool, separators: tuple[str, str] | None, before: str, after: str
) -> None:
    """Whatever its spelling, a message is found in its record unchanged, carriage returns at its end included."""
    text = json.dumps({"type": "x", "value": value}, ensure_ascii=ascii_only, separators=separators)
    try:
        line = (before.replace("\r", "") + text + after).encode()
    except UnicodeEncodeError:  # a lone surrogate: no UTF-8, and so no message
        return
    log = as_log(RECORDS.message(line, "valid"))
    assert log.records[0].line == line
    assert log.records[0].fields["message"] == json.loads(line)


def test_crlf_is_told_by_a_field() -> None:
    r"""A line that ended in CRLF says so in ``eol``, and no bare carriage return ends up in the log."""
    content = written(RECORDS.message(b'{"type":"x"}\r', "valid"), RECORDS.text(b"plain\r", "text"))
    assert b"\r" not in content
    log = read_log_bytes(content)
    assert log.records[0].fields["eol"] == "\r\n"
    assert log.lines("stdout") == [b'{"type":"x"}\r', b"plain\r"]


@given(json_values)
def test_what_is_said_is_json_as_python_writes_it(value: object) -> None:
    """Whatever a lifecycle record tells is encoded as by the standard library, and anything else is refused."""
    text = b"".join(lifecycle("s", "x", value)[1:2])
    expected = json.dumps({"event_type": "x", "data": value}, ensure_ascii=False, separators=(",", ":"))
    assert text == expected.encode("utf-8", "backslashreplace")
    with pytest.raises(TypeError):
        lifecycle("s", "x", {"value": {1}})


def test_a_byte_order_mark_is_kept_apart() -> None:
    """A line that began with one says so, and the message of its record is JSON."""
    log = read_log_bytes(written(RECORDS.message(b'\xef\xbb\xbf{"a":1}\r', "valid")))
    fields = log.records[0].fields
    assert (fields["message"], fields["bom"], fields["eol"]) == ({"a": 1}, True, "\r\n")
    assert log.records[0].line == b'\xef\xbb\xbf{"a":1}\r'


@given(st.text(max_size=12), st.integers(0, 12), st.booleans())
def test_a_long_line_of_text_survives(text: str, at: int, is_broken: bool) -> None:
    """A line of any script is the same text where it is encoded piece by piece, and bytes where it is not UTF-8."""
    line = (b"." * (64 * 1024 - at) + text.encode() + b"." * 64 * 1024 + b"\xf0\x9f" * is_broken).replace(
        b"\n", b""
    )
    log = read_log_bytes(written(RECORDS.text(line, "text")))
    assert log.records[0].line == line
    assert ("raw" in log.records[0].fields) is not is_broken


@given(st.binary())
def test_any_line_survives_as_text(line: bytes) -> None:
    """A line that is no JSON comes back from its record exactly, be it UTF-8 or not."""
    line = line.replace(b"\n", b"")
    log = as_log(RECORDS.text(line, "malformed"))
    assert log.lines("stdout") == [line]
    assert ("raw_base64" in log.records[0].fields) == (line.decode(errors="replace").encode() != line)


@pytest.mark.parametrize("text", ["\u2028\u2029\x85\x0b\x0c\x1c", "\0", "\x7f", '"\\', "\U0001f600"])
def test_separators_of_other_conventions_break_no_line(text: str) -> None:
    """Only a newline ends a record: U+2028 and its like stay inside, in messages and in text."""
    message = json.dumps({"type": text}, ensure_ascii=False).encode()
    log = as_log(RECORDS.message(message, "valid"), RECORDS.text(text.encode(), "text"))
    assert log.lines("stdout") == [message, text.encode()]


def test_every_field_is_spelled_as_promised() -> None:
    """Errors, redactions and the marks of held-back and own lines have their places in a record."""
    violation = Violation("/a", "It is wrong.", "type")
    held = RECORDS.message(b"{}", "invalid", [violation], ["/env/A"], held_back=True)
    own = RECORDS.message(b"{}", "valid", from_proxy=True)
    cut = RECORDS.text(b"x", "malformed", [violation], truncated=True, held_back=True)
    first, second, third = (record.fields for record in as_log(held, own, cut).records)
    error = {"path": "/a", "message": "It is wrong.", "keyword": "type"}
    common = {"session_id": "s-1", "stream": "stdout"}
    for fields in (first, second, third):
        del fields["seq"], fields["ts"]
    assert first == common | {
        "verdict": "invalid",
        "message": {},
        "errors": [error],
        "redacted": ["/message/env/A"],
        "forwarded": False,
    }
    assert second == common | {"verdict": "valid", "message": {}, "origin": "claude-proxy"}
    assert third == common | {
        "verdict": "malformed",
        "raw": "x",
        "errors": [error],
        "truncated": True,
        "forwarded": False,
    }


def test_lifecycle_records_carry_what_cannot_be_encoded() -> None:
    """A command line with bytes that are no UTF-8 (surrogate escapes) does not break its record."""
    word = b"caf\xe9".decode(errors="surrogateescape")
    log = as_log(lifecycle("s-1", "session_started", {"command": [word]}, ["/command/0"]))
    assert log.event("session_started")["command"] == [word]
    assert log.records[0].fields["redacted"] == ["/event/data/command/0"]


@given(st.lists(st.integers(1, 50), max_size=20), st.integers(0, 2**50), st.data())
def test_numbers_have_no_gaps_and_time_only_rises(
    counts: list[int], start_us: int, data: st.DataObject
) -> None:
    """Whatever the system clock does (it stands, it jumps either way, it turns a second), records stay in order."""
    with pytest.MonkeyPatch.context() as patch:
        hand = HandClock(patch, start_us % 4_000_000_000_000_000)
        clock = Clock()
        content = b""
        for count in counts:
            if data.draw(st.booleans()):
                bodies = Alike(RECORDS.valid, [b"{}"] * count, 2 * count)
                content += clock.records(bodies)
            else:
                content += written(*[RECORDS.message(b"{}", "valid")] * count, clock=clock)
            hand.us = max(0, hand.us + data.draw(st.integers(-3_000_000, 3_000_000)))
        log = read_log_bytes(content)
    assert len(log.records) == sum(counts)
    assert not log.records or log.records[0].fields["seq"] == 0


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("left_in_second", [1, 2, 3, 4, 5])
def test_a_batch_across_the_turn_of_a_second(
    alike: bool, left_in_second: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each record of a batch is one microsecond after the one before, also from 59.999999 to 00.000000."""
    midnight_us = 1_798_761_600 * 1_000_000  # 2027-01-01T00:00:00Z
    HandClock(monkeypatch, midnight_us - left_in_second)
    clock = Clock()
    if alike:
        content = clock.records(Alike(RECORDS.valid, [b"{}"] * 4, 8))
    else:
        content = written(*[RECORDS.message(b"{}", "valid")] * 4, clock=clock)
    start = datetime(2027, 1, 1, tzinfo=UTC) - timedelta(microseconds=left_in_second)
    assert moments(content) == [start + timedelta(microseconds=step) for step in range(4)]


def test_alike_records_are_spelled_like_single_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast way for many records that are alike gives the very same bytes as the slow one; ``%`` is no trap."""
    HandClock(monkeypatch, 1_000_000)
    lines = [b'{"a":"%d %b %%"}', b'{"type":"x"}', b"{}"]
    alike = Alike(RECORDS.valid, lines, sum(map(len, lines)))
    slow = written(*[RECORDS.message(line, "valid") for line in lines])
    assert Clock().records(alike) == slow
    assert written(*alike) == slow
    assert len(alike) == 3


def test_numbers_that_were_taken_back_are_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that could not be written leaves no gap in ``seq``, and time still rises."""
    HandClock(monkeypatch, 5_000_000)
    clock = Clock()
    first = written(RECORDS.message(b"{}", "valid"), clock=clock)
    for _ in range(3):
        clock.head()
    clock.take_back(3)
    log = read_log_bytes(first + written(RECORDS.message(b"{}", "valid"), clock=clock))
    assert [record.fields["seq"] for record in log.records] == [0, 1]


@given(st.integers(0, 253_402_300_799 * 10**9))
def test_moments_are_rfc_3339(now_ns: int) -> None:
    """A moment is spelled in UTC, to the microsecond, rounded down, with a ``Z``."""
    spelled = rfc3339(now_ns)
    assert spelled.endswith("Z")
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_ns // 1000)
    assert datetime.fromisoformat(spelled) == expected
