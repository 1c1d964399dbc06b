"""``claude-proxy analyze``: what a session did, where its time and money went, what went wrong, where it waited."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console, Group
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from proxy.analysis import SessionAnalysis
from proxy.analysis.summary import ACTIVITIES
from proxy.cli.terminal import printable
from proxy.events import Interpreter, Session
from proxy.events.words import in_dollars, in_words
from proxy.sessions import catalogue
from proxy.sessions.reader import Entry, read_log

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from rich.console import RenderableType

    from proxy.analysis import Analysis
    from proxy.analysis.report import Anomaly, Figures
    from proxy.sessions.catalogue import SessionInfo

_LONG_BYTES = 8 << 20
"""Logs from which on a progress bar is shown: they take more than a second or so."""
_MARKS = {"critical": ("!!", "bold red"), "warning": ("! ", "yellow"), "info": ("- ", "dim")}
_FIRST = 3
"""Anomalies that are shown before everything else."""
_ROWS = 12
_PIPED_WIDTH = 160
"""Where nobody says how wide: tables are whole then."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "analyze",
        help="what a session did, where time and money went, what went wrong",
        description="Analyze a session: what it did, where its time and money went, what went wrong and where it"
        " waited; then the figures. Of several sessions: a line each, and what they add up to.",
    )
    parser.add_argument(
        "sessions",
        metavar="SESSION",
        nargs="*",
        help="an id, the beginning of one, `latest`, or the path of a log (default: latest)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, as the API gives it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Analyze the sessions and return the exit status."""
    try:
        found = [catalogue.find(arguments.data_dir, word) for word in arguments.sessions or ["latest"]]
        reports = [_analysis(info) for info in found]
    except (catalogue.SessionLookupError, OSError) as error:
        sys.stderr.write(f"claude-proxy: {error}\n")
        return 2
    if arguments.json:
        values = [msgspec.to_builtins(report) for report in reports]
        print(json.dumps(values[0] if len(values) == 1 else {"sessions": values}, indent=2))
        return 0
    console = Console(highlight=False, markup=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPED_WIDTH
    console.print(_one(reports[0]) if len(reports) == 1 else _several(reports))
    return 0


def _analysis(info: SessionInfo) -> Analysis:
    interpreter, analysis = Interpreter(Session(info.session_id)), SessionAnalysis(info.session_id)
    console = Console(stderr=True)
    columns = (
        TextColumn("reading"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    shown = console.is_terminal and info.size >= _LONG_BYTES
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        task = progress.add_task("", total=info.size)
        told = 0
        for item in read_log(info.path):
            if isinstance(item, Entry):
                for event in interpreter.take(item.record):
                    analysis.take(event)
            if item.end - told > _LONG_BYTES // 16:
                told = item.end
                progress.update(task, completed=told)
    if info.state == "crashed":
        for event in interpreter.crashed():
            analysis.take(event)
    return analysis.report(time.time_ns() // 1000 if info.state == "running" else None)


# -- one session -----------------------------------------------------------------------------------------------


def _one(report: Analysis) -> Group:
    about = [report.session_id, report.name, report.state, report.model]
    parts: list[RenderableType] = [_text(" · ".join(one for one in about if one), "bold")]
    parts += [_text(sentence) for sentence in report.summary]
    worst = _worst(report.anomalies)
    parts += [_anomaly(one) for one in worst]
    left = len(report.anomalies) - len(worst)
    if left:
        parts.append(_text(f"   and {left} more below", "dim"))
    for heading, body in (
        ("Time", _time(report)),
        ("Turns", _turns(report)),
        ("Tools", _tools(report)),
        ("Permissions", _permissions(report)),
        ("Subagents", _subagents(report)),
        ("Cost", _cost(report)),
        ("Commands", _commands(report)),
        ("States", _states(report)),
        ("Patterns", _patterns(report)),
        ("What stood out", [_anomaly(one) for one in report.anomalies] if left else []),
    ):
        if body:
            parts += [Text(), _text(heading, "bold cyan"), *body]
    return Group(*parts)


def _worst(anomalies: list[Anomaly]) -> list[Anomaly]:
    order = list(_MARKS)
    grave = [one for one in anomalies if one.severity != "info"]
    return sorted(grave, key=lambda one: order.index(one.severity))[:_FIRST]


def _anomaly(one: Anomaly) -> RenderableType:
    mark, style = _MARKS[one.severity]
    where = f"  record {one.seq}, {one.time[11:19]}" if one.seq is not None else f"  {one.time[11:19]}"
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_row(_text(mark, style), Text.assemble(_text(one.sentence), _text(where, "dim")))
    return line


def _time(report: Analysis) -> list[RenderableType]:
    table = _table(
        "", ("share", 6), ("time", 11), ("stretches", 9), ("median", 9), ("p95", 9), ("longest", 9)
    )
    table.add_column("", no_wrap=True, overflow="crop", max_width=20)
    for one in report.time.activities:
        figures = one.spans
        table.add_row(
            _text(ACTIVITIES[one.activity]),
            f"{one.share:.1%}",
            in_words(one.ms),
            str(figures.count),
            *_durations(figures),
            Text("█" * round(one.share * 20), style="cyan"),
        )
    return [table] if report.time.activities else []


def _turns(report: Analysis) -> list[RenderableType]:
    dear = sorted(report.turns, key=lambda one: (-(one.cost_usd or 0.0), -one.duration_ms))[:_ROWS]
    if not dear:
        return []
    table = _table(
        "turn", ("outcome", 9), ("time", 9), ("cost", 8), ("calls", 5), ("failed", 6), ("record", 6)
    )
    table.add_column("prompt", no_wrap=True, overflow="ellipsis", max_width=40)
    for one in sorted(dear, key=lambda one: one.started_at):
        table.add_row(
            _text(one.run_id),
            one.outcome,
            in_words(one.duration_ms),
            "" if one.cost_usd is None else in_dollars(one.cost_usd),
            str(one.tool_calls),
            str(one.tool_failures or ""),
            "" if one.seq is None else str(one.seq),
            _text(one.prompt),
        )
    figures = report.time.turns
    said = [table]
    total = sum(report.turn_outcomes.values())
    note: list[RenderableType] = []
    if total > len(dear):
        note.append(_text(f"the {len(dear)} dearest of {total}", "dim"))
    if figures.count > 1:
        mean, deviation = in_words(figures.mean or 0.0), in_words(figures.deviation or 0.0)
        least, most = in_words(figures.min or 0.0), in_words(figures.max or 0.0)
        median = in_words(figures.median or 0.0)
        note.append(
            _text(
                f"a turn took {mean} on average (median {median}, from {least} to {most}, standard deviation"
                f" {deviation})",
                "dim",
            )
        )
    return [*said, *note]


def _tools(report: Analysis) -> list[RenderableType]:
    if not report.tools:
        return []
    table = _table(
        "tool",
        ("calls", 5),
        ("failed", 6),
        ("denied", 6),
        ("total", 9),
        ("median", 9),
        ("p95", 9),
        ("longest", 9),
    )
    for one in report.tools[:_ROWS]:
        table.add_row(
            _text(one.tool),
            str(one.calls),
            _text(str(one.failed or ""), "red"),
            str(one.denied or ""),
            in_words(one.duration.total),
            *_durations(one.duration),
        )
    left = len(report.tools) - _ROWS
    return [table, *([_text(f"and {left} more tools", "dim")] if left > 0 else [])]


def _permissions(report: Analysis) -> list[RenderableType]:
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
    waiting = f"; waited {in_words(asked.waiting.total)} in all" if asked.waiting.count else ""
    return [_text(", ".join(parts) + waiting)]


def _subagents(report: Analysis) -> list[RenderableType]:
    if not report.subagents:
        return []
    table = _table(
        "subagent", ("outcome", 9), ("time", 9), ("calls", 5), ("failed", 6), ("tokens", 8), ("record", 6)
    )
    for one in sorted(report.subagents, key=lambda one: -one.duration_ms)[:_ROWS]:
        table.add_row(
            _text(f"{one.kind}: {one.description}" if one.kind else one.description),
            one.outcome,
            in_words(one.duration_ms),
            str(one.tool_calls),
            str(one.tool_failures or ""),
            "" if one.total_tokens is None else str(one.total_tokens),
            "" if one.seq is None else str(one.seq),
        )
    return [table]


def _cost(report: Analysis) -> list[RenderableType]:
    kinds = ("input", "output", "cache_read", "cache_creation")
    table = _table("", ("cost", 9), *((kind.replace("_", " "), 9) for kind in kinds))
    rows = [(one.model, one.cost_usd, one.tokens) for one in report.cost.by_model]
    rows += [(f"agent: {one.agent}", None, one.tokens) for one in report.cost.by_agent]
    for name, cost, tokens in rows:
        said = "" if cost is None else in_dollars(cost)
        table.add_row(_text(name), said, *(f"{tokens.get(kind, 0):,}" for kind in kinds))
    return [table] if rows else []


def _commands(report: Analysis) -> list[RenderableType]:
    table = _table("command", ("count", 6))
    table.add_column("outcomes")
    for one in report.commands[:_ROWS]:
        outcomes = ", ".join(f"{name} {count}" for name, count in one.outcomes.items())
        table.add_row(_text(one.action), str(one.count), _text(outcomes))
    return [table] if report.commands else []


def _states(report: Analysis) -> list[RenderableType]:
    if not report.states.time:
        return []
    table = _table("state", ("entered", 7), ("time", 11), ("share", 6))
    table.add_column("then")
    for one in report.states.time:
        after = [change for change in report.states.transitions if change.source == one.state]
        then = ", ".join(f"{change.target} {change.count}" for change in after)
        table.add_row(one.state, str(one.entered), in_words(one.ms), f"{one.share:.1%}", then)
    return [table]


def _patterns(report: Analysis) -> list[RenderableType]:
    found = [*report.sequence.tool_patterns[:5], *report.sequence.patterns[:5]]
    return [_text(f"{one.count:>6} times  {' → '.join(one.steps)}  ({one.share:.0%})") for one in found]


# -- several ---------------------------------------------------------------------------------------------------


def _several(reports: list[Analysis]) -> Group:
    table = _table(
        "session",
        ("state", 9),
        ("time", 9),
        ("turns", 5),
        ("calls", 5),
        ("failed", 6),
        ("cost", 9),
        ("stood out", 9),
    )
    for report in reports:
        table.add_row(_text(report.name or report.session_id), report.state, *_row([report]))
    table.add_section()
    table.add_row(_text(f"{len(reports)} sessions", "bold"), "", *_row(reports))
    grave = [(report, one) for report in reports for one in report.anomalies if one.severity == "critical"]
    lines: list[RenderableType] = [
        Group(_text(report.name or report.session_id, "dim"), _anomaly(one)) for report, one in grave[:_ROWS]
    ]
    more = [_text(f"and {len(grave) - _ROWS} more", "dim")] if len(grave) > _ROWS else []
    return Group(table, *([Text(), *lines, *more] if lines else []))


def _row(reports: Iterable[Analysis]) -> list[str]:
    reports = list(reports)
    tools = [tool for report in reports for tool in report.tools]
    return [
        in_words(sum(report.duration_ms for report in reports)),
        str(sum(sum(report.turn_outcomes.values()) for report in reports)),
        str(sum(tool.calls for tool in tools)),
        str(sum(tool.failed for tool in tools) or ""),
        in_dollars(sum(report.cost.total_usd or 0.0 for report in reports)),
        str(sum(sum(report.anomaly_counts.values()) for report in reports) or ""),
    ]


# -- parts of both ---------------------------------------------------------------------------------------------


def _table(first: str, *columns: tuple[str, int]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column(first, no_wrap=True, overflow="ellipsis")
    for heading, width in columns:
        table.add_column(heading, justify="right", no_wrap=True, min_width=width)
    return table


def _durations(figures: Figures) -> list[str]:
    values = (figures.median, figures.p95, figures.max)
    return ["" if value is None else in_words(value) for value in values]


def _text(said: str, style: str = "") -> Text:
    """Return what may come from the wire so that it cannot do anything to a terminal."""
    return Text(printable(said), style=style)
