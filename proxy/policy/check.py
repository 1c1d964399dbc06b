"""What a policy says of the calls of a session: events in, findings out."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from proxy.events import Event
from proxy.events.fields import integer
from proxy.policy.calls import Ran, calls_of, shown
from proxy.policy.matching import decide
from proxy.policy.rules import FILE_RULES, Policy

Kind = Literal["deny", "ask", "unknown", "incomplete", "report"]
KINDS: dict[Kind, str] = {
    "deny": "a rule forbids it",
    "ask": "a rule wants somebody to be asked, and nobody was",
    "unknown": "it cannot be told whether a rule matches",
    "incomplete": "the record does not hold what a rule needs",
    "report": "a rule only reports it",
}
"""What a finding says of a call that ran."""

_ASKED = frozenset(("caller", "api"))
_REDACTED = b"[redacted]"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A call that ran and that the policy has something to say of. ``seq``: of the record that it stands in."""

    kind: Kind
    session_id: str
    seq: int | None
    text: str
    tool: str | None = None
    tool_use_id: str | None = None
    rule: str | None = None
    approval: dict[str, Any] | None = None


class Checked(NamedTuple):
    """What a policy says of a session."""

    findings: list[Finding]
    ran: int
    """Calls that ran."""
    tools: set[str]
    """All that the session had; empty where Claude Code does not say."""


def check(policy: Policy, session_id: str, events: Iterable[Event]) -> Checked:
    """Return what a policy says of the calls of a session."""
    findings, tools, count = list[Finding](), set[str](), 0

    def add(kind: Kind, seq: int | None, said: str, **about: Any) -> None:
        findings.append(Finding(kind=kind, session_id=session_id, seq=seq, text=said, **about))

    def seen() -> Iterator[Event]:
        for event in events:
            if event.event_type == "recording_gap":
                lost = event.data.get("lost_records")
                said = f"{lost} records are missing here, and calls may be among them"
                add("incomplete", integer(event.data, "seq"), said)
            yield event

    for ran in calls_of(seen(), tools):
        count += 1
        about = {"tool": ran.call.tool, "tool_use_id": ran.tool_use_id, "approval": ran.approval}
        match decide(policy, ran.call):
            case "ask", _ if (ran.approval or {}).get("by") in _ASKED:
                pass
            case (("deny" | "ask" | "unknown" | "report" as kind), rule):
                add(kind, ran.seq, shown(ran.call.input), rule=rule, **about)
            case _ if _lacks(policy, ran):
                add("incomplete", ran.seq, shown(ran.call.input), **about)
    return Checked(findings, count, tools)


def _lacks(policy: Policy, ran: Ran) -> bool:
    """Whether something was redacted that a rule could have matched."""
    concerned = (ran.call.tool, *FILE_RULES)
    rules = [rule for behavior, rule in policy.rules() if behavior != "allow"]
    asks_for_input = any(rule.specifier is not None and rule.tool in concerned for rule in rules)
    return asks_for_input and _REDACTED in msgspec.json.encode(ran.call.input)
