"""Writes events down for the handlers of messages: what all of them share, and the changes of state and run."""

from typing import Any, NamedTuple

from proxy.events.moments import Speller
from proxy.events.session import Evidence, Prompt, Run, Session
from proxy.events.vocabulary import OVER

_LONGEST_TITLE = 200


class Event(NamedTuple):
    """One event of a session: what the API gives, with its moment in microseconds."""

    event_type: str
    moment_us: int
    data: dict[str, Any]


class Scribe:
    """Holds a session, the record that is being read, and the events that it makes.

    Moments of events strictly increase within a session: an event takes its record's moment, or the next free
    microsecond where that is taken.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events: list[Event] = []
        self.moment_us = session.last_record_us
        self.seq = session.last_seq
        self.speller = Speller()

    def begin(self, seq: int, moment_us: int) -> None:
        """Turn to a record."""
        self.events = []
        self.seq = seq
        self.moment_us = moment_us

    def emit(self, event: str, /, **fields: Any) -> None:
        """Write down that something happened. Fields cannot take the place of what every event carries."""
        session = self.session
        moment = max(self.moment_us, session.last_event_us + 1)
        session.last_event_us = moment
        session.events += 1
        head = {
            "event": event,
            "timestamp": self.speller.spelled(moment),
            "state": session.state,
            "session_id": session.session_id,
            "seq": self.seq,
        }
        if session.run is not None:
            head["run_id"] = session.run.run_id
        self.events.append(Event(event, moment, {**head, **fields, **head}))

    def note(self, event_type: str, data: dict[str, Any]) -> None:
        """Write down an event of a client's own, as it is."""
        session = self.session
        session.last_event_us = max(self.moment_us, session.last_event_us + 1)
        session.events += 1
        self.events.append(Event(event_type, session.last_event_us, data))

    def turn_to(self, state: str, message: str, *, stated: bool = False) -> None:
        """Change the state, and keep from what it is known."""
        session = self.session
        if session.state in OVER and state not in OVER:
            return
        if session.state != state:
            session.state, session.state_since_us = state, self.moment_us
            session.evidence = Evidence(self.seq, message, stated)
        elif stated and not session.evidence.stated:
            session.evidence = Evidence(self.seq, message, stated)

    def settle(self, message: str) -> None:
        """Infer the state from what is open: a question, a run, or nothing."""
        session = self.session
        if session.questions:
            self.turn_to("waiting", message)
        else:
            self.turn_to("executing" if session.run else "idle", message)

    def start_run(self, prompt: Prompt | None, message: str, /, **fields: Any) -> None:
        """Open a run; without a prompt it is one that Claude Code began by itself."""
        session = self.session
        session.runs += 1
        session.run = Run(f"run-{session.runs}", self.seq, self.moment_us)
        self.settle(message)
        if prompt is not None:
            session.prompt = session.prompt or prompt.prompt[:_LONGEST_TITLE]
            fields["prompt"] = prompt.prompt
            fields["prompt_seq"] = prompt.seq
        self.emit("run_started", **fields)

    def end_run(self, event: str, message: str, /, **fields: Any) -> None:
        """Close the open run; what it left open is over with it."""
        session = self.session
        if session.run is None:
            return
        run_id = session.run.run_id
        fields.setdefault("duration_ms", (self.moment_us - session.run.since_us) / 1000)
        session.run = None
        session.tools.clear()
        self.settle(message)
        self.emit(event, run_id=run_id, **fields)
