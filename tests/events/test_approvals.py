"""Who or what allowed or denied a call: all cases that the real Claude Code was made to show."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from proxy.events import Event, Interpreter, Session
from proxy.events.approved_calls import BY
from tests.events.test_interpreter import interpreted
from tests.recorded import NAMES, LogMaker, records, scenario

# Of recorded sessions: tool, decision, by.
CASES: list[tuple[str, list[tuple[str, str, str]]]] = [
    ("tool_allow", [("Write", "allow", "caller")]),
    ("tool_deny", [("Write", "deny", "caller")]),
    ("tool_deny_interrupt", [("Write", "deny", "caller")]),
    ("tool_asked_then_interrupted", [("Write", "none", "interrupt")]),
    ("interrupt_tool", [("Bash", "allow", "unknown")]),
    ("early_end", [("Write", "deny", "nobody")]),
    ("mode_bypass", [("Write", "allow", "mode")]),
    ("mode_dont_ask", [("Write", "deny", "mode")]),
    ("mode_auto", [("Bash", "deny", "mode")]),
    ("hook_denies", [("Write", "deny", "hook")]),
    ("hook_adds", [("Write", "allow", "hook")]),
    ("subagent", [("Agent", "allow", "harmless"), ("Bash", "allow", "harmless")]),
    ("slow_tool", [("Bash", "allow", "rule")]),
    ("plan_rejected", [("ExitPlanMode", "deny", "caller")]),
    ("mode_plan", [("Write", "deny", "nobody")]),
    ("mode_accept_edits", [("Write", "allow", "mode"), *[("Bash", "allow", "mode")] * 3]),
    ("rules", [("Bash", "allow", "rule"), ("Write", "deny", "rule")]),
    (
        "rules_of_settings",
        [
            *[("Bash", "allow", "harmless"), ("Bash", "allow", "rule"), ("Bash", "allow", "rule")],
            *[("Bash", "deny", "rule")] * 3,  # one of them in a subagent
            *[("Bash", "deny", "nobody"), ("Write", "deny", "rule")],
            *[("WebFetch", "deny", "rule"), ("Agent", "allow", "harmless")],
        ],
    ),
    ("tool_allow_always", [("Write", "allow", "caller")]),
    ("tool_answer_fails", [("Write", "deny", "caller")]),
    ("tool_asked_then_hurried", [("Write", "none", "interrupt")]),
    ("hook_commands", [("Bash", "allow", "harmless"), ("Write", "deny", "hook")]),
]


def approvals(events: list[Event]) -> list[tuple[str, dict[str, Any]]]:
    """Return of each call with a result the tool and its approval."""
    ends = ("tool_completed", "tool_failed", "tool_denied")
    return [
        (event.data.get("tool", ""), event.data["approval"]) for event in events if event.event_type in ends
    ]


@pytest.mark.parametrize(("name", "expected"), CASES)
def test_recorded_calls(name: str, expected: list[tuple[str, str, str]]) -> None:
    """As Claude Code says it with the result, or as the caller answered."""
    found = [(tool, one["decision"], one["by"]) for tool, one in approvals(interpreted(scenario(name))[0])]
    assert Counter(found) == Counter(expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_call_has_an_approval(name: str) -> None:
    """Of known words alone; evidence are records of the session; what was denied agrees with Claude Code's own list."""
    events, _ = interpreted(scenario(name))
    for _, one in approvals(events):
        assert one["by"] in BY
        assert one["decision"] in ("allow", "deny", "none")
        assert one["evidence"] == sorted(one["evidence"])
    denials = [denial for event in events for denial in event.data.get("permission_denials") or ()]
    denied = {event.data["tool_use_id"] for event in events if event.event_type == "tool_denied"}
    assert {denial["tool_use_id"] for denial in denials} <= denied | {
        event.data["tool_use_id"] for event in events if event.event_type == "tool_failed"
    }


CALL = {"type": "tool_use", "id": "t", "name": "Write", "input": {}}


def session(*lines: tuple[str, dict[str, Any]], **beside: Any) -> dict[str, Any]:
    """Return the approval of a call in a session in which that passes; ``beside``: what stands beside the call."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "stream-json"])
    call = {"type": "assistant", "message": {"id": "m", "content": [CALL]}, **beside}
    log += made.lines("stdout", call)
    for stream, line in lines:
        log += made.lines(stream, line)
    ((_, approval),) = approvals(interpreted(log)[0])
    return approval


def result(*, is_error: bool = False, **meta: Any) -> tuple[str, dict[str, Any]]:
    """Return a result."""
    block = {"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": is_error}
    more = {"tool_result_meta": [{"id": "t", **meta}]} if meta else {}
    return "stdout", {"type": "user", "message": {"role": "user", "content": [block]}, **more}


_QUESTION = {"subtype": "can_use_tool", "tool_name": "Write", "tool_use_id": "t", "input": {}}
ASKED = (
    "stdout",
    {"type": "control_request", "request_id": "q", "request": {**_QUESTION, "decision_reason": "outside"}},
)


def answer(**response: Any) -> tuple[str, dict[str, Any]]:
    """Return the caller's answer."""
    return "stdin", {
        "type": "control_response",
        "response": {"request_id": "q", "subtype": "success", **response},
    }


