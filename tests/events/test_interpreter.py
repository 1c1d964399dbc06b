"""The interpreter: records in, events and a state out, the same however they come."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.events import Event, Interpreter, Session
from proxy.events.session import CRASHED
from proxy.events.vocabulary import STATES
from proxy.protocol import full
from tests.recorded import NAMES, RELEASES, SCENARIOS, START_US, LogMaker, records, scenario

USER = {"type": "user", "message": {"role": "user", "content": "hi"}}
IDS = {"uuid": "u", "session_id": "c"}


def interpreted(log: bytes, *, crashed: bool = False) -> tuple[list[Event], Session]:
    """Return the events of a log and what is known after it."""
    interpreter = Interpreter(Session("made"))
    events = [event for record in records(log) for event in interpreter.take(record)]
    if crashed:
        interpreter.session.mark_crashed()
    return events, interpreter.session


def run_ends(events: list[Event]) -> list[dict[str, Any]]:
    """Return the data of the events that end a run."""
    return [
        event.data
        for event in events
        if event.event_type in ("run_completed", "run_failed", "run_interrupted")
    ]


def names(events: list[Event], prefix: str = "run_") -> list[str]:
    """Return the kinds of those events that begin so."""
    return [event.event_type for event in events if event.event_type.startswith(prefix)]


def result(cost: float, **more: Any) -> dict[str, Any]:
    """Return a result message."""
    return {"type": "result", "subtype": "success", "is_error": False, "total_cost_usd": cost, **IDS, **more}


def lines(name: str, stream: str) -> list[bytes]:
    """Return the lines of one stream of a recorded session."""
    return (SCENARIOS / name / f"{stream}.jsonl").read_bytes().split(b"\n")[:-1]


def results(name: str) -> list[dict[str, Any]]:
    """Return the result messages of a recorded session."""
    messages = map(json.loads, lines(name, "stdout"))
    return [message for message in messages if message["type"] == "result"]


def permission(request_id: str = "p1") -> dict[str, Any]:
    """Return a question for permission."""
    request = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {}, "tool_use_id": "t1"}
    return {"type": "control_request", "request_id": request_id, "request": request}


def answer(request_id: str = "p1", **response: Any) -> dict[str, Any]:
    """Return an answer to a question."""
    body = {"subtype": "success", "request_id": request_id, "response": response}
    return {"type": "control_response", "response": body}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    """Return an assistant message."""
    return {"type": "assistant", "message": {"id": "m", "model": "x", "content": list(blocks)}, **IDS}


@pytest.mark.parametrize("name", NAMES)
def test_real_traffic(name: str) -> None:
    """For real traffic: events are valid, one run for each result, nothing open at the end, moments increase."""
    events, session = interpreted(scenario(name))
    for event in events:
        assert full.judgement("events.json", json.dumps(event.data).encode()).verdict == "valid", event
        if event.event_type == "command_received":
            assert (
                full.judgement("commands.json", json.dumps(event.data["command"]).encode()).verdict == "valid"
            ), event
    assert len(names(events, "run_started")) == session.figures.turns
    assert len(names(events)) == 2 * session.figures.turns
    assert (session.state, session.run, session.tools, session.queued) == ("ended", None, {}, [])
    assert session.complete
    moments = [event.timestamp_us for event in events]
    assert moments == sorted(set(moments))


@pytest.mark.parametrize(
    ("name", "ends", "others"),
    [
        ("simple", ["completed", "completed"], {}),
        ("interrupt", ["interrupted", "completed"], {}),
        ("interrupt_partial", ["interrupted", "completed"], {}),
        ("interrupt_tool", ["interrupted"], {"tool_failed": 1}),
        ("interrupt_idle", ["completed"], {}),
        ("tool_asked_then_interrupted", ["interrupted"], {"permission_resolved": 1}),
        ("background_agent", ["completed", "completed"], {"task_completed": 1}),
        ("background_stopped", ["completed"], {"task_stopped": 1}),
        ("subagents_in_parallel", ["completed"], {"task_completed": 2, "tool_completed": 2}),
        ("budget_spent", ["failed", "failed"], {}),
        ("resume_unknown", ["failed"], {}),
        ("api_errors", ["failed"] * 5, {"error": 5}),
        ("api_retry", ["completed"], {"api_retry": 3}),
        ("compact", ["completed"] * 3, {"compaction": 1}),
        ("tool_deny", ["completed"], {"permission_resolved": 1, "tool_denied": 1}),
        ("prompt_on_command_line", ["completed"], {}),
        ("background_killed-1", ["completed"], {"task_started": 1}),
        ("background_killed", ["completed", "completed"], {"task_stopped": 1}),
        ("empty_answer", ["failed"], {}),
        ("hook_stops_tool", ["failed"], {}),
    ],
)
def test_what_happened(name: str, ends: list[str], others: dict[str, int]) -> None:
    """Recorded sessions come out as what they were: how each turn ended, what it cost, what else happened."""
    events, session = interpreted(scenario(name))
    assert [kind for kind in names(events) if kind != "run_started"] == [f"run_{end}" for end in ends]
    totals = [message["total_cost_usd"] for message in results(name)]
    assert session.figures.cost_usd == pytest.approx(sum(data["cost_usd"] for data in run_ends(events)))
    assert session.spending.stated_usd == totals[-1]
    costs = [data["cost_usd"] for data in run_ends(events)]
    assert sum(costs) == pytest.approx(totals[-1])
    assert {kind: sum(event.event_type == kind for event in events) for kind in others} == others


def test_a_task_is_as_deep_as_whoever_began_it() -> None:
    """The task of a subagent says how deep it is, of the innermost one too, whose call is not delivered."""
    events, _ = interpreted(scenario("subagents_nested"))
    tasks = [event.data for event in events if event.event_type in ("task_started", "task_completed")]
    assert [(task["event"], task.get("depth", 0)) for task in tasks] == [
        *(("task_started", depth) for depth in (0, 1, 2)),
        *(("task_completed", depth) for depth in (2, 1, 0)),
    ]
    begun = {task["task_id"]: task.get("parent_task_id") for task in tasks if task["event"] == "task_started"}
    assert list(begun.values()) == [None, *list(begun)[:2]]


@pytest.mark.parametrize("name", RELEASES)
def test_older_releases(name: str) -> None:
    """What older releases write makes the same runs: one for each prompt, each with its result."""
    events, session = interpreted(scenario(name))
    prompts = sum(b'"type": "user"' in line or b'"type":"user"' in line for line in lines(name, "stdin"))
    assert session.state == "ended"
    assert names(events).count("run_started") == prompts == session.figures.turns
    assert names(events)[1::2] == [name for name in names(events) if name != "run_started"]


@pytest.mark.parametrize("name", ["background_agent", "background_shell"])
def test_turns_that_nobody_asked_for(name: str) -> None:
    """A background task's end makes Claude Code begin a turn by itself: a run without a prompt."""
    events, _ = interpreted(scenario(name))
    started = [event.data for event in events if event.event_type == "run_started"]
    assert ["prompt" in data for data in started] == [True, False]
    assert started[1]["unprompted"] is True


