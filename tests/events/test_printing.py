"""Sessions that print their answer in place of messages: `claude -p "..."`, and the same with JSON output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from proxy.events import Event, Interpreter, Session, status
from proxy.events.session_outcome import described
from tests.events.test_interpreter import interpreted, names, result, run_ends
from tests.recorded import START_US, LogMaker, records

if TYPE_CHECKING:
    from collections.abc import Sequence

ASK = ["claude", "-p", "What is it?"]
JSON = ["claude", "-p", "--output-format", "json", "What is it?"]
MINUTE_US = 60_000_000
INIT = {"type": "system", "subtype": "init", "model": "m", "session_id": "c", "uuid": "u", "tools": []}
RESULT = result(0.25, result="It is this.", num_turns=1)


def printed(
    *lines: object, command: Sequence[str] = ASK, stderr: Sequence[bytes] = (), **exit_: Any
) -> tuple[list[Event], Session]:
    """Return the events of a session that prints such lines and exits, and what is known of it."""
    made = LogMaker(prints="json" if "json" in command else "text")
    log = made.started(command)
    log += made.lines("stdout", *lines) if lines else b""
    log += made.lines("stderr", *stderr) if stderr else b""
    return interpreted(log + made.ended(**exit_))


def test_a_prompt_on_the_command_line_is_answered_in_text() -> None:
    """It begins a turn, which the exit ends: one turn, completed, with what was printed as its answer."""
    events, session = printed(b"It is this.", b"", b"And that.", b"")
    assert names(events) == ["run_started", "run_completed"]
    assert events[0].data["output_format"] == "text"
    started = next(event.data for event in events if event.event_type == "run_started")
    assert (started["prompt"], started["prompt_seq"], started["state"]) == ("What is it?", 0, "executing")
    (end,) = run_ends(events)
    assert (end["outcome"], end["subtype"]) == ("ok", "success")
    assert end["result"] == "It is this.\n\nAnd that."
    assert end["duration_ms"] == 5
    assert events[-1].event_type == "session_ended"
    assert (session.state, session.prompt, session.figures.turns, session.printed) == (
        "ended",
        "What is it?",
        1,
        {},
    )
    assert described(session) == {"outcome": "ok", "outcome_reason": None}
    about = msgspec.to_builtins(status.describe(session, START_US + MINUTE_US))
    assert (about["turns"], about["warnings"], about["cost"]) == (1, [], None)
    assert about["cost_reason"] == "With text output Claude Code does not say what a turn cost."


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_text_that_looks_like_a_message_is_none(stream: str) -> None:
    """Neither what is asked about nor what is answered is taken for a message, also not in logs that judged it."""
    line = {"type": "user", "message": {"role": "user", "content": "x"}} if stream == "stdin" else RESULT
    for made in (LogMaker(prints="text"), LogMaker()):
        made._prints = "text"
        events, session = interpreted(made.started(ASK) + made.lines(stream, line) + made.ended())
        assert names(events) == ["run_started", "run_completed" if stream == "stdout" else "run_failed"]
        assert "command_received" not in names(events, "")
        assert session.figures.cost_usd is None


def test_a_prompt_on_standard_input() -> None:
    """It is on record as text, and its turn says where."""
    made = LogMaker(prints="text")
    log = (
        made.started(["claude", "-p"]) + made.lines("stdin", b"What is it?") + made.lines("stdout", b"This.")
    )
    events, session = interpreted(log + made.ended())
    started = next(event.data for event in events if event.event_type == "run_started")
    assert (started["prompt_on"], "prompt" in started) == ("stdin", False)
    assert [end["result"] for end in run_ends(events)] == ["This."]
    assert session.figures.turns == 1


@pytest.mark.parametrize(
    ("said", "errors", "outcome", "reason"),
    [
        ([b"API Error: 500"], [b"a warning"], "failed", "API Error: 500"),
        ([], [b"error: unknown option '--nope'", b"(Did you mean --name?)"], "failed", None),
        ([], [], "failed", "The command exited with status 1."),
        ([b"Error: Reached max turns (1)"], [], "limited", "Error: Reached max turns (1)"),
        ([b"Error: Exceeded USD budget (1)"], [], "limited", "Error: Exceeded USD budget (1)"),
    ],
)
def test_a_command_that_fails(
    said: list[bytes], errors: list[bytes], outcome: str, reason: str | None
) -> None:
    """Its turn has failed, for the reason that it has printed."""
    events, session = printed(*said, stderr=errors, exit_code=1)
    (end,) = run_ends(events)
    reason = reason or "error: unknown option '--nope' (Did you mean --name?)"
    assert (end["event"], end["outcome"], end["errors"]) == ("run_failed", outcome, [reason])
    assert described(session) == {"outcome": outcome, "outcome_reason": reason}
    assert (session.state, session.figures.turns) == ("ended", 1)
    assert status.warnings(session, START_US + MINUTE_US) == []


def test_an_empty_answer_is_none() -> None:
    """Nothing but white space is no answer; a slash command need not have one."""
    _, session = printed(b"")
    assert described(session) == {"outcome": "failed", "outcome_reason": "The command has printed no answer."}
    _, session = printed(b"", command=["claude", "-p", "/clear"])
    assert described(session)["outcome"] == "ok"


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ({"exit_code": None, "signal": "SIGINT"}, "interrupted"),
        ({"exit_code": 143}, "interrupted"),
        ({"exit_code": None, "signal": "SIGKILL"}, "failed"),
    ],
)
def test_a_command_that_is_stopped(how: dict[str, Any], outcome: str) -> None:
    """Its turn is cut off, whatever it has printed, and is not counted."""
    events, session = printed(b"Half", **how)
    (end,) = run_ends(events)
    assert "result" not in end
    assert end["outcome_reason"].endswith("in the middle of a turn.")
    assert (described(session)["outcome"], session.figures.turns) == (outcome, 0)


def test_the_exit_ends_the_turn_though_others_hold_the_streams() -> None:
    """The command's exit is enough, and what descendants write later changes nothing."""
    made = LogMaker(prints="text")
    log = made.started(ASK) + made.lines("stdout", b"This.") + made.life("command_exited", exit_code=0)
    events, session = interpreted(log)
    assert names(events, "")[-2:] == ["run_completed", "session_ended"]
    assert (session.state, session.complete) == ("ended", False)
    more, session = interpreted(log + made.lines("stdout", b"late") + made.ended())
    assert names(more, "") == names(events, "")
    assert run_ends(more)[0]["result"] == "This."


