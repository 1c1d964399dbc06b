"""Anomalies of time: silences, slow tools, permissions that were answered late or never."""

import msgspec

from proxy.analysis.counts import ToolCounts
from proxy.analysis.distribution import Distribution
from proxy.analysis.findings import EventContext, Findings, Largest
from proxy.analysis.report import Activity, Severity
from proxy.analysis.spans import Span, Spans
from proxy.events.formatting import format_duration

TIMES_MEDIAN = 10  # "far from the norm": see docs/analysis.md
TIMES_P90 = 3
"""What is far from the norm: more than so many times the median and the 90th percentile of its like."""
LIKES = 20
"""Gaps of the same activity that make a norm."""
SILENCE_MS = 60_000  # shorter silences are usual
SILENCE_WITHOUT_NORM_MS = 600_000  # without a norm, only what is long for any model
CALLS = 8
"""Calls of the same tool that make a norm."""
SLOW_TOOL_MS = 60_000  # as for silence
SLOW_TOOL_WITHOUT_NORM_MS = 1_800_000  # builds and test suites may take long
LATE_MS = 300_000  # somebody was away from the screen
VERY_LATE_MS = 1_800_000  # somebody was away for long
UNANSWERED_MS = 60_000
"""For a permission that still waits."""

_SILENT = {"model": "Nothing came from the model", "subagents": "Nothing came from a subagent"}


class _Gap(msgspec.Struct):
    activity: str
    seq: int | None
    us: int
    after: int | None


class Delays:
    """Takes gaps, tool calls and permissions."""

    def __init__(self) -> None:
        self._gaps: dict[str, Distribution] = {name: Distribution() for name in _SILENT}
        self._longest: Largest[_Gap] = Largest()
        self._slowest: Largest[Span] = Largest()
        self._late: Largest[Span] = Largest(50)
        self._unanswered: Largest[Span] = Largest(50)
        self._last_seq: int | None = None

    def wait(self, activity: Activity | None, gap_us: int, us: int, seq: int | None) -> None:
        """Take the gap before an event, which each of them has."""
        if activity in _SILENT:
            gap_ms = gap_us / 1000
            self._gaps[activity].add(gap_ms)
            if gap_ms > self._longest.least:
                self._longest.add(gap_ms, _Gap(activity, self._last_seq, us - gap_us, seq))
        self._last_seq = seq

    def take(self, context: EventContext) -> None:
        """Take an event that ends something."""
        for span in context.closed:
            if span.has_run and not span.is_agent:
                self._slowest.add(span.ran_us(context.event.timestamp_us) / 1000, span)
            elif span.kind == "permission" and span.outcome in ("allowed", "denied", "cancelled"):
                self._late.add(span.us(0) / 1000, span)
            elif span.kind == "permission" and span.outcome == "unfinished":
                self._unanswered.add(span.us(0) / 1000, span)

    def find(self, findings: Findings, spans: Spans, tools: ToolCounts, until_us: int) -> None:
        """Write down what stands out by now."""
        for ms, gap in self._longest.items():
            self._silence(findings, ms, gap)
        for tool in [span for span in spans.tools.values() if not span.is_agent]:
            self._slow_tool(findings, tool.ran_us(until_us) / 1000, tool, tools)
        for ms, tool in self._slowest.items():
            self._slow_tool(findings, ms, tool, tools)
        for ms, asked in self._late.items():
            if ms >= LATE_MS:
                severity: Severity = "warning" if ms >= VERY_LATE_MS else "info"
                waited = format_duration(ms)
                sentence = f"A permission for {asked.name} waited {waited} for its answer ({asked.outcome})."
                facts = {"tool": asked.name, "waited_ms": ms, "outcome": asked.outcome}
                findings.add("late_permission", severity, asked.began, sentence, asked.end_seq, **facts)
        waiting = [(asked.us(until_us) / 1000, asked) for asked in spans.permissions.values()]
        for ms, asked in (*self._unanswered.items(), *waiting):
            self._unanswered_permission(findings, ms, asked)

    def _silence(self, findings: Findings, ms: float, gap: _Gap) -> None:
        gaps = self._gaps[gap.activity]
        norm = _norm_left(ms, gaps, LIKES, SILENCE_MS, SILENCE_WITHOUT_NORM_MS)
        if norm is None:
            return
        usual = f"; half of its waits here are under {format_duration(norm['median_ms'])}" if norm else ""
        severity: Severity = "critical" if ms >= SILENCE_WITHOUT_NORM_MS else "warning"
        sentence = f"{_SILENT[gap.activity]} for {format_duration(ms)}{usual}."
        facts = {"gap_ms": ms, "during": gap.activity, **norm, **({"gaps": gaps.count} if norm else {})}
        findings.add("silence", severity, (gap.seq, gap.us), sentence, gap.after, **facts)

    def _slow_tool(self, findings: Findings, ms: float, call: Span, tools: ToolCounts) -> None:
        calls = tools.duration_of(call.name)
        norm = _norm_left(ms, calls, CALLS, SLOW_TOOL_MS, SLOW_TOOL_WITHOUT_NORM_MS)
        if norm is None:
            return
        usual = f"; half of its calls take under {format_duration(norm['median_ms'])}" if norm else ""
        runs = call.outcome == "open"
        severity: Severity = "critical" if runs else "warning"
        sentence = f"{call.label} {'has been running for' if runs else 'took'} {format_duration(ms)}{usual}."
        facts = {"tool": call.name, "duration_ms": ms, **norm, **({"calls": calls.count} if norm else {})}
        findings.add("slow_tool", severity, call.began, sentence, call.end_seq, **facts)

    @staticmethod
    def _unanswered_permission(findings: Findings, ms: float, asked: Span) -> None:
        is_open, waited = asked.outcome == "open", format_duration(ms)
        if is_open and ms < UNANSWERED_MS:
            return
        since = f", and waited {waited}" if ms >= 1000 else ""
        how = f"has been waiting for {waited}" if is_open else f"was never answered{since}"
        sentence = f"A permission for {asked.name} {how}."
        severity: Severity = "critical" if ms >= UNANSWERED_MS else "warning"
        facts = {"tool": asked.name, "waited_ms": ms}
        findings.add("unanswered_permission", severity, asked.began, sentence, **facts)


def _norm_left(
    ms: float, norm: Distribution, likes: int, least_ms: float, without_norm_ms: float
) -> dict[str, float] | None:
    """Return the norm that a duration is far from, nothing where there is none and it is long for any; None: it is not.

    ``likes``: values that make a norm; ``least_ms``: what is shorter is usual, whatever the norm.
    """
    if norm.count < likes:
        return {} if ms >= without_norm_ms else None
    median, p90 = norm.quantile(0.5), norm.quantile(0.9)
    is_far = ms >= max(least_ms, TIMES_MEDIAN * median, TIMES_P90 * p90)
    return {"median_ms": median, "p90_ms": p90} if is_far else None