@pytest.mark.parametrize("name", ["background_killed", "background_killed_prompted"])
def test_a_notice_before_the_prompt(name: str) -> None:
    """Regression: of a resumed session, the notice that a command was killed took the prompt's answer and its run."""
    events, session = interpreted(scenario(name))
    runs = {event.data["run_id"]: event.data for event in events if event.event_type == "run_started"}
    ends = run_ends(events)
    assert [data["result"] for data in ends] == ["", "42"]
    assert [runs[data["run_id"]].get("prompt") for data in ends] == [None, "What is the sum?"]
    assert [data["cost_usd"] for data in ends] == [0, 0.00108]
    assert session.run is None


@pytest.mark.parametrize("name", ["subagent", "interrupt", "clear", "hooks_of_every_kind"])
def test_kept_and_taken_up_again(name: str) -> None:
    """Interpretation that is broken off after every record, its session kept as JSON, gives the same events."""
    log = scenario(name)
    session = Session("made")
    events: list[Event] = []
    for record in records(log):
        interpreter = Interpreter(session)
        events += interpreter.take(record)
        session = msgspec.json.decode(msgspec.json.encode(interpreter.session), type=Session)
    expected, at_the_end = interpreted(log)
    assert [msgspec.json.encode(event) for event in events] == [
        msgspec.json.encode(event) for event in expected
    ]
    assert msgspec.json.encode(session) == msgspec.json.encode(at_the_end)


