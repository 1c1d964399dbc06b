"""Sessions of a client's own: logs like any other, of what clients post.

One record is written after the other, so that what is stamped earlier is in its log earlier, over all of these
sessions. What a client does not want to be captured is told apart by the name of the event:

* commands: ``command``, ``command_...``, ``command...``, and the actions of the commands vocabulary
* states: ``state``, ``state_...``, ``status_changed``, and the names of states
* events: everything else
"""

import threading
import time
from dataclasses import dataclass
from typing import Any

from proxy.events.vocabulary import STATES
from proxy.protocol import library
from proxy.sessions.identity import new_session_id
from proxy.sessions.record import END, FORMAT, Body, lifecycle
from proxy.sessions.writer import SessionLog
from proxy.store.spelling import as_json

__all__ = ["CannotRecordError", "Recordings"]


class CannotRecordError(Exception):
    """The log could not be written; the sentence says what the disk said."""


@dataclass(slots=True)
class _Recording:
    log: SessionLog
    options: dict[str, bool]
    started: float
    last_used: float
    count: int = 0


class Recordings:
    """The sessions that were started here and are not stopped. Safe to use from several threads."""

    def __init__(self, data_dir: str) -> None:
        self._data_dir = data_dir
        self._open: dict[str, _Recording] = {}
        self._turn = threading.Lock()

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._open

    def __len__(self) -> int:
        return len(self._open)

    def start(self, name: str | None, options: dict[str, bool]) -> str:
        """Begin a session and return its id. CannotRecordError when its log cannot be made."""
        session_id = new_session_id()
        data = {"format": FORMAT, "kind": "monitoring", "name": name, "capture_options": options}
        log = SessionLog(self._data_dir, session_id, lifecycle(session_id, "session_started", data))
        now = time.monotonic()
        with self._turn:
            if not log.append([]):
                raise CannotRecordError("The session's log cannot be made; see /health.")
            self._open[session_id] = _Recording(log, options, now, now)
        return session_id

    def post(self, session_id: str, event_type: str, data: dict[str, Any], most: int) -> bool:
        """Record an event; return whether it was to be captured.

        ``most``: events that a session may hold.

        Raises:
            KeyError: no such session is open.
            OverflowError: it holds as many events as it may.
            CannotRecordError: the log cannot be written.
        """
        with self._turn:
            recording = self._open[session_id]
            recording.last_used = time.monotonic()
            if not recording.options[f"capture_{kind_of(event_type)}"]:
                return False
            if recording.count >= most:
                raise OverflowError
            if not recording.log.append([_posted(session_id, event_type, data)]):
                raise CannotRecordError("The event cannot be written to its log; see /health.")
            recording.count += 1
            return True

    def stop(self, session_id: str, reason: str) -> None:
        """End a session. KeyError when no such session is open."""
        with self._turn:
            recording = self._open.pop(session_id)
            duration_ms = int((time.monotonic() - recording.started) * 1000)
            data = {
                "reason": reason,
                "duration_ms": duration_ms,
                "counts": {"api": {"posted": recording.count}},
            }
            recording.log.append([lifecycle(session_id, "session_ended", data)])
            recording.log.close()

    def stop_idle(self, idle_s: float) -> None:
        """End the sessions to which nothing was posted for so long."""
        limit = time.monotonic() - idle_s
        for session_id, recording in list(self._open.items()):
            if recording.last_used < limit:
                self.stop(session_id, "idle")

    def stop_all(self, reason: str) -> None:
        """End all sessions: the server stops."""
        for session_id in list(self._open):
            self.stop(session_id, reason)


def kind_of(event_type: str) -> str:
    """Return which capture option an event falls under: ``commands``, ``states`` or ``events``."""
    actions: list[str] = library.load("commands.json")["properties"]["action"]["enum"]
    if event_type.startswith("command") or event_type in actions:
        return "commands"
    if event_type.partition("_")[0] in ("state", "states") or event_type in (*STATES, "status_changed"):
        return "states"
    return "events"


def _posted(session_id: str, event_type: str, data: dict[str, Any]) -> Body:
    head = f'"session_id":"{session_id}","stream":"api","event":'
    return head.encode(), as_json({"event_type": event_type, "data": data}), END
