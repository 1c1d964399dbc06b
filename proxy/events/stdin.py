"""The client's messages: each is a command in the vocabulary of ``schemas/commands``, and some begin or end things."""

from typing import Any, Literal

from proxy.events import prompts
from proxy.events.approvals import lasting_of
from proxy.events.emitter import Emitter
from proxy.events.fields import Message, inner, known, text, texts
from proxy.events.outcome import blocked_by_hook
from proxy.events.session import Answer, Prompt, Request, hold

_ACTIONS = {
    "initialize": (),
    "interrupt": (),
    "set_model": ("model",),
    "set_permission_mode": ("mode",),
    "set_max_thinking_tokens": ("max_thinking_tokens",),
    "stop_task": ("task_id",),
    "rewind_files": ("user_message_id",),
}
"""Control requests that are actions of their own, with the fields that they bring along."""


def take(emitter: Emitter, message: Message) -> None:
    """Take one message that the client has sent."""
    match message.get("type"):
        case "user":
            _user(emitter, message)
        case "control_request":
            _request(emitter, message)
        case "control_response":
            _response(emitter, message)
        case "control_cancel_request":
            # Nobody waits for its answer.
            emitter.session.requests.pop(text(message, "request_id") or "", None)
            _received(emitter, "cancel", **texts(message, "request_id"))
        case "keep_alive":
            _received(emitter, "keep_alive")
        case "update_environment_variables":
            _received(emitter, "update_environment", variables=sorted(map(str, inner(message, "variables"))))
        # Of a kind that the specification does not have, its record's verdict says so.


def _received(emitter: Emitter, action: str, /, **fields: Any) -> None:
    emitter.emit("command_received", command={"action": action, **fields})


def _user(emitter: Emitter, message: Message) -> None:
    content = inner(message, "message").get("content")
    origin = text(inner(message, "origin"), "kind")
    asks, priority = message.get("shouldQuery") is not False, text(message, "priority") or "next"
    prompt = Prompt(
        emitter.seq,
        prompts.prompt_text(content),
        emitter.timestamp_us,
        text(message, "uuid"),
        origin,
        asks,
        priority,
    )
    fields: dict[str, Any] = {"prompt": prompt.prompt}
    if isinstance(content, list):
        fields["content"] = content
    if not asks:
        fields["should_query"] = False
    if prompts.waits(emitter, prompt):
        _received(emitter, "prompt", **fields, queued=True)
    else:
        _received(emitter, "prompt", **fields)
        emitter.start_run(prompt, "user")


def _request(emitter: Emitter, message: Message) -> None:
    request, request_id = inner(message, "request"), text(message, "request_id")
    subtype = text(request, "subtype") or "unknown"
    identified = known(request_id=request_id)
    if request_id is not None:
        hold(emitter.session.requests, request_id, Request(subtype, emitter.seq, emitter.timestamp_us))
    if subtype == "interrupt" and emitter.session.run is not None:
        emitter.session.run.interrupted = True
    if subtype not in _ACTIONS:
        _received(emitter, "request", **identified, subtype=subtype)
        return
    named = {key: request[key] for key in _ACTIONS[subtype] if key in request}
    plain = {key: value for key, value in named.items() if isinstance(value, str | int | float | None)}
    schema = {"json_schema": found} if isinstance(found := request.get("jsonSchema"), dict) else {}
    _received(emitter, subtype, **identified, **plain, **schema)


def _response(emitter: Emitter, message: Message) -> None:
    response = inner(message, "response")
    outcome = "error" if response.get("subtype") == "error" else "success"
    question = emitter.session.questions.get(text(response, "request_id") or "")
    is_permission = question is not None and question.kind == "can_use_tool"
    decided = {"decision": _decision(response)} if is_permission else {}
    _received(emitter, "respond", **texts(response, "request_id"), outcome=outcome, **decided)
    answer(emitter, message, "caller")


def answer(emitter: Emitter, message: Message, by: Literal["caller", "api"]) -> None:
    """Take the answer to a question of Claude Code; ``by``: who has given it."""
    response = inner(message, "response")
    request_id = text(response, "request_id")
    question = emitter.session.questions.pop(request_id, None) if request_id else None
    if request_id is None or question is None:
        return
    emitter.infer_state("control_response")
    run = emitter.session.run
    if run is not None and question.kind == "hook_callback" and question.method == "UserPromptSubmit":
        run.blocked = _kept_from_the_model(inner(response, "response")) or run.blocked
    if question.kind == "can_use_tool":
        said = inner(response, "response")
        reason = text(said, "message") or text(response, "error") or question.reason
        given = Answer(_decision(response), by, 0, lasting_of(said), reason)
        emitter.resolve_permission(request_id, question, given)


def _decision(response: Message) -> Literal["allow", "deny"]:
    is_allowed = inner(response, "response").get("behavior") == "allow"
    return "allow" if response.get("subtype") != "error" and is_allowed else "deny"


def _kept_from_the_model(answer: Message) -> str | None:
    """Return why a hook keeps a prompt from the model; None if it does not.

    Releases before 2.1.330 say nothing of it themselves but a result of no turns.
    """
    if answer.get("decision") != "block" and answer.get("continue") is not False:
        return None
    return blocked_by_hook(text(answer, "reason") or text(answer, "stopReason"))
