"""A session in a few sentences: what it did, where time and money went, what went wrong, where it waited."""

from typing import Final

import msgspec

from proxy.analysis.findings import in_words
from proxy.analysis.report import Activity, Analysis, Cost

__all__ = ["ACTIVITIES", "in_dollars", "summarised"]

ACTIVITIES: Final[dict[Activity, str]] = {
    "model": "the model",
    "tools": "tools",
    "subagents": "subagents",
    "permission": "permissions",
    "user": "the next prompt",
    "background": "background tasks",
    "compacting": "compacting",
    "starting": "the start",
}
"""What a session waits for, in words."""


def summarised(analysis: Analysis) -> Analysis:
    """Return the analysis with its sentences."""
    if not analysis.events:
        return msgspec.structs.replace(analysis, summary=["Nothing is known of this session yet."])
    sentences = [_did(analysis), _time(analysis), _money(analysis.cost), _wrong(analysis), _waited(analysis)]
    return msgspec.structs.replace(analysis, summary=[one for one in sentences if one])


def _did(analysis: Analysis) -> str:
    turns = sum(analysis.turn_outcomes.values())
    calls = sum(tool.calls for tool in analysis.tools)
    parts = [_counted(turns, "turn")]
    if calls:
        most = ", ".join(f"{tool.tool} {tool.calls}" for tool in analysis.tools[:4])
        more = ", ..." if len(analysis.tools) > 4 else ""
        parts.append(f"{_counted(calls, 'tool call')} ({most}{more})")
    if analysis.subagents:
        parts.append(_counted(len(analysis.subagents), "subagent"))
    return f"{', '.join(parts)} in {in_words(analysis.duration_ms)}; {_STATES[analysis.state]}."


_STATES = {
    "starting": "it is starting",
    "idle": "it waits for the next prompt",
    "executing": "it is at work",
    "waiting": "it waits for an answer of its caller",
    "compacting": "it is compacting its conversation",
    "ended": "it has ended",
    "failed": "its wrapper was killed",
}


def _time(analysis: Analysis) -> str:
    parts = []
    for one in analysis.time.activities:
        if one.share < 0.005:
            continue
        inside = ""
        if one.activity == "tools" and analysis.tools:
            longest = max(analysis.tools, key=lambda tool: tool.duration.total)
            inside = f", most of it {longest.tool}" if len(analysis.tools) > 1 else ""
        parts.append(f"{ACTIVITIES[one.activity]} {one.share:.0%} ({in_words(one.ms)}{inside})")
    return f"Time went into {', '.join(parts)}." if parts else ""


def _money(cost: Cost) -> str:
    if not cost.total_usd and not any(cost.tokens.values()):
        return ""
    read = cost.tokens.get("cache_read", 0)
    taken = read + cost.tokens.get("input", 0) + cost.tokens.get("cache_creation", 0)
    cached = f", {read / taken:.0%} of them from the cache" if read else ""
    said = (
        f"It took {_thousands(taken)} tokens in{cached}, and {_thousands(cost.tokens.get('output', 0))} out"
    )
    if cost.total_usd is None:
        return f"{said}; what that cost is not known."
    models = [f"{one.model} {in_dollars(one.cost_usd)}" for one in cost.by_model if one.cost_usd]
    split = f" ({', '.join(models[:3])})" if len(models) > 1 else ""
    dearest = cost.per_turn.max or 0.0
    most = f"; the dearest turn {in_dollars(dearest)}" if cost.per_turn.count > 1 and dearest else ""
    return f"It cost {in_dollars(cost.total_usd)}{split}{most}. {said}."


_GRAVE = {"critical": "critical", "warning": "to look at", "info": "to know"}


def _wrong(analysis: Analysis) -> str:
    parts = []
    failed = sum(tool.failed for tool in analysis.tools)
    calls = sum(tool.calls for tool in analysis.tools)
    outcomes = analysis.turn_outcomes
    for outcome, words in (("failed", "failed"), ("interrupted", "interrupted"), ("unfinished", "cut off")):
        if outcomes.get(outcome):
            parts.append(f"{_counted(outcomes[outcome], 'turn')} {words}")
    if failed:
        parts.append(f"{failed} of {_counted(calls, 'tool call')} failed")
    if total := sum(analysis.anomaly_counts.values()):
        grave = [one.severity for one in analysis.anomalies]
        split = ", ".join(f"{grave.count(name)} {said}" for name, said in _GRAVE.items() if name in grave)
        parts.append(f"{_counted(total, 'thing')} stood out ({split})")
    return f"What went wrong: {', '.join(parts)}." if parts else "Nothing went wrong, and nothing stood out."


def _waited(analysis: Analysis) -> str:
    parts = []
    asked = analysis.permissions
    if asked.requested and asked.waiting.count:
        longest = asked.waiting.max or 0.0
        parts.append(
            f"{in_words(asked.waiting.total)} for {_counted(asked.requested, 'permission')}"
            f" (the longest {in_words(longest)}, {asked.denied} denied)"
        )
    elif asked.unanswered:
        parts.append(f"for {_counted(asked.unanswered, 'permission')} without an answer")
    parts += [
        f"{in_words(one.spans.max)} for {ACTIVITIES[one.activity]}"
        for one in analysis.time.activities
        if one.activity in ("model", "user", "background") and one.spans.max
    ]
    slowest = max(analysis.tools, key=lambda tool: tool.duration.max or 0.0, default=None)
    if slowest is not None and slowest.duration.max:
        parts.append(f"{in_words(slowest.duration.max)} for {slowest.tool}")
    return f"The longest waits: {', '.join(parts)}." if parts else ""


def in_dollars(cost: float) -> str:
    """Return an amount for people, with enough digits that something is left of small ones."""
    return f"${cost:.2f}" if cost >= 1 or not cost else f"${cost:.4f}"


def _thousands(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1_000_000:.1f} M"
    return f"{count / 1000:.1f} k" if count >= 10_000 else str(count)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number:,} {thing}s"