KINDS = ["task-notification", "peer", "coordinator", "channel", "observer", "auto-continuation", "plugin"]
INIT = {"type": "system", "subtype": "init", **IDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inits", [True, False])
@pytest.mark.parametrize("given_on", ["stdin", "command line"])
def test_a_result_that_is_not_the_prompts(kind: str, inits: bool, given_on: str) -> None:
    """Regression: a turn that Claude Code took before the prompt ended the prompt's run, with its own empty answer."""
    made = LogMaker()
    if given_on == "stdin":
        log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", USER)
    else:
        log = made.started(["claude", "-p", "hi"])
    other = result(0.25, num_turns=0, result="", origin={"kind": kind})
    init = [INIT] if inits else []
    log += made.lines(
        "stdout", *init, assistant({"type": "tool_use", "id": "t", "name": "Bash", "input": {}}), other
    )
    seen = interpreted(log)[1]
    assert seen.run is not None
    assert (seen.state, seen.run.run_id, seen.tools, seen.run.heard) == ("executing", "run-1", {}, False)
    log += made.lines("stdout", *init, assistant({"type": "text", "text": "42"}), result(0.75, result="42"))
    events, _ = interpreted(log)
    runs = [event.data for event in events if event.event_type.startswith("run_")]
    assert [(data["event"], data["run_id"]) for data in runs] == [
        ("run_started", "run-1"),
        ("run_started", "run-2"),
        ("run_completed", "run-2"),
        ("run_completed", "run-1"),
    ]
    assert (runs[1]["origin"], runs[1]["unprompted"], runs[1]["ahead_of"]) == (kind, True, "run-1")
    assert [(data["result"], data["cost_usd"]) for data in runs[2:]] == [("", 0.25), ("42", 0.5)]
    assert [data["duration_ms"] for data in runs[2:]] == [2.0 + inits, 2.0 + inits]


@pytest.mark.parametrize(
    "origin", [None, {"kind": "human"}, {"kind": "unclassified"}, {"kind": "peer", "from": "x"}]
)
def test_a_result_that_is_the_prompts(origin: dict[str, str] | None) -> None:
    """A result of the caller's origin, of none, or of the one that the prompt itself has ends the prompt's run."""
    made = LogMaker()
    prompt = {**USER, "origin": {"kind": "peer", "from": "x"}}
    log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", prompt)
    events, session = interpreted(log + made.lines("stdout", result(0.1, origin=origin)))
    assert names(events) == ["run_started", "run_completed"]
    assert session.run is None


def test_queued_prompts_without_an_init_take_their_results() -> None:
    """A result without anything before it is that of the prompt that waits, unless it is of another origin."""
    made = LogMaker()
    later = {**USER, "message": {"role": "user", "content": "later"}}
    log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", USER, later)
    notice = result(0.1, num_turns=0, result="", origin={"kind": "task-notification"})
    log += made.lines("stdout", result(0.1, result="a"), notice, result(0.2, result="b"))
    events, session = interpreted(log)
    prompts = {
        event.data["run_id"]: event.data.get("prompt")
        for event in events
        if event.event_type == "run_started"
    }
    assert [(prompts[data["run_id"]], data["result"]) for data in run_ends(events)] == [
        ("hi", "a"),
        (None, ""),
        ("later", "b"),
    ]
    assert session.queued == []


def test_an_interrupt_hits_the_turn_that_is_taken_first() -> None:
    """An interrupt during another turn does not count against the prompt that waits."""
    made = LogMaker()
    interrupt = {"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}}
    log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", USER, interrupt)
    other = result(0, subtype="error_during_execution", is_error=True, origin={"kind": "peer"})
    log += made.lines("stdout", other, result(0, is_error=True, result="bad"))
    assert [data["outcome"] for data in run_ends(interpreted(log)[0])] == ["interrupted", "failed"]


def test_a_command_that_has_exited_is_over() -> None:
    """Regression: as long as a descendant held its streams, a session waited for the model with a dead pid."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", USER)
    log += made.lines("stdout", result(0.1)) + made.life("command_exited", exit_code=3, duration_ms=20)
    events, session = interpreted(log + made.lines("stdout", b"from a descendant"))
    assert (session.state, session.evidence.message, session.evidence.stated) == (
        "ended",
        "command_exited",
        True,
    )
    assert (session.over, session.complete, session.ended_us) == (True, False, START_US + 3000)
    ended = next(event.data for event in events if event.event_type == "session_ended")
    assert (ended["exit_code"], ended["duration_ms"], ended["outcome"]) == (3, 20, "failed")
    whole, session = interpreted(log + made.ended(exit_code=3))
    assert names(whole, "session_ended") == ["session_ended"]
    assert (session.complete, session.ended_us) == (True, START_US + 3000)


def test_a_result_that_comes_after_the_exit() -> None:
    """What the command wrote last may be on its way when it exits: its turn has a result then, and the end is told."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", USER)
    log += made.life("command_exited", exit_code=0, duration_ms=20)
    events, session = interpreted(log)
    assert (session.state, session.ended_in_turn, names(events, "session_")) == (
        "ended",
        True,
        ["session_started"],
    )
    log += made.lines("stdout", result(0.1, result="done"))
    events, session = interpreted(log)
    assert [event.event_type for event in events[-2:]] == ["run_completed", "session_ended"]
    assert (session.ended_in_turn, events[-1].data["outcome"]) == (False, "ok")


@pytest.mark.parametrize("name", ["mcp_failed", "plugin"])
def test_what_failed_at_the_start(name: str) -> None:
    """Servers and plugins that did not work are told, a sentence each."""
    events, _ = interpreted(scenario(name))
    problems = next(event.data["problems"] for event in events if event.event_type == "session_initialized")
    expected = {
        "mcp_failed": ["The MCP server missing did not start.", "The MCP server ending did not start."],
        "plugin": ["The plugin inline[1] has an error: "],
    }[name]
    assert len(problems) == len(expected)
    assert all(found.startswith(said) for found, said in zip(problems, expected, strict=True))


def test_an_in_process_call_is_work_and_no_question() -> None:
    """Regression: a session waited for its caller while the caller ran an MCP tool of its own."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", USER)
    called = {"name": "add", "arguments": {}, "_meta": {"claudecode/toolUseId": "t"}}
    rpc = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}
    request = {"subtype": "mcp_message", "server_name": "calc", "message": rpc}
    log += made.lines(
        "stdout",
        assistant({"type": "tool_use", "id": "t", "name": "mcp__calc__add", "input": {}}),
        {"type": "control_request", "request_id": "m", "request": request},
    )
    _, session = interpreted(log)
    assert (session.state, session.asked, list(session.questions)) == ("executing", {}, ["m"])
    log += made.lines("stdout", permission()) + made.lines("stdin", answer("m", mcp_response={}))
    assert interpreted(log)[1].state == "waiting"


def test_permission_is_waited_for() -> None:
    """A question for permission makes the session wait, its answer lets it go on; both say which tool."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", USER)
    log += made.lines("stdout", permission())
    events, session = interpreted(log)
    assert (session.state, session.evidence.message) == ("waiting", "control_request/can_use_tool")
    log += made.lines("stdin", answer(behavior="deny", message="no"))
    events, session = interpreted(log)
    assert session.state == "executing"
    resolved = events[-1].data
    assert (resolved["event"], resolved["decision"], resolved["tool"]) == (
        "permission_resolved",
        "deny",
        "Bash",
    )
    assert resolved["waiting_ms"] == 1.0


