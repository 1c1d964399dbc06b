"""Claude Code's messages of type ``system``."""

from proxy.events import prompts
from proxy.events.emitter import Emitter
from proxy.events.fields import Message, inner, integer, items, known, number, present, text, texts
from proxy.events.outcome import blocked_by_hook
from proxy.events.session import Task, hold
from proxy.events.vocabulary import Name, State

_STATED: dict[str, State] = {"idle": "idle", "running": "executing", "requires_action": "waiting"}
_SERVER_PROBLEMS = {"failed": "did not start", "needs-auth": "needs authentication"}
"""What a status means for a session; servers that are pending or disabled are no problem."""
_SWITCHES = {
    "model_fallback": "{fallback} answers in place of {original}.",
    "model_refusal_fallback": "{original} refused to answer, and {fallback} does in its place.",
    "model_refusal_no_fallback": "{original} refused to answer, and no other model does in its place.",
}
"""What a change of the model means, where Claude Code has no words for it."""
_OF_A_TASK = (
    "description",
    "subagent_type",
    "task_type",
    "status",
    "summary",
    "last_tool_name",
    "parent_task_id",
)
TASK_ENDS: dict[str, Name] = {
    "completed": "task_completed",
    "failed": "task_failed",
    "stopped": "task_stopped",
}


def take(emitter: Emitter, message: Message) -> None:
    """Take one system message."""
    match message.get("subtype"):
        case "init":
            _init(emitter, message)
        case "session_state_changed":
            _state(emitter, message)
        case "status":
            _status(emitter, message)
        case "compact_boundary":
            _compaction(emitter, inner(message, "compact_metadata"))
        case "api_retry":
            figures = present(message, "attempt", "max_retries", "retry_delay_ms", "error_status", "error")
            emitter.emit("api_retry", **figures)
        case "task_started" | "task_progress" | "task_updated" | "task_notification":
            _task(emitter, message)
        case "hook_started":
            emitter.emit("hook_started", **present(message, "hook_id", "hook_name", "hook_event"))
        case "hook_response":
            about = present(message, "hook_id", "hook_name", "hook_event", "outcome", "output")
            code = message.get("exit_code")
            emitter.emit("hook_completed", **about, exit_code=code if isinstance(code, int) else None)
        case "notification" | "informational" | "local_command_output":
            notice = text(message, "text") or text(message, "content") or ""
            more = present(message, "level", "priority", "key")
            emitter.emit("notification", text=notice, kind=message["subtype"], **more)
            _blocked(emitter, message)
        case "model_fallback" | "model_refusal_fallback" | "model_refusal_no_fallback" | "permission_denied":
            _remark(emitter, message)
        case "session_writes_lost" | "mirror_error":
            error = text(message, "error_code") or text(message, "error")
            emitter.emit("error", source=message["subtype"], error=error)
        # All others are of no consequence for what a session does.


def _init(emitter: Emitter, message: Message) -> None:
    session = emitter.session
    before = session.model, session.claude_code_version, session.permission_mode, session.problems
    session.model = text(message, "model")
    session.claude_session_id = text(message, "session_id")
    session.claude_code_version = text(message, "claude_code_version")
    session.permission_mode = text(message, "permissionMode")
    session.problems = _problems(message)
    after = session.model, session.claude_code_version, session.permission_mode, session.problems
    changed = {} if session.initialized and before == after else {"changed": True}
    session.initialized = True
    prompts.settle(emitter, "system/init")
    if session.run is None:
        # Every turn begins with one: this is a message that had been queued, or a turn that nobody asked for.
        if session.queued:
            prompts.begin_next(emitter, "system/init")
        else:
            emitter.start_unprompted_run("system/init")
    else:
        prompts.begun(session)
        if all(request.subtype != "interrupt" for request in session.requests.values()):
            # An interrupt that was answered before the turn began is not of this turn.
            session.run.interrupted = False
    emitter.emit(
        "session_initialized",
        model=session.model,
        tools=tools if isinstance(tools := message.get("tools"), list) else [],
        claude_session_id=session.claude_session_id,
        claude_code_version=session.claude_code_version,
        permission_mode=session.permission_mode,
        problems=session.problems,
        **changed,
        **present(message, "cwd", "mcp_servers", "agents", "skills"),
    )


