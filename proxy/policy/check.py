"""What a policy says of the calls of a session: events in, findings out."""

from typing import Any, Literal

import msgspec

from proxy.events import Event
from proxy.events.fields import integer
from proxy.policy.calls import Calls, Ran, shown
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


class SessionCheck:
    """Takes the events of one session, in order."""

    def __init__(self, policy: Policy, session_id: str) -> None:
        self.findings: list[Finding] = []
        self.ran = 0
        """Calls that ran."""
        self.calls = Calls()
        self._policy = policy
        self._session_id = session_id

    def take(self, event: Event) -> None:
        """Take the next event."""
        for ran in self.calls.take(event):
            self._judge(ran)
        if event.event_type == "recording_gap":
            said = f"{event.data.get('lost_records')} records are missing here, and calls may be among them"
            self._add("incomplete", integer(event.data, "seq"), said)

    def end(self) -> None:
        """Judge the calls that have no result."""
        for ran in self.calls.end():
            self._judge(ran)

    def _judge(self, ran: Ran) -> None:
        self.ran += 1
        decision = decide(self._policy, ran.call)
        about = {"tool": ran.call.tool, "tool_use_id": ran.tool_use_id, "approval": ran.approval}
        match decision.verdict:
            case "ask" if (ran.approval or {}).get("by") in _ASKED:
                pass
            case "deny" | "ask" | "unknown" | "report" as kind:
                self._add(kind, ran.seq, shown(ran.call.input), rule=decision.rule, **about)
            case _ if self._lacks(ran):
                self._add("incomplete", ran.seq, shown(ran.call.input), **about)

    def _add(self, kind: Kind, seq: int | None, said: str, **about: Any) -> None:
        self.findings.append(Finding(kind=kind, session_id=self._session_id, seq=seq, text=said, **about))

    def _lacks(self, ran: Ran) -> bool:
        """Whether something was redacted that a rule could have matched."""
        concerned = (ran.call.tool, *FILE_RULES)
        rules = [rule for behavior, rule in self._policy.rules() if behavior != "allow"]
        asks_for_input = any(rule.specifier is not None and rule.tool in concerned for rule in rules)
        return asks_for_input and _REDACTED in msgspec.json.encode(ran.call.input)
