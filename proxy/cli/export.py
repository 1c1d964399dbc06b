"""``claude-proxy export``: give recorded sessions to another program, as OpenTelemetry traces or as logs."""

import argparse
import itertools
from collections.abc import Iterator

from proxy.cli.arguments import add_session, option
from proxy.cli.errors import FailedError, UsageError
from proxy.cli.selection import past_time
from proxy.cli.terminal import events_of
from proxy.escaping import escape_controls
from proxy.events.formatting import quantity
from proxy.sessions import catalogue
from proxy.sessions.catalogue import SessionInfo
from proxy.telemetry.collector import MOST_SPANS, Collector, CollectorAwayError, CollectorRefusedError
from proxy.telemetry.traces import TraceBuilder, TraceSpan


def export_options(parser: argparse.ArgumentParser) -> None:
    """With --otlp, send the traces of a session to an OTLP/HTTP endpoint, one trace for each turn.

    Repeated, it sends the same spans. This needs the libraries of OpenTelemetry: pip install 'claude-proxy[otlp]'.

    With --to, write logs to a folder, byte for byte, and what rules found; with the configuration of a centre, those of
    its hosts. Existing files are not replaced.

    Examples:
        claude-proxy export latest --otlp http://127.0.0.1:4318
        claude-proxy --config centre.yaml export --since 2026-11-01 --to logs
    """
    add_session(parser, "?", "; of a centre, a whole id")
    where = parser.add_mutually_exclusive_group(required=True)
    option(where, "--otlp URL: where to, without /v1/traces")
    option(
        where, "--to DIR: write DIR/SESSION.jsonl, to the last whole line, and SESSION.rules if rules fired"
    )
    since = "with --to: all that began later: 2h, 3d, a date, or a time as in records (UTC)"
    option(parser, f"--since TIME: {since}", past_time)
    out = "with --to: leave credentials out, as `redact` does (default: off)"
    option(parser, f"--redact on|strict|off: {out}", choices=("on", "strict", "off"))
    option(parser, "--header NAME=VALUE ...: with --otlp: a header to send; may be repeated")
    option(parser, "--content: with --otlp: send the content, too")


def run_export(arguments: argparse.Namespace) -> int:
    """Send a session and return the exit status."""
    if arguments.to is not None:
        from proxy.cli.export_logs import export_logs  # noqa: PLC0415 - each path imports no more than it needs

        return export_logs(arguments)
    if arguments.session is None or arguments.since is not None or arguments.redact is not None:
        raise UsageError("--otlp takes one SESSION; --since and --redact go with --to")
    if not arguments.otlp.startswith(("http://", "https://")):
        raise UsageError(f"--otlp is {arguments.otlp!r}; it takes a URL with http:// or https://")
    headers = _headers(arguments.header)
    info = catalogue.find(arguments.data_dir, arguments.session)
    collector = Collector(arguments.otlp, headers, with_metrics=False)
    spans = _spans(info, with_content=arguments.content)
    sent = turns = 0
    try:
        while batch := list(itertools.islice(spans, MOST_SPANS)):
            collector.send(batch)
            sent, turns = sent + len(batch), turns + sum(span.is_turn for span in batch)
    except (CollectorAwayError, CollectorRefusedError) as error:
        raise FailedError(
            f"{arguments.otlp} has not taken the spans: {error}; {quantity(sent, 'span')} were sent before"
        ) from None
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
    last_us = 0
    for event in events_of(info):
        last_us = event.timestamp_us
        yield from builder.take(event)
    if info.state == "crashed":
        yield from builder.close(last_us)