def test_what_is_kept_of_an_answer_is_bounded() -> None:
    """A long answer is cut, and says so; the log has it whole."""
    events, _ = printed(*[b"x" * 999] * 1000)
    (end,) = run_ends(events)
    assert len(end["result"]) == 20_000
    assert end["result"].endswith("…")


def test_nothing_is_silent_that_prints_at_its_end_alone() -> None:
    """Hours into a turn there is no warning: it waits for the end of the turn, and nobody knows for what else."""
    for command in (ASK, JSON):
        made = LogMaker(prints="json" if command is JSON else "text")
        _, session = interpreted(made.started(command))
        about = msgspec.to_builtins(status.describe(session, START_US + 600 * MINUTE_US))
        assert (about["state"], about["warnings"]) == ("executing", [])
        assert [(wait["what"], wait["label"]) for wait in about["waits_for"]] == [
            ("turn", "the end of the turn")
        ]


def test_json_is_ended_by_its_result() -> None:
    """The prompt begins the turn, the result ends it with its cost and answer, and a late exit is warned of."""
    made = LogMaker(prints="json")
    log = made.started(JSON) + made.lines("stdout", RESULT)
    events, session = interpreted(log)
    assert names(events) == ["run_started", "run_completed"]
    started, end = (event.data for event in events if event.event_type.startswith("run_"))
    assert (started["prompt"], "unprompted" in started) == ("What is it?", False)
    assert (end["result"], end["cost_usd"], end["duration_ms"]) == ("It is this.", 0.25, 1)
    assert [event.data["text"] for event in events if event.event_type == "assistant_message"] == [
        "It is this."
    ]
    assert (session.state, session.figures.turns, session.claude_session_id) == ("idle", 1, "c")
    assert [kind for kind, _ in status.warnings(session, START_US + MINUTE_US)] == ["result_without_exit"]
    _, session = interpreted(log + made.ended())
    assert described(session)["outcome"] == "ok"