def test_permission_that_is_withdrawn() -> None:
    """A question that Claude Code withdraws is resolved without a decision."""
    made = LogMaker()
    log = made.started() + made.lines("stdout", permission())
    log += made.lines("stdout", {"type": "control_cancel_request", "request_id": "p1"})
    events, session = interpreted(log)
    assert events[-1].data["outcome"] == "cancelled"
    assert session.questions == {}


def test_tool_that_fails() -> None:
    """A tool's result ends the tool, with how long it took, and as failed when it says so."""
    made = LogMaker()
    log = made.started() + made.lines(
        "stdout", assistant({"type": "tool_use", "id": "t", "name": "Bash", "input": 1})
    )
    back = {"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": "no"}
    log += made.lines("stdout", {"type": "user", "message": {"role": "user", "content": [back]}, **IDS})
    events, _ = interpreted(log)
    failed = events[-1].data
    assert (failed["event"], failed["tool"], failed["duration_ms"]) == ("tool_failed", "Bash", 1.0)


def test_a_clock_that_runs_back() -> None:
    """Regression: in a log whose times run back, a tool took less than no time."""
    made = LogMaker()
    log = made.started() + made.lines(
        "stdout", assistant({"type": "tool_use", "id": "t", "name": "Bash", "input": 1})
    )
    made.now_us -= 3_600_000_000
    back = {"type": "tool_result", "tool_use_id": "t", "content": "yes"}
    log += made.lines("stdout", {"type": "user", "message": {"role": "user", "content": [back]}, **IDS})
    events, _ = interpreted(log + made.ended())
    assert [event.timestamp_us for event in events] == sorted({event.timestamp_us for event in events})
    assert [event.data["duration_ms"] for event in events if event.event_type == "tool_completed"] == [0]


