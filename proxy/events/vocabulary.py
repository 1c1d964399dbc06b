"""The vocabulary of events: what can happen, what each event carries, and the states that a session can be in.

These tables are the one place where events are named. The schema ``events`` (see `schema`), the documentation and the
API's manual are made of them, and what the terminal, the shared page and the dashboard show is tested against them.
"""

from typing import Final, Literal, NamedTuple

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
    "rule_fired",
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
        _fields(
            "command kind mode name cwd pid age_ms versions validation capture_options traceparent output_format"
        ),
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
        "`cost-state` of a transcript, which Claude Code writes when a conversation ends; its answer to `get_usage`,"
        " which rules ask for in a turn",
        "Cost",
        _fields("cost_usd total_cost_usd model_usage"),
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
    "rule_fired": EventKind(
        "what the server finds beside the log: a rule of the configuration applies",
        "Rule",
        _fields("rule when do mode value warning known refused action_id request_id running evidence"),
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
