"""Sessions of a client's own: logs like any other, of what clients post.

All are written one record after another, so that what is stamped earlier is in its log earlier, over all of them.
They are open as long as the server runs, which ends them when it stops.

What a client does not want to be captured is told apart by the name of the event:

* commands: ``command``, ``command_...``, ``command...``, and the actions of the commands vocabulary
* states: ``state``, ``state_...``, ``status_changed``, and the names of states
* events: everything else
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from proxy.events.vocabulary import STATES
from proxy.protocol import library
from proxy.redaction import Redactor
from proxy.server.base.errors import UnavailableError, UnprocessableError
from proxy.sessions.beginning import log_class
from proxy.sessions.identity import new_session_id
from proxy.sessions.record import END, FORMAT, Body, lifecycle
from proxy.sessions.writer import SessionLog
from proxy.store.encoding import as_json


@dataclass(slots=True)
class _Open:
    """A session that goes on. Times are seconds of the clock of `Recordings`."""

    log: SessionLog
    options: dict[str, bool]
    started_s: float
    used_s: float
    posted: int = 0


class Recordings:
    """The sessions that clients have started and not stopped. Safe to use from several threads."""

    def __init__(
        self,
        data_dir: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        seal: str = "off",
        redactor: Redactor | None = None,
    ) -> None:
        """``redactor``: what replaces credentials in what clients give, the known ones by default."""
        self._data_dir = data_dir
        self._redactor = redactor or Redactor()
        self._seal = seal
        self._clock = clock
        self._open: dict[str, _Open] = {}
        self._turn = threading.Lock()

    def start(self, name: str | None, options: dict[str, bool]) -> str:
        """Begin a session and return its id. UnavailableError when its log cannot be made."""
        session_id = new_session_id()
        data = {"format": FORMAT, "kind": "monitoring", "name": name, "capture_options": options}
        if self._seal == "on":
            data["seal"] = "on"
        data, redacted = self._clean(data)
        body = lifecycle(session_id, "session_started", data, redacted)
        log = log_class(self._seal)(self._data_dir, session_id, body)
        with self._turn:
            if not log.append([]):
                log.close()
                with contextlib.suppress(OSError):
                    os.unlink(log.path)  # a log without a beginning
                raise UnavailableError("The session's log cannot be made; see /health.")
            now_s = self._clock()
            self._open[session_id] = _Open(log, options, started_s=now_s, used_s=now_s)
        return session_id

    def post(self, session_id: str, event_type: str, data: dict[str, Any], most: int) -> bool:
        """Record an event; return whether it was to be captured.

        ``most``: events that a session may hold.

        Raises:
            KeyError: no such session is open.
            UnprocessableError: it holds as many events as it may.
            UnavailableError: the log cannot be written.
        """
        with self._turn:
            session = self._open[session_id]
            session.used_s = self._clock()
            if not session.options.get(f"capture_{kind_of(event_type)}", True):
                return False
            if session.posted >= most:
                raise UnprocessableError(
                    f"The session holds {most} events, and monitoring.max_events_per_session allows no more."
                )
            if not session.log.append([_posted(session_id, event_type, *self._clean(data))]):
                reason = session.log.lost_why
                raise UnavailableError(f"The event cannot be written to its log: {reason}; see /health.")
            session.posted += 1
            return True

    def _clean(self, data: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return data without credentials, and the places of those that were replaced."""
        line = as_json(data)
        if not self._redactor.may_change(line):
            return data, ()
        clean, redacted = self._redactor.message(line)
        return (msgspec.json.decode(clean), redacted) if redacted else (data, ())

    def stop(self, session_id: str, reason: str) -> None:
        """End a session. KeyError when no such session is open."""
        with self._turn:
            session = self._open.pop(session_id)
            data = {
                "reason": reason,
                "duration_ms": round((self._clock() - session.started_s) * 1000),
                "counts": {"api": {"posted": session.posted}},
            }
            # On a full disk it stays without an end, and counts as crashed.
            session.log.append_end(data)
            session.log.close()

    def stop_all(self, reason: str, idle_s: float = -1.0) -> None:
        """End the sessions to which nothing was posted for so long, by default all."""
        now_s = self._clock()
        for session_id, session in list(self._open.items()):
            if now_s - session.used_s > idle_s:
                with contextlib.suppress(KeyError):  # a client has stopped it just now
                    self.stop(session_id, reason)


def kind_of(event_type: str) -> str:
    """Return which capture option an event falls under: ``commands``, ``states`` or ``events``."""
    actions: list[str] = library.load("commands.json")["properties"]["action"]["enum"]
    if event_type.startswith("command") or event_type in actions:
        return "commands"
    if event_type.partition("_")[0] in ("state", "states") or event_type in (*STATES, "status_changed"):
        return "states"
    return "events"


def _posted(session_id: str, event_type: str, data: dict[str, Any], redacted: Sequence[str]) -> Body:
    head = f'"session_id":"{session_id}","stream":"api","event":'
    pointers = [f"/event/data{pointer}" for pointer in redacted]
    suffix = b',"redacted":' + as_json(pointers) if pointers else b""
    return head.encode(), as_json({"event_type": event_type, "data": data}), suffix + END
