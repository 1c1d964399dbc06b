"""What a policy says of the calls of a session."""

from __future__ import annotations

from typing import Any

from proxy.events import Event
from proxy.policy.check import Finding
from proxy.policy.check import check as check_session
from tests.policy.test_matching import policy


def check(events: list[tuple[str, dict[str, Any]]], **lists: list[str]) -> list[Finding]:
    """Return what is found in a session of these events."""
    started: dict[str, Any] = {"cwd": "/home/me/p", "tools": ["Bash"]}
    numbered = enumerate([("session_started", started), *events])
    made = (Event(kind, seq, {"seq": seq, **data}) for seq, (kind, data) in numbered)
    return check_session(policy(**lists), "s", made).findings


def call(
    command: str, end: str | None = "tool_completed", **approval: str
) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of a call of Bash."""
    about: dict[str, Any] = {"tool": "Bash", "tool_use_id": command}
    events = [("tool_started", {**about, "input": {"command": command}})]
    return [*events, (end, {**about, "approval": approval or None})] if end else events


def kinds(findings: list[Finding]) -> list[tuple[str, str | None]]:
    """Return of each finding what it is, and the rule."""
    return [(one.kind, one.rule) for one in findings]


def test_calls_that_ran_are_found() -> None:
    """With the place of the call in the log; also one that failed, and one without a result."""
    for end in ("tool_completed", "tool_failed", None):
        (finding,) = check(call("rm x", end), deny=["Bash(rm *)"])
        assert (finding.kind, finding.rule, finding.seq, finding.tool, finding.text) == (
            *("deny", "Bash(rm *)", 1, "Bash", "rm x"),
        )


def test_calls_that_did_not_run_are_not() -> None:
    """What was denied did no harm."""
    assert check(call("rm x", "tool_denied"), deny=["Bash(rm *)"]) == []
    assert check(call("rm x", "tool_failed", decision="deny", by="rule"), deny=["Bash(rm *)"]) == []


def test_a_rule_that_asks_is_content_with_an_answer() -> None:
    """Somebody was asked, and allowed it; a mode or a rule is nobody."""
    assert check(call("rm x", decision="allow", by="caller"), ask=["Bash(rm *)"]) == []
    (finding,) = check(call("rm x", decision="allow", by="mode"), ask=["Bash(rm *)"])
    assert (finding.kind, finding.approval) == ("ask", {"decision": "allow", "by": "mode"})


def test_what_the_record_does_not_hold_is_incomplete() -> None:
    """Records that are missing, and a redacted input that a rule could have matched."""
    gap = ("recording_gap", {"lost_records": 3})
    assert kinds(check([gap], deny=["Bash(rm *)"])) == [("incomplete", None)]
    assert kinds(check(call("curl [redacted]"), deny=["Bash(rm *)"])) == [("incomplete", None)]
    assert check(call("curl [redacted]"), deny=["WebFetch"]) == []
    assert kinds(check(call("curl [redacted]"), deny=["Bash(curl *)"])) == [("deny", "Bash(curl *)")]


def test_what_is_only_reported_and_what_is_unknown_have_kinds_of_their_own() -> None:
    """So that `--fail-on` can tell them apart."""
    assert kinds(check(call("curl x"), report=["Bash(curl *)"])) == [("report", "Bash(curl *)")]
    assert kinds(check(call("$X"), deny=["Bash(curl *)"])) == [("unknown", "Bash(curl *)")]
