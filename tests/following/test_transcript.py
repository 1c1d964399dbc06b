"""What of a transcript is recorded: every line of the session, once, however it is cut while it is written."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.following.transcript import end_of_history, last_cost
from tests.following.lines import START_US, at, line, prompt, records, transcript

if TYPE_CHECKING:
    from proxy.following.transcript import Why

OLD = st.builds(line, st.sampled_from(["user", "assistant"]), st.floats(-7000, -1))
NEW = st.builds(line, st.sampled_from(["user", "assistant", "system"]), st.floats(1, 7000))
TIMELESS = st.builds(line, st.sampled_from(["mode", "last-prompt", "cost-state", "api-request-blob"]))
FOREIGN = st.sampled_from(
    [b"\n", b"no JSON\n", b'"text"\n', b"\xff\xfe\n", b'{"type":7}\n', b'{"a":"\\ud800"}\n']
)
OWN = st.lists(st.one_of(NEW, TIMELESS, FOREIGN), max_size=12).map(b"".join)
HISTORY = st.lists(st.one_of(OLD, TIMELESS), max_size=12).map(b"".join)


@given(
    data=st.tuples(HISTORY, OWN).map(b"".join),
    cuts=st.lists(st.integers(0, 4000)),
    why=st.sampled_from(["new", "continued"]),
)
def test_any_cut_gives_the_same_records(data: bytes, cuts: list[int], why: Why) -> None:
    """Whether a transcript is read at once or grows byte by byte, the same records come of it in the same order."""
    at_once = transcript(why)
    expected = at_once.take(data, is_last=True)

    piecewise, bodies = transcript(why), []
    for end in sorted({cut for cut in cuts if cut < len(data)}):
        bodies += piecewise.take(data[piecewise.offset : end])
    bodies += piecewise.take(data[piecewise.offset :], is_last=True)

    assert bodies == expected
    assert piecewise.offset == at_once.offset == len(data)
    assert piecewise.recorded_lines == at_once.recorded_lines


@given(data=OWN)
def test_a_record_says_where_its_line_is(data: bytes) -> None:
    """Each line is recorded byte for byte with its place, in the file's order; places are never twice."""
    reading = transcript()
    end = 0
    for record in records(reading.take(data, is_last=True)):
        if record["stream"] == "proxy":
            continue
        offset, length = record["source"]["offset"], record["source"]["length"]
        assert offset >= end
        end = offset + length
        text = data[offset:end].removesuffix(b"\n")
        if "message" in record:
            assert record["message"] == json.loads(text)
        else:
            assert "raw_base64" in record or record["raw"] == text.decode()


@given(data=OWN)
def test_taking_again_gives_the_same(data: bytes) -> None:
    """What could not be written is taken again from a copy, as if it had not been tried."""
    before = transcript()
    first = copy.copy(before).take(data, is_last=True)
    assert copy.copy(before).take(data, is_last=True) == first


def test_request_snapshots_are_counted_and_left_out() -> None:
    """What Claude Code keeps of its requests is most of a transcript, and says nothing that is not there anyway."""
    reading = transcript()
    snapshots = [
        line("api-request", 1),
        line("api-request-shape", 1),
        line("api-request-blob"),
        line("file-history-snapshot"),
        line("atis-latch"),
        line("attachment", 1, attachment={"type": "prompt_snapshot", "tools": []}),
    ]
    kept = [
        prompt("hello", 1),
        line("attachment", 1, attachment={"type": "date"}),
        line("a type of the future", 2),
    ]
    made = records(reading.take(b"".join([*snapshots, *kept])))
    assert [record["message"] for record in made[1:]] == [json.loads(one) for one in kept]
    assert reading.skipped_lines == len(snapshots)
    assert reading.skipped_bytes == sum(map(len, snapshots))


def test_a_new_conversation_is_recorded_from_its_first_line() -> None:
    """Lines without a time at the beginning of a new file belong to it."""
    data = line("mode") + prompt("hello", 1)
    opened, mode, typed = records(transcript().take(data))
    assert opened["event"]["event_type"] == "transcript_opened"
    assert opened["event"]["data"] == {
        "file": "projects/p/c.jsonl",
        "offset": 0,
        "claude_session_id": "c",
        "why": "new",
        "history_lines": 0,
    }
    assert (mode["message"]["type"], typed["message"]["type"]) == ("mode", "user")


