"""The vocabulary of events: what can happen, what each event carries, and the states that a session can be in.

These tables are the one place where events are named. The schema ``events``, the documentation and the API's manual
are made of them, and what the terminal, the shared page and the dashboard show is tested against them.
"""

from typing import Any, Final, Literal, NamedTuple

__all__ = [
    "EVENTS",
    "FAILURES",
    "FIELDS",
    "OVER",
    "SHOWN",
    "STATES",
    "EventKind",
    "Name",
    "State",
    "StateKind",
    "schema",
]

State = Literal["starting", "idle", "executing", "waiting", "compacting", "ended", "failed"]

OVER: Final[frozenset[State]] = frozenset(("ended", "failed"))
"""States of a session that is over."""
_LIVE: Final[frozenset[State]] = frozenset(("idle", "executing", "waiting", "compacting", "ended", "failed"))


class StateKind(NamedTuple):
    """What a state means, and which states may follow it."""

    meaning: str
    next: frozenset[State] = frozenset()


STATES: Final[dict[State, StateKind]] = {
    "starting": StateKind("the command has started and nothing else is known", _LIVE),
    "idle": StateKind("no turn is open", _LIVE - {"idle"}),
    "executing": StateKind("a turn is open", _LIVE - {"executing"}),
    "waiting": StateKind(
        "Claude Code waits for an answer of its caller, such as a permission", _LIVE - {"waiting"}
    ),
    "compacting": StateKind("the conversation is being compacted", _LIVE - {"compacting"}),
    "ended": StateKind("the command has exited"),
    "failed": StateKind(
        "the wrapper died: its log does not end, and nobody holds it; or an interactive `claude` did not end by itself"
    ),
}
"""Records lead from one state to the next. Nothing leads back to `starting`, and nothing out of `ended` and `failed`.

Of a relayed session `failed` is no state of its log but of its lock (see `Session.mark_crashed`).
"""

Name = Literal[
    "session_started",
    "session_ended",
    "session_initialized",
    "run_started",
    "run_completed",
    "run_failed",
    "run_interrupted",
    "assistant_message",
    "tool_started",
    "tool_progress",
    "tool_completed",
    "tool_failed",
    "tool_denied",
    "permission_requested",
    "permission_resolved",
    "command_received",
    "task_started",
    "task_progress",
    "task_updated",
    "task_completed",
    "task_failed",
    "task_stopped",
    "hook_started",
    "hook_completed",
    "notification",
    "api_retry",
    "rate_limited",
    "compaction",
    "cost_updated",
    "status_changed",
    "validation_failed",
    "protocol_drift",
    "recording_gap",
    "error",
    "action_requested",
    "action_confirmed",
    "action_failed",
    "action_refused",
    "policy_applied",
    "policy_failed",
]


class EventKind(NamedTuple):
    """One kind of event: what it comes from, how it reads for people, and the fields that it may carry."""

    source: str
    title: str
    fields: tuple[str, ...]
    is_failure: bool = False
    """Whether something went wrong."""
    is_shown: bool = True
    """Whether it says something to a person who reads the session as a conversation."""


def _fields(names: str) -> tuple[str, ...]:
    return tuple(names.split())


_TOOL_RESULT: Final = _fields(
    "tool tool_use_id result duration_ms approval interrupted parent_tool_use_id depth"
)
_RUN_END: Final = _fields(
    "outcome outcome_reason duration_ms claude_duration_ms turns result structured_output errors subtype"
    " terminal_reason stop_reason permission_denials usage cost_usd total_cost_usd model_usage origin"
    " unprompted"
)
_TASK: Final = _fields(
    "task_id tool_use_id description task_type subagent_type status summary usage last_tool_name patch"
    " foreground new_subagent depth"
)
_HOOK: Final = _fields("hook_id hook_name hook_event")

