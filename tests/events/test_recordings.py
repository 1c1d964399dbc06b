"""Every recorded scenario of every release, read a second time without events: figures are what the wire says."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.events.test_interpreter import interpreted, run_ends
from tests.recorded import NAMES, RELEASES, records, scenario

OLDER = [name for name in RELEASES if name.endswith("/hook_rejects_prompt")]


def messages(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what passed, with the stream on which it did."""
    for record in records(scenario(name)):
        message = record.value() if record.message else None
        if isinstance(message, dict):
            yield record.stream, message


def blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the content blocks of a message."""
    content = message.get("message", {}).get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def is_failed(block: dict[str, Any]) -> bool:
    """Whether a block is the result of a call that did not work."""
    content = block.get("content")
    failed = isinstance(content, dict) and content.get("type", "").endswith("_error")
    return failed or block.get("is_error") is True


def of_the_wire(name: str) -> dict[str, Any]:
    """Return what the wire says of a session: results, what they cost, calls, and those that failed or were refused."""
    totals: list[float] = []
    carried = 0.0
    calls, failed, refused, interrupted = set[str](), set[str](), set[str | None](), set[str | None]()
    asked: dict[str, str | None] = {}
    for stream, message in messages(name):
        kind = message.get("type")
        if stream == "stdin" and kind == "control_response":
            response = message["response"]
            if (
                response.get("response", {}).get("behavior", "allow") == "deny"
                or response["subtype"] == "error"
            ):
                refused.add(asked.get(response["request_id"]))
        elif stream == "stdout" and kind == "control_request":
            asked[message["request_id"]] = message["request"].get("tool_use_id")
        elif stream == "stdout" and kind == "result":
            if not totals and (since := message.get("model_usage_since_last_result")) is not None:
                carried = message["total_cost_usd"] - sum(model["costUSD"] for model in since.values())
            totals.append(message["total_cost_usd"])
            denied = {one["tool_use_id"] for one in message.get("permission_denials", [])}
            stopped = str(message.get("terminal_reason")).startswith("aborted") or message["subtype"] == (
                "error_during_execution"
            )
            (interrupted if stopped else refused).update(denied - refused)
            interrupted |= (failed - refused) if stopped else set()
        elif stream == "stdout" and kind in ("assistant", "user"):
            found = blocks(message)
            calls |= {
                str(block.get("id", "[no id]")) for block in found if str(block["type"]).endswith("tool_use")
            }
            failed |= {str(block.get("tool_use_id", "[no id]")) for block in found if is_failed(block)}
            # Claude Code says so of what a rule took away, and lists it nowhere.
            refused |= {block.get("tool_use_id") for block in found if "is disabled for" in str(block)}
    falls = [one for one, after in pairwise(totals) if after < one]
    return {
        "turns": len(totals),
        "cost": sum(falls) + totals[-1] - carried if totals else None,
        "tool_calls": len(calls),
        "tool_failures": len(failed - refused - interrupted),
        "tool_denials": len(failed & refused - interrupted),
    }


@pytest.mark.parametrize("name", [*NAMES, *RELEASES])
def test_the_figures_are_what_the_wire_says(name: str) -> None:
    """Results, cost, calls, failures and refusals, counted here without events, are what the session says."""
    figures = interpreted(scenario(name))[1].figures
    said = {
        "turns": figures.turns,
        "cost": None if figures.cost_usd is None else pytest.approx(figures.cost_usd),
        "tool_calls": figures.tool_calls,
        "tool_failures": figures.tool_failures,
        "tool_denials": figures.tool_denials,
    }
    assert of_the_wire(name) == said


@pytest.mark.parametrize("name", [*NAMES, *RELEASES])
def test_a_turn_is_ok_only_if_its_result_says_nothing_else(name: str) -> None:
    """Whatever the release: what is an error, was cut short, or came back empty from the model is not `ok`."""
    results = [message for _, message in messages(name) if message.get("type") == "result"]
    ends = run_ends(interpreted(scenario(name))[0])
    for result, end in zip(results, ends[: len(results)], strict=True):
        said = result.get("terminal_reason")
        bad = result["is_error"] or result["subtype"] != "success" or said not in (None, "completed")
        if bad:
            assert end["outcome"] != "ok", result
        if end["outcome"] == "ok" and said == "completed":
            assert result["result"] or "structured_output" in result


@pytest.mark.parametrize("name", OLDER)
def test_a_hook_that_rejects_a_prompt_blocks_its_turn_in_every_release(name: str) -> None:
    """Regression: releases that say nothing of it but a result of no turns counted such a prompt as done."""
    ends = run_ends(interpreted(scenario(name))[0])
    assert [end["outcome"] for end in ends] == ["blocked", "ok"]
    assert ends[0]["outcome_reason"] == "A hook kept the prompt from the model: no secrets, please"


def test_calls_without_an_id_are_calls() -> None:
    """Regression: what a model server calls without an id, or by a number, was nowhere; Claude Code does not run it."""
    events, session = interpreted(scenario("gateway_tools"))
    called = [event.data for event in events if event.event_type == "tool_started"]
    assert [data["tool_use_id"] for data in called] == ["[no id]", "7"]
    failed = [event.data for event in events if event.event_type == "tool_failed"]
    assert [(data["tool"], data["tool_use_id"]) for data in failed] == [("Bash", "[no id]"), ("Bash", "7")]
    assert session.figures.tool_failures == 2
