"""What a reader may choose of a conversation: kinds of events under names for people."""

from typing import Final

from proxy.events.vocabulary import FAILURES, SHOWN, Name

_PROBLEMS: Final[frozenset[Name]] = frozenset(("validation_failed", "protocol_drift", "recording_gap"))

FILTERS: Final[dict[str, frozenset[Name]]] = {
    "prompts": frozenset(("run_started",)),
    "answers": frozenset(("assistant_message",)),
    "tools": frozenset(("tool_started", "tool_completed", "tool_failed", "tool_denied")),
    "permissions": frozenset(("permission_requested", "permission_resolved", "tool_denied")),
    "turns": frozenset(("run_completed", "run_failed", "run_interrupted")),
    "tasks": frozenset(("task_started", "task_completed", "task_failed", "task_stopped")),
    "session": frozenset(
        (
            *("session_started", "session_initialized", "session_ended", "command_received", "compaction"),
            *("action_requested", "action_confirmed", "action_refused", "policy_applied", "rule_fired"),
        )
    ),
    "notes": frozenset(("notification", "hook_completed", "api_retry", "rate_limited")),
    "problems": _PROBLEMS,
    "failures": FAILURES - _PROBLEMS,
}
"""Everything that is shown is under one of these; turns, tools and tasks that failed are under ``failures`` as well."""


def event_types(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the kinds of events under so many of the names; under none, all that say something."""
    chosen = [FILTERS[name] for name in names]
    return tuple(sorted(frozenset().union(*chosen) if chosen else SHOWN))
