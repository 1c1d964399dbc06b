"""The vocabulary is the published one, and the published table says what becomes of each message."""

import json
import re
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, get_args

import msgspec
import pytest

from proxy.events import Event, Interpreter, Session
from proxy.events.emitter import Emitter
from proxy.events.outcome import OUTCOMES, Kind
from proxy.events.session import Evidence, Standing
from proxy.events.vocabulary import EVENTS, OVER, STATES, Name, State
from proxy.protocol import library
from proxy.sessions.firings import Firing
from proxy.sessions.reader import Record
from tests.recorded import INTERACTIVE, LogMaker, records, scenario
from tests.recorded import NAMES as SCENARIOS

ROOT = Path(__file__).parents[2]
STREAMS = {"in": "stdin", "out": "stdout"}


SCHEMA = library.load("events.json")["properties"]
HEAD = {"event", "timestamp", "at", "state", "session_id", "run_id", "seq"}
FIELDS = SCHEMA.keys() - HEAD


def test_the_schema_names_what_the_tables_name() -> None:
    """The published schema allows the events and the states of the tables, and no others."""
    assert SCHEMA["event"]["enum"] == list(EVENTS)
    assert SCHEMA["state"]["enum"] == list(STATES)
    assert all("description" in field or "type" in field or "enum" in field for field in SCHEMA.values())


def test_every_name_is_in_the_table() -> None:
    """What the type checker lets pass as an event, a state or an outcome is what the tables explain."""
    assert sorted(EVENTS) == sorted(get_args(Name))
    assert tuple(STATES) == get_args(State)
    assert tuple(OUTCOMES) == get_args(Kind)


def test_every_field_is_explained_and_carried() -> None:
    """Each field that an event may carry is explained once, and no field is explained that none carries."""
    assert {field for kind in EVENTS.values() for field in kind.fields} == FIELDS


@cache
def emitted() -> list[Event]:
    """Return what the interpreter makes of all recorded sessions, and of messages that none of them has."""
    made = LogMaker()
    about = {"age_ms": 250, "versions": {"claude_proxy": "1"}, "capture_options": {"capture_events": True}}
    about["traceparent"] = f"00-{'1' * 32}-{'2' * 16}-01"
    log = made.started(["claude", "--input-format", "stream-json"], **about)
    log += made.lines(
        "stdin", {"type": "user", "message": {"role": "user", "content": "hi"}}, {"type": "unheard_of"}
    )
    log += made.lines("stdin", b"not json", {"type": "keep_alive", "more": 1})
    for subtype, fields in UNRECORDED:
        kind, _, rest = subtype.partition("/")
        log += made.lines("stdout", {"type": kind, "subtype": rest, "uuid": "u", "session_id": "c", **fields})
    for action_id, name in (("a1", "allow"), ("a2", "interrupt"), ("a4", "stop")):
        log += made.life(
            "action", action_id=action_id, action=name, args={"request_id": "p"}, by={"name": "me"}
        )
    log += made.life(
        "action_refused", action_id="a3", action="mode", args={}, by={}, error="not_granted", refusals=1
    )
    log += made.life("policy_applied", sha256="0", rules=1, dropped_ask_rules=1, other_deny_rules=0)
    log += made.life("policy_failed", sha256="0", rules=1, why="refused")
    log += _line({"stream": "stdin", "verdict": "valid", "origin": "claude-proxy", "message": ANSWER})
    log += _line(
        {**FRAME, "message": {"type": "control_request", "request_id": "claude-proxy-1", "request": {}}}
    )
    log += _line({"stream": "stdout", "verdict": "valid", "forwarded": False, "message": REFUSED})
    log += made.lines("stdout", DENIED)
    log += made.life("recording_gap", lost_records=1, lost_bytes=2, since="x", reason="disk full")
    log += made.life("wrapper_error", where="relay", error="x") + made.ended(reason="wrapper_killed")
    held_back = {"stream": "stdin", "verdict": "invalid", "errors": [], "forwarded": False, "message": {}}
    named = {"stream": "proxy", "event": {"event_type": "session_started", "data": {"name": "n"}}}
    log += b"".join(_line(fields) for fields in (held_back, named))
    prints = LogMaker(prints="text").started(["claude", "-p"])
    logs = [log, prints, INTERACTIVE.read_bytes(), *(scenario(name) for name in SCENARIOS)]
    return [event for one in logs for event in _events_of(one)]


ASKED = {
    "subtype": "can_use_tool",
    "tool_name": "Bash",
    "tool_use_id": "t",
    "input": {},
    "agent_id": "a",
    "blocked_path": "/x",
    "decision_reason": "x",
}
ANSWER = {"type": "control_response", "response": {"subtype": "success", "request_id": "p", "response": {}}}
REFUSED = {
    "type": "control_response",
    "response": {"subtype": "error", "request_id": "claude-proxy-1", "error": "x"},
}
FRAME = {"stream": "stdin", "verdict": "valid", "origin": "claude-proxy", "action_id": "a2"}
DENIED = {
    "type": "user",
    "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "is_error": True}]},
    "tool_result_meta": [{"id": "t", "permission_decision": {"decision": "reject", "source": "user_reject"}}],
}
UNRECORDED: list[tuple[str, dict[str, object]]] = [
    ("rate_limit_event/", {"rate_limit_info": {"status": "rejected"}}),
    ("system/task_notification", {"task_id": "t", "status": "failed", "summary": "s"}),
    ("system/session_writes_lost", {"error_code": "ENOSPC"}),
    ("control_request/", {"request_id": "p", "request": ASKED}),
    ("tool_progress/", {"tool_name": "Bash", "tool_use_id": "t", "elapsed_time_seconds": 1}),
]


