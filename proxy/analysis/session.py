"""The analysis of one session: events in, one by one and in order, and at any time a report out.

Rules it lives by:

* One pass: what was taken is not kept. Memory is bounded whatever a session does.
* No event can make it fail; events of a client's own may hold anything.
* Reports change nothing: a live session is reported again and again while it goes on.
"""

from collections import Counter
from collections.abc import Iterable

from proxy.analysis.activities import Activities, StateTimes
from proxy.analysis.anomalies import Anomalies
from proxy.analysis.cost import Costs
from proxy.analysis.counts import Commands, Counted, ToolCounts, most_first, permissions
from proxy.analysis.distribution import Distribution
from proxy.analysis.patterns import Patterns
from proxy.analysis.report import Analysis, Sequence, Time
from proxy.analysis.spans import Span, Spans, seq_of
from proxy.analysis.summary import summarised
from proxy.analysis.timeline import Bars
from proxy.analysis.turns import Turns
from proxy.events import Event, Session
from proxy.events.fields import Message, number, text, texts
from proxy.events.figures import Figures, Totals
from proxy.events.timestamps import format_timestamp
from proxy.events.vocabulary import OVER

_MOST_KINDS = 1000  # types of events that clients made up must not fill memory
_OTHER = "(other)"
_ABOUT = ("name", "model", "claude_code_version")


def analyze(session: Session, events: Iterable[Event], state: str, now_us: int) -> Analysis:
    """Return the analysis of a whole log: of its events, from which ``session`` follows.

    ``state``: how it stands otherwise, as the catalogue of sessions says it.
    """
    analysis = SessionAnalysis(session.session_id)
    for event in events:
        analysis.take(event)
    if state == "crashed":
        session.mark_crashed()
    if session.over:
        analysis.mark_over(session)
    return analysis.report(now_us if state == "running" else None)


