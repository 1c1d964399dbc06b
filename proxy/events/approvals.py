"""Who or what allowed or denied a call of a tool: as Claude Code says it, never guessed.

Claude Code 2.1.330 says it with the result, on the wire (``tool_result_meta.permission_decision``) and in a transcript
(``permissionDecision``): a decision, a source and a reason. What the caller answered is known from its question. It is
``unknown`` where a release says nothing and nobody was asked.
"""

from typing import Any, Literal

from proxy.events.approved_calls import By, Decision
from proxy.events.fields import Message, inner, items, text
from proxy.events.session import Answer, Tool

_BY_CONFIG: dict[str | None, By] = {
    "rule": "rule",
    "mode": "mode",
    "classifier": "mode",  # auto mode's
    None: "harmless",
}


def approval_of(
    call: Tool | None,
    meta: Message,
    *,
    mode: str | None,
    by_policy: bool,
    taken_away: bool,
    failed: bool,
    seq: int,
) -> dict[str, Any]:
    """Return the approval of a call from what stands with its result.

    ``meta``: what Claude Code says of the result. ``by_policy``: the rules that deny are a policy's, and no others.
    ``taken_away``: a rule denies the whole tool, so that Claude Code says only that there is none.
    ``seq``: the record of the result.
    """
    answer = None if call is None else call.answer
    decision, by = _decided(meta, call, by_policy=by_policy, failed=failed)
    if by == "unknown" and failed and taken_away and not meta:
        decision, by = "deny", "policy" if by_policy else "rule"
    elif by == "unknown" and failed and call is not None and call.is_refused:
        decision = "deny"
    asked = answer if by in ("caller", "api") else None
    return {
        "decision": decision,
        "by": by,
        "lasting": asked.lasting if asked is not None and decision == "allow" else None,
        "mode": mode,
        "waited_ms": None if answer is None else answer.waited_ms,
        "reason": text(meta, "reason") if asked is None else asked.reason,
        "source": inner(meta, "permission_decision") or None,
        "evidence": [*([] if answer is None else answer.evidence), seq],
    }


def _decided(meta: Message, call: Tool | None, *, by_policy: bool, failed: bool) -> tuple[Decision, By]:
    answer = None if call is None else call.answer
    reported = inner(meta, "permission_decision")
    source, reason = text(reported, "source") or "", text(reported, "reason_type")
    asked: By = "api" if answer is not None and answer.by == "api" else "caller"
    match text(reported, "decision"):
        case "accept":
            by_config = _BY_CONFIG.get(reason, "unknown")
            if reason == "subcommandResults" and call is not None:
                by_config = call.allowed_by_parts
            return "allow", asked if source.startswith("user") else "hook" if source == "hook" else by_config
        case "reject" if source == "user_abort":
            return "none", "interrupt"
        case "reject":
            by_refusal = _by_refusal(reason, answer, asked, by_policy=by_policy)
            return "deny", asked if source.startswith("user") else "hook" if source == "hook" else by_refusal
        case _ if answer is not None and answer.decision is not None:
            return answer.decision, asked
        case _:
            return _undecided(meta, failed=failed)


def _undecided(meta: Message, *, failed: bool) -> tuple[Decision, By]:
    if text(meta, "non_execution_kind") == "user-rejected":
        return "none", "interrupt"
    if "id" not in meta and "reason" in meta:  # of a tool that the API runs
        return "none", "nobody"
    return "none" if failed else "allow", "unknown"


def _by_refusal(reason: str | None, answer: Answer | None, asked: By, *, by_policy: bool) -> By:
    if reason in ("rule", "subcommandResults"):
        return "policy" if by_policy else "rule"
    if reason in ("mode", "classifier"):
        return "mode"
    # An answer that is an error is the caller's; a stream that was closed, and no prompt tool at all, is nobody.
    return asked if answer is not None and answer.decision is not None else "nobody"


def lasting_of(response: Message) -> Literal["once", "session", "always"]:
    """Return how long an answer that allows holds, from what it brings along."""
    updates = list(items(response, "updatedPermissions"))
    if text(response, "decisionClassification") == "user_permanent" or any(
        text(update, "destination") not in (None, "session") for update in updates
    ):
        return "always"
    return "session" if updates else "once"
