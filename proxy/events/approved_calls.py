"""A call of a tool with its approval, as the event of its result carries it."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from proxy.events.fields import Message, integer, text

By = Literal["rule", "mode", "harmless", "hook", "caller", "api", "policy", "interrupt", "nobody", "unknown"]
BY: dict[By, str] = {
    "rule": "a permission rule of the settings or the command line, or one that an earlier answer has brought",
    "mode": "the permission mode",
    "harmless": "nobody needed to: the tool, or the command, changes nothing",
    "hook": "a hook",
    "caller": "the caller, who was asked",
    "api": "somebody who acted on the session",
    "policy": "the policy that was in force",
    "interrupt": "an interrupt, before it was decided or as soon as it ran",
    "nobody": "nobody could be asked",
    "unknown": "the record does not say",
}
"""What each word of `by` stands for."""
Decision = Literal["allow", "deny", "none"]
DECISIONS: dict[Decision, str] = {"allow": "allowed", "deny": "denied", "none": "undecided"}
"""What each decision means, in a word before `by`."""
DECIDED = ("tool_completed", "tool_failed", "tool_denied")
"""Types of the events that carry an approval."""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Who or what allowed or denied a call."""

    decision: Decision
    """`none`: it was not decided."""
    by: By
    lasting: Literal["once", "session", "always"] | None
    """How long a caller's yes holds."""
    mode: str | None
    """The permission mode at that time."""
    waited_ms: float | None
    """How long the answer took."""
    reason: str | None
    """Why Claude Code asked, or what the answer said."""
    source: dict[str, Any] | None
    """What Claude Code itself says."""
    evidence: list[int]
    """The numbers of the records: question, answer, result."""


msgspec.json.Decoder(Approval)  # `decided` is called in threads; see ARCHITECTURE.md


class ApprovedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a tool, and its approval."""

    tool_use_id: str | None
    tool: str | None
    seq: int | None
    """The number of the record with its result."""
    approval: Approval


def decided(event_type: str, data: Mapping[str, Any]) -> Approval | None:
    """Return the approval of a call from the event of its result; None from others, and where it has another form."""
    if event_type not in DECIDED or "approval" not in data:
        return None
    try:
        return msgspec.convert(data["approval"], Approval)
    except msgspec.ValidationError:  # a client's own event of that name
        return None


def approved_call(event_type: str, data: Message) -> ApprovedCall | None:
    """Return a call from the event of its result; None as by `decided`."""
    if (approval := decided(event_type, data)) is None:
        return None
    about = {"tool_use_id": text(data, "tool_use_id"), "tool": text(data, "tool")}
    return ApprovedCall(seq=integer(data, "seq"), approval=approval, **about)
