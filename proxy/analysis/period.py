"""What happened in a period, over all sessions: folded from what the index gives."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import get_args

import msgspec

from proxy.analysis.counts import Counted, bounded, most_first
from proxy.analysis.distribution import Distribution, share
from proxy.analysis.report import Statistics, Tokens
from proxy.events import Session
from proxy.events.fields import number
from proxy.events.figures import RunOutcome, call_outcome, is_turn, run_outcome
from proxy.events.session_outcome import of_session
from proxy.events.spending import told_tokens
from proxy.events.terms import Share
from proxy.events.timestamps import Timestamp, format_timestamp

HOUR_US = 3_600_000_000
_RUNS = ("run_completed", "run_failed", "run_interrupted")
READ_TYPES = (*_RUNS, "cost_updated", "tool_started", "tool_completed", "tool_failed", "tool_denied")
"""Events whose data is looked at; of all others the type is enough."""
_ERRORS = ("run_failed", "tool_failed", "task_failed", "validation_failed", "recording_gap", "error")


class EventFigures(msgspec.Struct):
    """What is read of such an event; the rest of it is passed over unread."""

    tool: object = None
    subtype: object = None
    unprompted: object = None
    outcome: object = None
    interrupted: object = None
    duration_ms: object = None
    cost_usd: object = None
    tokens: object = None


class Hour(msgspec.Struct, frozen=True):
    """The events of one hour."""

    hour: Timestamp
    """Its beginning."""
    total: int
    by_type: dict[str, int]


class EventCounts(msgspec.Struct, frozen=True):
    """All events."""

    total: int
    by_type: dict[str, int]
    by_hour: list[Hour]
    """Hours without events are left out."""


class SessionCounts(msgspec.Struct, frozen=True):
    """The sessions that had something to do with the period."""

    total: int
    """That had events in the period."""
    started: int
    ended: int
    failed: int
    """Whose wrapper was killed."""
    active: int
    """Not over now."""
    outcomes: dict[str, int]
    """What became of those that ended in the period."""
    duration: Statistics


class RunCounts(msgspec.Struct, frozen=True):
    """The turns that ended, with a result but for those that are ``unfinished``: they are not in the total."""

    total: int
    """Turns whose result came in the period."""
    completed: int
    failed: int
    limited: int
    blocked: int
    interrupted: int
    unfinished: int
    """Cut off without a result, or interrupted at a terminal; not in the total."""
    error_rate: Share
    """Failed turns of all that ended."""
    duration: Statistics


class ToolTimes(msgspec.Struct, frozen=True):
    """One tool."""

    tool: str
    calls: int
    failed: int
    denied: int
    failure_rate: Share
    duration: Statistics


class AllTools(msgspec.Struct, frozen=True):
    """The tool calls that were made."""

    total: int
    """Calls that were made in the period."""
    failed: int
    denied: int
    """Never ran; not failed."""
    error_rate: Share
    by_tool: list[ToolTimes]


class Errors(msgspec.Struct, frozen=True):
    """The events that say that something went wrong."""

    total: int
    """Events that say that something went wrong."""
    by_type: dict[str, int]
    rate: Share
    """Of all events."""


class HourCost(msgspec.Struct, frozen=True):
    """What the turns and the conversations cost that ended in an hour."""

    hour: Timestamp
    cost_usd: float
    turns: int


class PeriodCost(msgspec.Struct, frozen=True):
    """What the turns and, at a terminal, the conversations cost that ended in the period."""

    total_usd: float
    per_turn: Statistics
    tokens: Tokens
    by_hour: list[HourCost]


class Metrics(msgspec.Struct, frozen=True):
    """What happened in a period, over all sessions."""

    start_time: Timestamp | None
    """As asked for."""
    end_time: Timestamp | None
    """As asked for."""
    events: EventCounts
    sessions: SessionCounts
    runs: RunCounts
    tools: AllTools
    errors: Errors
    cost: PeriodCost


def metrics(
    after_us: int | None,
    until_us: int | None,
    counts: Iterable[tuple[int, str, int]],
    read: Iterable[tuple[int, str, bytes]],
    sessions: Iterable[Session],
) -> Metrics:
    """Return the metrics of a period.

    ``counts``: hour (its beginning, in microseconds), type and number of events; ``read``: moment, type and data (as
    JSON) of the events of the `READ_TYPES`; ``sessions``: those that may have had something to do with the period.
    """
    by_hour: defaultdict[int, Counter[str]] = defaultdict(Counter)
    by_type: Counter[str] = Counter()
    for hour_us, kind, count in counts:
        if count:
            by_hour[hour_us][kind] += count
            by_type[kind] += count
    total = by_type.total()
    hours = [
        Hour(format_timestamp(hour_us), types.total(), most_first(types))
        for hour_us, types in sorted(by_hour.items())
    ]
    runs, tools, cost = _fold(read)
    errors = {kind: by_type[kind] for kind in _ERRORS if kind in by_type}
    if "tool_failed" in errors:  # the events of calls that were interrupted among them
        errors["tool_failed"] = tools.failed
    return Metrics(
        start_time=None if after_us is None else format_timestamp(after_us),
        end_time=None if until_us is None else format_timestamp(until_us),
        events=EventCounts(total, most_first(by_type), hours),
        sessions=_sessions(after_us, until_us, sessions),
        runs=runs,
        tools=tools,
        errors=Errors(sum(errors.values()), errors, share(sum(errors.values()), total)),
        cost=cost,
    )


_decode = msgspec.json.Decoder(EventFigures).decode


def _fold(read: Iterable[tuple[int, str, bytes]]) -> tuple[RunCounts, AllTools, PeriodCost]:
    outcomes: dict[RunOutcome, int] = dict.fromkeys(get_args(RunOutcome), 0)
    durations, costs = Distribution(), Distribution()
    tools: dict[str, Counted] = {}
    tokens: Counter[str] = Counter()
    by_hour: dict[int, tuple[float, int]] = {}
    for timestamp_us, kind, data in read:
        try:
            one = _decode(data)
        except msgspec.DecodeError:
            continue  # an event of a client's own, under one of our names
        took, paid = _amount(one.duration_ms), _amount(one.cost_usd)
        if paid is not None:
            hour_us = timestamp_us // HOUR_US * HOUR_US
            so_far, turns = by_hour.get(hour_us, (0.0, 0))
            by_hour[hour_us] = so_far + paid, turns + (kind in _RUNS)
        if kind not in _RUNS:
            if isinstance(one.tool, str):  # else it is the result of no call
                _take_tool(bounded(tools, one.tool, Counted), kind, one, took)
            continue
        about = {"subtype": one.subtype, "outcome": one.outcome, "unprompted": one.unprompted}
        if one.unprompted is not True:
            outcomes[run_outcome(kind, about) if is_turn(about) else "unfinished"] += 1
        if took is not None:
            durations.add(took)
        if paid is not None:
            costs.add(paid)
        tokens.update(told_tokens({"tokens": one.tokens}))
    return _runs(outcomes, durations), _tools(tools), _cost(costs, tokens, by_hour)


def _take_tool(tool: Counted, kind: str, one: EventFigures, took: float | None) -> None:
    outcome = "started"
    if kind != "tool_started":
        outcome = call_outcome(kind, {"interrupted": one.interrupted})
    tool.add(outcome, took if outcome in ("completed", "failed") else None)


def _runs(outcomes: dict[RunOutcome, int], durations: Distribution) -> RunCounts:
    total = sum(outcomes.values()) - outcomes["unfinished"]
    rate = share(total - outcomes["completed"] - outcomes["interrupted"], total)
    return RunCounts(total=total, error_rate=rate, duration=durations.statistics(), **outcomes)


def _tools(tools: dict[str, Counted]) -> AllTools:
    counts = sum((tool.outcomes for tool in tools.values()), Counter[str]())
    by_tool = [
        ToolTimes(name, *_rates(one.outcomes), one.duration.statistics()) for name, one in tools.items()
    ]
    return AllTools(*_rates(counts), sorted(by_tool, key=lambda one: (-one.calls, one.tool)))


def _rates(counts: Counter[str]) -> tuple[int, int, int, float]:
    """Return how many calls were made, failed and were denied, and the share of those that failed."""
    calls, failed = counts["started"], counts["failed"]
    return calls, failed, counts["denied"], share(failed, calls)


def _cost(costs: Distribution, tokens: dict[str, int], by_hour: dict[int, tuple[float, int]]) -> PeriodCost:
    hours = [
        HourCost(format_timestamp(hour_us), round(cost, 9), turns)
        for hour_us, (cost, turns) in sorted(by_hour.items())
    ]
    # With that of conversations at a terminal, which state no turn's.
    total = sum(cost for cost, _ in by_hour.values())
    return PeriodCost(round(total, 9), costs.statistics(), tokens, hours)


def _sessions(after_us: int | None, until_us: int | None, sessions: Iterable[Session]) -> SessionCounts:
    low, high = -1 if after_us is None else after_us, 1 << 62 if until_us is None else until_us
    total = started = ended = failed = active = 0
    durations = Distribution()
    outcomes: Counter[str] = Counter()
    for one in sessions:
        if one.last_record_us <= low or one.started_us > high or one.last_seq < 0:
            continue
        total += 1
        started += one.started_us > low
        active += not one.over
        if one.over and low < one.ended_us <= high:
            ended += one.state == "ended"
            failed += one.state == "failed"
            durations.add(one.duration_ms(one.ended_us))
            if (became := of_session(one)) is not None:
                outcomes[became.kind] += 1
    return SessionCounts(total, started, ended, failed, active, outcomes, durations.statistics())


def _amount(value: object) -> float | None:
    return number({"value": value}, "value")
