"""Who or what allowed or denied a call of a tool: as Claude Code says it, never guessed.

Claude Code 2.1.330 says it with the result, on the wire (``tool_result_meta.permission_decision``) and in a transcript
(``permissionDecision``): a decision, a source and a reason. What the caller answered is known from its question. It is
``unknown`` where a release says nothing and nobody was asked.
"""

from typing import Any, Literal

from proxy.events.approved_calls import By, Decision
from proxy.events.fields import Message, inner, items, text
from proxy.events.session import Session, Tool

_BY_MODE: dict[str | None, By] = {"mode": "mode", "classifier": "mode"}
"""The classifier is that of auto mode."""
_INTERRUPTED = ("The user doesn't want to proceed with", "The user doesn't want to take this action")
"""How a result begins that Claude Code itself makes of an interrupt; of a subagent's, there is nothing beside it."""
_STOPPED = "this call was stopped while running, not refused before it ran"
"""What Claude Code 2.1.330 says in the result of a call that an interrupt ended."""
_NOT_RUN = ("user-rejected", "cancelled")
_BY_CONFIG: dict[str | None, By] = {"rule": "rule", **_BY_MODE, None: "harmless"}


def approval_of(
    session: Session, call: Tool | None, meta: Message, *, failed: bool, said: str, seq: int
) -> dict[str, Any]:
    """Return the approval of a call from its result: whether it ``failed``, what that ``said``, and its record ``seq``.

    ``meta``: what Claude Code says beside the result.
    """
    answer = None if call is None else call.answer
    rule: By = "policy" if session.is_policy_alone else "rule"
    interrupted = failed and said.startswith(_INTERRUPTED)
    decision, by = _decided(meta, call, rule, failed=failed, interrupted=interrupted)
    has_run = (call is not None and call.has_task) or (failed and _STOPPED in said)
    if has_run and decision == "none":
        # By what, Claude Code says of calls alone that have run to their end.
        decision, by = "allow", "unknown"
    if by == "unknown" and failed and call is not None:
        if not meta and session.rules.denies_tool(call.name):
            decision, by = "deny", rule
        elif call.is_refused:
            decision = "deny"
    asked = answer if by in ("caller", "api") else None
    return {
        "decision": decision,
        "by": by,
        "lasting": asked.lasting if asked is not None and decision == "allow" else None,
        "mode": session.permission_mode,
        "waited_ms": None if answer is None else answer.waited_ms,
        "reason": text(meta, "reason") if asked is None else asked.reason,
        "source": inner(meta, "permission_decision") or None,
        "evidence": [*([] if answer is None else answer.evidence), seq],
    }


def _decided(
    meta: Message, call: Tool | None, rule: By, *, failed: bool, interrupted: bool
) -> tuple[Decision, By]:
    """Return what was decided and by what; ``rule``: whose the rules are that deny."""
    answer = None if call is None else call.answer
    decision_of_asked = None if answer is None else answer.decision
    asked: By = "api" if answer is not None and answer.by == "api" else "caller"
    reported = inner(meta, "permission_decision")
    source, reason = text(reported, "source") or "", text(reported, "reason_type")
    by: By | None = "hook" if source == "hook" else None
    if source.startswith("user") and (answer is not None or reason not in ("rule", "mode")):
        by = asked  # else it is a rule or a mode that the caller has given the session with an earlier answer
    match text(reported, "decision"):
        case "accept":
            if by is None and reason == "subcommandResults" and call is not None:
                by = call.allowed_by_parts
            return "allow", by or _BY_CONFIG.get(reason, "unknown")
        case "reject" if source == "user_abort":
            return "none", "interrupt"
        case "reject":
            # An answer that is an error is the caller's; a stream that was closed, and no prompt tool at all, nobody's.
            by_default = "nobody" if decision_of_asked is None else asked
            denied_by: dict[str | None, By] = {"rule": rule, "subcommandResults": rule, **_BY_MODE}
            return "deny", by or denied_by.get(reason, by_default)
    if decision_of_asked is not None:
        return decision_of_asked, asked
    # A question that was withdrawn has an answer without a decision.
    if interrupted or (answer is not None and failed) or text(meta, "non_execution_kind") in _NOT_RUN:
        return "none", "interrupt"
    return _undecided(meta, failed=failed)


def _undecided(meta: Message, *, failed: bool) -> tuple[Decision, By]:
    if "id" not in meta and "reason" in meta:  # of a tool that the API runs
        return "none", "nobody"
    return "none" if failed else "allow", "unknown"


def lasting_of(response: Message) -> Literal["once", "session", "always"]:
    """Return how long an answer that allows holds, from what it brings along."""
    updates = list(items(response, "updatedPermissions"))
    if text(response, "decisionClassification") == "user_permanent" or any(
        text(update, "destination") not in (None, "session") for update in updates
    ):
        return "always"
    return "session" if updates else "once"
