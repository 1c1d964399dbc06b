"""What Claude Code asks in a session, and what became of actions of others on it: for API, page and terminal."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import msgspec

from proxy.events import Session
from proxy.events.fields import Message, inner, integer, number, text
from proxy.events.timestamps import Timestamp, format_timestamp
from proxy.sessions.reader import Record

REQUESTS = ("action_requested", "action_refused")
"""The events that an action begins with."""
OUTCOMES = ("action_confirmed", "action_failed")
"""The events that tell what became of one."""


State = Literal["sent", "confirmed", "failed", "refused"]
_STATES: dict[str, State] = {
    "action_requested": "sent",
    "action_confirmed": "confirmed",
    "action_failed": "failed",
    "action_refused": "refused",
}
"""Of an action, by the last event of it."""


class OpenQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A question of Claude Code's, whether a tool may run, that nobody has answered."""

    request_id: str
    """What an answer names."""
    tool: str | None
    tool_use_id: str | None
    input: Any
    """The tool's input, whole, as it is on record: credentials are replaced there."""
    reason: str | None
    """Why Claude Code asks."""
    suggestions: list[Any]
    """Rules that Claude Code suggests to remember."""
    since: Timestamp
    seq: int
    """The record of the question."""
    held: bool
    """It is held back from the caller, because the session is paused."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody did to a session, or was refused."""

    action_id: str
    action: str
    args: dict[str, Any]
    by: dict[str, Any]
    """Its author: `kind` (`api`, `command`, `rule`), `name`, `address`."""
    seq: int
    """Its record."""
    requested_at: Timestamp
    state: State
    """`sent` until the wire shows its effect."""
    effect: str | None = None
    """What it led to, such as `ran` or `nothing_running`."""
    error: str | None = None
    """Why it failed or was refused."""
    took_ms: float | None = None
    """From its record to what confirms it."""


def open_questions(session: Session, record_of: Callable[[int], Record | None]) -> Iterator[OpenQuestion]:
    """Yield the questions for permission that are open, oldest first.

    ``record_of`` gives a record by its number, None where it cannot be read any more.
    """
    for request_id, question in session.questions.items():
        if question.kind != "can_use_tool" or session.over:
            continue
        record = record_of(question.seq)
        message = None if record is None else record.value()
        request = inner(message, "request") if isinstance(message, dict) else {}
        suggestions = request.get("permission_suggestions")
        yield OpenQuestion(
            request_id=request_id,
            tool=question.tool,
            tool_use_id=question.tool_use_id,
            input=request.get("input"),
            reason=question.reason,
            suggestions=suggestions if isinstance(suggestions, list) else [],
            since=format_timestamp(question.since_us),
            seq=question.seq,
            held=session.paused and record is not None and not record.forwarded,
        )


def actions(
    requests: Iterable[tuple[str, str, Message]], outcomes: Iterable[tuple[str, str, Message]]
) -> Iterator[Action]:
    """Yield actions with what became of each, in the order of ``requests``.

    Both are events, of `REQUESTS` and `OUTCOMES`: type, timestamp and data.
    """
    ends = {text(data, "action_id"): (event_type, data) for event_type, _, data in outcomes}
    for event_type, timestamp, data in requests:
        ended, end = ends.get(text(data, "action_id"), (event_type, {}))
        if event_type == "action_refused":
            ended, end = event_type, data
        yield Action(
            action_id=text(data, "action_id") or "",
            action=text(data, "action") or "",
            args=inner(data, "args"),
            by=inner(data, "by"),
            seq=integer(data, "seq") or 0,
            requested_at=timestamp,
            state=_STATES[ended],
            effect=text(end, "effect"),
            error=text(end, "error"),
            took_ms=number(end, "duration_ms"),
        )
