"""Makes events for the handlers of messages: what all of them share, and the changes of state and run."""

import contextlib
from typing import Any, Final, NamedTuple

from proxy.events.fields import known
from proxy.events.outcome import Outcome
from proxy.events.session import Answer, Evidence, Prompt, Question, Run, Session, Standing
from proxy.events.timestamps import TimestampCodec, parse_timestamp
from proxy.events.vocabulary import STATES, Name, State

_LONGEST_TITLE = 200  # characters: more than a list shows in a line
OF_THE_CALLER: Final = frozenset((None, "human", "unclassified"))
"""Origins of results that belong to whoever asked last; older releases name none."""


class Event(NamedTuple):
    """One event of a session: what the API gives, with its timestamp in microseconds since 1970."""

    event_type: str
    timestamp_us: int
    data: dict[str, Any]


class Emitter:
    """Holds a session, the record that is being read, and the events that it makes.

    Timestamps of events strictly increase within a session: an event takes its record's, or the next free
    microsecond where that is taken.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events: list[Event] = []
        self.timestamp_us = session.last_record_us
        """When what the record tells happened: durations go by it."""
        self.source = ""
        """What tells it, of a followed session."""
        self.seq = session.last_seq
        self._record_us = session.last_record_us
        self.codec = TimestampCodec()

    def begin(self, seq: int, timestamp_us: int) -> None:
        """Turn to a record."""
        self.events = []
        self.seq, self.source = seq, ""
        self.timestamp_us = self._record_us = timestamp_us

    def happened(self, timestamp: str | None, source: str) -> None:
        """Say when it happened, where that is said: before it was recorded; and what says it."""
        self.source = source
        with contextlib.suppress(ValueError):
            self.timestamp_us = min(parse_timestamp(timestamp or ""), self._record_us)

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

    def emit(self, event: Name, run: Run | None = None, /, **fields: Any) -> None:
        """Add an event, of the open run unless another is named. Fields do not replace what every event carries."""
        session = self.session
        session.figures.take(event, fields)
        timestamp_us = self._next_timestamp()
        head = {
            "event": event,
            "timestamp": self.codec.format(timestamp_us),
            "state": session.standing.state,
            "session_id": session.session_id,
            "seq": self.seq,
        }
        if (run := run or session.run) is not None:
            head["run_id"] = run.run_id
        if self.timestamp_us != self._record_us:
            head["at"] = self.codec.format(self.timestamp_us)
        self.events.append(Event(event, timestamp_us, {**head, **fields, **head}))

    def emit_posted(self, event_type: str, data: dict[str, Any]) -> None:
        """Add an event of a client's own, as it is."""
        self.session.figures.take(event_type, data)
        self.events.append(Event(event_type, self._next_timestamp(), data))

    def ask_permission(self, request_id: str, question: Question, /, **fields: Any) -> None:
        """Add the event that Claude Code asks whether it may use a tool."""
        tool = self.session.tools.get(question.tool_use_id or "")
        about = question.about_tool() | (tool.about_depth() if tool is not None else {})
        self.emit("permission_requested", request_id=request_id, **fields, **about)

    def resolve_permission(
        self, request_id: str, question: Question, answer: Answer, until_us: int | None = None
    ) -> None:
        """Add the event of what came of a question for permission. The tool did not run meanwhile.

        ``until_us``: when it was answered, if that was before what the record tells.
        """
        told_us, self.timestamp_us = self.timestamp_us, self.timestamp_us if until_us is None else until_us
        waited_us = max(0, self.timestamp_us - question.since_us)
        fields: dict[str, Any] = {"request_id": request_id, "waiting_ms": waited_us / 1000}
        fields |= {"outcome": "cancelled"} if answer.decision is None else {"decision": answer.decision}
        fields |= {"by": answer.by} if answer.by != "caller" else {}
        fields |= question.about_tool()
        if (tool := self.session.tools.get(question.tool_use_id or "")) is not None:
            tool.since_us += waited_us
            answer.waited_ms, answer.evidence = waited_us / 1000, [question.seq, self.seq]
            answer.request_id = request_id
            tool.answer = answer
            fields |= tool.about_depth()
        self.emit("permission_resolved", **fields)
        self.timestamp_us = told_us

    def _next_timestamp(self) -> int:
        session = self.session
        session.last_event_us = max(self._record_us, session.last_event_us + 1)
        return session.last_event_us

    # -- states ------------------------------------------------------------------------------------------------

    def change_state(self, state: State, message: str, *, stated: bool = False) -> None:
        """Change the state if that may be (see `STATES`), and keep from what it is known."""
        before = self.session.standing
        is_confirmed = state == before.state and stated and not before.evidence.stated
        if is_confirmed or state in STATES[before.state].next:
            since_us = before.since_us if is_confirmed else self.timestamp_us
            evidence = Evidence(self.seq, message, stated, self.source)
            self.session.standing = Standing(state, since_us, evidence)

    def infer_state(self, message: str) -> None:
        """Infer the state from what is open: a question, a run, or nothing. Not where the registry tells it."""
        session = self.session
        if session.followed is not None and session.followed.states_are_told:
            return
        if session.asked:
            self.change_state("waiting", message)
        else:
            self.change_state("executing" if session.run else "idle", message)

    # -- runs --------------------------------------------------------------------------------------------------

    def start_run(self, prompt: Prompt, message: str, *, waited: bool = False) -> None:
        """Open the run of a prompt; ``waited``: it came while another was open."""
        run = self._open_run(message, prompted=True, origin=prompt.origin, is_command=prompt.is_command)
        run.waited = waited
        session = self.session
        session.prompt = session.prompt or prompt.prompt[:_LONGEST_TITLE]
        self.emit("run_started", prompt=prompt.prompt, prompt_seq=prompt.seq)

    def start_run_of_unknown_prompt(self, message: str) -> None:
        """Open the run of a prompt that is text on standard input, and no message."""
        self._open_run(message, prompted=True)
        self.emit("run_started", prompt_on="stdin")

    def start_unprompted_run(self, message: str, origin: str | None = None) -> None:
        """Open a run that Claude Code has begun by itself."""
        self._open_run(message)
        self.emit("run_started", unprompted=True, **known(origin=origin))

    def end_run(self, message: str, outcome: Outcome, /, *, origin: str | None = None, **fields: Any) -> None:
        """Close the run that a result belongs to, or (without ``origin``) the open one.

        What it left open is over with it, but for what works in the background.

        Of a result of another turn (see `is_of_another_turn`), what has come since the prompt was that turn's, and the
        prompt's own begins now.
        """
        session = self.session
        run = session.run
        if run is None:
            return
        waiting = None
        if self.is_of_another_turn(origin):
            waiting, run = run, Run(self._next_run_id(), run.seq, run.since_us, interrupted=run.interrupted)
            self.emit("run_started", run, unprompted=True, origin=origin, ahead_of=waiting.run_id)
            waiting.since_us, waiting.heard, waiting.interrupted = self.timestamp_us, False, False
            waiting.is_set_aside, waiting.took_in, waiting.results_us = True, False, 0
        fields.setdefault("duration_ms", max(0, self.timestamp_us - run.since_us) / 1000)
        session.run = waiting
        session.tools = {key: tool for key, tool in session.tools.items() if tool.background}
        self.infer_state(message)
        if session.followed is not None and not run.prompted:
            fields["unprompted"] = True
        told = {"outcome": outcome.kind, "outcome_reason": outcome.reason or None, **fields}
        if origin not in OF_THE_CALLER:
            told["origin"] = origin
        self.emit(_ENDS.get(outcome.kind, "run_failed"), run, **told)

    def is_of_another_turn(self, origin: str | None) -> bool:
        """Whether a result of that origin belongs to a turn that Claude Code took before the open run's prompt."""
        run = self.session.run
        if run is None or not run.prompted or origin in OF_THE_CALLER or origin == run.origin:
            return False
        return run.waited or not run.took_in  # else the other turn has taken the prompt in, and answers it

    def _open_run(
        self, message: str, *, prompted: bool = False, origin: str | None = None, is_command: bool = False
    ) -> Run:
        run_id = self._next_run_id()
        self.session.run = run = Run(run_id, self.seq, self.timestamp_us, prompted, origin, is_command)
        self.infer_state(message)
        return run

    def _next_run_id(self) -> str:
        self.session.runs += 1
        return f"run-{self.session.runs}"


_ENDS: Final[dict[str, Name]] = {"ok": "run_completed", "interrupted": "run_interrupted"}
"""By outcome; all others are failures."""