def test_releases_that_say_nothing() -> None:
    """Then it is the caller where somebody was asked, and unknown where nobody was."""
    assert session(result())["by"] == "unknown"
    assert session(result())["decision"] == "allow"
    assert session(result(is_error=True))["decision"] == "none"
    asked = session(ASKED, answer(response={"behavior": "deny", "message": "no"}), result(is_error=True))
    assert (asked["by"], asked["decision"], asked["reason"]) == ("caller", "deny", "no")
    asked = session(ASKED, answer(response={"behavior": "allow"}), result())
    assert (asked["by"], asked["lasting"], asked["reason"], len(asked["evidence"])) == (
        "caller",
        "once",
        "outside",
        3,
    )


@pytest.mark.parametrize(
    ("response", "lasting"),
    [
        ({"updatedPermissions": [{"destination": "session"}]}, "session"),
        ({"updatedPermissions": [{"destination": "localSettings"}]}, "always"),
        ({"decisionClassification": "user_permanent"}, "always"),
        ({}, "once"),
    ],
)
def test_how_long_an_answer_holds(response: dict[str, Any], lasting: str) -> None:
    """As the answer brings it along."""
    allowed = answer(response={"behavior": "allow", **response})
    assert session(ASKED, allowed, result())["lasting"] == lasting


def test_an_answer_that_is_an_error_is_the_callers() -> None:
    """Nobody else failed."""
    said = {"permission_decision": {"decision": "reject", "source": "config", "reason_type": "other"}}
    failed = session(ASKED, answer(subtype="error", error="broken"), result(is_error=True, **said))
    assert (failed["by"], failed["decision"], failed["reason"]) == ("caller", "deny", "broken")
    assert session(result(is_error=True, **said))["by"] == "nobody"


def test_a_rule_is_a_policys_where_no_others_deny() -> None:
    """The list of rules in force says so."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "stream-json"])
    log += made.life("policy_applied", sha256="0", rules=1, other_deny_rules=0)
    log += made.lines("stdout", {"type": "assistant", "message": {"id": "m", "content": [CALL]}})
    rejected = {"permission_decision": {"decision": "reject", "source": "config", "reason_type": "rule"}}
    log += made.lines("stdout", result(is_error=True, **rejected)[1])
    interpreter = Interpreter(Session("made"))
    events = [event for record in records(log) for event in interpreter.take(record)]
    assert approvals(events)[0][1]["by"] == "policy"


def refused(said: str = "to proceed", /, **beside: Any) -> tuple[str, dict[str, Any]]:
    """Return the result of a call that an interrupt has refused; ``beside``: what stands beside it."""
    stream, line = result(is_error=True)
    line["message"]["content"][0]["content"] = f"The user doesn't want {said}"
    return stream, {**line, **beside}


REJECTED = {"tool_result_meta": [{"id": "t", "non_execution_kind": "user-rejected"}]}


def test_an_answer_that_came_too_late_decided_nothing() -> None:
    """Regression: a call that an interrupt had refused was told as allowed, as the answer was on its way by then."""
    withdrawn = ("stdout", {"type": "control_cancel_request", "request_id": "q"})
    approval = session(ASKED, answer(response={"behavior": "allow"}), withdrawn, refused(**REJECTED))
    assert (approval["decision"], approval["by"]) == ("none", "interrupt")


@pytest.mark.parametrize("has_task", [True, False])
def test_an_interrupted_call_with_a_task_has_run(has_task: bool) -> None:
    """Regression: at the end of a session Claude Code says that a command was refused which it had run for seconds."""
    task = {"type": "system", "subtype": "task_started", "task_id": "k", "tool_use_id": "t"}
    begun = [("stdout", {**task, "task_type": "local_bash"})] if has_task else []
    approval = session(*begun, refused(**REJECTED))
    assert (approval["decision"], approval["by"]) == (
        ("allow", "unknown") if has_task else ("none", "interrupt")
    )


@pytest.mark.parametrize("reason", ["rule", "mode", None])
def test_what_an_earlier_answer_has_brought_is_no_answer(reason: str | None) -> None:
    """Regression: a call that nobody was asked about, as a rule of the caller's allowed it, was told as asked."""
    why = {} if reason is None else {"reason_type": reason}
    said = {"decision": "accept", "source": "user_temporary", **why}
    approval = session(result(permission_decision=said))
    assert (approval["decision"], approval["by"]) == ("allow", reason or "caller")


@pytest.mark.parametrize("said", ["to proceed with this tool use.", "to take this action right now."])
def test_an_interrupt_in_a_subagent(said: str) -> None:
    """Regression: nothing stands beside a subagent's result, and its interrupted calls were told as unknown."""
    in_agent = {"parent_tool_use_id": "a"}
    approval = session(refused(f"{said} STOP what you are doing", **in_agent), **in_agent)
    assert (approval["decision"], approval["by"]) == ("none", "interrupt")
