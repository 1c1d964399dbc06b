"""Claude Code's messages, apart from those of type ``system``."""

from collections.abc import Callable
from typing import Any

from proxy.events import acting, outcome, prompts, system
from proxy.events.approvals import approval_of
from proxy.events.emitter import OF_THE_CALLER, Emitter
from proxy.events.fields import (
    Message,
    identifier,
    inner,
    integer,
    items,
    known,
    number,
    present,
    text,
    texts,
)
from proxy.events.known_rules import by_parts
from proxy.events.session import Answer, Question, Session, Tool, hold
from proxy.events.spending import API_TOKENS, api_usage, stated_usage, tokens_of

_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_OF_A_RESULT = ("result", "terminal_reason", "stop_reason", "structured_output", "permission_denials")
_OF_THE_API = {"reason": "the API runs it"}
"""What is said of a call of a tool that the API itself runs: nobody here is asked."""


def take(emitter: Emitter, message: Message) -> None:
    """Take one message that Claude Code has sent."""
    if emitter.session.run is not None:
        emitter.session.run.heard = True
    type_ = message.get("type")
    handler = _HANDLERS.get(type_) if isinstance(type_, str) else None
    if handler is not None:  # else it is of no consequence for what a session does
        handler(emitter, message)


# -- the conversation ------------------------------------------------------------------------------------------


def take_answer(emitter: Emitter, message: Message) -> None:
    """Take a part of the model's answer: what it says and thinks, and the tools that it calls."""
    answer = inner(message, "message")
    parent = text(message, "parent_tool_use_id")
    blocks = list(items(answer, "content"))
    answers = [text(block, "text") or "" for block in blocks if block.get("type") == "text"]
    thought = [text(block, "thinking") or "" for block in blocks if block.get("type") == "thinking"]
    call = _model_call(answer)
    if parent is None:
        prompts.model_called(emitter.session, text(answer, "id"))
    if answers or thought:
        said = {"text": "".join(answers), "parent_tool_use_id": parent, **emitter.depth(parent), **call}
        if thought:
            said["thinking"] = "".join(thought)
        emitter.emit("assistant_message", model=text(answer, "model"), **said)
    for block in blocks:
        if text(block, "type") in _CALLS:
            _tool_call(emitter, block, parent, {**call, **texts(answer, "model")})
        elif text(block, "tool_use_id"):
            tool_result(emitter, block, _OF_THE_API)
    if error := text(message, "error"):
        emitter.emit("error", source="assistant", error=error, **present(message, "api_error_status"))


def _user(emitter: Emitter, message: Message) -> None:
    if message.get("isReplay") is True:
        prompts.replayed(emitter.session, prompts.prompt_text(inner(message, "message").get("content")))
        return
    meta = {identifier(one, "id"): one for one in items(message, "tool_result_meta")}
    run = emitter.session.run if text(message, "parent_tool_use_id") is None else None
    for block in items(inner(message, "message"), "content"):
        if block.get("type") == "tool_result":
            if run is not None:
                run.results_us = emitter.timestamp_us
            tool_result(emitter, block, meta.get(identifier(block, "tool_use_id"), {}))


def _model_call(answer: Message) -> Message:
    """Return what an answer says of the call of the model that it comes from.

    Claude Code passes on what the API says when an answer begins: what goes in is known then, what comes out is not.
    """
    usage, message_id = answer.get("usage"), text(answer, "id")
    call = known(message_id=message_id)
    if isinstance(usage, dict):
        is_whole = answer.get("stop_reason") is not None
        names = [name for name in API_TOKENS if is_whole or name != "output_tokens"]
        call["usage"] = {name: usage[name] for name in names if integer(usage, name) is not None}
    return call


def _tool_call(emitter: Emitter, block: Message, parent: str | None, call: Message) -> None:
    name, tool_use_id = text(block, "name") or "unknown", identifier(block, "id")
    session = emitter.session
    if tool_use_id in session.tools:
        return
    tool = Tool(name, emitter.seq, emitter.timestamp_us, parent)
    if name == "Bash":
        command = text(inner(block, "input"), "command")
        tool.allowed_by_parts = by_parts(command, session.permission_mode, session.rules)
    hold(session.tools, tool_use_id, tool)
    depth = emitter.depth(parent)
    tool.depth, tool.background = depth.get("depth", 0), parent is not None and parent not in session.tools
    called = {"input": block.get("input"), "parent_tool_use_id": parent, **depth, **call}
    emitter.emit("tool_started", tool=name, tool_use_id=tool_use_id, **called, **emitter.subagent(parent))