def _problems(message: Message) -> list[str]:
    """Return what failed at the start, a sentence each."""
    found = [
        f"The MCP server {text(server, 'name')} {what}."
        for server in items(message, "mcp_servers")
        if (what := _SERVER_PROBLEMS.get(text(server, "status") or ""))
    ]
    for error in items(message, "plugin_errors"):
        reason = text(error, "message") or text(error, "type") or "no reason given"
        found.append(f"The plugin {text(error, 'plugin')} has an error: {reason}")
    return found


def _blocked(emitter: Emitter, message: Message) -> None:
    """Take a remark that a prompt was not put to the model."""
    submitted = inner(message, "prompt_submit_outcome")
    if emitter.session.run is not None and text(submitted, "kind") == "blocked_by_hook":
        emitter.session.run.blocked = blocked_by_hook(text(submitted, "reason"))


def _state(emitter: Emitter, message: Message) -> None:
    stated = text(message, "state") or ""
    session = emitter.session
    if stated in _STATED and not (stated == "running" and session.asked):
        emitter.change_state(_STATED[stated], f"session_state_changed/{stated}", stated=True)
    prompts.stated(emitter, stated)
    emitter.emit("status_changed", status=stated, source="stated")


def _status(emitter: Emitter, message: Message) -> None:
    status = text(message, "status")
    if status == "compacting":
        emitter.change_state("compacting", "system/status")
    elif emitter.session.standing.state == "compacting":
        emitter.infer_state("system/status")
    if mode := text(message, "permissionMode"):
        emitter.session.permission_mode = mode
    more = present(message, "permissionMode", "compact_result", "compact_error")
    emitter.emit("status_changed", status=status, source="message", **more)


def _compaction(emitter: Emitter, metadata: Message) -> None:
    figures = present(metadata, "trigger", "pre_tokens", "post_tokens")
    emitter.emit("compaction", duration_ms=number(metadata, "duration_ms"), **figures)


def _task(emitter: Emitter, message: Message) -> None:
    subtype, task_id = message["subtype"], text(message, "task_id")
    if task_id is None:
        return
    tasks, tool_use_id = emitter.session.tasks, text(message, "tool_use_id")
    fields = {"task_id": task_id, **present(message, *_OF_A_TASK), **known(tool_use_id=tool_use_id)}
    fields |= known(usage=inner(message, "usage") or None)
    call = emitter.session.tools.get(tool_use_id or "")
    # Of calls that are more than two subagents deep, Claude Code tells the tasks alone.
    depth = (integer(message, "spawn_depth") or 1) - 1 if task_id not in tasks else tasks[task_id].depth
    if call is not None:  # it has not returned, so whoever made it waits for the task
        fields |= {"foreground": True, **call.about_depth()}
    elif depth > 0:
        fields["depth"] = depth
    event: Name = "task_updated"
    match subtype:
        case "task_started":
            event = "task_started"
            if call is not None:
                call.has_task = True
            if task_id not in tasks and _is_agent(message):
                fields |= emitter.subagent(tool_use_id) if call is not None else {"new_subagent": True}
            description = text(message, "description") or ""
            task = Task(description, emitter.seq, emitter.timestamp_us, depth=depth)
            hold(tasks, task_id, tasks.get(task_id, task))
        case "task_progress":
            event = "task_progress"
        case "task_updated":
            fields["patch"] = inner(message, "patch")
        case _:
            tasks.pop(task_id, None)
            event = TASK_ENDS.get(text(message, "status") or "", event)
    emitter.emit(event, **fields)


def _is_agent(message: Message) -> bool:
    """Whether a task is a subagent: a shell in the background, for one, is none."""
    kind = text(message, "task_type") or ""
    return text(message, "subagent_type") is not None or not kind or "agent" in kind


def _remark(emitter: Emitter, message: Message) -> None:
    kind = message["subtype"]
    notice = text(message, "content") or text(message, "message") or ""
    about = texts(message, "trigger", "original_model", "fallback_model", "tool_use_id")
    about |= known(tool=text(message, "tool_name") or None)
    if not notice and kind in _SWITCHES:
        original = about.get("original_model", "The model")
        notice = _SWITCHES[kind].format(
            original=original, fallback=about.get("fallback_model", "another model")
        )
    call = emitter.session.tools.get(about.get("tool_use_id", ""))
    if kind == "permission_denied" and call is not None:
        call.is_refused = True
    emitter.emit("notification", text=notice, kind=kind, **about)
