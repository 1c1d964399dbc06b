"""``claude-proxy drift``: what passed on the wire that the specification does not have."""

import argparse
import json
import sys
from collections.abc import Callable

import msgspec

from proxy.cli import complain
from proxy.cli.arguments import examples
from proxy.cli.terminal import printable, progress
from proxy.escaping import escape_controls
from proxy.events.formatting import quantity
from proxy.sessions import catalogue
from proxy.sessions.drift import Search, Sighting, Sightings
from proxy.sessions.reader import Skipped, read_log

_MOST = 10_000
"""As many different things are told apart."""


def drift_options(parser: argparse.ArgumentParser) -> None:
    """Say what the subcommand takes."""
    parser.description = (
        "List types, subtypes, fields, blocks and values that passed and that the specification "
        "does not have. New releases of Claude Code show themselves so."
    )
    parser.add_argument(
        "sessions", metavar="SESSION", nargs="*", help="as for `show` (default: all recorded sessions)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--fail", action="store_true", help="exit with status 1 if there is any")
    parser.epilog = examples("drift", "drift latest --json --fail")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look through the sessions, print what was found and return the exit status."""
    wanted = args.sessions or catalogue.list_logs(args.data_dir)[::-1]
    found = Sightings(_MOST)
    infos = [catalogue.find(args.data_dir, text) for text in wanted]
    with progress("looking through", sum(info.size for info in infos)) as advance:
        for text, info in zip(wanted, infos, strict=True):
            looked_at, skipped = look_through(info.path, found, advance)
            if skipped and not looked_at:  # nothing was looked at: "no drift" would be untrue
                raise catalogue.NoRecordsError(text)
            if skipped:
                complain(f"{text}: {skipped} lines are no records", 0, sys.stderr)
    drift = found.listed()
    if args.json:
        print(json.dumps({"drift": msgspec.to_builtins(drift)}, indent=2))
    else:
        _tell(drift)
        if wanted:
            what = quantity(len(drift), "thing") if drift else "nothing"
            where = quantity(len(wanted), "session")
            print(f"{what} in {where} that the specification does not have")
        else:
            print(f"No sessions in {escape_controls(args.data_dir)} yet: there is nothing to look at.")
    if found.unlisted:
        complain(f"there is more; only the first {_MOST} things are listed", 0, sys.stderr)
    return 1 if drift and args.fail else 0


def look_through(path: str, found: Sightings, advance: Callable[[int], None]) -> tuple[int, int]:
    """Add a session's drift to what was found; return how many lines of its log are records, and how many not.

    ``advance`` is told how many bytes were looked at.
    """
    search = Search(found)
    looked_at = skipped = end = 0
    for item in read_log(path):
        advance(item.end - end)
        end = item.end
        if isinstance(item, Skipped):
            skipped += 1
        else:
            looked_at += 1
            search.look_at(item.record)
    return looked_at, skipped


def _tell(drift: list[Sighting]) -> None:
    """Print a line for each, for reading."""
    for one in drift:
        where = one.type + (f"/{one.subtype}" if one.subtype else "")
        value = f" = {json.dumps(one.value)}" if one.value is not None else ""
        version = f", Claude Code {one.claude_code_version}" if one.claude_code_version else ""
        times = "once" if one.count == 1 else f"{one.count} times"
        seen = f"{times}, first {one.first_seen} in {one.session_id}{version}"
        print(printable(f"{one.kind:7} {one.stream:6} {where} {one.path}{value}  ({seen})"))
