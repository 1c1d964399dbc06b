"""The vocabulary of events: what can happen, what each event carries, and the states that a session can be in.

These tables are the one place where events are named. The API's manual is made of them; the schema ``events``, the
documentation, and what the terminal, the shared page and the dashboard show are tested against them.
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

_Session = Literal["session_started", "session_ended", "session_initialized"]
_Run = Literal["run_started", "run_completed", "run_failed", "run_interrupted"]
_Said = Literal["assistant_message", "command_received", "permission_requested", "permission_resolved"]
_Tool = Literal["tool_started", "tool_progress", "tool_completed", "tool_failed", "tool_denied"]
_Task = Literal[
    "task_started", "task_progress", "task_updated", "task_completed", "task_failed", "task_stopped"
]
_Hook = Literal["hook_started", "hook_completed"]
_Remark = Literal["notification", "api_retry", "rate_limited", "compaction", "cost_updated", "status_changed"]
_Problem = Literal["validation_failed", "protocol_drift", "recording_gap", "error"]
_Action = Literal["action_requested", "action_confirmed", "action_failed", "action_refused"]
_Rule = Literal["rule_fired", "policy_applied", "policy_failed"]
Name = Literal[_Session, _Run, _Said, _Tool, _Task, _Hook, _Remark, _Problem, _Action, _Rule]


class EventKind(NamedTuple):
    """One kind of event: what it comes from, how it reads for people, and the fields that it may carry."""

    source: str
    title: str
    fields: tuple[str, ...]
    is_failure: bool
    """Whether something went wrong."""
    is_shown: bool
    """Whether it says something to a person who reads the session as a conversation."""


def _kind(
    source: str, title: str, fields: str, *, is_failure: bool = False, is_shown: bool = True
) -> EventKind:
    return EventKind(source, title, tuple(fields.split()), is_failure, is_shown)


_TOOL_RESULT: Final = "tool tool_use_id result duration_ms approval interrupted parent_tool_use_id depth"
_RUN_END: Final = (
    "outcome outcome_reason duration_ms turns result structured_output errors subtype"
    " terminal_reason stop_reason permission_denials usage tokens cost_usd total_cost_usd model_usage origin"
    " unprompted"
)
_TASK: Final = (
    "task_id tool_use_id description task_type subagent_type status summary usage last_tool_name patch"
    " foreground new_subagent depth parent_task_id"
)
_HOOK: Final = "hook_id hook_name hook_event"

EVENTS: Final[dict[Name, EventKind]] = {
    "session_started": _kind(
        "the first record",
        "Session started",
        "command kind mode name cwd pid age_ms versions validation capture_options traceparent output_format",
    ),
    "session_ended": _kind(
        "the command's exit",
        "Session ended",
        "outcome outcome_reason exit_code signal reason duration_ms turns cost_usd tokens counts",
    ),
    "session_initialized": _kind(
        "`system/init`, which begins every turn",
        "Session initialized",
        "model claude_code_version claude_session_id permission_mode cwd tools mcp_servers agents skills"
        " problems changed",
    ),
    "run_started": _kind(
        "a user message, the prompt on the command line, or a turn that Claude Code begins by itself",
        "Turn started",
        "prompt prompt_seq prompt_on unprompted origin ahead_of",
    ),
    "run_completed": _kind("`result`", "Turn completed", _RUN_END),
    "run_failed": _kind(
        "`result` of a turn that did not do what was asked, or the command's exit in a turn",
        "Turn failed",
        _RUN_END,
        is_failure=True,
    ),
    "run_interrupted": _kind(
        "`result` after an interrupt, or the command's exit in a turn after a signal that asks for it",
        "Turn interrupted",
        _RUN_END,
    ),
    "assistant_message": _kind(
        "`assistant`", "Answer", "text thinking model message_id usage parent_tool_use_id depth"
    ),
    "tool_started": _kind(
        "a `tool_use` block",
        "Tool started",
        "tool tool_use_id input model message_id usage new_subagent parent_tool_use_id depth",
    ),
    "tool_progress": _kind(
        "`tool_progress`",
        "Tool runs",
        "tool tool_use_id task_id elapsed_time_seconds parent_tool_use_id",
        is_shown=False,
    ),
    "tool_completed": _kind("a `tool_result` block", "Tool completed", _TOOL_RESULT),
    "tool_failed": _kind(
        "a `tool_result` block with `is_error`", "Tool failed", _TOOL_RESULT, is_failure=True
    ),
    "tool_denied": _kind(
        "a `tool_result` block of a call that was refused, so the tool never ran", "Tool denied", _TOOL_RESULT
    ),
    "permission_requested": _kind(
        "`can_use_tool`",
        "Permission requested",
        "request_id tool tool_use_id input decision_reason blocked_path agent_id depth",
    ),
    "permission_resolved": _kind(
        "its answer, or its withdrawal",
        "Permission resolved",
        "request_id tool tool_use_id decision by outcome waiting_ms depth",
    ),
    "command_received": _kind("every message of the client", "Command received", "command"),
    "task_started": _kind("`system/task_started`", "Task started", _TASK),
    "task_progress": _kind("`system/task_progress`", "Task runs", _TASK, is_shown=False),
    "task_updated": _kind("`system/task_updated`", "Task updated", _TASK, is_shown=False),
    "task_completed": _kind("`system/task_notification`", "Task completed", _TASK),
    "task_failed": _kind("`system/task_notification`", "Task failed", _TASK, is_failure=True),
    "task_stopped": _kind("`system/task_notification`", "Task stopped", _TASK),
    "hook_started": _kind("`system/hook_started`", "Hook started", _HOOK, is_shown=False),
    "hook_completed": _kind("`system/hook_response`", "Hook completed", f"{_HOOK} outcome output exit_code"),
    "notification": _kind(
        "`system/notification` and other remarks",
        "Notification",
        "text kind level priority key tool tool_use_id trigger original_model fallback_model",
    ),
    "api_retry": _kind(
        "`system/api_retry`",
        "The API is asked again",
        "attempt max_retries retry_delay_ms error_status error",
    ),
    "rate_limited": _kind("`rate_limit_event`", "Rate limit", "limit"),
    "compaction": _kind(
        "`system/compact_boundary`",
        "Conversation compacted",
        "trigger pre_tokens post_tokens duration_ms",
    ),
    "cost_updated": _kind(
        "`cost-state` of a transcript, which Claude Code writes when a conversation ends; its answer to `get_usage`,"
        " which rules ask for in a turn",
        "Cost",
        "cost_usd total_cost_usd model_usage",
        is_shown=False,
    ),
    "status_changed": _kind(
        "`system/status`, `session_state_changed`, `conversation_reset`; Claude Code's registry",
        "Status changed",
        "status source waiting_for permissionMode compact_result compact_error trigger",
        is_shown=False,
    ),
    "validation_failed": _kind(
        "a line that is invalid or malformed",
        "Invalid message",
        "stream verdict errors type subtype raw held_back",
        is_failure=True,
    ),
    "protocol_drift": _kind("a line of an unknown type", "Unknown message", "stream verdict type subtype"),
    "recording_gap": _kind(
        "lines that could not be recorded",
        "Gap in the record",
        "lost_records lost_bytes reason",
        is_failure=True,
    ),
    "error": _kind(
        "an error that a message or a record reports",
        "Error",
        "source error where request request_id api_error_status",
        is_failure=True,
    ),
    "action_requested": _kind("`action`, before its frame is sent", "Action", "action_id action args by"),
    "action_confirmed": _kind(
        "what shows on the wire that an action was done",
        "Action confirmed",
        "action_id action duration_ms effect",
    ),
    "action_failed": _kind(
        "what shows on the wire that an action was not done",
        "Action failed",
        "action_id action duration_ms effect error",
        is_failure=True,
    ),
    "action_refused": _kind(
        "`action_refused`, at most once a second",
        "Action refused",
        "action_id action args by error refusals",
    ),
    "rule_fired": _kind(
        "what the server finds beside the log: a rule of the configuration applies",
        "Rule",
        "rule when do mode value warning known refused action_id request_id running evidence",
    ),
    "policy_applied": _kind(
        "Claude Code's list of the rules in force",
        "Policy in force",
        "sha256 rules dropped_ask_rules",
    ),
    "policy_failed": _kind(
        "what Claude Code says of a policy, or that it says nothing",
        "Policy not in force",
        "sha256 rules why",
        is_failure=True,
    ),
}
"""Every kind of event, in the order in which they are documented."""

SHOWN: Final = frozenset(name for name, kind in EVENTS.items() if kind.is_shown)
FAILURES: Final = frozenset(name for name, kind in EVENTS.items() if kind.is_failure)
