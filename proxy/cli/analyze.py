"""``claude-proxy analyze``: what a session did, where its time and money went, what went wrong, where it waited."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from proxy.analysis import SessionAnalysis
from proxy.cli.arguments import add_session, option
from proxy.cli.terminal import events_of, folded, one_line, open_console, print_json, print_lines
from proxy.events import Session
from proxy.events.formatting import format_dollars, format_duration, quantity
from proxy.sessions import catalogue

if TYPE_CHECKING:
    import argparse

    from rich.console import Console
    from rich.text import Text

    from proxy.analysis import Analysis
    from proxy.sessions.catalogue import SessionInfo


_MOST_CRITICAL = 12
"""Anomalies that are told of several sessions."""


def analyze_options(parser: argparse.ArgumentParser) -> None:
    """Analyze a session: what it did, where its time and money went, what went wrong and where it waited; then the
    figures. With several sessions: one line each, and their sum.

    Examples:
        claude-proxy analyze latest
        claude-proxy analyze 20261122 --json | jq '.anomalies[]'
    """
    add_session(parser, "*", " (default: latest)")
    option(parser, "--json: print JSON, as the API returns it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Analyze the sessions and return the exit status."""
    found = [catalogue.find(arguments.data_dir, word) for word in arguments.sessions or ["latest"]]
    reports = [_analysis(info) for info in found]
    if arguments.json:
        values = [report for report, _ in reports]
        print_json(values[0] if len(values) == 1 else {"sessions": values})
        return 0
    from proxy.cli.report import print_one  # noqa: PLC0415 - most of what `--json` would wait for

    if len(reports) == 1:
        print_one(open_console(), *reports[0])
    else:
        _print_several(open_console(), reports)
    return 0


def _analysis(info: SessionInfo) -> tuple[Analysis, Session]:
    """Return the analysis of a session, and what is known of it otherwise."""
    session, analysis = Session(info.session_id), SessionAnalysis(info.session_id)
    for event in events_of(info, session):
        analysis.take(event)
    if info.state == "crashed":
        session.mark_crashed()
    if session.over:
        analysis.mark_over(session)
    return analysis.report(time.time_ns() // 1000 if info.state == "running" else None), session


def _print_several(console: Console, reports: list[tuple[Analysis, Session]]) -> None:
    """Print a line for each session, one for all of them, and what is broken in any."""
    from rich.text import Text  # noqa: PLC0415 - as above

    from proxy.cli.columns import Column, table  # noqa: PLC0415
    from proxy.cli.report import anomaly_lines  # noqa: PLC0415

    columns = (
        Column("session", right=False),
        Column("state", 7, right=False),
        Column("time"),
        Column("turns", 5),
        Column("calls", 4),
        Column("failed", 3),
        Column("cost", 8),
        Column("stood out", 6),
        Column("about", right=False),
    )
    costs = [report.cost.total_usd or 0.0 for report, _ in reports]
    total = sum(costs)
    rows: list[list[str | Text]] = [
        [_stamp(report), report.state, *_row([report], [*costs, total]), one_line(_called(report, session))]
        for report, session in reports
    ]
    rows.append(
        ["", "", *_row([report for report, _ in reports], [*costs, total]), quantity(len(reports), "session")]
    )
    lines = table(columns, rows, console.width)
    left = _MOST_CRITICAL
    for report, session in reports:
        grave = [one for one in report.anomalies if one.severity == "critical"][:left]
        left -= len(grave)
        if grave:
            title = Text(one_line(f"{_stamp(report)}  {_called(report, session)}"), style="dim")
            lines += [Text(), *folded(console, title)[:1], *anomaly_lines(console, grave, report.started_at)]
    print_lines(console, lines)


def _stamp(report: Analysis) -> str:
    """Return the second in which a session began, by which it can be found; an id of another kind as it is."""
    return report.session_id.partition(".")[0]


def _called(report: Analysis, session: Session) -> str:
    return report.name or session.prompt or report.session_id


def _row(reports: list[Analysis], costs: list[float]) -> list[str]:
    return [
        format_duration(sum(report.duration_ms for report in reports)),
        str(sum(report.totals.turns for report in reports)),
        str(sum(report.totals.tool_calls for report in reports)),
        str(sum(report.totals.tool_failures for report in reports) or ""),
        format_dollars(sum(report.cost.total_usd or 0.0 for report in reports), costs),
        str(sum(sum(report.anomaly_counts.values()) for report in reports) or ""),
    ]
