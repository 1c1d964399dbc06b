"""A session in a few sentences: what it did, where time and money went, what went wrong, where it waited."""

from typing import Final

import msgspec

from proxy.analysis.report import Activity, Analysis, Cost, Tool
from proxy.events.formatting import format_count, format_dollars, format_duration, quantity
from proxy.events.session import AGENT_TOOLS

ACTIVITIES: Final[dict[Activity, str]] = {
    "model": "the model",
    "tools": "tools",
    "subagents": "subagents",
    "turn": "the turn",
    "permission": "permissions",
    "user": "the next prompt",
    "background": "background tasks",
    "compacting": "compacting",
    "starting": "the start",
}
"""What a session waits for, in words."""


def summarised(analysis: Analysis, results: int) -> Analysis:
    """Return the analysis with its sentences; ``results``: turns of which the end is on record."""
    if not analysis.events:
        return msgspec.structs.replace(analysis, summary=["Nothing is known of this session yet."])
    spent = _time(analysis), _money(analysis.cost)
    sentences = filter(None, (_did(analysis, results), *spent, _wrong(analysis), _waited(analysis)))
    return msgspec.structs.replace(analysis, summary=list(sentences))


def _did(analysis: Analysis, results: int) -> str:
    totals = analysis.totals
    without_result = sum(analysis.turn_outcomes.values()) - results
    parts = [quantity(totals.turns, "turn") if totals.turns or not without_result else ""]
    if without_result > 0:
        parts.append(f"{quantity(without_result, 'turn')} without a result")
    if totals.tool_calls:
        most = ", ".join(f"{tool.tool} {tool.calls}" for tool in analysis.tools[:4])
        more = ", ..." if len(analysis.tools) > 4 else ""
        parts.append(f"{quantity(totals.tool_calls, 'tool call')} ({most}{more})")
    if totals.subagents:
        parts.append(quantity(totals.subagents, "subagent"))
    state = _STATES[analysis.state]
    if analysis.state == "failed" and all(one.kind != "crashed" for one in analysis.anomalies):
        state = "Claude Code was killed"
    return f"{', '.join(filter(None, parts))} in {format_duration(analysis.duration_ms)}; {state}."


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
    tools = _waited_for(analysis)
    longest = max(tools, key=lambda tool: tool.duration.total) if len(tools) > 1 else None
    for one in analysis.time.activities:
        if one.share >= 0.005:
            # The rest of the time may be a call's that waited for another one, and was denied.
            is_most = one.activity == "tools" and longest is not None and longest.duration.total > one.ms / 2
            inside = f", most of it {longest.tool}" if longest is not None and is_most else ""
            parts.append(f"{ACTIVITIES[one.activity]} {one.share:.0%} ({format_duration(one.ms)}{inside})")
    return f"Time went into {', '.join(parts)}." if parts else ""


def _money(cost: Cost) -> str:
    if not cost.total_usd and not any(cost.tokens.values()):
        return ""
    read = cost.tokens.get("cache_read", 0)
    taken = read + cost.tokens.get("input", 0) + cost.tokens.get("cache_creation", 0)
    cached = f", {read / taken:.0%} of them from the cache" if read else ""
    sentence = f"It took {format_count(taken)} tokens in{cached}, and {format_count(cost.tokens.get('output', 0))} out"
    if cost.total_usd is None:
        return f"{sentence}; what that cost is not known."
    models = [f"{one.model} {format_dollars(one.cost_usd)}" for one in cost.by_model if one.cost_usd]
    split = f" ({', '.join(models[:3])})" if len(models) > 1 else ""
    most = ""
    if cost.per_turn.count > 1 and cost.per_turn.max:
        most = f"; the most expensive turn {format_dollars(cost.per_turn.max)}"
    return f"It cost {format_dollars(cost.total_usd)}{split}{most}. {sentence}."


_NOTICED_MS = 1000  # shorter waits are not worth a sentence

_TURNS = {
    "failed": "failed",
    "limited": "reached a limit",
    "blocked": "blocked",
    "interrupted": "interrupted",
    "unfinished": "cut off",
}
_GRAVE = {"critical": "critical", "warning": "to look at", "info": "to know"}


def _wrong(analysis: Analysis) -> str:
    totals, outcomes = analysis.totals, analysis.turn_outcomes
    parts = [f"{quantity(outcomes[one], 'turn')} {said}" for one, said in _TURNS.items() if outcomes.get(one)]
    if totals.tool_failures:
        parts.append(f"{totals.tool_failures} of {quantity(totals.tool_calls, 'tool call')} failed")
    if totals.tool_denials:
        parts.append(f"{totals.tool_denials} denied")
    if total := sum(analysis.anomaly_counts.values()):
        grave = [one.severity for one in analysis.anomalies]
        split = ", ".join(f"{grave.count(name)} {words}" for name, words in _GRAVE.items() if name in grave)
        among = "" if total == len(grave) else f"of the gravest {len(grave)}: "
        parts.append(f"{quantity(total, 'thing')} stood out ({among}{split})")
    return f"What went wrong: {', '.join(parts)}." if parts else "Nothing went wrong, and nothing stood out."


def _waited(analysis: Analysis) -> str:
    """Return the longest waits, the longest first, of those that a person would have noticed."""
    asked = analysis.permissions
    waits = [
        (one.spans.max or 0.0, ACTIVITIES[one.activity], "")
        for one in analysis.time.activities
        if one.activity in ("model", "user", "background")
    ]
    if tools := _waited_for(analysis):
        slowest = max(tools, key=lambda tool: tool.duration.max or 0.0)
        waits.append((slowest.duration.max or 0.0, slowest.tool, ""))
    if asked.waiting.count:
        answers = quantity(asked.requested, "permission")
        inside = f" ({answers}, {format_duration(asked.waiting.total)} in all, {asked.denied} denied)"
        waits.append((asked.waiting.max or 0.0, "a permission", inside if asked.requested > 1 else ""))
    noticed = sorted((wait for wait in waits if wait[0] >= _NOTICED_MS), key=lambda wait: -wait[0])
    parts = [f"{format_duration(ms)} for {what}{inside}" for ms, what, inside in noticed]
    if asked.unanswered:
        parts.append(f"{quantity(asked.unanswered, 'permission')} without an answer")
    return f"The longest waits: {', '.join(parts)}." if parts else ""


def _waited_for(analysis: Analysis) -> list[Tool]:
    """Return the tools without the calls of subagents, which are told as what subagents take."""
    return [tool for tool in analysis.tools if tool.tool not in AGENT_TOOLS]