class SessionAnalysis:
    """Takes the events of one session."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.figures = Figures()
        self.last_us = 0
        """The moment of the last event that was taken."""
        self._started_us = 0
        self._ran_ms: float | None = None
        self._about: dict[str, str] = {}
        self._kinds: Counter[str] = Counter()
        self._gaps = Distribution()
        self._patterns, self._tool_patterns = Patterns(), Patterns()
        self._spans, self._activities, self._states = Spans(), Activities(), StateTimes()
        self._tools, self._permissions, self._commands = ToolCounts(), Counted(), Commands()
        self._turns, self._costs, self._bars = Turns(), Costs(), Bars()
        self._anomalies = Anomalies()

    def take(self, event: Event) -> None:
        """Take the next event."""
        us, data = max(event.timestamp_us, self.last_us), event.data
        seq = seq_of(data)
        gap_us = us - self.last_us if self.figures.events else 0
        if self.figures.events:
            self._gaps.add(gap_us / 1000)
        else:
            self._begin(us, data)
        activity = self._activities.activity
        if activity is not None and self._spans.turn is not None:
            self._turns.waited_ms[activity] += gap_us / 1000
        self.figures.take(event.event_type, data)
        self.last_us = us
        self._count(event)
        self._apply(event, us, seq)
        self._anomalies.delays.wait(activity, gap_us, event.timestamp_us, seq)

    @property
    def over(self) -> bool:
        """Whether the session is over, by what was taken."""
        return self._states.state in OVER

    def mark_over(self, session: Session) -> None:
        """Take it that the session is over though no event says so: what is open has ended without a result.

        So it is with a session whose wrapper was killed (``failed``), and with one whose command has exited in the
        middle of a turn while others still hold its streams. ``session``: what its records say, also those that make
        no event, such as a line on stderr: until then it ran.
        """
        if not self.over:
            self.last_us = max(self.last_us, session.ended_us)
            self._ran_ms = session.duration_ms(session.ended_us)
            timestamp = format_timestamp(self.last_us)
            told = {"event": "session_ended", "state": session.state, "timestamp": timestamp}
            self._apply(Event("session_ended", self.last_us, told), self.last_us, None)

    def _apply(self, event: Event, us: int, seq: int | None) -> None:
        closed = self._spans.take(event)
        for span in closed:
            self._add(span)
        self._states.take(text(event.data, "state"), us)
        self._follow(us, seq)
        self._anomalies.take(event, seq, closed)

    def report(self, now_us: int | None = None, *, expected: int | None = None) -> Analysis:
        """Return what is known.

        ``now_us``: this moment, for a session that goes on; without it, its last event is the end of what is known.
        ``expected``: how many events the session has, if that may be more than were taken.
        """
        over = self.over
        is_live = not over and now_us is not None and self.figures.events > 0
        until_us = max(now_us or 0, self.last_us) if is_live else self.last_us
        still_open = self._spans.open()
        total_ms = (until_us - self._started_us) / 1000
        duration_ms = total_ms if self._ran_ms is None else self._ran_ms
        figures, subagents = self.figures, [one for one in still_open if one.kind == "subagent"]
        patterns = self._patterns.found(), self._tool_patterns.found()
        activities = self._activities.times(until_us, total_ms)
        anomalies, counts = self._anomalies.report(self._spans, self._costs, self._tools, until_us)
        drawn = [*still_open, *filter(None, [self._activities.current(until_us)])]
        analysis = Analysis(
            session_id=self.session_id,
            **{name: self._about.get(name) for name in _ABOUT},
            state=self._states.state or "starting",
            started_at=format_timestamp(self._started_us) if figures.events else None,
            ended_at=format_timestamp(self.last_us) if over else None,
            duration_ms=duration_ms,
            events=figures.events,
            totals=Totals(**{name: getattr(figures, name) for name in Totals.__struct_fields__}),
            complete=expected is None or expected <= figures.events,
            summary=[],
            sequence=Sequence(figures.events, most_first(self._kinds), *patterns),
            time=Time(total_ms, activities, self._turns.durations.statistics(), self._gaps.statistics()),
            states=self._states.report(until_us),
            commands=self._commands.report(),
            tools=self._tools.report([span for span in still_open if span.kind == "tool"]),
            permissions=permissions(self._permissions, len(self._spans.permissions)),
            subagents=self._turns.agents(subagents, until_us),
            turns=self._turns.turns(self._spans.turn, until_us),
            turn_outcomes=self._turns.outcomes + Counter(open=0 if self._spans.turn is None else 1),
            cost=self._costs.report(figures),
            anomalies=anomalies,
            anomaly_counts=counts,
            timeline=self._bars.timeline(drawn, self._started_us, until_us),
        )
        return summarised(analysis, figures.results)

    def _begin(self, us: int, data: Message) -> None:
        """Begin with the first event; the command has been starting for a while by then."""
        self._started_us = us - round((number(data, "age_ms") or 0) * 1000)
        self._states.take(text(data, "state"), self._started_us)
        self._follow(self._started_us, seq_of(data))

    # -- parts of it -------------------------------------------------------------------------------------------

    def _count(self, event: Event) -> None:
        kind, data = event.event_type, event.data
        if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            kind = _OTHER
        self._kinds[kind] += 1
        self._patterns.add(kind)
        self._commands.take(event)
        match kind:
            case "tool_started":
                self._tool_patterns.add(text(data, "tool") or "unknown")
            case "run_completed" | "run_failed" | "run_interrupted":
                self._costs.take(data)
            case "session_ended":
                self._ran_ms = number(data, "duration_ms")
            case "session_started" | "session_initialized":
                self._about |= {name: value for name, value in texts(data, *_ABOUT).items() if value}

    def _add(self, span: Span) -> None:
        self._bars.add(span)
        match span.kind:
            case "tool":
                self._tools.add(span)
            case "permission":
                self._permissions.add(span.outcome, span.us(span.start_us) / 1000)
            case "turn" | "subagent":
                self._turns.add(span)

    def _follow(self, us: int, seq: int | None) -> None:
        ended = self._activities.turn_to(self._spans.activity(), us, seq, self._spans.turn_id)
        if ended is not None:
            self._bars.add(ended)
