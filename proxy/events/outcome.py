"""What became of a turn and of a session: one word of a closed set, and a sentence that says why."""

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from proxy.events.fields import Message, integer, text

if TYPE_CHECKING:
    from proxy.events.session import Session

__all__ = ["OK", "OUTCOMES", "Kind", "Outcome", "described", "of_cut_off", "of_result", "of_session"]

Kind = Literal["ok", "failed", "limited", "blocked", "interrupted", "crashed"]


class Outcome(NamedTuple):
    """What became of it, and why; the reason is empty for `ok`."""

    kind: Kind
    reason: str = ""


OK: Final = Outcome("ok")

OUTCOMES: Final[dict[Kind, str]] = {
    "ok": "the command exited with status 0, and its last turn did what was asked",
    "failed": "the exit status is not 0, or the last turn ended in an error",
    "limited": "a budget, a number of turns or the size of the context was used up",
    "blocked": "a hook or a rule stopped it",
    "interrupted": "the caller stopped it: an interrupt, SIGINT, SIGTERM or SIGHUP",
    "crashed": "the wrapper died: the log does not end, and nobody holds it",
}
"""What each outcome means, of a session; of a turn, the same without the exit status."""

_TERMINAL_REASONS: Final[dict[str, Outcome]] = {
    "max_turns": Outcome("limited", "The limit of turns was reached."),
    "budget_exhausted": Outcome("limited", "The budget was used up."),
    "prompt_too_long": Outcome("limited", "The prompt does not fit into the model's context."),
    "blocking_limit": Outcome("limited", "The conversation does not fit into the model's context."),
    "rapid_refill_breaker": Outcome("limited", "The context filled up again right after it was compacted."),
    "hook_stopped": Outcome("blocked", "A hook stopped the turn."),
    "stop_hook_prevented": Outcome("blocked", "A Stop hook ended the turn."),
    "tool_deferred": Outcome(
        "blocked", "A hook deferred a tool call, and the turn waits for it to be resumed."
    ),
    "tool_deferred_unavailable": Outcome("failed", "A deferred tool is not available any more."),
    "image_error": Outcome("failed", "The API refused an image."),
    "model_error": Outcome("failed", "The model failed to answer."),
    "api_error": Outcome("failed", "The API answered with an error."),
    "malformed_tool_use_exhausted": Outcome("failed", "The model called tools in a way that cannot be read."),
    "structured_output_retry_exhausted": Outcome(
        "failed", "The model gave no answer of the wanted structure."
    ),
    "turn_setup_failed": Outcome("failed", "The turn could not begin."),
    "aborted_streaming": Outcome("interrupted", "The turn was interrupted."),
    "aborted_tools": Outcome("interrupted", "The turn was interrupted while a tool ran."),
}
"""By a result's `terminal_reason`: all that Claude Code 2.1.330 knows but the good ones, `completed` and
`background_requested`."""
_SUBTYPES: Final = {
    "error_max_turns": "max_turns",
    "error_max_budget_usd": "budget_exhausted",
    "error_max_structured_output_retries": "structured_output_retry_exhausted",
}
"""What says the same in releases that give no `terminal_reason`."""
_INTERRUPTED: Final = Outcome("interrupted", "The turn was interrupted.")
_EMPTY: Final = Outcome("failed", "The model gave an empty answer.")
_CRASHED: Final = Outcome("crashed", "The wrapper was killed: the log does not end, and nobody holds it.")
_KILLED: Final = Outcome("failed", "The wrapper was killed, and the command with it.")
_WELL: Final = "exited"
_LONGEST_REASON = 300
_STOPPED_BY: Final = {128 + number: name for name, number in (("SIGHUP", 1), ("SIGINT", 2), ("SIGTERM", 15))}
"""Exit statuses with which Claude Code, as a shell, says that it was asked to end."""


