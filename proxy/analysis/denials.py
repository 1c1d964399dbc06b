"""Anomalies of denials: what Claude Code lists with a turn's result, beside what was said of each call."""

from typing import Any

from proxy.analysis.findings import Detector, EventContext
from proxy.events.approved_calls import DECIDED, ApprovedCall, approved_call
from proxy.events.fields import items, text

_MOST = 10_000
"""Calls that are remembered: more than a turn makes."""


class Denials(Detector):
    """Takes what became of calls, and what the result of their turn says of them."""

    TYPES = frozenset(DECIDED)

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[str, tuple[ApprovedCall, bool]] = {}
        """Those since the last result, each with whether a subagent made it."""
        self._earlier: set[str] = set()

    def take(self, context: EventContext) -> None:
        """Take an event."""
        data = context.event.data
        if (call := approved_call(context.event.event_type, data)) is not None:
            if call.tool_use_id and len(self._calls) < _MOST:
                self._calls[call.tool_use_id] = call, "depth" in data
        elif isinstance(data.get("permission_denials"), list):
            self._compare(context, data)
            if len(self._earlier) < _MOST:
                self._earlier.update(self._calls)
            self._calls.clear()

    def _compare(self, context: EventContext, data: dict[str, Any]) -> None:
        listed = {text(one, "tool_use_id") or "": one for one in items(data, "permission_denials")}
        for key, (call, is_of_subagent) in self._calls.items():
            # What a subagent in the background was denied need not be listed with the turn that goes on; nor is a call
            # of a tool that a rule took away, of which Claude Code says no more than that there is none.
            is_taken_away = call.approval.source is None and call.approval.by in ("rule", "policy")
            listable = call.approval.decision == "deny" and not (is_of_subagent or is_taken_away)
            if listable and key not in listed:
                sentence = f"A denied call is not among those that its turn's result lists: {call.tool}."
                self._add(context, call, sentence)
        for key, one in listed.items():
            tool = text(one, "tool_name")
            if key in self._calls:
                call, _ = self._calls[key]
                decision, by = call.approval.decision, call.approval.by
                # Who was interrupted at a question is listed too.
                if decision != "deny" and by != "interrupt":
                    sentence = f"A turn's result lists a call as denied that was {decision} by {by}: {tool}."
                    self._add(context, call, sentence)
            elif key not in self._earlier:
                sentence = f"A turn's result lists a denied call of which there is no result: {tool}."
                self.over.add("denials_differ", "warning", context.at, sentence, tool_use_id=key)

    def _add(self, context: EventContext, call: ApprovedCall, sentence: str) -> None:
        at, seq, by = context.at, call.seq, call.approval.by
        facts = {"tool_use_id": call.tool_use_id, "decision": call.approval.decision, "by": by}
        self.over.add("denials_differ", "info" if by == "unknown" else "warning", at, sentence, seq, **facts)
