"""Writes events down for the handlers of messages: what all of them share, and the changes of state and run."""

from typing import Any, NamedTuple

from proxy.events.session import Evidence, Prompt, Question, Run, Session
from proxy.events.timestamps import TimestampCodec
from proxy.events.vocabulary import OVER

_LONGEST_TITLE = 200


class Event(NamedTuple):
    """One event of a session: what the API gives, with its moment in microseconds."""

    event_type: str
    timestamp_us: int
    data: dict[str, Any]


class Emitter:
    """Holds a session, the record that is being read, and the events that it makes.

    Moments of events strictly increase within a session: an event takes its record's moment, or the next free
    microsecond where that is taken.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events: list[Event] = []
        self.timestamp_us = session.last_record_us
        self.seq = session.last_seq
        self.codec = TimestampCodec()

    def begin(self, seq: int, timestamp_us: int) -> None:
        """Turn to a record."""
        self.events = []
        self.seq = seq
        self.timestamp_us = timestamp_us

    def depth(self, parent: str | None) -> dict[str, int]:
        """Return how many subagents deep somebody is whom a call has called; nothing for the main agent."""
        if parent is None:
            return {}
        caller = self.session.tools.get(parent)
        return {"depth": 1 if caller is None else caller.depth + 1}

    def subagent(self, call: str | None) -> dict[str, bool]:
        """Return the mark of the first event that shows a call to be a subagent's; nothing where that is known."""
        tool = self.session.tools.get(call or "")
        if tool is None or tool.is_agent:
            return {}
        tool.is_agent = True
        return {"new_subagent": True}

    def emit(self, event: str, /, **fields: Any) -> None:
        """Write down that something happened. Fields cannot take the place of what every event carries."""
        session = self.session
        moment = max(self.timestamp_us, session.last_event_us + 1)
        session.last_event_us = moment
        session.figures.take(event, fields)
        head = {
            "event": event,
            "timestamp": self.codec.format(moment),
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
        session.last_event_us = max(self.timestamp_us, session.last_event_us + 1)
        session.figures.take(event_type, data)
        self.events.append(Event(event_type, session.last_event_us, data))

    def ask_permission(self, request_id: str, question: Question, /, **fields: Any) -> None:
        """Write down that Claude Code asks whether it may use a tool."""
        tool = self.session.tools.get(question.tool_use_id or "")
        depth = {"depth": tool.depth} if tool is not None and tool.depth else {}
        self.emit("permission_requested", request_id=request_id, **fields, **question.about_tool(), **depth)

    def resolve_permission(self, request_id: str, question: Question, /, **answer: Any) -> None:
        """Write down what came of a question for permission. The tool did not run meanwhile."""
        waited_us = self.timestamp_us - question.since_us
        tool = self.session.tools.get(question.tool_use_id or "")
        depth = {}
        if tool is not None:
            tool.since_us += waited_us
            tool.denied = tool.denied or answer.get("decision") == "deny"
            depth = {"depth": tool.depth} if tool.depth else {}
        self.emit(
            "permission_resolved",
            request_id=request_id,
            waiting_ms=waited_us / 1000,
            **answer,
            **question.about_tool(),
            **depth,
        )

    def change_state(self, state: str, message: str, *, stated: bool = False) -> None:
        """Change the state, and keep from what it is known."""
        session = self.session
        if session.state in OVER and state not in OVER:
            return
        if session.state != state:
            session.state, session.state_since_us = state, self.timestamp_us
            session.evidence = Evidence(self.seq, message, stated)
        elif stated and not session.evidence.stated:
            session.evidence = Evidence(self.seq, message, stated)

    def infer_state(self, message: str) -> None:
        """Infer the state from what is open: a question, a run, or nothing."""
        session = self.session
        if session.questions:
            self.change_state("waiting", message)
        else:
            self.change_state("executing" if session.run else "idle", message)

    def start_run(self, prompt: Prompt | None, message: str, /, **fields: Any) -> None:
        """Open a run; without a prompt it is one that Claude Code began by itself."""
        session = self.session
        session.runs += 1
        session.run = Run(f"run-{session.runs}", self.seq, self.timestamp_us)
        self.infer_state(message)
        if prompt is not None:
            session.prompt = session.prompt or prompt.prompt[:_LONGEST_TITLE]
            fields["prompt"] = prompt.prompt
            fields["prompt_seq"] = prompt.seq
        self.emit("run_started", **fields)

    def end_run(self, event: str, message: str, /, **fields: Any) -> None:
        """Close the open run; what it left open is over with it, but for what works in the background."""
        session = self.session
        if session.run is None:
            return
        run_id = session.run.run_id
        fields.setdefault("duration_ms", (self.timestamp_us - session.run.since_us) / 1000)
        session.run = None
        session.tools = {key: tool for key, tool in session.tools.items() if tool.background}
        self.infer_state(message)
        self.emit(event, run_id=run_id, **fields)
