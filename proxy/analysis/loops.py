"""Anomalies of doing the same again: repeated identical calls, and rounds of calls.

What is compared is a call with its input and its answer, one agent and one turn at a time: running the tests after
each edit is no loop, because the edits differ. Tools whose purpose is to be asked again are left out.
"""

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from proxy.analysis.findings import Detector, EventContext, Findings
from proxy.analysis.spans import Span

if TYPE_CHECKING:
    from proxy.analysis.report import Severity

ROUNDS = 3
"""Times that the same calls are made in a row, with the same answers."""
ANY_ANSWER = 10
"""Times that one call is made in a row, whatever the answers."""
LONGEST_ROUND = 5  # calls; longer rounds are hard to tell from work that repeats
_MANY = 10  # nothing will come of the next one either
_WHATEVER = 0  # the period of calls whose answers differ
_ASKED_AGAIN = frozenset(
    ("BashOutput", "TaskOutput", "TaskGet", "TaskList", "ListAgents", "Monitor", "CronList")
)
_MOST_AGENTS = 500  # subagents of a session; beyond, memory must not grow


class Series(msgspec.Struct):
    """Calls that repeat: rounds of so many, the last of which began the round anew so many times."""

    calls: list[Span]
    records: list[int | None]
    times: int
    same_answers: bool


class _Agent(msgspec.Struct):
    """What one agent did last, and how far it repeats what it did some calls earlier."""

    recent: deque[Span] = msgspec.field(
        default_factory=lambda: deque(maxlen=max(ROUNDS * LONGEST_ROUND, ANY_ANSWER))
    )
    matched: list[int] = msgspec.field(default_factory=lambda: [0] * (LONGEST_ROUND + 1))
    series: dict[int, Series] = {}
    """By the length of their round; under 0 those whose answers differ."""


class Loops(Detector):
    """Takes tool calls that have ended."""

    def __init__(self) -> None:
        super().__init__()
        self._agents: dict[str, _Agent] = {}

    def take(self, context: EventContext) -> None:
        """Take an event."""
        for span in context.closed:
            if span.has_run and span.name not in _ASKED_AGAIN:
                self._called(span)
            elif span.kind == "turn":
                self._end("")
            elif span.kind == "subagent":
                self._end(span.id.removeprefix("agent:"))

    def going_on(self) -> Iterator[Series]:
        """Yield what goes on."""
        for agent in self._agents.values():
            yield from agent.series.values()

    def find(self, findings: Findings) -> None:
        """Write down what was found, and what is going on."""
        super().find(findings)
        for series in self.going_on():
            _tell(findings, series)

    def _called(self, call: Span) -> None:
        if call.agent not in self._agents and len(self._agents) >= _MOST_AGENTS:
            self._end(next(iter(self._agents)))
        agent = self._agents.setdefault(call.agent, _Agent())
        recent = agent.recent
        if call.call not in [one.call for one in recent]:  # what nearly every call is
            self._end_series(agent)
            recent.append(call)
            return
        recent.append(call)
        for period in range(LONGEST_ROUND + 1):
            distance = period or 1
            before = recent[-1 - distance] if len(recent) > distance else None
            is_same_answer = period == _WHATEVER or (before is not None and before.answer == call.answer)
            if before is not None and before.call == call.call and is_same_answer:
                agent.matched[period] += 1
                self._go_on(agent, period, call)
            else:
                agent.matched[period] = 0
                if period in agent.series:
                    _tell(self.over, agent.series.pop(period))

    def _end_series(self, agent: _Agent) -> None:
        """End what an agent repeats."""
        agent.matched = [0] * (LONGEST_ROUND + 1)
        for series in agent.series.values():
            _tell(self.over, series)
        agent.series.clear()

    @staticmethod
    def _go_on(agent: _Agent, period: int, call: Span) -> None:
        length, least = (1, ANY_ANSWER) if period == _WHATEVER else (period, ROUNDS)
        times = agent.matched[period] // length + 1
        series = agent.series.get(period)
        if series is not None:
            series.times = times
            if len(series.records) < ANY_ANSWER + LONGEST_ROUND:
                series.records.append(call.seq)
        elif times >= least and not agent.series:
            calls = list(agent.recent)[-times * length :]
            records = [one.seq for one in calls]
            agent.series[period] = Series(calls[:length], records, times, same_answers=period != _WHATEVER)

    def _end(self, key: str) -> None:
        if (agent := self._agents.pop(key, None)) is not None:
            self._end_series(agent)


def _tell(findings: Findings, series: Series) -> None:
    calls, times = series.calls, series.times
    severity: Severity = "info" if not series.same_answers else "critical" if times >= _MANY else "warning"
    labels = " → ".join(call.label for call in calls)
    if len(calls) > 1:
        kind = "loop"
        count = f"The same {len(calls)} calls were made {times} times over"
        sentence = f"{count}, with the same answers: {labels}."
    else:
        kind = "repeated_call"
        how = "failed in the same way" if calls[0].outcome == "failed" else "gave the same answer"
        answers = f" and {how} each time" if series.same_answers else ""
        sentence = f"The same call was made {times} times in a row{answers}: {labels}."
    facts = {"tools": [call.name for call in calls], "times": times}
    findings.add(kind, severity, calls[0].began, sentence, *series.records, **facts)
