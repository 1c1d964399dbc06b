"""``claude-proxy analyze``: what a session did, where its time and money went, what went wrong, where it waited."""

import argparse
import time

from proxy.analysis import Analysis, analyze
from proxy.cli.arguments import add_session, option
from proxy.cli.terminal import events_of, open_console, print_json
from proxy.events import Session
from proxy.sessions import catalogue
from proxy.sessions.catalogue import SessionInfo


def analyze_options(parser: argparse.ArgumentParser) -> None:
    """Analyze a session: what it did, where its time and money went, what went wrong and where it waited; then the
    figures. With several sessions: one line each, and their sum.

    Examples:
        claude-proxy analyze latest
        claude-proxy analyze 20261122 --json | jq '.anomalies[]'
    """
    add_session(parser, "*", " (default: latest)")
    option(parser, "--json: print JSON, as the API returns it")


def run_analyze(arguments: argparse.Namespace) -> None:
    """Analyze the sessions."""
    found = [catalogue.find(arguments.data_dir, word) for word in arguments.sessions or ["latest"]]
    reports = [_analysis(info) for info in found]
    if arguments.json:
        values = [report for report, _ in reports]
        print_json(values[0] if len(values) == 1 else {"sessions": values})
        return
    from proxy.cli.report import print_one, print_several  # noqa: PLC0415 - most of what `--json` would wait for

    if len(reports) == 1:
        print_one(open_console(), *reports[0])
    else:
        print_several(open_console(), reports)


def _analysis(info: SessionInfo) -> tuple[Analysis, Session]:
    """Return the analysis of a session, and what is known of it otherwise."""
    session = Session(info.session_id)
    return analyze(session, events_of(info, session), info.state, time.time_ns() // 1000), session