def test_prompt_on_the_command_line() -> None:
    """A prompt that came on the command line begins a run when the session starts."""
    made = LogMaker()
    events, _ = interpreted(made.started(["claude", "-p", "hello", "--verbose"]))
    assert [event.event_type for event in events] == ["session_started", "run_started"]
    assert events[1].data["prompt"] == "hello"


def test_a_session_is_about_its_first_prompt() -> None:
    """The first prompt stays, shortened, whatever is asked later: it tells sessions apart."""
    maker = LogMaker()
    log = maker.started(["claude", "--input-format", "stream-json"])
    for text in ("x" * 500, "later"):
        log += maker.lines("stdin", {"type": "user", "message": {"role": "user", "content": text}})
        log += maker.lines("stdout", {"type": "result", "subtype": "success"})
    assert interpreted(log)[1].prompt == "x" * 200


def test_a_subagents_results_belong_to_it() -> None:
    """What a subagent's tool gives says whose it is, as the call does, though the wire's result may not."""
    events, _ = interpreted(scenario("subagent"))
    belongs = {
        event.data["tool_use_id"]: event.data["parent_tool_use_id"]
        for event in events
        if event.event_type == "tool_started"
    }
    assert any(belongs.values())
    for event in events:
        if event.event_type == "tool_completed":
            assert event.data.get("parent_tool_use_id") == belongs[event.data["tool_use_id"]]


def test_queued_prompts_take_their_turns() -> None:
    """A prompt that comes during a run begins the next one, when Claude Code turns to it."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "x"])
    later = {**USER, "message": {"role": "user", "content": "later"}}
    log += made.lines("stdin", USER, later) + made.lines("stdout", result(0.1))
    log += made.lines("stdout", {"type": "system", "subtype": "init", **IDS})
    events, session = interpreted(log)
    assert names(events) == ["run_started", "run_completed", "run_started"]
    assert [e.data["prompt"] for e in events if e.event_type == "run_started"] == ["hi", "later"]
    assert session.queued == []


def test_end_without_a_result() -> None:
    """A command that ends in the middle of a turn has failed that turn; the session has ended."""
    made = LogMaker()
    log = (
        made.started(["claude", "--input-format", "x"]) + made.lines("stdin", USER) + made.ended(exit_code=1)
    )
    events, session = interpreted(log)
    assert [event.event_type for event in events[-2:]] == ["run_failed", "session_ended"]
    assert (session.state, session.ended_in_turn, events[-1].data["exit_code"]) == ("ended", True, 1)


@pytest.mark.parametrize("name", ["simple", "tool_allow", "background_agent"])
def test_events_are_a_function_of_the_log(name: str) -> None:
    """A log that is read while it is written, and taken for dead after every record, gives the events of the whole."""
    expected, at_the_end = interpreted(scenario(name))
    interpreter = Interpreter(Session("made"))
    events: list[Event] = []
    for record in records(scenario(name)):
        events += interpreter.take(record)
        interpreter.session.mark_crashed()
        assert interpreter.session.over
    assert events == expected
    assert interpreter.session == at_the_end


def test_crash() -> None:
    """That the writer died is a state, known from the lock: no event says it, and the next record takes it back."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", USER)
    events, session = interpreted(log, crashed=True)
    assert [event.event_type for event in events] == ["session_started", "command_received", "run_started"]
    assert (session.state, session.evidence.message, session.ended_us) == (
        "failed",
        CRASHED,
        session.last_record_us,
    )
    Interpreter(session).take(records(made.lines("stdout", result(0.1)))[0])
    assert (session.state, session.over, session.ended_us) == ("idle", False, 0)


def test_crash_of_nothing() -> None:
    """A log without a record whose writer is gone has failed too."""
    session = Session("made")
    session.mark_crashed()
    assert (session.state, session.over) == ("failed", True)


