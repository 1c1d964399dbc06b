"""An analysis for people: first what answers their questions, then what stood out, then the figures.

Everything fits the width, and nothing is said twice: of many things of a kind the gravest are shown, and how many more
there are. ``analyze --json`` has them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from proxy.analysis.anomalies import SEVERITIES
from proxy.analysis.summary import ACTIVITIES
from proxy.cli.columns import Column, table
from proxy.cli.terminal import PIPED_WIDTH, one_line, printable
from proxy.events.formatting import format_dollars, format_duration, quantity
from proxy.events.vocabulary import OVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

    from proxy.analysis import Analysis
    from proxy.analysis.report import Anomaly, Pattern, Statistics
    from proxy.events import Session

__all__ = ["anomaly_line", "print_one", "put"]

_MARKS: Final = {"critical": ("!!", "bold red"), "warning": ("! ", "yellow"), "info": ("- ", "dim")}
_OF_A_KIND = 3
_ROWS = 12
_BAR = 20
_LEAST_SHARE = 0.0005
_NAME = Column("", right=False)
_SIZES = (
    "gap_ms",
    "duration_ms",
    "waited_ms",
    "delay_ms",
    "cost_usd",
    "lost_records",
    "failures",
    "times",
    "count",
)
"""Facts by which an anomaly is graver than another one of its kind."""


def print_one(console: Console, report: Analysis, session: Session) -> None:
    """Print the analysis of one session."""
    about = report.name or session.prompt or " ".join(session.command) or report.session_id
    put(console, Text(one_line(about), style="bold"), most=2)
    facts = [report.state, report.model or "", _period(report), report.session_id]
    put(console, Text(printable(" · ".join(filter(None, facts))), style="dim"))
    console.print()
    for sentence in report.summary:
        put(console, Text(printable(sentence)))
    for heading, lines in _sections(report, console.width):
        if lines:
            console.print()
            console.print(Text(heading, style="bold cyan"))
        for line in lines:
            hang = 0 if isinstance(line, Text) else line[0]
            put(console, line if isinstance(line, Text) else line[1], hang=hang)


# -- what is printed -------------------------------------------------------------------------------------------

_Lines = list["Text | tuple[int, Text]"]
"""Lines, and lines that go on moved in by so many cells."""


def put(console: Console, line: Text, *, hang: int = 0, most: int | None = None) -> None:
    """Print a line, folded to the width; what goes on is moved in by ``hang`` cells, and has at most so many lines."""
    folds = console.is_terminal or console.width < PIPED_WIDTH
    width = max(8, console.width - hang)
    pieces = line.wrap(console, width, overflow="fold") if folds and line.cell_len > width else [line]
    for at, piece in enumerate(pieces[:most]):
        piece.rstrip()
        console.print(Text(" " * hang) + piece if at else piece)


def _period(report: Analysis) -> str:
    if report.started_at is None:
        return ""
    start = report.started_at[:16].replace("T", " ")
    if report.ended_at is None:
        return f"since {start} UTC"
    end = report.ended_at[:16].replace("T", " ")
    return f"{start} to {end[11:] if end[:10] == start[:10] else end} UTC"


def _sections(report: Analysis, width: int) -> Iterator[tuple[str, _Lines]]:
    yield "What stood out", _anomalies(report)
    yield "Time", [*_time(report, width)]
    yield "Turns", _turns(report, width)
    yield "Tools", _tools(report, width)
    yield "Permissions", _permissions(report)
    yield "Subagents", _subagents(report, width)
    yield "Cost", [*_cost(report, width)]
    yield "Commands", [*_commands(report, width)]
    yield "States", [*_states(report, width)]
    yield "Tools in a row", [*_patterns(report.sequence.tool_patterns, width)]
    yield "Events in a row", [*_patterns(report.sequence.patterns, width)]


def _anomalies(report: Analysis) -> _Lines:
    """Return the gravest of each kind, the gravest kinds first."""
    kinds: dict[str, list[Anomaly]] = {}
    for one in report.anomalies:
        kinds.setdefault(one.kind, []).append(one)
    lines: _Lines = []
    for kind, found in sorted(kinds.items(), key=lambda item: -max(_gravity(one) for one in item[1])[0]):
        shown = sorted(found, key=_gravity, reverse=True)[:_OF_A_KIND]
        lines += [anomaly_line(one, report.started_at) for one in sorted(shown, key=lambda one: one.time)]
        left = report.anomaly_counts.get(kind, len(found)) - len(shown)
        if left > 0:
            lines.append(Text(f"   and {left} more of the kind: {kind.replace('_', ' ')}", style="dim"))
    return lines


def _gravity(one: Anomaly) -> tuple[int, float]:
    facts = one.evidence.facts
    size = next((facts[name] for name in _SIZES if isinstance(facts.get(name), int | float)), 0)
    return SEVERITIES.index(one.severity), size


def anomaly_line(one: Anomaly, started_at: str | None) -> tuple[int, Text]:
    """Return an anomaly in a line: how grave, when, which record, and the sentence; and how far it is moved in."""
    mark, style = _MARKS[one.severity]
    when = (
        one.time[11:19]
        if started_at and one.time[:10] == started_at[:10]
        else f"{one.time[5:10]} {one.time[11:19]}"
    )
    record = "" if one.seq is None else f"record {one.seq}"
    head = Text.assemble((f"{mark} ", style), (f"{when}  {record}: " if record else f"{when}: ", "dim"))
    return 3, head + Text(printable(one.sentence))


def _time(report: Analysis, width: int) -> list[Text]:
    columns = (
        _NAME,
        Column("share", 8),
        Column("time"),
        Column("stretches", 2),
        Column("median", 4),
        Column("p95", 3),
        Column("longest", 5),
        Column("", 1, right=False),
    )
    rows: list[list[str | Text]] = [
        [
            ACTIVITIES[one.activity],
            f"{one.share:.1%}",
            format_duration(one.ms),
            str(one.spans.count),
            *_durations(one.spans),
            Text("█" * round(one.share * _BAR), style="cyan"),
        ]
        for one in report.time.activities
        if one.share >= _LEAST_SHARE
    ]
    return table(columns, rows, width) if rows else []


def _turns(report: Analysis, width: int) -> _Lines:
    dear = sorted(report.turns, key=lambda one: (-(one.cost_usd or 0.0), -one.duration_ms))[:_ROWS]
    if not dear:
        return []
    columns = (
        Column("turn", 6, right=False),
        Column("outcome", 7, right=False),
        Column("time", 8),
        Column("cost", 9),
        Column("calls", 3),
        Column("failed", 2),
        Column("record", 4),
        Column("prompt", right=False),
    )
    costs = [one.cost_usd or 0.0 for one in dear]
    rows: list[list[str | Text]] = [
        [
            one.run_id.removeprefix("run-"),
            one.outcome,
            format_duration(one.duration_ms),
            "" if one.cost_usd is None else format_dollars(one.cost_usd, costs),
            str(one.tool_calls or ""),
            str(one.tool_failures or ""),
            "" if one.seq is None else str(one.seq),
            one_line(one.prompt),
        ]
        for one in sorted(dear, key=lambda one: one.started_at)
    ]
    lines: _Lines = [*table(columns, rows, width)]
    total = sum(report.turn_outcomes.values())
    if total > len(dear):
        kept = "" if total == len(report.turns) else f" of the last {len(report.turns)}"
        lines.append(Text(f"the {len(dear)} dearest{kept}, of {total:,} in all", style="dim"))
    if report.time.turns.count > 1:
        lines += [Text(said, style="dim") for said in _spread(report.time.turns)]
    return lines


def _spread(figures: Statistics) -> list[str]:
    mean, median = format_duration(figures.mean or 0.0), format_duration(figures.median or 0.0)
    least, most = format_duration(figures.min or 0.0), format_duration(figures.max or 0.0)
    deviation = format_duration(figures.deviation or 0.0)
    steps = ", ".join(f"{one.count:,} up to {format_duration(one.up_to)}" for one in figures.distribution)
    spread = (
        f"a turn took {mean} on average, half of them {median} or less, from {least} to {most},"
        f" standard deviation {deviation}"
    )
    return [spread, *([f"turns by length: {steps}"] if len(figures.distribution) > 1 else [])]


def _tools(report: Analysis, width: int) -> _Lines:
    columns = (
        Column("tool", right=False),
        Column("calls"),
        Column("failed", 7),
        Column("denied", 1),
        Column("total", 8),
        Column("mean", 2),
        Column("median", 4),
        Column("p95", 5),
        Column("longest", 6),
    )
    rows: list[list[str | Text]] = [
        [
            one_line(one.tool),
            str(one.calls),
            Text(str(one.failed or ""), "red"),
            str(one.denied or ""),
            format_duration(one.duration.total),
            "" if one.duration.mean is None else format_duration(one.duration.mean),
            *_durations(one.duration),
        ]
        for one in report.tools[:_ROWS]
    ]
    left = len(report.tools) - _ROWS
    more = [Text(f"and {quantity(left, 'more tool')}", style="dim")] if left > 0 else []
    return [*table(columns, rows, width), *more] if rows else []


def _permissions(report: Analysis) -> _Lines:
    asked = report.permissions
    if not asked.requested:
        return []
    told = {
        "allowed": asked.allowed,
        "denied": asked.denied,
        "withdrawn": asked.cancelled,
        "without answer": asked.unanswered,
    }
    parts = [f"{asked.requested} requested", *(f"{count} {name}" for name, count in told.items() if count)]
    waiting = asked.waiting
    waited = ""
    if waiting.count:
        median, longest = format_duration(waiting.median or 0.0), format_duration(waiting.max or 0.0)
        waited = f"; {format_duration(waiting.total)} of waiting, half of them up to {median}, the longest {longest}"
    return [Text(", ".join(parts) + waited)]


def _subagents(report: Analysis, width: int) -> _Lines:
    columns = (
        Column("kind", 7, right=False),
        Column("outcome", 8, right=False),
        Column("time"),
        Column("calls", 3),
        Column("failed", 2),
        Column("tokens", 6),
        Column("record", 4),
        Column("about", right=False),
    )
    longest = sorted(report.subagents, key=lambda one: -one.duration_ms)[:_ROWS]
    rows: list[list[str | Text]] = [
        [
            one_line(one.kind or "subagent"),
            one.outcome,
            format_duration(one.duration_ms),
            str(one.tool_calls or ""),
            str(one.tool_failures or ""),
            "" if one.total_tokens is None else f"{one.total_tokens:,}",
            "" if one.seq is None else str(one.seq),
            one_line(one.description),
        ]
        for one in sorted(longest, key=lambda one: one.started_at)
    ]
    left = len(report.subagents) - len(longest)
    more = [Text(f"and {left} that took less", style="dim")] if left > 0 else []
    return [*table(columns, rows, width), *more] if rows else []


def _cost(report: Analysis, width: int) -> list[Text]:
    kinds = ("input", "output", "cache_read", "cache_creation")
    headings = ("input", "output", "cache read", "cache written")
    columns = (
        _NAME,
        Column("cost"),
        *(Column(heading, weight) for heading, weight in zip(headings, (5, 6, 4, 3), strict=True)),
    )
    rows = [(one.model, one.cost_usd, one.tokens) for one in report.cost.by_model]
    rows += [
        (f"{one.agent} agent" if one.agent == "main" else one.agent, None, one.tokens)
        for one in report.cost.by_agent
    ]
    costs = [cost or 0.0 for _, cost, _ in rows]
    cells: list[list[str | Text]] = [
        [
            one_line(name),
            "" if cost is None else format_dollars(cost, costs),
            *(f"{tokens.get(kind, 0):,}" if tokens.get(kind) else "" for kind in kinds),
        ]
        for name, cost, tokens in rows
        if cost or any(tokens.values())
    ]
    return table(columns, cells, width) if cells else []


def _commands(report: Analysis, width: int) -> list[Text]:
    columns = (Column("command", right=False), Column("count"), Column("outcomes", right=False))
    rows: list[list[str | Text]] = [
        [
            one_line(one.action),
            str(one.count),
            ", ".join(f"{name} {count}" for name, count in one.outcomes.items()),
        ]
        for one in report.commands[:_ROWS]
    ]
    return table(columns, rows, width) if rows else []


def _states(report: Analysis, width: int) -> list[Text]:
    columns = (
        Column("state", right=False),
        Column("entered", 5),
        Column("time"),
        Column("share", 7),
        Column("then", right=False),
    )
    rows: list[list[str | Text]] = []
    for one in report.states.time:
        if one.state in OVER and not one.ms:
            continue  # where every session ends
        after = [change for change in report.states.transitions if change.source == one.state]
        then = ", ".join(f"{change.target} {change.count} ({change.share:.0%})" for change in after)
        rows.append([one.state, str(one.entered), format_duration(one.ms), f"{one.share:.1%}", then])
    return table(columns, rows, width) if rows else []


def _patterns(patterns: Iterable[Pattern], width: int) -> list[Text]:
    columns = (Column("times"), Column("share", 8), Column("steps", right=False))
    rows: list[list[str | Text]] = [
        [f"{one.count:,}", f"{one.share:.0%}", one_line(" → ".join(one.steps))] for one in list(patterns)[:5]
    ]
    return table(columns, rows, width) if rows else []


def _durations(figures: Statistics) -> list[str]:
    values = (figures.median, figures.p95, figures.max)
    return ["" if value is None else format_duration(value) for value in values]
