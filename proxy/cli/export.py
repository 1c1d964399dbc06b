"""``claude-proxy export``: give a recorded session to another program, as OpenTelemetry has it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from proxy.cli.errors import UsageError, complain
from proxy.cli.terminal import read_visibly
from proxy.escaping import escape_controls
from proxy.events import Interpreter, Session
from proxy.events.formatting import quantity
from proxy.sessions import catalogue
from proxy.sessions.reader import Entry
from proxy.telemetry.collector import (
    Collector,
    CollectorAwayError,
    CollectorRefusedError,
    MissingLibraryError,
)
from proxy.telemetry.traces import TraceBuilder, TraceSpan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from proxy.sessions.catalogue import SessionInfo

_AT_ONCE = 200
"""Spans of one request: with their content some megabytes, which is what collectors take."""


def export_options(parser: argparse.ArgumentParser) -> None:
    """Say what the subcommand takes."""
    parser.description = (
        "Send the traces of a session to a place that takes OTLP over HTTP: one for each turn. Sent again, they are "
        "the same spans. It needs the libraries of OpenTelemetry: pip install 'claude-proxy[otlp]'."
    )
    parser.add_argument(
        "session", metavar="SESSION", help="an id, the beginning of one, `latest`, or the path of a log"
    )
    parser.add_argument("--otlp", metavar="URL", required=True, help="where to, without /v1/traces")
    parser.add_argument(
        "--header",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="goes along; may be given several times",
    )
    parser.add_argument("--content", action="store_true", help="send what was said, too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Send a session and return the exit status."""
    if not arguments.otlp.startswith(("http://", "https://")):
        raise UsageError(f"--otlp is {arguments.otlp!r}; it takes a URL with http:// or https://")
    headers = _headers(arguments.header)
    try:
        info = catalogue.find(arguments.data_dir, arguments.session)
        collector = Collector(arguments.otlp, headers, with_metrics=False)
    except (catalogue.SessionLookupError, MissingLibraryError) as error:
        return complain(error, 2, sys.stderr)
    sent, turns, batch = 0, 0, list[TraceSpan]()
    try:
        for span in _spans(info, with_content=arguments.content):
            batch.append(span)
            turns += span.is_turn
            if len(batch) == _AT_ONCE:
                collector.send(batch)
                sent, batch = sent + len(batch), []
        collector.send(batch)
        sent += len(batch)
    except (CollectorAwayError, CollectorRefusedError) as error:
        told = f"{arguments.otlp} has not taken the spans: {error}; {quantity(sent, 'span')} were sent before"
        return complain(told, 1, sys.stderr)
    finally:
        collector.close()
    print(f"{quantity(sent, 'span')} of {quantity(turns, 'turn')} are at {escape_controls(arguments.otlp)}")
    return 0


def _headers(given: list[str]) -> dict[str, str]:
    headers = {}
    for header in given:
        name, equals, value = header.partition("=")
        if not equals or not name:
            raise UsageError("--header takes NAME=VALUE")
        headers[name] = value
    return headers


def _spans(info: SessionInfo, *, with_content: bool) -> Iterator[TraceSpan]:
    builder = TraceBuilder(info.session_id, with_content=with_content)
    interpreter = Interpreter(Session(info.session_id))
    for _, item in read_visibly({info.path: info.size}):
        if isinstance(item, Entry):
            for event in interpreter.take(item.record):
                yield from builder.take(event)
    if info.state == "crashed":
        yield from builder.close(interpreter.session.last_event_us)
