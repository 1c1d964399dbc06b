"""Claude Code's messages, apart from those of type ``system``."""

from collections.abc import Callable
from typing import Any

from proxy.events import system
from proxy.events.reading import Message, inner, items, number, some, text, texts, whole
from proxy.events.scribe import Scribe
from proxy.events.session import Question, Tool
from proxy.events.stdin import about

_CALLS = frozenset(("tool_use", "server_tool_use", "mcp_tool_use"))
_TOKENS = {
    "input": "inputTokens",
    "output": "outputTokens",
    "cache_read": "cacheReadInputTokens",
    "cache_creation": "cacheCreationInputTokens",
}


def take(scribe: Scribe, message: Message) -> None:
    """Take one message that Claude Code has sent."""
    if scribe.session.run is not None:
        scribe.session.run.heard = True
    type_ = message.get("type")
    handler = _HANDLERS.get(type_) if isinstance(type_, str) else None
    if handler is not None:  # else it is of no consequence for what a session does
        handler(scribe, message)


# -- the conversation ------------------------------------------------------------------------------------------


def _assistant(scribe: Scribe, message: Message) -> None:
    answer = inner(message, "message")
    parent = text(message, "parent_tool_use_id")
    blocks = list(items(answer, "content"))
    said = [text(block, "text") or "" for block in blocks if block.get("type") == "text"]
    thought = [text(block, "thinking") or "" for block in blocks if block.get("type") == "thinking"]
    if said or thought:
        fields: dict[str, Any] = {"text": "".join(said), "parent_tool_use_id": parent}
        if thought:
            fields["thinking"] = "".join(thought)
        if message_id := text(answer, "id"):
            fields["message_id"] = message_id
        scribe.emit("assistant_message", model=text(answer, "model"), **fields)
    for block in blocks:
        if block.get("type") in _CALLS:
            _tool_call(scribe, block, parent)
        elif text(block, "tool_use_id"):
            _tool_result(scribe, block)
    if error := text(message, "error"):
        scribe.emit("error", source="assistant", error=error, **some(message, "api_error_status"))


def _user(scribe: Scribe, message: Message) -> None:
    if message.get("isReplay") is True:
        return
    for block in items(inner(message, "message"), "content"):
        if block.get("type") == "tool_result":
            _tool_result(scribe, block)


def _tool_call(scribe: Scribe, block: Message, parent: str | None) -> None:
    name, tool_use_id = text(block, "name") or "unknown", text(block, "id")
    if tool_use_id is None or tool_use_id in scribe.session.tools:
        return
    scribe.session.tools[tool_use_id] = Tool(name, scribe.seq, scribe.moment_us, parent)
    scribe.emit(
        "tool_started",
        tool=name,
        tool_use_id=tool_use_id,
        input=block.get("input"),
        parent_tool_use_id=parent,
    )


def _tool_result(scribe: Scribe, block: Message) -> None:
    tool_use_id = text(block, "tool_use_id")
    if tool_use_id is None:
        return
    content = block.get("content")
    failed = block.get("is_error") is True
    if isinstance(content, dict) and str(content.get("type", "")).endswith("_error"):
        failed = True  # the server's tools say it so
    fields: dict[str, Any] = {"tool_use_id": tool_use_id, "result": content}
    tool = scribe.session.tools.pop(tool_use_id, None)
    if tool is not None:
        fields |= {"tool": tool.name, "duration_ms": (scribe.moment_us - tool.since_us) / 1000}
        if tool.parent is not None:
            fields["parent_tool_use_id"] = tool.parent
    scribe.emit("tool_failed" if failed else "tool_completed", **fields)


def _tool_progress(scribe: Scribe, message: Message) -> None:
    fields: dict[str, Any] = texts(message, "parent_tool_use_id", "task_id", "tool_use_id")
    fields |= some(message, "elapsed_time_seconds")
    scribe.emit("tool_progress", tool=text(message, "tool_name") or "unknown", **fields)


# -- the end of a turn -----------------------------------------------------------------------------------------


