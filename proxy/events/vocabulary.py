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
