"""What became of a turn or a session: one word of a closed set, and a sentence that says why; here by a result."""

from typing import Final, Literal, NamedTuple

from proxy.events.fields import Message, integer, text
from proxy.events.formatting import one_line

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
"""By a result's `terminal_reason`: all that Claude Code 2.1.332 knows but the good ones, `completed` and
`background_requested`."""
_SUBTYPES: Final = {
    "error_max_turns": "max_turns",
    "error_max_budget_usd": "budget_exhausted",
    "error_max_structured_output_retries": "structured_output_retry_exhausted",
}
"""What says the same in releases that give no `terminal_reason`."""
_PRINTED_LIMITS: Final = ("Error: Reached max turns", "Error: Exceeded USD budget")
"""What Claude Code prints with text output where a result would say `error_max_turns` or `error_max_budget_usd`."""
_INTERRUPTED: Final = Outcome("interrupted", "The turn was interrupted.")
_EMPTY: Final = Outcome("failed", "The model gave an empty answer.")
_LONGEST_REASON = 300  # characters: a sentence or two


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
    # Releases before 2.0 count the turns of all prompts so far.
    if blocked is not None and not (integer(result, "num_turns") and text(result, "result")):
        return Outcome("blocked", blocked)
    return _EMPTY if _is_empty(result, terminal, is_command=is_command) else OK


def of_failed_print(printed: str) -> Outcome:
    """Return what became of a turn of which is known what was printed at its end, which was a failure."""
    kind: Kind = "limited" if printed.startswith(_PRINTED_LIMITS) else "failed"
    return Outcome(kind, one_line(printed, _LONGEST_REASON))


def blocked_by_hook(reason: str | None) -> str:
    """Return a sentence for a prompt that a hook kept from the model."""
    return f"A hook kept the prompt from the model{f': {reason}' if reason else '.'}"


def _is_empty(result: Message, terminal: str | None, *, is_command: bool) -> bool:
    """Whether the model was asked and said nothing, also not in the structure that was asked for."""
    answer = text(result, "result")
    if answer is None or answer.strip() or result.get("structured_output") is not None:
        return False
    # Local commands and prompts that are no question end without the model, and older releases name no reason.
    is_local = is_command or "local_command" in result
    return terminal == "completed" or (
        terminal is None and not is_local and bool(integer(result, "num_turns"))
    )


def _said(result: Message) -> str:
    """Return what Claude Code says of a failure to people, in one line."""
    errors = result.get("errors")
    error = next((one for one in errors if isinstance(one, str)), "") if isinstance(errors, list) else ""
    error = error or text(result, "result") or ""
    if error.startswith("[ede_diagnostic]"):  # a note of Claude Code to its own developers
        return ""
    return one_line(error, _LONGEST_REASON)
