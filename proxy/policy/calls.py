"""The calls of a session that ran: events in, calls out."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from proxy.events import Event
from proxy.events.fields import Message, inner, integer, text
from proxy.events.formatting import SUMMARY_FIELDS
from proxy.policy.matching import Call, home_of


class Ran(NamedTuple):
    """A call that ran, or may have: one without a result. ``seq``: of the record that it stands in."""

    call: Call
    tool_use_id: str
    seq: int | None
    approval: Message | None


def calls_of(events: Iterable[Event], tools: set[str] | None = None) -> Iterator[Ran]:
    """Yield the calls of one session that ran, those without a result last.

    ``tools`` is given all that the session had, as Claude Code says at the start of a turn.
    """
    cwd: str | None = None
    open_calls: dict[str, Message] = {}
    for event in events:
        data = event.data
        call_id = text(data, "tool_use_id") or ""
        match event.event_type:
            case "session_started" | "session_initialized":
                cwd = text(data, "cwd") or cwd
                if tools is not None:
                    tools.update(name for name in data.get("tools") or () if isinstance(name, str))
            case "tool_started" if call_id:
                open_calls[call_id] = data
            case "tool_completed" | "tool_failed" | "tool_denied" if started := open_calls.pop(call_id, None):
                approval = inner(data, "approval")
                if event.event_type != "tool_denied" and approval.get("decision") != "deny":
                    yield _ran(started, approval or None, cwd)
    for started in open_calls.values():
        yield _ran(started, None, cwd)


def _ran(started: Message, approval: Message | None, cwd: str | None) -> Ran:
    call = Call(text(started, "tool") or "", inner(started, "input"), cwd, home_of(cwd))
    return Ran(call, text(started, "tool_use_id") or "", integer(started, "seq"), approval)


def shown(input_: dict[str, Any]) -> str:
    """Return what of a call's input tells a person most, in one line."""
    best = next((value for key in SUMMARY_FIELDS if isinstance(value := input_.get(key), str)), "")
    return " ".join(best.split())[:200]
