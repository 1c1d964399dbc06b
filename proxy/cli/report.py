"""An analysis for people: first what answers their questions, then what stood out, then the figures.

Everything fits the width, and nothing is said twice: of many things of a kind the gravest are shown, and how many more
there are. ``analyze --json`` has them all.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, TypeVar

from rich.text import Text

from proxy.analysis import Analysis
from proxy.analysis.anomalies import SEVERITIES
from proxy.analysis.report import Anomaly, Pattern, Statistics
from proxy.analysis.summary import ACTIVITIES
from proxy.cli.columns import Column, table
from proxy.cli.terminal import Output, folded, one_line, print_lines, printable
from proxy.events import Session
from proxy.events.formatting import format_dollars, format_duration, quantity
from proxy.events.session_outcome import of_session
from proxy.events.vocabulary import OVER

_T = TypeVar("_T")
_MARKS: Final = {"critical": ("!!", "bold red"), "warning": ("! ", "yellow"), "info": ("- ", "dim")}
_HANG = 3  # cells: behind the mark
_MOST_CRITICAL = 12
"""Anomalies that are told of several sessions."""
_OF_A_KIND = 3  # of a kind: the gravest
_ROWS = 12  # half a screen
_BAR = 20  # cells
_LEAST_SHARE = 0.0005  # rounds to 0.1 %
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


def print_one(console: Output, report: Analysis, session: Session) -> None:
    """Print the analysis of one session."""
    about = report.name or session.prompt or " ".join(session.command) or report.session_id
    became = of_session(session)
    facts = [report.state if became is None else became.kind, report.model or "", _period(report)]
    lines = folded(console, Text(one_line(about), style="bold"))[:2]
    lines.append(Text(printable(" · ".join(filter(None, [*facts, report.session_id]))), style="dim"))
    if became is not None and became.reason:
        lines.append(Text(printable(became.reason), style="bold red"))
    lines += [Text(), *(Text(printable(sentence)) for sentence in report.summary)]
    for heading, section in _sections(report, console):
        if section:
            lines += [Text(), Text(heading, style="bold cyan"), *section]
    print_lines(console, lines)


class _Row(NamedTuple):
    """What is said of one session, or of all together."""

    reports: list[Analysis]
    stamp: str
    """The second in which a session began, by which it can be found; an id of another kind as it is."""
    state: str
    about: str


def print_several(console: Output, reports: list[tuple[Analysis, Session]]) -> None:
    """Print a line for each session, one for all of them, and what is broken in any."""
    every = [report for report, _ in reports]
    costs = [report.cost.total_usd or 0.0 for report in every]
    costs.append(sum(costs))
    rows = [
        _Row([one], one.session_id.partition(".")[0], one.state, one.name or session.prompt or one.session_id)
        for one, session in reports
    ]
    lines = _table(
        [*rows, _Row(every, "", "", quantity(len(every), "session"))],
        console.width,
        (Column("session", right=False), lambda row: row.stamp),
        (Column("state", 7, right=False), lambda row: row.state),
        (Column("time"), lambda row: format_duration(sum(one.duration_ms for one in row.reports))),
        (Column("turns", 5), lambda row: str(sum(one.totals.turns for one in row.reports))),
        (Column("calls", 4), lambda row: str(sum(one.totals.tool_calls for one in row.reports))),
        (Column("failed", 3), lambda row: str(sum(one.totals.tool_failures for one in row.reports) or "")),
        (
            Column("cost", 8),
            lambda row: format_dollars(sum(one.cost.total_usd or 0.0 for one in row.reports), costs),
        ),
        (
            Column("stood out", 6),
            lambda row: str(sum(sum(one.anomaly_counts.values()) for one in row.reports) or ""),
        ),
        (Column("about", right=False), lambda row: one_line(row.about)),
    )
    left = _MOST_CRITICAL
    for row in rows:
        report = row.reports[0]
        grave = [one for one in report.anomalies if one.severity == "critical"][:left]
        left -= len(grave)
        if grave:
            title = Text(one_line(f"{row.stamp}  {row.about}"), style="dim")
            lines += [Text(), *folded(console, title)[:1], *anomaly_lines(console, grave, report.started_at)]
    print_lines(console, lines)


def _period(report: Analysis) -> str:
    start, end = ((at or "")[:16].replace("T", " ") for at in (report.started_at, report.ended_at))
    if not start or not end:
        return f"since {start} UTC" if start else ""
    return f"{start} to {end.removeprefix(f'{start[:10]} ')} UTC"


def _sections(report: Analysis, console: Output) -> Iterator[tuple[str, list[Text]]]:
    width = console.width
    yield "What stood out", _anomalies(report, console)
    yield "Time", _time(report, width)
    yield "Turns", _turns(report, width)
    yield "Tools", _tools(report, width)
    yield "Permissions", _permissions(report)
    yield "Subagents", _subagents(report, width)
    yield "Cost", _cost(report, width)
    yield "Commands", _commands(report, width)
    yield "States", _states(report, width)
    yield "Tools in a row", _patterns(report.sequence.tool_patterns, width)
    yield "Events in a row", _patterns(report.sequence.patterns, width)


def _anomalies(report: Analysis, console: Output) -> list[Text]:
    """Return the gravest of each kind, the gravest kinds first."""
    kinds: dict[str, list[Anomaly]] = {}
    for one in report.anomalies:
        kinds.setdefault(one.kind, []).append(one)
    lines: list[Text] = []
    for kind, found in sorted(kinds.items(), key=lambda item: -max(_gravity(one) for one in item[1])[0]):
        shown = sorted(found, key=_gravity, reverse=True)[:_OF_A_KIND]
        lines += anomaly_lines(console, sorted(shown, key=lambda one: one.time), report.started_at)
        left = report.anomaly_counts.get(kind, len(found)) - len(shown)
        if left > 0:
            lines.append(Text(f"   and {left} more of the kind: {kind.replace('_', ' ')}", style="dim"))
    return lines


def _gravity(one: Anomaly) -> tuple[int, float]:
    facts = one.evidence.facts
    size = next((facts[name] for name in _SIZES if isinstance(facts.get(name), int | float)), 0)
    return SEVERITIES.index(one.severity), size


def anomaly_lines(console: Output, anomalies: Iterable[Anomaly], started_at: str | None) -> list[Text]:
    """Return for each anomaly how grave it is, when it was, which record, and the sentence, folded behind the mark."""
    lines = []
    for one in anomalies:
        mark, style = _MARKS[one.severity]
        is_same_day = bool(started_at) and one.time[:10] == str(started_at)[:10]
        when = one.time[11:19] if is_same_day else f"{one.time[5:10]} {one.time[11:19]}"
        where = f"{when}: " if one.seq is None else f"{when}  record {one.seq}: "
        line = Text.assemble((f"{mark} ", style), (where, "dim"), printable(one.sentence))
        lines += folded(console, line, hang=_HANG)
    return lines


def _table(
    items: Iterable[_T], width: int, *columns: tuple[Column, Callable[[_T], str | Text]]
) -> list[Text]:
    """Return a table of some things, by columns and what of a thing stands in each; nothing where there are none."""
    rows: list[list[str | Text]] = [[cell(one) for _, cell in columns] for one in items]
    return table([column for column, _ in columns], rows, width) if rows else []


def _count(number: int | None) -> str:
    return f"{number:,}" if number else ""


def _lasted(ms: float | None) -> str:
    return "" if ms is None else format_duration(ms)


def _time(report: Analysis, width: int) -> list[Text]:
    return _table(
        [one for one in report.time.activities if one.share >= _LEAST_SHARE],
        width,
        (_NAME, lambda one: ACTIVITIES[one.activity]),
        (Column("share", 8), lambda one: f"{one.share:.1%}"),
        (Column("time"), lambda one: format_duration(one.ms)),
        (Column("stretches", 2), lambda one: _count(one.spans.count)),
        (Column("median", 4), lambda one: _lasted(one.spans.median)),
        (Column("p95", 3), lambda one: _lasted(one.spans.p95)),
        (Column("longest", 5), lambda one: _lasted(one.spans.max)),
        (Column("", 1, right=False), lambda one: Text("█" * round(one.share * _BAR), style="cyan")),
    )


def _turns(report: Analysis, width: int) -> list[Text]:
    costliest = sorted(report.turns, key=lambda one: (-(one.cost_usd or 0.0), -one.duration_ms))[:_ROWS]
    costs = [one.cost_usd or 0.0 for one in costliest]
    lines: list[Text] = [
        *_table(
            sorted(costliest, key=lambda one: one.started_at),
            width,
            (Column("turn", 6, right=False), lambda one: one.run_id.removeprefix("run-")),
            (Column("outcome", 7, right=False), lambda one: one.outcome),
            (Column("time", 8), lambda one: format_duration(one.duration_ms)),
            (Column("cost", 9), lambda one: _dollars(one.cost_usd, costs)),
            (Column("calls", 3), lambda one: _count(one.tool_calls)),
            (Column("failed", 2), lambda one: _count(one.tool_failures)),
            (Column("record", 4), lambda one: "" if one.seq is None else str(one.seq)),
            (Column("prompt", right=False), lambda one: one_line(one.prompt)),
        )
    ]
    total = sum(report.turn_outcomes.values())
    if total > len(costliest) > 0:
        bounded = "" if total == len(report.turns) else f" of the last {len(report.turns)}"
        lines.append(Text(f"the {len(costliest)} most expensive{bounded}, of {total:,} in all", style="dim"))
    if report.time.turns.count > 1:
        lines += [Text(said, style="dim") for said in _spread(report.time.turns)]
    return lines


def _dollars(cost: float | None, beside: Iterable[float]) -> str:
    return "" if cost is None else format_dollars(cost, beside)


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


def _tools(report: Analysis, width: int) -> list[Text]:
    return [
        *_table(
            report.tools[:_ROWS],
            width,
            (Column("tool", right=False), lambda one: one_line(one.tool)),
            (Column("calls"), lambda one: _count(one.calls)),
            (Column("failed", 7), lambda one: Text(_count(one.failed), "red")),
            (Column("denied", 1), lambda one: _count(one.denied)),
            (Column("total", 8), lambda one: format_duration(one.duration.total)),
            (Column("mean", 2), lambda one: _lasted(one.duration.mean)),
            (Column("median", 4), lambda one: _lasted(one.duration.median)),
            (Column("p95", 5), lambda one: _lasted(one.duration.p95)),
            (Column("longest", 6), lambda one: _lasted(one.duration.max)),
        ),
        *_left(len(report.tools) - _ROWS, "more tool"),
    ]


def _left(count: int, what: str) -> list[Text]:
    return [Text(f"and {quantity(count, what)}", style="dim")] if count > 0 else []


def _permissions(report: Analysis) -> list[Text]:
    asked = report.permissions
    if not asked.requested:
        return []
    decisions = {
        "allowed": asked.allowed,
        "denied": asked.denied,
        "withdrawn": asked.cancelled,
        "without answer": asked.unanswered,
    }
    parts = [
        f"{asked.requested} requested",
        *(f"{count} {name}" for name, count in decisions.items() if count),
    ]
    waiting = asked.waiting
    waited = ""
    if waiting.count:
        median, longest = format_duration(waiting.median or 0.0), format_duration(waiting.max or 0.0)
        waited = f"; {format_duration(waiting.total)} of waiting, half of them up to {median}, the longest {longest}"
    return [Text(", ".join(parts) + waited)]


def _subagents(report: Analysis, width: int) -> list[Text]:
    longest = sorted(report.subagents, key=lambda one: -one.duration_ms)[:_ROWS]
    return [
        *_table(
            sorted(longest, key=lambda one: one.started_at),
            width,
            (Column("kind", 7, right=False), lambda one: one_line(one.kind or "subagent")),
            (Column("outcome", 8, right=False), lambda one: one.outcome),
            (Column("time"), lambda one: format_duration(one.duration_ms)),
            (Column("calls", 3), lambda one: _count(one.tool_calls)),
            (Column("failed", 2), lambda one: _count(one.tool_failures)),
            (Column("tokens", 6), lambda one: _count(one.total_tokens)),
            (Column("record", 4), lambda one: "" if one.seq is None else str(one.seq)),
            (Column("about", right=False), lambda one: one_line(one.description)),
        ),
        *_left(len(report.subagents) - len(longest), "shorter one"),
    ]


def _cost(report: Analysis, width: int) -> list[Text]:
    rows = [(one.model, one.cost_usd, one.tokens) for one in report.cost.by_model]
    rows += [
        (f"{one.agent} agent" if one.agent == "main" else one.agent, None, one.tokens)
        for one in report.cost.by_agent
    ]
    costs = [cost or 0.0 for _, cost, _ in rows]
    return _table(
        [row for row in rows if row[1] or any(row[2].values())],
        width,
        (_NAME, lambda row: one_line(row[0])),
        (Column("cost"), lambda row: _dollars(row[1], costs)),
        (Column("input", 5), lambda row: _count(row[2].get("input"))),
        (Column("output", 6), lambda row: _count(row[2].get("output"))),
        (Column("cache read", 4), lambda row: _count(row[2].get("cache_read"))),
        (Column("cache written", 3), lambda row: _count(row[2].get("cache_creation"))),
    )


def _commands(report: Analysis, width: int) -> list[Text]:
    return _table(
        report.commands[:_ROWS],
        width,
        (Column("command", right=False), lambda one: one_line(one.action)),
        (Column("count"), lambda one: _count(one.count)),
        (
            Column("outcomes", right=False),
            lambda one: ", ".join(f"{name} {count}" for name, count in one.outcomes.items()),
        ),
    )


def _states(report: Analysis, width: int) -> list[Text]:
    def then(state: str) -> str:
        after = [change for change in report.states.transitions if change.source == state]
        return ", ".join(f"{change.target} {change.count} ({change.share:.0%})" for change in after)

    return _table(
        [one for one in report.states.time if one.ms or one.state not in OVER],  # where every session ends
        width,
        (Column("state", right=False), lambda one: one.state),
        (Column("entered", 5), lambda one: _count(one.entered)),
        (Column("time"), lambda one: format_duration(one.ms)),
        (Column("share", 7), lambda one: f"{one.share:.1%}"),
        (Column("then", right=False), lambda one: then(one.state)),
    )


def _patterns(patterns: Iterable[Pattern], width: int) -> list[Text]:
    return _table(
        list(patterns)[:5],
        width,
        (Column("times"), lambda one: _count(one.count)),
        (Column("share", 8), lambda one: f"{one.share:.0%}"),
        (Column("steps", right=False), lambda one: one_line(" → ".join(one.steps))),
    )
