"""``claude-proxy approvals``: who or what allowed or denied each call of a tool."""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from proxy.cli.arguments import add_session, option, some_of
from proxy.cli.terminal import events_of, print_json, printable
from proxy.events.approved_calls import BY, DECISIONS, approved_call
from proxy.events.formatting import quantity
from proxy.sessions import catalogue
from proxy.sessions.catalogue import SessionInfo

_COLUMNS = (
    "session_id",
    "seq",
    "tool",
    "tool_use_id",
    "decision",
    "by",
    "lasting",
    "mode",
    "waited_ms",
    "reason",
)


def approvals_options(parser: argparse.ArgumentParser) -> None:
    """Print who or what allowed or denied each tool call; see docs/approvals.md."""
    add_session(parser, "*", " (default: latest)")
    option(parser, f"--by WHO,...: only by these: {', '.join(BY)}", some_of(BY))
    form = parser.add_mutually_exclusive_group()
    option(form, "--json: print JSON")
    option(form, "--csv: print comma-separated values with a header line")


def run_approvals(arguments: argparse.Namespace) -> None:
    """Print the approvals of sessions."""
    wanted = BY if arguments.by is None else arguments.by
    found = [catalogue.find(arguments.data_dir, text) for text in arguments.sessions or ["latest"]]
    rows = [row for info in found for row in _rows(info) if row["approval"]["by"] in wanted]
    if arguments.json:
        print_json({"approvals": rows})
    elif arguments.csv:
        writer = csv.DictWriter(sys.stdout, _COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, **row["approval"]} for row in rows)
    else:
        _print_lines(rows)


def _rows(info: SessionInfo) -> Iterator[dict[str, Any]]:
    for event in events_of(info):
        if (call := approved_call(event.event_type, event.data)) is not None:
            yield {"session_id": info.session_id, **msgspec.to_builtins(call)}


def _print_lines(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        one = row["approval"]
        decided = DECISIONS[one["decision"]]
        reason = f": {one['reason']}" if one["reason"] else ""
        call = f"{row['session_id']} {row['seq']:>6}  {row['tool'] or '?':20}"
        print(printable(f"{call} {decided} by {one['by']}{reason}"))
    counted = Counter((row["approval"]["decision"], row["approval"]["by"]) for row in rows)
    totals = ", ".join(f"{count} {decision} by {by}" for (decision, by), count in counted.most_common())
    sys.stderr.write(f"{quantity(len(rows), 'call')}{': ' if totals else ''}{totals}\n")