def _result(scribe: Scribe, message: Message) -> None:
    session = scribe.session
    session.turns += 1
    if session.run is None:
        # A turn that nobody asked for and that did not even begin, such as after a session to resume that is not there.
        scribe.start_run(None, "result")
    before, total = session.cost_usd or 0.0, number(message, "total_cost_usd")
    if total is not None:
        session.cost_usd = total
    _count_tokens(scribe, message)
    subtype = text(message, "subtype") or "unknown"
    aborted = (text(message, "terminal_reason") or "").startswith("aborted")
    interrupted = aborted or (session.run is not None and session.run.interrupted)
    fields = {
        "subtype": subtype,
        "turns": whole(message, "num_turns"),
        "usage": message.get("usage") if isinstance(message.get("usage"), dict) else None,
        # Totals run over the whole process; after a reset that begins them anew, what there is is this run's.
        "cost_usd": None if total is None else round(total - before if total >= before else total, 12),
        "total_cost_usd": total,
        "model_usage": _model_usage(message),
        **some(
            message, "result", "terminal_reason", "structured_output", "stop_reason", "permission_denials"
        ),
    }
    if (duration := number(message, "duration_ms")) is not None:
        fields["claude_duration_ms"] = duration
    if origin := text(inner(message, "origin"), "kind"):
        fields["origin"] = origin
    failed = subtype != "success" or message.get("is_error") is True
    if failed:
        errors = message.get("errors")
        fields["errors"] = errors if isinstance(errors, list) else [message.get("result") or subtype]
    event = "run_interrupted" if interrupted and failed else "run_failed" if failed else "run_completed"
    scribe.end_run(event, f"result/{subtype}", **fields)


def _count_tokens(scribe: Scribe, message: Message) -> None:
    """Take over the totals that Claude Code keeps; messages repeat their usage, so adding it up would count twice."""
    models = [model for model in inner(message, "modelUsage").values() if isinstance(model, dict)]
    if models:
        scribe.session.tokens = {
            name: sum(whole(model, field) or 0 for model in models) for name, field in _TOKENS.items()
        }


def _model_usage(message: Message) -> dict[str, Message]:
    """Return what each model took since the process began, under the names that totals have here."""
    figures = {**_TOKENS, "cost_usd": "costUSD"}
    return {
        name: {
            ours: value for ours, theirs in figures.items() if (value := number(model, theirs)) is not None
        }
        for name, model in inner(message, "modelUsage").items()
        if isinstance(model, dict)
    }


def _command_lifecycle(scribe: Scribe, message: Message) -> None:
    """A queued message that is over without a turn of its own has been taken into another, or was withdrawn."""
    uuid = text(message, "command_uuid")
    if uuid and text(message, "state") in ("completed", "cancelled", "discarded", "refused"):
        scribe.session.queued = [prompt for prompt in scribe.session.queued if prompt.uuid != uuid]


# -- control ---------------------------------------------------------------------------------------------------


def _request(scribe: Scribe, message: Message) -> None:
    request, request_id = inner(message, "request"), text(message, "request_id")
    if request_id is None:
        return
    kind = text(request, "subtype") or "unknown"
    tool, tool_use_id = text(request, "tool_name"), text(request, "tool_use_id")
    question = Question(kind, scribe.seq, scribe.moment_us, tool, tool_use_id)
    scribe.session.questions[request_id] = question
    scribe.turn_to("waiting", f"control_request/{kind}")
    if kind == "can_use_tool":
        asked = some(request, "input", "decision_reason", "agent_id", "blocked_path") | about(question)
        asked["tool"] = tool or "unknown"
        scribe.emit("permission_requested", request_id=request_id, **asked)


def _response(scribe: Scribe, message: Message) -> None:
    response = inner(message, "response")
    request_id = text(response, "request_id")
    subtype = scribe.session.requests.pop(request_id or "", None)
    if response.get("subtype") == "error" and subtype is not None:
        refused = {"request_id": request_id, "request": subtype, "error": text(response, "error")}
        scribe.emit("error", source="control_response", **refused)
    if subtype == "initialize":
        scribe.session.initialized = True
        if scribe.session.state == "starting":
            scribe.turn_to("idle", "control_response")


def _cancel(scribe: Scribe, message: Message) -> None:
    request_id = text(message, "request_id")
    question = scribe.session.questions.pop(request_id or "", None)
    if question is None:
        return
    scribe.settle("control_cancel_request")
    if question.kind == "can_use_tool":
        waited = (scribe.moment_us - question.since_us) / 1000
        scribe.emit(
            "permission_resolved",
            request_id=request_id,
            outcome="cancelled",
            waiting_ms=waited,
            **about(question),
        )


# -- the rest --------------------------------------------------------------------------------------------------


def _rate_limit(scribe: Scribe, message: Message) -> None:
    scribe.emit("rate_limited", limit=inner(message, "rate_limit_info"))


def _conversation_reset(scribe: Scribe, message: Message) -> None:
    scribe.session.claude_session_id = text(message, "new_conversation_id")
    scribe.emit("status_changed", status="conversation_reset", **some(message, "trigger"))


_HANDLERS: dict[str, Callable[[Scribe, Message], None]] = {
    "assistant": _assistant,
    "user": _user,
    "result": _result,
    "system": system.take,
    "control_request": _request,
    "control_response": _response,
    "control_cancel_request": _cancel,
    "tool_progress": _tool_progress,
    "rate_limit_event": _rate_limit,
    "conversation_reset": _conversation_reset,
    "command_lifecycle": _command_lifecycle,
}
