"""What happens in a session is told once, in the order in which it happened."""

import json
from typing import Any

import msgspec
import pytest

from proxy.events import Event, Interpreter, Session
from proxy.events.vocabulary import SHOWN
from proxy.telling import Entry, tell, tell_crash, tell_record
from proxy.telling.events import TOLD
from tests.recorded import NAMES, SCENARIOS, START_US, LogMaker, records, scenario


def told(log: bytes) -> list[Entry]:
    """Return the entries of a log."""
    interpreter = Interpreter(Session("made"))
    return [entry for record in records(log) for entry in tell_record(record, interpreter.take(record))]


def labels(entries: list[Entry]) -> list[str]:
    """Return who says each part."""
    return [part.label for entry in entries for part in entry.parts]


def event(event_type: str, **data: Any) -> Event:
    """Return an event as the interpreter makes it."""
    return Event(event_type, 0, {"event": event_type, "timestamp": "t", "seq": 7, **data})


def test_what_is_printed_is_told_once() -> None:
    """With text output the lines that were printed, also if they are JSON; with JSON output the answer in it."""
    made = LogMaker(prints="text")
    log = made.started(["claude", "-p", "hi"]) + made.lines("stdout", b'{"type":"x","a":1}', b"Yes.")
    said = told(log + made.ended())
    assert labels(said) == ["started", "user", "stdout", "stdout", "turn ended", "ended"]
    assert [said[2].parts[0].text, said[3].parts[0].text] == ['{"type":"x","a":1}', "Yes."]
    made = LogMaker(prints="json")
    log = made.started(["claude", "-p", "--output-format", "json", "hi"])
    result = (SCENARIOS / "prompt_on_command_line" / "stdout.jsonl").read_bytes().splitlines()[-1]
    said = told(log + made.lines("stdout", result) + made.ended())
    assert labels(said)[1:] == ["user", "claude", "turn ended", "ended"]
    assert said[2].parts[0].text == json.loads(result)["result"]


@pytest.mark.parametrize("name", NAMES)
def test_recorded_sessions_are_told(name: str) -> None:
    """Whatever Claude Code has been recorded to do is a conversation that begins and ends, and is JSON."""
    entries = told(scenario(name))
    assert labels(entries)[0] == "started"
    assert labels(entries)[-1] == "ended"
    for entry in entries:
        assert entry.event in TOLD or not entry.event
        assert msgspec.json.decode(msgspec.json.encode(entry), type=Entry) == entry


def test_every_kind_of_event_is_told_or_says_nothing() -> None:
    """The vocabulary says which kinds say something to a reader."""
    assert TOLD == SHOWN


def test_a_conversation_reads_in_order() -> None:
    """Who asks, what is called, who allows it, what comes of it, and what it took."""
    said = labels(told(scenario("tool_allow")))
    assert [one for one in said if one != "init"] == [
        *("started", "user", "tool", "permission", "permission", "result", "claude", "turn ended", "ended")
    ]


def test_what_subagents_do_is_set_in_and_told_once() -> None:
    """Their calls are one deep; the task that a call is too says nothing more."""
    entries = told(scenario("subagent"))
    assert [(entry.parts[0].title, entry.depth) for entry in entries if entry.parts[0].kind == "call"] == [
        ("Agent", 0),
        ("Bash", 1),
    ]
    assert "task" not in labels(entries)


def test_a_task_in_the_background_is_told() -> None:
    """Its call has returned long before it ends."""
    ends = [entry.parts[0] for entry in told(scenario("background_agent")) if entry.parts[0].kind == "task"]
    assert [part.title for part in ends] == ["completed"]


def test_a_turn_says_why_it_failed() -> None:
    """What went wrong stands with the turn's end and its cost."""
    turns = [entry.parts[0] for entry in told(scenario("api_errors")) if entry.parts[0].kind == "turn"]
    assert [part.tone for part in turns] == ["bad"] * 4 + ["warn"]
    assert turns[3].text == "Credit balance is too low"
    assert turns[3].figures == ["$0.00"]


def test_a_crash_is_told() -> None:
    """Of a log whose wrapper died no event says so: its lock does."""
    session = Session("made", last_record_us=START_US)
    assert list(tell_crash(session)) == []
    session.mark_crashed()
    (entry,) = tell_crash(session)
    assert (labels([entry]), entry.timestamp[:10]) == (["crashed"], "2026-01-02")


def test_lines_that_are_no_messages_are_told_as_they_are() -> None:
    """Of stderr, and of programs that speak no messages; blank lines and messages without events say nothing."""
    made = LogMaker()
    log = made.started(["make"]) + made.lines("stderr", b"no rule", b"", b"  two") + made.ended()
    said = [part.text for entry in told(log) for part in entry.parts if part.label == "stderr"]
    assert said == ["no rule", "  two"]
    quiet = told(
        made.started(["claude", "--input-format", "x"]) + made.lines("stdout", {"type": "keep_alive"})
    )
    assert labels(quiet) == ["started"]


def test_what_is_long_is_shortened_and_says_so() -> None:
    """A text keeps both its ends, and a value its beginning."""
    entry = tell(event("assistant_message", text="a" * 9000 + "the end"), 100)
    assert entry.shortened
    assert entry.parts[0].text.endswith("the end")
    call = tell(event("tool_started", tool="X", input={"deep": "y" * 9000}), 100)
    assert call.shortened
    assert len(call.parts[0].fields["deep"]) < 200


def test_thinking_and_answer_are_two_parts() -> None:
    """What the model thought stands before what it said; that it thought something it does not show is said too."""
    assert labels([tell(event("assistant_message", thinking="hm", text="yes"))]) == ["thinking", "claude"]
    assert tell(event("assistant_message", thinking="", text="")).parts[0].title == "not shown by the model"


def test_events_of_a_clients_own_are_told_as_they_are() -> None:
    """Also under our names, whatever they hold."""
    (part,) = tell(Event("run_started", 0, {"prompt": 7})).parts
    assert (part.label, part.title, part.fields) == ("client", "run_started", {"prompt": 7})


@pytest.mark.parametrize("name", sorted(TOLD))
def test_an_event_without_any_field_is_told(name: str) -> None:
    """Logs of other releases may lack what a sentence is made of: nothing fails for that."""
    tell(event(name))
    tell(event(name, command=7, input=[], errors="x", usage=None, limit=[], problems=3, timestamp="t"))