def of_result(result: Message, *, interrupted: bool, blocked: str | None, is_command: bool) -> Outcome:
    """Return what became of a turn.

    ``interrupted``: the caller has asked for that. ``blocked``: why a hook kept the prompt from the model.
    ``is_command``: the prompt was a slash command, which need not have an answer.
    """
    subtype = text(result, "subtype") or ""
    failed = subtype != "success" or result.get("is_error") is True
    terminal = text(result, "terminal_reason")
    known = _TERMINAL_REASONS.get(terminal or _SUBTYPES.get(subtype) or text(result, "stop_reason") or "")
    if known is not None and known.kind == "interrupted":
        return known
    if failed and interrupted:
        return _INTERRUPTED
    if known is not None:
        return Outcome(known.kind, _said(result) or known.reason) if failed else known
    if failed:
        return Outcome("failed", _said(result) or f"The turn ended with {subtype or 'an unknown result'}.")
    if blocked is not None and not integer(result, "num_turns"):
        return Outcome("blocked", blocked)
    return _EMPTY if _is_empty(result, terminal, is_command=is_command) else OK


def _is_empty(result: Message, terminal: str | None, *, is_command: bool) -> bool:
    """Whether the model was asked and said nothing, also not in the structure that was asked for."""
    said = text(result, "result")
    if said is None or said.strip() or result.get("structured_output") is not None:
        return False
    # Local commands and prompts that are no question end without the model, and older releases name no reason.
    return terminal == "completed" or (
        terminal is None
        and not is_command
        and "local_command" not in result
        and bool(integer(result, "num_turns"))
    )


def _said(result: Message) -> str:
    """Return what Claude Code says of a failure to people, in one line."""
    errors = result.get("errors")
    said = next((one for one in errors if isinstance(one, str)), "") if isinstance(errors, list) else ""
    said = said or text(result, "result") or ""
    if said.startswith("[ede_diagnostic]"):  # a note of Claude Code to its own developers
        return ""
    line = " ".join(said[: 4 * _LONGEST_REASON].split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"


def of_cut_off(session: "Session") -> Outcome:
    """Return what became of a turn that is open though the command has exited."""
    how, stopped = _exit(session)
    interrupted = stopped or (session.run is not None and session.run.interrupted)
    return Outcome("interrupted" if interrupted else "failed", f"The command {how} in the middle of a turn.")


def of_session(session: "Session") -> Outcome | None:
    """Return what became of a session; None while it is not over, and where nobody knows as nothing is recorded."""
    if not session.over:
        return None
    if session.crash is not None or session.exit.get("reason") == "wrapper_killed":
        return _KILLED if session.crash is None else _CRASHED
    if session.run is not None:
        return of_cut_off(session)
    how, stopped = _exit(session)
    killed = text(session.exit, "signal") is not None and not stopped
    if session.last_turn.kind != "ok" and not killed:
        return session.last_turn
    if how == _WELL:
        return _of_good_end(session)
    return Outcome("interrupted" if stopped else "failed", f"The command {how}.")


def _of_good_end(session: "Session") -> Outcome | None:
    """Return what became of a session that ended as if all was well: it may be that nobody has seen it end."""
    if session.exit.get("clean") is False:
        return Outcome(
            "failed", "Claude Code did not end by itself: it was killed, or the machine went down."
        )
    return None if session.followed is not None and session.followed.not_recorded else OK


def described(session: "Session") -> dict[str, str | None]:
    """Return what became of a session as the API says it: ``outcome`` and ``outcome_reason``."""
    became = of_session(session)
    reason = "" if became is None else became.reason
    if became is None and session.over and session.followed is not None:
        reason = f"Nothing of it was recorded. {session.followed.why_not_recorded}"
    return {"outcome": None if became is None else became.kind, "outcome_reason": reason or None}


def _exit(session: "Session") -> tuple[str, bool]:
    """Return how the command exited, and whether it was asked to."""
    code, signal = integer(session.exit, "exit_code") or 0, text(session.exit, "signal")
    if signal is not None:
        return f"was ended by {signal}", signal in _STOPPED_BY.values()
    if code in _STOPPED_BY:
        return f"was ended by {_STOPPED_BY[code]} (exit status {code})", True
    return f"exited with status {code}" if code else _WELL, False