def test_json_with_all_messages() -> None:
    """With `--verbose` they are one array: it tells the model and the result; when calls were made nobody knows."""
    call = {"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "t", "name": "Bash"}]}}
    command = [*JSON[:2], "--verbose", *JSON[2:]]
    events, session = printed([INIT, call, RESULT], command=command)
    assert names(events) == ["run_started", "run_completed"]
    assert (session.model, session.figures.turns, session.figures.tool_calls) == ("m", 1, 0)
    assert session.figures.cost_usd == 0.25


def test_json_without_a_result_is_cut_off() -> None:
    """A command that fails before it has one leaves a turn without a result."""
    for lines in ((), (b"[1, 2",), (b"[]",), (b"5",)):
        _, session = printed(*lines, command=JSON, exit_code=1)
        assert (described(session)["outcome"], session.figures.turns) == ("failed", 0)


@pytest.mark.parametrize(
    ("command", "prompt"),
    [
        (["claude", "-p", "--verbose", "hi"], "hi"),
        (["claude", "hi", "-p"], "hi"),
        (["claude", "hi"], "hi"),
        (["claude", "-p", "--model", "opus", "--", "-hi"], "-hi"),
        (["claude", "-p", "--allowedTools", "Read", "Edit"], None),
        (["claude", "-p", "--resume", "id", "hi", "there"], "hi"),
        (["claude", "-p", ""], None),
        (["node", "/x/claude-code/cli.js", "-p", "hi"], "hi"),
    ],
)
def test_the_prompt_is_what_claude_code_takes_for_one(command: list[str], prompt: str | None) -> None:
    """The first word that is neither an option nor a value of one, with text output as with messages."""
    for made in (LogMaker(prints="text"), LogMaker()):
        events, _ = interpreted(made.started(command))
        (started,) = [event.data for event in events if event.event_type == "run_started"]
        assert started.get("prompt") == prompt


def test_the_prompt_of_another_program_that_speaks_messages() -> None:
    """A program that passes its options on to Claude Code is read from its first option on."""
    for command in (["wrap.py", "-p", "hi"], ["python", "wrap.py", "--output-format", "stream-json", "hi"]):
        _, session = interpreted(LogMaker().started(command))
        assert session.prompt == "hi"


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (["sh", "-c", "echo hi"], {}),
        (["cat"], {}),
        (["claude", "--init-only"], {}),
        (["claude", "--sdk-url", "ws://127.0.0.1:1/"], {}),
        (["claude", "mcp", "list"], {}),
        (["claude", "hi"], {"mode": "followed", "interactive": "full"}),
        (["claude", "-p", "hi"], {"streams": None}),
        (["claude", "-p", "--input-format", "stream-json"], {}),
        ([], {}),
    ],
)
def test_all_other_sessions_are_as_they_were(command: list[str], more: dict[str, Any]) -> None:
    """Other programs, what is followed, what has no prompt, and logs that do not say what streams carry."""
    made = LogMaker(prints="text")
    events, session = interpreted(made.started(command, **more) + made.lines("stdout", b"hi") + made.ended())
    assert (names(events), session.prints, session.one_prompt, session.figures.turns) == ([], None, False, 0)


def test_it_is_the_same_however_it_comes() -> None:
    """A session that was kept in the middle of an answer goes on as if it had not been."""
    made = LogMaker(prints="text")
    log = made.started(ASK) + made.lines("stdout", b"It is", b"this.") + made.ended()
    session = Session("made")
    events: list[Event] = []
    for record in records(log):
        events += Interpreter(session).take(record)
        session = msgspec.json.decode(msgspec.json.encode(session), type=Session)
    assert events == interpreted(log)[0]
    assert json.loads(msgspec.json.encode(session)) == json.loads(msgspec.json.encode(interpreted(log)[1]))