EVENTS: Final[dict[Name, EventKind]] = {
    "session_started": EventKind(
        "the first record",
        "Session started",
        _fields("command kind mode name cwd pid age_ms versions validation capture_options traceparent"),
    ),
    "session_ended": EventKind(
        "the command's exit",
        "Session ended",
        _fields("outcome outcome_reason exit_code signal reason duration_ms turns cost_usd tokens counts"),
    ),
    "session_initialized": EventKind(
        "`system/init`, which begins every turn",
        "Session initialized",
        _fields(
            "model claude_code_version claude_session_id permission_mode cwd tools mcp_servers agents skills"
            " problems changed"
        ),
    ),
    "run_started": EventKind(
        "a user message, the prompt on the command line, or a turn that Claude Code begins by itself",
        "Turn started",
        _fields("prompt prompt_seq prompt_on unprompted origin ahead_of"),
    ),
    "run_completed": EventKind("`result`", "Turn completed", _RUN_END),
    "run_failed": EventKind(
        "`result` of a turn that did not do what was asked, or the command's exit in a turn",
        "Turn failed",
        _RUN_END,
        is_failure=True,
    ),
    "run_interrupted": EventKind(
        "`result` after an interrupt, or the command's exit in a turn after a signal that asks for it",
        "Turn interrupted",
        _RUN_END,
    ),
    "assistant_message": EventKind(
        "`assistant`", "Answer", _fields("text thinking model message_id usage parent_tool_use_id depth")
    ),
    "tool_started": EventKind(
        "a `tool_use` block",
        "Tool started",
        _fields("tool tool_use_id input model message_id usage new_subagent parent_tool_use_id depth"),
    ),
    "tool_progress": EventKind(
        "`tool_progress`",
        "Tool runs",
        _fields("tool tool_use_id task_id elapsed_time_seconds parent_tool_use_id"),
        is_shown=False,
    ),
    "tool_completed": EventKind("a `tool_result` block", "Tool completed", _TOOL_RESULT),
    "tool_failed": EventKind(
        "a `tool_result` block with `is_error`", "Tool failed", _TOOL_RESULT, is_failure=True
    ),
    "tool_denied": EventKind(
        "a `tool_result` block of a call that was refused, so the tool never ran", "Tool denied", _TOOL_RESULT
    ),
    "permission_requested": EventKind(
        "`can_use_tool`",
        "Permission requested",
        _fields("request_id tool tool_use_id input decision_reason blocked_path agent_id depth"),
    ),
    "permission_resolved": EventKind(
        "its answer, or its withdrawal",
        "Permission resolved",
        _fields("request_id tool tool_use_id decision by outcome waiting_ms depth"),
    ),
    "command_received": EventKind("every message of the client", "Command received", _fields("command")),
    "task_started": EventKind("`system/task_started`", "Task started", _TASK),
    "task_progress": EventKind("`system/task_progress`", "Task runs", _TASK, is_shown=False),
    "task_updated": EventKind("`system/task_updated`", "Task updated", _TASK, is_shown=False),
    "task_completed": EventKind("`system/task_notification`", "Task completed", _TASK),
    "task_failed": EventKind("`system/task_notification`", "Task failed", _TASK, is_failure=True),
    "task_stopped": EventKind("`system/task_notification`", "Task stopped", _TASK),
    "hook_started": EventKind("`system/hook_started`", "Hook started", _HOOK, is_shown=False),
    "hook_completed": EventKind(
        "`system/hook_response`", "Hook completed", (*_HOOK, *_fields("outcome output exit_code"))
    ),
    "notification": EventKind(
        "`system/notification` and other remarks",
        "Notification",
        _fields("text kind level priority key tool tool_use_id trigger original_model fallback_model"),
    ),
    "api_retry": EventKind(
        "`system/api_retry`",
        "The API is asked again",
        _fields("attempt max_retries retry_delay_ms error_status error"),
    ),
    "rate_limited": EventKind("`rate_limit_event`", "Rate limit", _fields("limit")),
    "compaction": EventKind(
        "`system/compact_boundary`",
        "Conversation compacted",
        _fields("trigger pre_tokens post_tokens duration_ms"),
    ),
    "cost_updated": EventKind(
        "`cost-state` of a transcript, which Claude Code writes when a conversation ends",
        "Cost",
        _fields("total_cost_usd model_usage"),
        is_shown=False,
    ),
    "status_changed": EventKind(
        "`system/status`, `session_state_changed`, `conversation_reset`; Claude Code's registry",
        "Status changed",
        _fields("status source waiting_for permissionMode compact_result compact_error trigger"),
        is_shown=False,
    ),
    "validation_failed": EventKind(
        "a line that is invalid or malformed",
        "Invalid message",
        _fields("stream verdict errors type subtype raw held_back"),
        is_failure=True,
    ),
    "protocol_drift": EventKind(
        "a line of an unknown type", "Unknown message", _fields("stream verdict type subtype")
    ),
    "recording_gap": EventKind(
        "lines that could not be recorded",
        "Gap in the record",
        _fields("lost_records lost_bytes reason"),
        is_failure=True,
    ),
    "error": EventKind(
        "an error that a message or a record reports",
        "Error",
        _fields("source error where request request_id api_error_status"),
        is_failure=True,
    ),
    "action_requested": EventKind(
        "`action`, before its frame is sent", "Action", _fields("action_id action args by")
    ),
    "action_confirmed": EventKind(
        "what shows on the wire that an action was done",
        "Action confirmed",
        _fields("action_id action duration_ms effect"),
    ),
    "action_failed": EventKind(
        "what shows on the wire that an action was not done",
        "Action failed",
        _fields("action_id action duration_ms effect error"),
        is_failure=True,
    ),
    "action_refused": EventKind(
        "`action_refused`, at most once a second",
        "Action refused",
        _fields("action_id action args by error refusals"),
    ),
    "policy_applied": EventKind(
        "Claude Code's list of the rules in force",
        "Policy in force",
        _fields("sha256 rules dropped_ask_rules"),
    ),
    "policy_failed": EventKind(
        "what Claude Code says of a policy, or that it says nothing",
        "Policy not in force",
        _fields("sha256 rules why"),
        is_failure=True,
    ),
}
"""Every kind of event, in the order in which they are documented."""

