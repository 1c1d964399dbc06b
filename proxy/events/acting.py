"""What others do to a session, and a policy that is put in force, as events.

An action is requested when it is on record. What became of it shows the wire: Claude Code's answer to the frame, the
result of the tool that was allowed or denied, the command's exit.
"""

import copy
from typing import Any

from proxy.events.emitter import Emitter
from proxy.events.fields import Message, inner, integer, number, present, text
from proxy.events.session import Action, hold
from proxy.events.spending import stated_usage
from proxy.events.vocabulary import Name

LIFECYCLE = frozenset(("action", "action_refused", "policy_applied", "policy_failed"))


def take(emitter: Emitter, event_type: str, data: Message) -> None:
    """Take one record about actions or the policy."""
    match event_type:
        case "action":
            _requested(emitter, data)
        case "action_refused":
            emitter.emit("action_refused", **_about(data), **present(data, "error", "refusals"))
        case "policy_applied":
            emitter.session.is_policy_alone = integer(data, "other_deny_rules") == 0
            emitter.emit("policy_applied", **present(data, "sha256", "rules", "dropped_ask_rules"))
        case _:
            emitter.emit("policy_failed", **present(data, "sha256", "rules", "why"))


def sent(emitter: Emitter, action_id: str, message: Message) -> None:
    """Take a frame of ours that went to the command."""
    action = emitter.session.actions.get(action_id)
    if action is not None and action.frame is None:
        action.frame = text(message, "request_id")


def answered(emitter: Emitter, message: Message) -> None:
    """Take Claude Code's answer to a frame of ours, which was held back from the caller."""
    response = inner(message, "response")
    _usage(emitter, inner(inner(response, "response"), "session"))
    if "state" in inner(response, "response"):
        emitter.session.rules.listed(inner(response, "response"))
    request_id = text(response, "request_id")
    for action_id, action in list(emitter.session.actions.items()):
        if request_id is not None and action.frame == request_id and action.name != "stop":
            if response.get("subtype") == "error":
                _ended(emitter, action_id, "action_failed", error=text(response, "error"))
            elif action.name == "interrupt" and emitter.session.run is None:
                _ended(emitter, action_id, "action_confirmed", effect="nothing_running")
            else:
                _ended(emitter, action_id, "action_confirmed")


def _usage(emitter: Emitter, stated: Message) -> None:
    """Take the totals that Claude Code states in the middle of a turn (`get_usage`): its result states them again."""
    total = number(stated, "total_cost_usd")
    if total is None or emitter.session.run is None:
        return
    spending, models = emitter.session.spending, stated_usage(stated, "model_usage")
    if spending.stated_usd is None and emitter.session.resumes:
        # What the conversation took before is in it. How much that is tells the first result alone, so the first total
        # that is stated counts for it: a rule must not stop a session for what others have spent.
        spending.go_on_from(total, models or {})
    so_far = copy.copy(spending)
    so_far.take(total, models)
    emitter.emit("cost_updated", total_cost_usd=so_far.cost_usd, model_usage=so_far.models)


def result(emitter: Emitter, tool_use_id: str, decision: str) -> None:
    """Take the result of a tool that somebody may have answered for; ``decision``: whether it ran."""
    for action_id, action in list(emitter.session.actions.items()):
        if action.tool_use_id == tool_use_id:  # so it is an `allow` or a `deny`
            event: Name = "action_confirmed" if decision == action.name else "action_failed"
            _ended(emitter, action_id, event, effect="ran" if decision == "allow" else "did_not_run")


def exited(emitter: Emitter) -> None:
    """Take the command's exit: a stop has its effect, and what is open has none any more."""
    for action_id, action in list(emitter.session.actions.items()):
        if action.name == "stop":
            _ended(emitter, action_id, "action_confirmed", effect="exited")
        else:
            _ended(emitter, action_id, "action_failed", error="the command exited")


def _requested(emitter: Emitter, data: Message) -> None:
    session, action_id, name = emitter.session, text(data, "action_id"), text(data, "action")
    if action_id is None or name is None:
        return
    request_id = text(inner(data, "args"), "request_id")
    question = session.questions.get(request_id or "")
    tool_use_id = None if question is None or name not in ("allow", "deny") else question.tool_use_id
    hold(session.actions, action_id, Action(name, emitter.seq, emitter.timestamp_us, tool_use_id))
    if name in ("pause", "resume"):
        session.paused = name == "pause"
    emitter.emit("action_requested", **_about(data))


def _about(data: Message) -> dict[str, Any]:
    return present(data, "action_id", "action", "args", "by")


def _ended(emitter: Emitter, action_id: str, event: Name, **fields: Any) -> None:
    action = emitter.session.actions.pop(action_id)
    if action.name == "pause" and event == "action_failed":
        emitter.session.paused = False
    took_ms = (emitter.timestamp_us - action.since_us) / 1000
    emitter.emit(event, action_id=action_id, action=action.name, duration_ms=took_ms, **fields)