def tool_result(emitter: Emitter, block: Message, meta: Message) -> None:
    """Take the result of a tool's call; ``meta``: what Claude Code says beside it."""
    tool_use_id = identifier(block, "tool_use_id")
    content = block.get("content")
    failed = block.get("is_error") is True
    if isinstance(content, dict) and str(content.get("type", "")).endswith("_error"):
        failed = True  # the server's tools say it so
    fields: dict[str, Any] = {"tool_use_id": tool_use_id, "result": content}
    session = emitter.session
    tool = session.tools.pop(tool_use_id, None)
    if tool is not None:
        fields |= {"tool": tool.name, "duration_ms": max(0, emitter.timestamp_us - tool.since_us) / 1000}
        if tool.parent is not None:
            fields |= {"parent_tool_use_id": tool.parent, "depth": tool.depth}
    said = content if isinstance(content, str) else ""
    fields["approval"] = approval = approval_of(
        session, tool, meta, failed=failed, said=said, seq=emitter.seq
    )
    acting.result(emitter, tool_use_id, approval["decision"])
    if not failed:
        emitter.emit("tool_completed", **fields)
    elif approval["decision"] == "deny":
        emitter.emit("tool_denied", **fields)
    else:
        if "non_execution_kind" in meta or (session.run is not None and session.run.interrupted):
            fields["interrupted"] = True
        emitter.emit("tool_failed", **fields)


def _tool_progress(emitter: Emitter, message: Message) -> None:
    fields: dict[str, Any] = texts(message, "parent_tool_use_id", "task_id", "tool_use_id")
    fields |= present(message, "elapsed_time_seconds")
    emitter.emit("tool_progress", tool=text(message, "tool_name") or "unknown", **fields)


# -- the end of a turn -----------------------------------------------------------------------------------------


def _result(emitter: Emitter, message: Message) -> None:
    session = emitter.session
    origin = text(inner(message, "origin"), "kind")
    if session.run is None:
        if session.queued and origin in OF_THE_CALLER:
            prompts.begin_next(emitter, "result")
        else:
            # One that nobody asked for and that did not even begin, as after a session to resume that is not there.
            emitter.start_unprompted_run("result", origin)
    run = session.run
    assert run is not None
    session.result_us = emitter.timestamp_us
    if session.claude_session_id is None:  # printed JSON has no `init`
        session.claude_session_id = text(message, "session_id")
    cost, tokens = _spent(session, message)
    blocked = None if emitter.is_of_another_turn(origin) else run.blocked
    result_outcome = outcome.of_result(
        message, interrupted=run.interrupted, blocked=blocked, is_command=run.is_command
    )
    turns = integer(message, "num_turns")
    # Else it was a local command or a notice, which changes nothing.
    if turns != 0 or result_outcome.kind != "ok":
        session.last_turn = result_outcome
    fields = {
        "turns": turns,
        "usage": message.get("usage") if isinstance(message.get("usage"), dict) else None,
        "tokens": tokens,
        "cost_usd": cost,
        "total_cost_usd": session.spending.cost_usd,
        "model_usage": session.spending.models,
        "subtype": text(message, "subtype") or "unknown",
        **present(message, *_OF_A_RESULT),
    }
    if result_outcome.kind != "ok":
        fields["errors"] = _errors(message, result_outcome)
    elif session.prints is not None and (answer := text(message, "result")):
        # No message has told it.
        emitter.emit("assistant_message", text=answer, model=None, parent_tool_use_id=None)
    emitter.end_run(f"result/{text(message, 'subtype')}", result_outcome, origin=origin, **fields)


def _spent(session: Session, message: Message) -> tuple[float | None, dict[str, int]]:
    """Take what a result states; return what the turn cost, None where nobody says, and its tokens of all agents."""
    stated, since = stated_usage(message), stated_usage(message, "model_usage_since_last_result")
    spending, used = session.spending, api_usage(inner(message, "usage"))
    total, is_first = number(message, "total_cost_usd"), not spending.has_result
    if total and is_first and since is None and "result_index" in message and session.resumes:
        # A release whose totals go on from before; printed as JSON, a result does not say what was taken since.
        session.cost_is_mixed = True
        return None, used
    before = {} if is_first else tokens_of(spending.models)
    cost = spending.take_result(total, stated, since)
    if not stated:  # as of a gateway, or of a local command: then it is the main agent's that is known
        return cost, used
    after = tokens_of(spending.models)
    return cost, {name: max(0, count - before.get(name, 0)) for name, count in after.items()}