SHOWN: Final = frozenset(name for name, kind in EVENTS.items() if kind.is_shown)
FAILURES: Final = frozenset(name for name, kind in EVENTS.items() if kind.is_failure)

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": ["integer", "null"], "minimum": 0}
_AMOUNT: Final = {"type": ["number", "null"], "minimum": 0}

FIELDS: Final[dict[str, dict[str, Any]]] = {
    "action": {**_TEXT, "description": "What is done to the session, such as `interrupt`."},
    "action_id": {**_TEXT, "description": "The action."},
    "age_ms": {**_AMOUNT, "description": "How long the command had been running before there was a log."},
    "agent_id": {"description": "The subagent that asks."},
    "agents": {"description": "Kinds of subagents, as Claude Code names them."},
    "ahead_of": {
        **_TEXT,
        "description": "The run of the prompt that waited: what came since its start belongs to this one.",
    },
    "api_error_status": {"description": "HTTP status of the API's error."},
    "approval": {
        "type": "object",
        "description": "Who or what allowed or denied the call: `decision` (`allow`, `deny`, `none`), `by`, `lasting`"
        " (`once`, `session`, `always` or null), `mode`, `waited_ms`, `reason`, `source` (what Claude Code says),"
        " `evidence` (the numbers of the records).",
    },
    "args": {"type": "object", "description": "What an action takes."},
    "attempt": {"description": "Which attempt failed, from 1."},
    "blocked_path": {"description": "The path that needs the permission."},
    "by": {"description": "Who has answered, if not the caller: `api`. Of an action: its author."},
    "capture_options": {"description": "What a monitoring session records."},
    "changed": {"type": "boolean", "description": "It is the first, or another one than before."},
    "claude_code_version": {"type": ["string", "null"]},
    "claude_duration_ms": {**_AMOUNT, "description": "How long the turn took, as Claude Code says it."},
    "claude_session_id": {"type": ["string", "null"], "description": "The session, as Claude Code names it."},
    "command": {
        "description": "With `command_received` an object that is valid under `commands`, with `session_started` the"
        " command line."
    },
    "compact_error": {"description": "Why a compaction failed."},
    "compact_result": {"description": "What became of a compaction."},
    "cost_usd": {**_AMOUNT, "description": "US dollars: of the turn; with `session_ended` of all turns."},
    "counts": {"type": "object", "description": "Lines by stream and verdict, up to here."},
    "cwd": {"description": "The working directory."},
    "decision": {"enum": ["allow", "deny"], "description": "How the caller answered."},
    "decision_reason": {"description": "Why Claude Code asks."},
    "depth": {"type": "integer", "minimum": 1, "description": "How many subagents deep it is."},
    "description": {"description": "What a task does."},
    "dropped_ask_rules": {"description": "Rules that ask and that were left out, as nobody could be asked."},
    "duration_ms": {**_AMOUNT, "description": "How long it took by the log's clock, in milliseconds."},
    "effect": {"description": "What an action led to: `ran`, `did_not_run`, `nothing_running`, `exited`."},
    "elapsed_time_seconds": {"description": "How long a tool has been running, as Claude Code says it."},
    "error": {"description": "What went wrong."},
    "error_status": {"description": "HTTP status of the API's error."},
    "errors": {"type": "array", "description": "What went wrong: sentences of a turn, objects of a verdict."},
    "exit_code": {"type": ["integer", "null"]},
    "fallback_model": {"description": "The model that is used instead."},
    "foreground": {
        "type": "boolean",
        "description": "The call that began the task has not returned: its caller waits.",
    },
    "held_back": {"type": "boolean", "description": "The line was not passed on."},
    "hook_event": {"description": "What the hook was called for."},
    "hook_id": {"description": "The call of the hook."},
    "hook_name": {"description": "The hook."},
    "input": {"description": "What a tool is called with."},
    "interrupted": {"type": "boolean", "description": "The call was interrupted."},
    "key": {"description": "The remark, as Claude Code names it."},
    "kind": {
        "type": "string",
        "description": "Of a session: `wrapped` or `monitoring`. Of a remark: what it is about.",
    },
    "last_tool_name": {"description": "The tool that a task used last."},
    "level": {"description": "How important a remark is."},
    "limit": {"type": "object", "description": "The limit, as Claude Code tells it."},
    "lost_bytes": {"description": "Bytes that are not on record."},
    "lost_records": {"description": "Lines that are not on record."},
    "max_retries": {"description": "How often the API is asked again at most."},
    "mcp_servers": {"description": "MCP servers and their status, as Claude Code tells them."},
    "message_id": {**_TEXT, "description": "The answer that a message is a part of."},
    "mode": {"description": "`followed`: an interactive session, which is recorded beside and not relayed."},
    "model": {"type": ["string", "null"]},
    "model_usage": {
        "type": "object",
        "description": "What each model took in the session so far: tokens by kind, and `cost_usd`.",
    },
    "name": {"description": "What the session is called."},
    "new_subagent": {"type": "boolean", "description": "The first event that shows a subagent."},
    "origin": {
        "type": "string",
        "description": "Whose message began the turn, if not the caller's, such as `task-notification`.",
    },
    "original_model": {"description": "The model that was to be used."},
    "outcome": {
        "type": ["string", "null"],
        "description": "Of a turn or session: `ok`, `failed`, `limited`, `blocked`, `interrupted` or `crashed`; null"
        " where nothing was recorded that tells. Of a hook: as Claude Code says it. Of a permission without an answer:"
        " `cancelled`.",
    },
    "outcome_reason": {
        "type": ["string", "null"],
        "description": "A sentence that says why, unless it is `ok`.",
    },
    "output": {"description": "What a hook printed."},
    "parent_tool_use_id": {
        "type": ["string", "null"],
        "description": "The call of the subagent that it belongs to.",
    },
    "patch": {"type": "object", "description": "What changed of a task."},
    "permissionMode": {"description": "The new permission mode."},
    "permission_denials": {"description": "The tool calls of the turn that were denied."},
    "permission_mode": {"type": ["string", "null"]},
    "pid": {"description": "The command's process."},
    "post_tokens": {"description": "Tokens of the conversation after it was compacted."},
    "pre_tokens": {"description": "Tokens of the conversation before it was compacted."},
    "priority": {"description": "How urgent a remark is."},
    "problems": {
        "type": "array",
        "items": _TEXT,
        "description": "What failed at the start: a sentence each.",
    },
    "prompt": {**_TEXT, "description": "What is asked."},
    "prompt_on": {**_TEXT, "description": "Where the prompt is that the record does not have as a message."},
    "prompt_seq": {"type": "integer", "minimum": 0, "description": "The record of the prompt."},
    "raw": {**_TEXT, "description": "The beginning of a line that is no JSON."},
    "reason": {"description": "Why a session ended, or lines were lost."},
    "refusals": {"description": "Refusals since the last such event."},
    "request": {**_TEXT, "description": "The kind of the request that was refused."},
    "request_id": {"type": ["string", "null"], "description": "The control request."},
    "result": {"description": "Of a turn: the answer. Of a tool: its result."},
    "retry_delay_ms": {"description": "How long is waited until the API is asked again."},
    "rules": {"description": "How many permission rules a policy has."},
    "sha256": {"description": "Of the policy's file."},
    "signal": {"type": ["integer", "string", "null"]},
    "skills": {"description": "Skills, as Claude Code names them."},
    "source": {**_TEXT, "description": "What tells it."},
    "status": {"description": "The status, as Claude Code says it."},
    "stop_reason": {"description": "Why the model stopped."},
    "stream": {**_TEXT, "description": "Where the line passed."},
    "structured_output": {"description": "The answer in the structure that was asked for."},
    "subagent_type": {"description": "The kind of a subagent."},
    "subtype": {"description": "The `subtype` of the message."},
    "summary": {"description": "What a task did."},
    "task_id": {**_TEXT, "description": "The task."},
    "task_type": {"description": "The kind of a task."},
    "terminal_reason": {"description": "Why the turn ended, as Claude Code says it."},
    "text": {**_TEXT, "description": "What is said."},
    "thinking": {**_TEXT, "description": "What the model thought."},
    "tokens": {"type": "object", "description": "Tokens of all turns by kind."},
    "tool": {**_TEXT, "description": "Name of the tool."},
    "tool_use_id": {**_TEXT, "description": "The call of the tool."},
    "tools": {"type": "array", "description": "Tools, as Claude Code names them."},
    "total_cost_usd": {**_AMOUNT, "description": "US dollars of all turns of the session so far."},
    "traceparent": {
        **_TEXT,
        "description": "The caller's `TRACEPARENT`: the span that the session belongs to.",
    },
    "trigger": {"description": "What caused it."},
    "turns": {**_COUNT, "description": "Of a turn: calls of the model. Of a session: results."},
    "type": {"description": "The `type` of the message."},
    "unprompted": {"type": "boolean", "description": "Claude Code began the turn by itself."},
    "usage": {
        "type": ["object", "null"],
        "description": "Tokens that the turn's main agent, a task, or one call of the model took; of"
        " a call, `output_tokens` only where they are known.",
    },
    "validation": {"description": "How lines are judged: `observe`, `enforce` or `off`."},
    "verdict": {"enum": ["valid", "invalid", "unknown", "malformed", "text"]},
    "versions": {"description": "Versions of claude-proxy and Python."},
    "waiting_for": {"description": "What Claude Code waits for, as its registry says it."},
    "waiting_ms": {"type": "number", "minimum": 0, "description": "How long the caller took to answer."},
    "where": {"description": "The part of claude-proxy that failed."},
    "why": {"description": "Why a policy is not in force."},
}
"""What each field is, as JSON Schema; what comes from a message as it is has no type."""

_HEAD: Final[dict[str, dict[str, Any]]] = {
    "event": {"enum": list(EVENTS), "description": "What happened."},
    "timestamp": {"type": "string", "format": "date-time", "description": "RFC 3339, with a zone."},
    "at": {
        "type": "string",
        "format": "date-time",
        "description": "When it happened, where the record says so: it is recorded later, in an interactive session.",
    },
    "state": {"enum": list(STATES), "description": "The session's state after the event."},
    "session_id": {
        "type": "string",
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        "description": "The session, as this proxy names it.",
    },
    "run_id": {
        "type": ["string", "null"],
        "description": "The turn that it belongs to, if it belongs to one.",
    },
    "seq": {
        "type": "integer",
        "minimum": 0,
        "description": "The record in the session log that the event comes from.",
    },
}


def schema() -> dict[str, Any]:
    """Return the schema ``events``, as it is published."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "/events.json",
        "title": "Event",
        "description": "What happened in a session, in the stable vocabulary of this project, as derived from the"
        " wire. The vocabulary is closed, extra fields are allowed.",
        "type": "object",
        "required": ["event", "timestamp"],
        "properties": {**_HEAD, **FIELDS},
    }