def test_interrupt_while_idle_interrupts_nothing() -> None:
    """An interrupt between turns does not make the next turn an interrupted one."""
    made = LogMaker()
    interrupt = {"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}}
    log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", interrupt, USER)
    log += made.lines("stdout", result(0.1, is_error=True, result="bad"))
    events, _ = interpreted(log)
    assert names(events) == ["run_started", "run_failed"]


@pytest.mark.parametrize(("is_answered_first", "ended"), [(True, "failed"), (False, "interrupted")])
def test_an_interrupt_answered_before_the_turn_began_is_not_its(is_answered_first: bool, ended: str) -> None:
    """Regression: a call that failed, and a turn, were told as interrupted though Claude Code had gone on with both."""
    made = LogMaker()
    interrupt = {"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}}
    taken = {"type": "control_response", "response": {"subtype": "success", "request_id": "i"}}
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
    refused = {"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": True}
    log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", USER, interrupt)
    log += made.lines("stdout", *([taken, INIT] if is_answered_first else [INIT, taken]), assistant(call))
    log += made.lines("stdout", {"type": "user", "message": {"role": "user", "content": [refused]}})
    log += made.lines("stdout", {"type": "result", "subtype": "error_during_execution", "is_error": True})
    events, session = interpreted(log)
    assert [data["outcome"] for data in run_ends(events)] == [ended]
    assert session.figures.tool_failures == (ended == "failed")


def test_stated_states_win() -> None:
    """Where Claude Code states its state, that is the evidence."""
    made = LogMaker()
    stated = {"type": "system", "subtype": "session_state_changed", "state": "running", **IDS}
    log = (
        made.started(["claude", "--input-format", "x"])
        + made.lines("stdin", USER)
        + made.lines("stdout", stated)
    )
    _, session = interpreted(log)
    assert (session.state, session.evidence.stated, session.evidence.seq) == ("executing", True, 2)


def test_what_is_wrong_is_an_event() -> None:
    """Invalid and malformed lines, and unknown types, each make an event that says where."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "x"])
    log += made.lines("stdin", b"not json", {"type": "user"}, {"type": "novelty"})
    events, session = interpreted(log)
    assert [event.event_type for event in events[1:]][:1] == ["validation_failed"]
    assert names(events, "protocol_drift") == ["protocol_drift"]
    assert session.counts == {"stdin": {"malformed": 1, "invalid": 1, "unknown": 1}}


def test_blank_lines_are_counted_nowhere() -> None:
    """Counts made from records are those that the wrapper counted itself: without the lines that are no messages."""
    made = LogMaker()
    _, session = interpreted(
        made.started() + made.lines("stdin", b"", b"\r", b"\xc2\xa0", {"type": "novelty"})
    )
    assert session.counts == {"stdin": {"unknown": 1}}


@pytest.mark.parametrize(
    ("line", "verdict", "prompt"),
    [
        (b"\xef\xbb\xbf%b", "valid", "hi"),
        (b"%b", "malformed", "hi \ufffd"),
        (b'%b,"x":' + b"9" * 5000 + b"}", "invalid", "hi"),
        (b'%b,"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "invalid", "hi"),
    ],
)
def test_what_claude_code_takes_has_happened(line: bytes, verdict: str, prompt: str) -> None:
    """Regression: a prompt behind a byte order mark was lost to all readers; the verdict does not decide on that."""
    user = json.dumps(USER).encode().replace(b"hi", b"hi \xff" if "\ufffd" in prompt else b"hi")
    made = LogMaker()
    whole = line % (user[:-1] if line.endswith(b"}") else user)
    command = ("claude", "--input-format", "stream-json")
    events, session = interpreted(made.started(command) + made.lines("stdin", whole))
    (started,) = [event.data for event in events if event.event_type == "run_started"]
    assert started["prompt"] == prompt
    assert session.counts == {"stdin": {verdict: 1}}


def test_clients_own_events_pass_as_they_are() -> None:
    """An event that a client posted is given back with its own data, at the moment of its record."""
    line = b'{"seq":0,"ts":"2026-01-02T03:04:05.000007Z","session_id":"s","stream":"api","event":%s}\n'
    log = line % b'{"event_type":"deploy.done","data":{"a":1}}'
    events, _ = interpreted(log)
    assert [(event.event_type, event.data) for event in events] == [("deploy.done", {"a": 1})]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TYPES = st.sampled_from(
    ["user", "assistant", "result", "system", "control_request", "control_response", "tool_progress"]
)
SUBTYPES = st.sampled_from(
    [
        "init",
        "status",
        "session_state_changed",
        "task_started",
        "task_notification",
        "compact_boundary",
        "hook_response",
    ]
)
FIELDS = st.sampled_from(
    ["message", "request", "response", "status", "tool_use_id", "usage", "tools", "model", "content"]
)


@given(
    st.lists(st.tuples(TYPES, SUBTYPES, st.dictionaries(FIELDS, JSON, max_size=4), st.booleans()), max_size=5)
)
def test_no_message_can_break_it(messages: list[tuple[str, str, dict[str, Any], bool]]) -> None:
    """Messages of any shape raise nothing, and every event that they make is valid."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "x"])
    for type_, subtype, fields, from_client in messages:
        message = {**fields, "type": type_, "subtype": subtype, "task_id": "t", "request_id": "r"}
        log += made.lines("stdin" if from_client else "stdout", message)
    events, _ = interpreted(log + made.ended(), crashed=True)
    for event in events:
        assert full.judgement("events.json", json.dumps(event.data).encode()).verdict == "valid", event


def places_of(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each object or list within a value, with each of its keys or positions."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_of(value[key])


@pytest.mark.parametrize("name", ["tool_fails", "subagent"])
@pytest.mark.parametrize("other", [["x"], {"x": 1}, 7], ids=["list", "object", "number"])
def test_no_field_of_a_real_message_can_break_it(name: str, other: object) -> None:
    """Any one value of a recorded message may be of another kind: nothing is raised, whatever else is told then."""
    interpreter = Interpreter(Session("made"))
    for record in records(scenario(name)):
        kept = msgspec.json.encode(interpreter.session)
        message = record.value() if record.has_message else None
        for inside, key in list(places_of(message)):
            kept_value, inside[key] = inside[key], other
            changed = msgspec.structs.replace(record, message=msgspec.Raw(msgspec.json.encode(message)))
            inside[key] = kept_value
            Interpreter(msgspec.json.decode(kept, type=Session)).take(changed)
        interpreter.take(record)


LIFE = st.sampled_from(
    ["command_exited", "session_ended", "recording_gap", "session_started", "wrapper_error"]
)
ORIGINS = st.sampled_from([None, "human", "peer", "task-notification"])
STEPS = st.one_of(
    st.tuples(st.just("prompt"), ORIGINS, st.booleans()),
    st.tuples(
        st.just("result"), ORIGINS, st.sampled_from(["completed", "hook_stopped", "aborted_tools", None])
    ),
    st.tuples(st.just("init"), st.none(), st.none()),
    st.tuples(st.just("ask"), st.sampled_from(["a", "b"]), st.none()),
    st.tuples(st.just("answer"), st.sampled_from(["a", "b"]), st.none()),
    st.tuples(st.just("interrupt"), st.none(), st.none()),
    st.tuples(st.just("life"), LIFE, st.integers(0, 200)),
)


def lines_of(made: LogMaker, step: tuple[str, Any, Any]) -> bytes:
    """Return the records of a step."""
    what, one, other = step
    if what == "life":
        return made.life(one, exit_code=other, lost_records=other)
    origin = {} if one is None else {"origin": {"kind": one}}
    interrupt = {"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}}
    messages = {
        "prompt": ("stdin", {**USER, **origin, **({"uuid": "u"} if other else {})}),
        "result": ("stdout", result(0.1, **origin, terminal_reason=other, result="x")),
        "init": ("stdout", INIT),
        "ask": ("stdout", permission(str(one))),
        "answer": ("stdin", answer(str(one), behavior="allow")),
        "interrupt": ("stdin", interrupt),
    }
    return made.lines(*messages[what])


@given(st.lists(STEPS, max_size=12))
def test_whatever_happens_events_are_a_function_of_the_log(steps: list[tuple[str, Any, Any]]) -> None:
    """Kept as JSON and taken for dead after every record, a session makes the events of its whole log.

    Each run begins once and ends at most once, each state may follow the one before, and the end is told once at most.
    """
    made = LogMaker()
    log = made.started(["claude", "--input-format", "x"]) + b"".join(lines_of(made, step) for step in steps)
    expected, at_the_end = interpreted(log)
    session, events = Session("made"), list[Event]()
    for record in records(log):
        interpreter = Interpreter(session)
        events += interpreter.take(record)
        session = msgspec.json.decode(msgspec.json.encode(interpreter.session), type=Session)
        session.mark_crashed()
    session.crash = None
    assert msgspec.json.encode(events) == msgspec.json.encode(expected)
    assert msgspec.json.encode(session) == msgspec.json.encode(at_the_end)
    begun = [event.data["run_id"] for event in events if event.event_type == "run_started"]
    ended = [data["run_id"] for data in run_ends(events)]
    assert len(begun) == len(set(begun))
    assert len(ended) == len(set(ended))
    assert set(begun) - set(ended) == ({session.run.run_id} if session.run else set())
    assert len(names(events, "session_ended")) <= 1
    states = [event.data["state"] for event in events]
    assert all(one == two or two in STATES[one].next for one, two in pairwise(states))


def test_what_is_open_is_bounded() -> None:
    """However much is asked and never answered: the state of a session stays small, and the oldest gives way."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "x"])
    calls = [assistant({"type": "tool_use", "id": f"t{n}", "name": "Bash", "input": {}}) for n in range(1100)]
    request = {"type": "control_request", "request": {"subtype": "mcp_status"}}
    log += made.lines("stdin", *[USER] * 1100, *({**request, "request_id": f"r{n}"} for n in range(1100)))
    log += made.lines("stdout", *calls, *(permission(f"p{n}") for n in range(1100)))
    session = interpreted(log)[1]
    open_ = (session.queued, session.requests, session.tools, session.questions)
    assert [len(one) for one in open_] == [1000] * 4
    assert next(iter(session.requests)) == "r100"


def test_the_schema_that_output_is_to_keep_is_told() -> None:
    """What `initialize` asks of structured output is in its command, for whoever holds the output to it."""
    schema = {"type": "object", "required": ["city"]}
    request = {"subtype": "initialize", "jsonSchema": schema}
    maker = LogMaker("asked")
    log = maker.started() + maker.lines(
        "stdin", {"type": "control_request", "request_id": "i", "request": request}
    )
    events, _ = interpreted(log)
    (command,) = [event.data["command"] for event in events if event.event_type == "command_received"]
    assert command["json_schema"] == schema
    assert full.judgement("commands.json", json.dumps(command).encode()).verdict == "valid"


@pytest.mark.parametrize("mode", ["relayed", "followed"])
def test_checkpoints_say_nothing_of_the_session(mode: str) -> None:
    """A sealed session has the events, state and figures that it has without seals, and is over when it is."""
    logs = []
    for is_sealed in (False, True):
        maker = LogMaker(start_us=START_US)

        def seal(maker: LogMaker = maker, is_sealed: bool = is_sealed) -> bytes:
            if is_sealed:
                return maker.life("checkpoint", bytes=1, records=1, sha256="0" * 64)
            maker.now_us += maker.step_us
            return b""

        log = maker.started(**({"mode": mode} if mode == "followed" else {})) + seal()
        log += (
            maker.lines("stdin", {"type": "user", "message": {"role": "user", "content": "hello"}}) + seal()
        )
        log += maker.lines("stdout", assistant({"type": "text", "text": "hi"}), result(0.1)) + seal()
        logs.append(interpreted(log + maker.ended()))
    (plain, session), (sealed, other) = logs

    def told(events: list[Event]) -> list[object]:
        return [(event.event_type, event.timestamp_us) for event in events]

    assert told(plain) == told(sealed)
    assert (session.standing.state, session.figures) == (other.standing.state, other.figures)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("model_fallback", "small answers in place of large."),
        ("model_refusal_fallback", "large refused to answer, and small does in its place."),
        ("model_refusal_no_fallback", "large refused to answer, and no other model does in its place."),
    ],
)
def test_a_change_of_the_model_is_told_in_words(kind: str, said: str) -> None:
    """Regression: of a refusal, for which Claude Code has no words, the name of its message was shown."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "x"]) + made.lines("stdin", USER)
    change = {"original_model": "large", "fallback_model": "small", "content": ""}
    log += made.lines("stdout", {"type": "system", "subtype": kind, **change, **IDS})
    assert [event.data["text"] for event in interpreted(log)[0] if event.event_type == "notification"] == [
        said
    ]