def _errors(message: Message, result_outcome: outcome.Outcome) -> list[Any]:
    """Return what went wrong in Claude Code's own words, where it has any."""
    errors = message.get("errors")
    if isinstance(errors, list):
        return errors
    result = message.get("result") if message.get("is_error") is True else None
    return [result or result_outcome.reason]


# -- control ---------------------------------------------------------------------------------------------------


def _request(emitter: Emitter, message: Message) -> None:
    request, request_id = inner(message, "request"), text(message, "request_id")
    if request_id is None:
        return
    question = _question(emitter, request)
    hold(emitter.session.questions, request_id, question)
    if not question.is_work:
        emitter.change_state("waiting", f"control_request/{question.kind}")
    if question.kind == "can_use_tool":
        asked = present(request, "input", "decision_reason", "agent_id", "blocked_path")
        emitter.ask_permission(request_id, question, **asked)


def _question(emitter: Emitter, request: Message) -> Question:
    kind = text(request, "subtype") or "unknown"
    tool, tool_use_id, method = text(request, "tool_name"), text(request, "tool_use_id"), None
    if kind == "can_use_tool":
        tool = tool or "unknown"
        tool_use_id = tool_use_id or _call_that_waits(emitter, tool)
    elif kind == "hook_callback":
        method = text(inner(request, "input"), "hook_event_name")
    elif kind == "mcp_message":
        rpc = inner(request, "message")
        called = inner(rpc, "params")
        method, tool = text(rpc, "method"), text(called, "name")
        tool_use_id = text(inner(called, "_meta"), "claudecode/toolUseId")
    server, reason = text(request, "server_name"), text(request, "decision_reason")
    return Question(kind, emitter.seq, emitter.timestamp_us, tool, tool_use_id, server, method, reason)


def _call_that_waits(emitter: Emitter, tool: str) -> str | None:
    """Return the call that a question of a release before 2.0 is about, which names none: the first not asked about."""
    asked = {question.tool_use_id for question in emitter.session.questions.values()}
    calls = emitter.session.tools.items()
    waits = (key for key, call in calls if call.name == tool and call.answer is None and key not in asked)
    return next(waits, None)


def _response(emitter: Emitter, message: Message) -> None:
    response = inner(message, "response")
    request_id = text(response, "request_id")
    asked = emitter.session.requests.pop(request_id or "", None)
    if asked is None:
        return
    if response.get("subtype") == "error":
        refused = {"request_id": request_id, "request": asked.subtype, "error": text(response, "error")}
        emitter.emit("error", source="control_response", **refused)
    if asked.subtype == "list_permission_rules" and response.get("subtype") != "error":
        emitter.session.rules.listed(inner(response, "response"))
    if asked.subtype == "initialize":
        emitter.session.initialized = True
        if emitter.session.standing.state == "starting":
            emitter.change_state("idle", "control_response")


def _cancel(emitter: Emitter, message: Message) -> None:
    request_id = text(message, "request_id")
    question = emitter.session.questions.pop(request_id or "", None)
    if request_id is None:
        return
    if question is None:
        _came_too_late(emitter, request_id)
        return
    emitter.infer_state("control_cancel_request")
    if question.kind == "can_use_tool":
        emitter.resolve_permission(request_id, question, Answer(None, "caller", 0))


def _came_too_late(emitter: Emitter, request_id: str) -> None:
    """Take that a question is withdrawn that was answered on the way: the answer decided nothing."""
    for tool in emitter.session.tools.values():
        if tool.answer is not None and tool.answer.request_id == request_id:
            tool.answer.decision = None


# -- the rest --------------------------------------------------------------------------------------------------


def _rate_limit(emitter: Emitter, message: Message) -> None:
    emitter.emit("rate_limited", limit=inner(message, "rate_limit_info"))


def _conversation_reset(emitter: Emitter, message: Message) -> None:
    emitter.session.claude_session_id = text(message, "new_conversation_id")
    emitter.emit("status_changed", status="conversation_reset", **present(message, "trigger"))


_HANDLERS: dict[str, Callable[[Emitter, Message], None]] = {
    "assistant": take_answer,
    "user": _user,
    "result": _result,
    "system": system.take,
    "control_request": _request,
    "control_response": _response,
    "control_cancel_request": _cancel,
    "tool_progress": _tool_progress,
    "rate_limit_event": _rate_limit,
    "conversation_reset": _conversation_reset,
    "command_lifecycle": prompts.lifecycle,
}
