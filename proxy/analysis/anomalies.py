"""What stands out in a session, as detectors find it.

Detectors are made to be quiet: what they report is to be worth a look. Each has a file of its own, with its
thresholds and their reasons; ``docs/analysis.md`` has every kind of anomaly and says the same to users.
"""

from typing import Final

from proxy.analysis.cost import Costs
from proxy.analysis.counts import ToolCounts
from proxy.analysis.delays import Delays
from proxy.analysis.denials import Denials
from proxy.analysis.failures import Failures
from proxy.analysis.findings import Detector, EventContext, Findings, Largest
from proxy.analysis.loops import Loops
from proxy.analysis.mismatches import Mismatches
from proxy.analysis.outputs import Outputs
from proxy.analysis.report import Anomaly
from proxy.analysis.spans import Span, Spans
from proxy.events import Event
from proxy.events.fields import number
from proxy.events.formatting import format_dollars

SEVERITIES: Final = ("info", "warning", "critical")
MOST = 200  # what a person reads; counts cover the rest
COST_TURNS = 5
"""Turns that make a norm of what a turn costs."""
COST_USD = 0.25  # less is not worth a look, however unusual
COST_TIMES_MEDIAN = 5  # beyond what turns of one session usually differ by
COST_TIMES_P90 = 3  # the same, where costs differ widely
_TYPES = frozenset().union(*(one.TYPES for one in (Failures, Mismatches, Outputs, Denials)))


class Anomalies:
    """Shows each event to the detectors that it may concern."""

    def __init__(self) -> None:
        self._detectors: list[Detector] = [Loops(), Failures(), Mismatches(), Outputs(), Denials()]
        self.delays = Delays()
        self._costs: Largest[Span] = Largest()

    def take(self, event: Event, seq: int | None, closed: list[Span]) -> None:
        """Take an event, and what it ends."""
        if not closed and event.event_type not in _TYPES:
            return
        context = EventContext(event, seq, closed)
        for detector in self._detectors:
            detector.take(context)
        self.delays.take(context)
        for span in closed:
            if span.kind == "turn" and (cost := number(span.data, "cost_usd")):
                self._costs.add(cost, span)

    def report(
        self, spans: Spans, costs: Costs, tools: ToolCounts, until_us: int
    ) -> tuple[list[Anomaly], dict[str, int]]:
        """Return the anomalies in order of time, and how many of each kind there are."""
        findings = Findings()
        self.delays.find(findings, spans, tools, until_us)
        for detector in self._detectors:
            detector.find(findings)
        self._find_costs(findings, costs)
        in_order = sorted(findings.anomalies, key=lambda one: (one.time, one.seq or 0))
        worst = sorted(in_order, key=lambda one: -SEVERITIES.index(one.severity))[:MOST]
        return sorted(worst, key=lambda one: (one.time, one.seq or 0)), findings.counts

    def _find_costs(self, findings: Findings, costs: Costs) -> None:
        norm = costs.per_turn
        if norm.count < COST_TURNS:
            return
        median, p90 = norm.quantile(0.5), norm.quantile(0.9)
        least = max(COST_USD, COST_TIMES_MEDIAN * median, COST_TIMES_P90 * p90 if norm.count >= 20 else 0.0)
        for cost, turn in self._costs.items():
            if cost < least:
                continue
            paid, half = format_dollars(cost), format_dollars(median)
            sentence = f"A turn cost {paid}; half of the turns cost under {half}: {turn.label}."
            at = (turn.end_seq, turn.end_us or turn.start_us)
            facts = {"cost_usd": cost, "median_usd": median, "p90_usd": p90, "run_id": turn.id}
            findings.add("sudden_cost", "warning", at, sentence, turn.seq, **facts)
