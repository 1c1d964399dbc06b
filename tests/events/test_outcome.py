"""What became of turns, by what Claude Code says of them."""

from typing import Any

import pytest

from proxy.events import Session
from proxy.events.session_outcome import of_session
from tests.events.test_interpreter import USER, interpreted, result, run_ends
from tests.recorded import LogMaker, scenario

STREAM = ["claude", "--input-format", "stream-json"]
MODEL = {"num_turns": 1, "result": "An answer.", "terminal_reason": "completed"}


def turn(
    *results: dict[str, Any], exit_code: int | None = 0, **end: Any
) -> tuple[list[dict[str, Any]], Session]:
    """Return the ends of runs and the session, of a log with a prompt for each result."""
    made = LogMaker()
    log = made.started(STREAM)
    for message in results:
        log += made.lines("stdin", USER) + made.lines("stdout", message)
    events, session = interpreted(log + made.ended(exit_code=exit_code, **end))
    return run_ends(events), session


@pytest.mark.parametrize(
    ("terminal_reason", "outcome"),
    [
        ("completed", "ok"),
        ("background_requested", "ok"),
        ("a_reason_of_a_later_release", "ok"),
        ("hook_stopped", "blocked"),
        ("stop_hook_prevented", "blocked"),
        ("tool_deferred", "blocked"),
        ("prompt_too_long", "limited"),
        ("blocking_limit", "limited"),
        ("rapid_refill_breaker", "limited"),
        ("max_turns", "limited"),
        ("budget_exhausted", "limited"),
        ("image_error", "failed"),
        ("model_error", "failed"),
        ("api_error", "failed"),
        ("malformed_tool_use_exhausted", "failed"),
        ("structured_output_retry_exhausted", "failed"),
        ("tool_deferred_unavailable", "failed"),
        ("turn_setup_failed", "failed"),
        ("aborted_streaming", "interrupted"),
        ("aborted_tools", "interrupted"),
    ],
)
def test_a_turn_that_did_not_do_what_was_asked(terminal_reason: str, outcome: str) -> None:
    """Regression: a `success` of which the reason says that the turn was stopped counted as completed."""
    ends, session = turn(result(0.1, **{**MODEL, "terminal_reason": terminal_reason}))
    event = {"ok": "run_completed", "interrupted": "run_interrupted"}.get(outcome, "run_failed")
    assert (ends[0]["event"], ends[0]["outcome"]) == (event, outcome)
    became = of_session(session)
    assert became is not None
    assert became.kind == outcome
    assert bool(became.reason) == (outcome != "ok")
    assert ends[0]["outcome_reason"] == (became.reason or None)
    if outcome != "ok":
        assert ends[0]["errors"] == [became.reason]


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({"result": ""}, "failed"),
        ({"result": " \n"}, "failed"),
        ({"result": "", "terminal_reason": None}, "failed"),
        ({"result": "", "structured_output": {"a": 1}}, "ok"),
        ({"result": "", "num_turns": 0, "terminal_reason": None}, "ok"),
        ({"result": "", "terminal_reason": None, "local_command": "clear"}, "ok"),
        ({"result": None}, "ok"),
    ],
)
def test_an_empty_answer(more: dict[str, Any], outcome: str) -> None:
    """A turn in which the model was asked and said nothing has failed; a local command need not say anything."""
    ends, _ = turn(result(0.1, **{**MODEL, **more}))
    assert ends[0]["outcome"] == outcome


@pytest.mark.parametrize(
    ("name", "turns", "session"),
    [
        ("simple", ["ok", "ok"], ("ok", "")),
        ("clear", ["ok"] * 3, ("ok", "")),
        ("not_a_query", ["ok", "ok"], ("ok", "")),
        ("hook_stops", ["blocked"], ("blocked", "A hook stopped the turn.")),
        ("hook_stops_tool", ["blocked"], ("blocked", "A hook stopped the turn.")),
        ("hook_ends", ["blocked"], ("blocked", "A Stop hook ended the turn.")),
        (
            "hook_defers",
            ["blocked"],
            ("blocked", "A hook deferred a tool call, and the turn waits for it to be resumed."),
        ),
        ("empty_answer", ["failed"], ("failed", "The model gave an empty answer.")),
        ("background_killed-1", ["ok"], ("failed", "The command was ended by SIGKILL.")),
        ("background_killed", ["ok", "ok"], ("ok", "")),
        (
            "hook_rejects_prompt",
            ["blocked", "ok"],
            ("ok", ""),
        ),
        ("budget", ["ok", "limited"], ("limited", "Reached maximum number of turns (1)")),
        ("budget_spent", ["limited"] * 2, ("limited", "Reached maximum budget ($0.01)")),
        ("api_unauthorized", ["failed"], ("failed", "Invalid API key · Fix external API key")),
        ("interrupt", ["interrupted", "ok"], ("ok", "")),
        ("interrupt_tool", ["interrupted"], ("interrupted", "The turn was interrupted while a tool ran.")),
        ("api_errors", ["failed", "failed", "failed", "failed", "limited"], None),
        ("refusal", ["ok"], ("ok", "")),
    ],
)
def test_real_sessions(name: str, turns: list[str], session: tuple[str, str] | None) -> None:
    """Recorded sessions come out as what became of them, in Claude Code's own words where it has some."""
    events, found = interpreted(scenario(name))
    assert [data["outcome"] for data in run_ends(events)] == turns
    if session is not None:
        assert of_session(found) == session
    became = of_session(found)
    assert became is not None
    assert events[-1].data["outcome"] == became.kind
    assert events[-1].data["outcome_reason"] == (became.reason or None)