def _line(fields: Mapping[str, object]) -> bytes:
    return (
        json.dumps({"seq": 99, "ts": "2027-01-01T00:00:00Z", "session_id": "made", **fields}).encode() + b"\n"
    )


def _events_of(log: bytes) -> list[Event]:
    interpreter = Interpreter(Session("made"))
    events = [event for record in records(log) for event in interpreter.take(record)]
    fired = Firing(timestamp_us=0, rule="r", when={}, do="tell", mode="act", value=1, occasion="")
    told = {"warning": True, "running": ["x"], "evidence": [1]}
    told |= dict.fromkeys(("known", "refused", "action_id", "request_id"), "x")
    interpreter.expect([msgspec.structs.replace(fired, **told)])
    return [*events, *interpreter.rest()]


def test_the_interpreter_makes_every_event_of_the_table_and_no_other() -> None:
    """Each event of the table comes up, no other does, and none carries a field that the table does not have."""
    assert {event.event_type for event in emitted()} == set(EVENTS)
    for event in emitted():
        assert set(event.data) - HEAD <= set(EVENTS[event.event_type].fields), event  # type: ignore[index]


def test_every_field_of_the_table_comes_up() -> None:
    """No field is explained that no event ever carries."""
    assert {field for event in emitted() for field in event.data} >= FIELDS


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_states_follow_each_other_as_the_table_says(before: State, after: State) -> None:
    """Of every two states: where the table has the one behind the other it follows, else all stays as it was."""
    session = Session("made", standing=Standing(before, 1))
    emitter = Emitter(session)
    emitter.begin(1, 2)
    emitter.change_state(after, "a message")
    if after in STATES[before].next:
        assert session.standing == Standing(after, 2, Evidence(1, "a message"))
    else:
        assert session.standing == Standing(before, 1)


def test_the_states_of_the_table_are_those_of_sessions() -> None:
    """Nothing leads back to the start or out of the end, and every other state can be reached."""
    reachable = {state for kind in STATES.values() for state in kind.next}
    assert reachable == set(STATES) - {"starting"}
    assert {state for state, kind in STATES.items() if not kind.next} == OVER


@pytest.mark.parametrize("name", SCENARIOS)
def test_recorded_sessions_keep_to_the_table(name: str) -> None:
    """In recorded sessions, states follow each other as the table allows."""
    states = [event.data["state"] for event in _events_of(scenario(name))]
    for before, after in pairwise(states):
        assert before == after or after in STATES[before].next, (before, after)


class Row(NamedTuple):
    """What becomes of the messages of one row: kinds are `type` or `type/subtype`."""

    direction: str
    kinds: list[str]
    command: str
    events: set[str]


@cache
def rows() -> list[Row]:
    """Return the rows of the table in `schemas/README.md` that maps the wire to the vocabulary."""
    text = (ROOT / "schemas/README.md").read_text()
    found = re.findall(r"^\| (in|out|both|none) \| (.+?) \| (.*?) ?\| (.+?) \|$", text, re.MULTILINE)
    return [Row(way, _kinds(wire), command, _events(events)) for way, wire, command, events in found]


def _kinds(wire: str) -> list[str]:
    head, slash, _ = wire.partition("/")
    words = re.findall(r"`(\w+)`", wire)
    return [f"{words[0]}/{word}" for word in words[1:]] if slash and head.startswith("`") else words


def _events(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell)) & set(EVENTS)


def row_of(record: Record) -> Row:
    """Return the row that a record of a message belongs to: the nearest of those that could be meant."""
    message = record.value()
    inner = message.get("request") or message
    type_ = message["type"]
    meant = (f"{type_}/{inner.get('subtype')}", type_)
    of_stream = [row for row in rows() if STREAMS.get(row.direction) == record.stream]
    for kind in meant:
        for row in of_stream:
            if kind in row.kinds:
                return row
    return Row("out", [], "", set())  # any other


def test_table_has_the_whole_vocabulary() -> None:
    """Every action and every event has a row, and there is no word in the table that the vocabulary has not."""
    table = rows()
    commands = {word for row in table for word in re.findall(r"^`(\w+)`", row.command)}
    same = {kind.split("/")[1] for row in table if row.command.startswith("the same") for kind in row.kinds}
    assert commands | same == set(library.load("commands.json")["properties"]["action"]["enum"])
    assert {event for row in table for event in row.events} == set(EVENTS)
    assert {row.direction for row in table} == {"in", "out", "both", "none"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_table_is_what_happens(name: str) -> None:
    """Of recorded messages come those events that the table names for them, and the command that it names."""
    interpreter = Interpreter(Session("made"))
    anywhere = {event for row in rows() if row.direction == "both" for event in row.events}
    for record in records(scenario(name)):
        events = interpreter.take(record)
        if record.stream not in STREAMS.values() or not isinstance(record.value(), dict):
            continue
        row = row_of(record)
        assert {event.event_type for event in events} <= row.events | anywhere, (record.seq, row)
        for event in events:
            if event.event_type == "command_received":
                action = event.data["command"]["action"]
                assert row.command.startswith((f"`{action}`", "the same")), (record.seq, row)
