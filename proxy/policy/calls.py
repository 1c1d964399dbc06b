"""The calls of a session that ran: events in, calls out."""

from collections.abc import Iterator
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


class Calls:
    """Takes the events of one session, in order."""

    def __init__(self) -> None:
        self.tools: set[str] = set()
        """All that the session had, as Claude Code says at the start of a turn; empty where it does not say."""
        self._cwd: str | None = None
        self._open: dict[str, Message] = {}

    def take(self, event: Event) -> Iterator[Ran]:
        """Take the next event; yield the call that it ends, if it ran."""
        data = event.data
        call_id = text(data, "tool_use_id") or ""
        match event.event_type:
            case "session_started" | "session_initialized":
                self._cwd = text(data, "cwd") or self._cwd
                self.tools.update(name for name in data.get("tools") or () if isinstance(name, str))
            case "tool_started" if call_id:
                self._open[call_id] = data
            case "tool_completed" | "tool_failed" | "tool_denied" if started := self._open.pop(call_id, None):
                approval = data.get("approval")
                approval = approval if isinstance(approval, dict) else None
                if event.event_type != "tool_denied" and (approval or {}).get("decision") != "deny":
                    yield self._ran(started, approval)

    def end(self) -> Iterator[Ran]:
        """Yield the calls that have no result."""
        for started in self._open.values():
            yield self._ran(started, None)
        self._open.clear()

    def _ran(self, started: Message, approval: Message | None) -> Ran:
        call = Call(text(started, "tool") or "", inner(started, "input"), self._cwd, home_of(self._cwd))
        return Ran(call, text(started, "tool_use_id") or "", integer(started, "seq"), approval)


def shown(input_: dict[str, Any]) -> str:
    """Return what of a call's input tells a person most, in one line."""
    best = next((value for key in SUMMARY_FIELDS if isinstance(value := input_.get(key), str)), "")
    return " ".join(best.split())[:200]
