"""What each figure of a session counts, and what it does not."""

from typing import Any

import msgspec
import pytest

from proxy.events import describe
from proxy.events.figures import Figures
from tests.events.test_interpreter import USER, answer, assistant, interpreted, permission, result
from tests.recorded import START_US, LogMaker, scenario

STREAM = ["claude", "--input-format", "stream-json"]
CALL = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}


def tool_result(key: str = "t1", *, is_error: bool = False, **meta: Any) -> dict[str, Any]:
    """Return the message of a tool's result."""
    block = {"type": "tool_result", "tool_use_id": key, "content": "x", "is_error": is_error}
    more = {"tool_result_meta": [{"id": key, **meta}]} if meta else {}
    return {"type": "user", "message": {"role": "user", "content": [block]}, **more}


def figures(*messages: dict[str, Any]) -> Figures:
    """Return the figures of a session in which Claude Code says something."""
    made = LogMaker()
    log = made.started(STREAM) + made.lines("stdin", USER) + made.lines("stdout", *messages)
    return interpreted(log)[1].figures


@pytest.mark.parametrize(
    ("totals", "cost"),
    [([0.00108, 0, 0.00108], 0.00216), ([0.25, 0.75], 0.75), ([0.5, 0.25, 0.75], 1.25), ([None, 0.1], 0.1)],
)
def test_a_total_that_falls_starts_a_new_base(totals: list[float | None], cost: float) -> None:
    """Regression: after /clear the cost was the last total, or the first."""
    counted = figures(*[result(total) if total is not None else result(0) for total in totals])
    assert counted.cost_usd == pytest.approx(cost)
    assert counted.turns == len(totals)


def test_tokens_after_clear_add_up_as_the_cost_does() -> None:
    """Regression: a model that took as much after /clear as before was counted once."""
    usage = {"m": {"inputTokens": 5, "outputTokens": 7, "costUSD": 0.1}}
    counted = figures(result(0.1, modelUsage=usage), result(0, modelUsage={}), result(0.1, modelUsage=usage))
    assert counted.tokens == {"input": 10, "output": 14, "cache_read": 0, "cache_creation": 0}
    assert counted.models["m"]["cost_usd"] == pytest.approx(counted.cost_usd)


def test_a_result_that_names_no_model_takes_nothing_back() -> None:
    """Regression: what a model took before such a result, in a session that went on, was counted twice."""
    usage = [{"m": {"inputTokens": tokens, "costUSD": cost}} for tokens, cost in ((5, 0.1), (9, 0.3))]
    counted = figures(
        result(0.1, modelUsage=usage[0]), result(0.2, modelUsage={}), result(0.3, modelUsage=usage[1])
    )
    assert counted.tokens["input"] == 9
    assert counted.models["m"]["cost_usd"] == pytest.approx(counted.cost_usd) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("meta", "failures", "denials"),
    [
        ({}, 1, 0),
        ({"permission_decision": {"decision": "reject", "source": "hook"}}, 0, 1),
        ({"permission_decision": {"decision": "accept", "source": "config"}}, 1, 0),
        ({"non_execution_kind": "user-rejected"}, 0, 0),
    ],
)
def test_a_denied_or_interrupted_call_is_no_failure(
    meta: dict[str, Any], failures: int, denials: int
) -> None:
    """Claude Code reports such calls as errors of the tool, which never ran."""
    counted = figures(assistant(CALL), tool_result(is_error=True, **meta))
    assert (counted.tool_calls, counted.tool_failures, counted.tool_denials) == (1, failures, denials)


def test_the_answer_to_a_question_denies() -> None:
    """Releases that say nothing of it in the result are known by the caller's answer, or by Claude Code's remark."""
    made = LogMaker()
    log = (
        made.started(STREAM) + made.lines("stdin", USER) + made.lines("stdout", assistant(CALL), permission())
    )
    asked = (
        log + made.lines("stdin", answer(behavior="deny")) + made.lines("stdout", tool_result(is_error=True))
    )
    assert interpreted(asked)[1].figures.tool_denials == 1
    remark = {"type": "system", "subtype": "permission_denied", "tool_use_id": "t1", "tool_name": "Bash"}
    remarked = figures(assistant(CALL), remark, tool_result(is_error=True))
    assert (remarked.tool_failures, remarked.tool_denials) == (0, 1)


def test_a_result_without_a_call_is_no_call() -> None:
    """It counts neither as a call nor as a failure."""
    counted = figures(tool_result("unknown", is_error=True))
    assert (counted.tool_calls, counted.tool_failures) == (0, 0)


@pytest.mark.parametrize(
    ("name", "subagents"),
    [
        ("subagent", 1),
        ("subagents_in_parallel", 2),
        ("subagents_nested", 3),
        ("background_agent", 1),
        ("background_shell", 0),
    ],
)
def test_a_subagent_is_counted_once(name: str, subagents: int) -> None:
    """Announced as a task, seen to call tools or both; a shell in the background is none."""
    assert interpreted(scenario(name))[1].figures.subagents == subagents


def test_a_subagent_of_a_release_that_does_not_announce_it() -> None:
    """Who calls tools from within a call is a subagent; tools of a call that is not open are of one that is known."""
    inner = [assistant({**CALL, "id": f"i{number}"}) | {"parent_tool_use_id": "t1"} for number in range(2)]
    assert figures(assistant(CALL), *inner).subagents == 1


def test_calls_in_the_background_outlast_the_turn() -> None:
    """Regression: the result of a subagent's tool that came after the turn was of an unknown tool and took no time."""
    inner = assistant({**CALL, "id": "i"}) | {"parent_tool_use_id": "t1"}
    made = LogMaker()
    log = made.started(STREAM) + made.lines("stdin", USER)
    log += made.lines("stdout", assistant(CALL), tool_result(), inner, result(0.1), tool_result("i"))
    last = interpreted(log)[0][-1].data
    assert (last["tool"], last["duration_ms"], last["depth"]) == ("Bash", 2.0, 1)


def test_a_tool_does_not_run_while_its_permission_is_asked_for() -> None:
    """Regression: the status said that it had waited longer for a tool than the tool was running."""
    made = LogMaker()
    log = (
        made.started(STREAM) + made.lines("stdin", USER) + made.lines("stdout", assistant(CALL), permission())
    )
    made.now_us += 500_000
    log += made.lines("stdin", answer(behavior="allow"))
    _, session = interpreted(log)
    (waiting,) = msgspec.to_builtins(describe(session, made.now_us + 100_000))["waits_for"]
    assert waiting["for_ms"] == pytest.approx(102, abs=1)
    last = interpreted(log + made.lines("stdout", tool_result()))[0][-1].data
    assert last["duration_ms"] == pytest.approx(2, abs=1)


def test_the_duration_is_the_commands() -> None:
    """As the exit is recorded; before that from the command's start, which the log's first record follows."""
    made = LogMaker()
    begun = made.started(STREAM, age_ms=250) + made.lines("stdin", USER)
    assert msgspec.to_builtins(describe(interpreted(begun)[1], START_US + 1_000_000))["duration_ms"] == 1250
    crashed = msgspec.to_builtins(describe(interpreted(begun, crashed=True)[1], START_US + 9_000_000))
    assert crashed["duration_ms"] == 251
    ended = begun + made.ended(duration_ms=7700)
    events, session = interpreted(ended)
    assert (
        msgspec.to_builtins(describe(session, START_US + 9_000_000))["duration_ms"]
        == events[-1].data["duration_ms"]
        == 7700
    )
