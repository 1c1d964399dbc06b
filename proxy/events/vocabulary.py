"""The names of what can happen and of the states that a session can be in: closed sets, as in ``schemas/events``."""

from typing import Final, Literal, get_args

State = Literal["starting", "idle", "executing", "waiting", "compacting", "ended", "failed"]
"""``waiting`` is for the caller's answer; ``failed`` is a session whose wrapper died."""

Name = Literal[
    "session_started",
    "session_ended",
    "session_initialized",
    "run_started",
    "run_completed",
    "run_failed",
    "run_interrupted",
    "assistant_message",
    "partial_output",
    "tool_started",
    "tool_progress",
    "tool_completed",
    "tool_failed",
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
    "status_changed",
    "validation_failed",
    "protocol_drift",
    "recording_gap",
    "error",
]

NAMES: Final[tuple[str, ...]] = get_args(Name)
STATES: Final[tuple[str, ...]] = get_args(State)
OVER: Final = frozenset(("ended", "failed"))
"""States that a session does not leave."""

MEANINGS: Final[dict[str, tuple[str, str]]] = {
    "session_started": ("the first record", "command, name, pid, versions"),
    "session_ended": (
        "the last record, or the writer's death",
        "exit_code or signal, turns, cost_usd, tokens, counts",
    ),
    "session_initialized": (
        "system/init, which begins every turn",
        "model, tools, Claude Code's session id and version",
    ),
    "run_started": ("a user message, or the prompt on the command line", "run_id, prompt"),
    "run_completed": ("result", "duration_ms, turns, usage, model_usage so far, cost_usd of the run, result"),
    "run_failed": (
        "result with an error, or the end of the command during a run",
        "as run_completed, errors",
    ),
    "run_interrupted": ("result after an interrupt", "as run_completed, errors"),
    "assistant_message": ("assistant", "text, thinking, model, parent_tool_use_id for subagents"),
    "partial_output": ("stream_event: partial messages are counted, and make no events", ""),
    "tool_started": ("a tool_use block", "tool, tool_use_id, input"),
    "tool_progress": ("tool_progress", "tool, tool_use_id, elapsed_time_seconds"),
    "tool_completed": ("a tool_result block", "tool, tool_use_id, result, duration_ms"),
    "tool_failed": ("a tool_result block with is_error", "as tool_completed"),
    "permission_requested": ("can_use_tool", "request_id, tool, tool_use_id, input"),
    "permission_resolved": ("its answer, or its withdrawal", "request_id, tool, decision, waiting_ms"),
    "command_received": ("every message of the client", "command, valid under the commands vocabulary"),
    "task_started": ("system/task_started", "task_id, description, tool_use_id"),
    "task_progress": ("system/task_progress", "task_id, usage, last_tool_name"),
    "task_updated": ("system/task_updated", "task_id, patch"),
    "task_completed": ("system/task_notification", "task_id, status, summary, usage"),
    "task_failed": ("system/task_notification", "as task_completed"),
    "task_stopped": ("system/task_notification", "as task_completed"),
    "hook_started": ("system/hook_started", "hook_id, hook_name, hook_event"),
    "hook_completed": ("system/hook_response", "hook_id, hook_name, outcome, exit_code"),
    "notification": ("system/notification and other remarks", "text, kind"),
    "api_retry": ("system/api_retry", "attempt, max_retries, retry_delay_ms, error"),
    "rate_limited": ("rate_limit_event", "limit"),
    "compaction": ("system/compact_boundary", "trigger, pre_tokens, post_tokens, duration_ms"),
    "status_changed": ("system/status, session_state_changed, conversation_reset", "status, source"),
    "validation_failed": ("a line that is invalid or malformed", "stream, verdict, errors"),
    "protocol_drift": ("a line of an unknown type", "stream, type, subtype"),
    "recording_gap": ("lines that could not be recorded", "lost_records, lost_bytes, reason"),
    "error": ("an error that a message or a record reports", "source, error"),
}
"""What each event is derived from, and what its data carries."""

STATE_MEANINGS: Final[dict[str, str]] = {
    "starting": "the command has started and nothing else is known",
    "idle": "no turn is open",
    "executing": "a turn is open",
    "waiting": "Claude Code waits for an answer of its caller, such as a permission",
    "compacting": "the conversation is being compacted",
    "ended": "the command has exited",
    "failed": "the wrapper died: its log does not end, and nobody holds it",
}