def test_a_forked_conversation_is_recorded_from_its_first_new_line() -> None:
    """The copy of the old conversation at its beginning is counted, and its last total of costs is kept."""
    old = line("mode") + prompt("old", -60) + line("cost-state", totalCostUSD=0.25, modelUsage={})
    data = old + prompt("new", 1)
    opened, typed = records(transcript().take(data))
    assert opened["event"]["data"] == {
        "file": "projects/p/c.jsonl",
        "offset": len(old),
        "claude_session_id": "c",
        "why": "forked",
        "history_lines": 3,
        "cost_before": {"totalCostUSD": 0.25, "modelUsage": {}},
    }
    assert typed["message"]["message"]["content"] == "new"


def test_where_history_ends_is_known_no_line_is_judged_by_its_time() -> None:
    """A clock that was set back makes no line of a continued conversation older than the session."""
    reading = transcript("continued")
    old = prompt("old", -60)
    reading.begin_at(len(old), is_exact=True)
    (opened,) = records(reading.take(b""))
    assert opened["event"]["data"]["offset"] == len(old)
    (typed,) = records(reading.take(prompt("new", -30)))
    assert typed["source"]["offset"] == len(old)


def test_behind_the_first_new_line_none_is_history() -> None:
    """A clock that is set back in mid-session takes no line of it away."""
    reading = transcript()
    made = records(reading.take(prompt("old", -60) + prompt("new", 1) + prompt("after", -30)))
    assert [record["message"]["message"]["content"] for record in made[1:]] == ["new", "after"]


def test_lines_of_another_process_are_left_to_it() -> None:
    """Where two processes write to one file, each log gets its own."""
    reading = transcript()
    data = prompt("mine", 1, uuid="1") + prompt("theirs", 2, uuid="2")
    made = records(reading.take(data, is_mine=lambda head: head.uuid == "1"))
    assert [record["message"]["uuid"] for record in made[1:]] == ["1"]


def test_credentials_are_replaced() -> None:
    """A transcript is recorded by the same rules of redaction as what is relayed."""
    key = "sk-ant-api03-" + "a1B2" * 24
    data = prompt(f"my key is {key}", 1) + f"no JSON: {key}\n".encode()
    _, typed, raw = records(transcript(redact="on").take(data))
    assert key not in json.dumps([typed, raw])
    assert typed["redacted"] == ["/message/message/content"]
    assert raw["redacted"] == ["/raw"]


def test_a_line_that_its_writer_did_not_finish_is_recorded_when_nothing_more_can_come() -> None:
    """What Claude Code was writing when it was killed is kept, and marked."""
    reading = transcript()
    reading.take(prompt("hello", 1))
    assert reading.take(b'{"type":"assis') == []
    (torn,) = records(reading.take(b'{"type":"assis', is_last=True))
    assert (torn["raw"], torn["truncated"]) == ('{"type":"assis', True)


@given(
    history=HISTORY, own=st.lists(NEW).map(b"".join), start=st.integers(0, 3), padding=st.integers(0, 200_000)
)
def test_the_end_of_history_is_found_from_behind(
    history: bytes, own: bytes, start: int, padding: int
) -> None:
    """However long the old part is, the end of its last line with a time is where new lines may begin."""
    history = line("user", -100, padding="x" * padding) * 2 + history
    data = history + own
    lines = history.splitlines(keepends=True)
    while lines and b"timestamp" not in lines[-1]:
        lines.pop()
    begin = len(b"".join(lines[:start])) if start <= 2 else 0

    def read(length: int, place: int) -> bytes:
        return data[place : place + length]

    assert end_of_history(read, begin, len(data), START_US) == len(b"".join(lines))


def test_a_file_without_history_has_none() -> None:
    """Where every line is of the session, history ends where the search begins."""
    data = prompt("new", 1) + line("mode")
    assert end_of_history(lambda length, place: data[place : place + length], 0, len(data), START_US) == 0


@pytest.mark.parametrize("tail", [b"", b"torn", line("user", 1), b'{"type":"user","a":"cost-state"}\n'])
def test_without_a_total_there_is_none(tail: bytes) -> None:
    """Only Claude Code's own line is a total of costs."""
    assert last_cost(tail) is None


def test_the_last_total_is_the_one_that_counts() -> None:
    """A conversation that was continued has several."""
    tail = b"torn\n" + b"".join(line("cost-state", totalCostUSD=cost) for cost in (1, 2)) + line("mode")
    assert last_cost(tail) == {"totalCostUSD": 2}


def test_timestamps_of_these_tests() -> None:
    """The helpers of these tests agree with each other."""
    assert at(0) == "2027-01-15T08:00:00.000Z"
    assert at(-1.5) == "2027-01-15T07:59:58.500Z"
