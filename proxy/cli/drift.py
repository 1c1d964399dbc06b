"""``claude-proxy drift``: what passed on the wire that the specification does not have."""

import argparse
import json
import sys
from typing import Any

import msgspec

from proxy.cli.terminal import printable
from proxy.protocol.drift import Drift, Finder, Stream
from proxy.sessions import catalogue
from proxy.sessions.reader import Skipped, read_log

_MOST = 10_000
"""As many different things are told apart; a stream of made-up names must not fill the memory."""


class Sighting(msgspec.Struct):
    """When and where something was first seen, and how often since."""

    first_seen: str
    session_id: str
    claude_code_version: str | None
    count: int = 0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "drift",
        help="what the specification does not have",
        description="List types, subtypes, fields, blocks and values that passed and that the specification "
        "does not have. New releases of Claude Code show themselves so.",
    )
    parser.add_argument("sessions", metavar="SESSION", nargs="*", help="default: all recorded sessions")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--fail", action="store_true", help="exit with status 1 if there is any")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look through the sessions, print what was found and return the exit status."""
    wanted = args.sessions or reversed(catalogue.list_logs(args.data_dir))
    found: dict[tuple[str, Drift], Sighting] = {}
    for text in wanted:
        try:
            skipped = look_through(catalogue.find(args.data_dir, text).path, found)
        except (catalogue.SessionLookupError, OSError) as error:
            sys.stderr.write(f"claude-proxy: {error}\n")
            return 2
        if skipped:
            sys.stderr.write(f"claude-proxy: {text}: {skipped} lines are no records\n")
    drift = [_entry(stream, one, sighting) for (stream, one), sighting in found.items()]
    if args.json:
        print(json.dumps({"drift": drift}, indent=2))
    else:
        _tell(drift)
    if len(found) == _MOST:
        sys.stderr.write(f"claude-proxy: there is more; only the first {_MOST} things are listed\n")
    return 1 if drift and args.fail else 0


def look_through(path: str, found: dict[tuple[str, Drift], Sighting]) -> int:
    """Add a session's drift to what was found; return how many lines of its log are no records."""
    finder = Finder()
    mine: list[Sighting] = []
    version = None
    skipped = 0
    for item in read_log(path):
        if isinstance(item, Skipped):
            skipped += 1
            continue
        record = item.record
        stream: Stream
        match record.stream:
            case "stdin" | "stdout" if (
                record.has_message and record.origin is None
            ):  # not what we wrote ourselves
                stream = record.stream
            case _:
                continue
        message = bytes(record.message)
        if version is None and stream == "stdout" and b'"claude_code_version"' in message:
            version = _version(record.value())
        for one in finder.find(stream, message):
            sighting = found.get((stream, one))
            if sighting is None:
                if len(found) >= _MOST:
                    continue
                sighting = found[stream, one] = Sighting(record.ts, record.session_id, None)
                mine.append(sighting)
            sighting.count += 1
    for sighting in mine:  # the version is told after the first messages
        sighting.claude_code_version = version
    return skipped


def _version(message: Any) -> str | None:
    """Return Claude Code's version as a message tells it: `init` itself, or the reply to `initialize`."""
    reply = message.get("response")
    places = (message, reply.get("response") if isinstance(reply, dict) else None)
    told = (place.get("claude_code_version") for place in places if isinstance(place, dict))
    return next((version for version in told if isinstance(version, str)), None)


def _entry(stream: str, one: Drift, sighting: Sighting) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "kind": one.kind,
        "stream": stream,
        "type": one.type,
        "subtype": one.subtype,
        "path": one.path,
    }
    if one.value is not None:
        entry["value"] = one.value
    entry |= msgspec.structs.asdict(sighting)
    return entry


def _tell(drift: list[dict[str, Any]]) -> None:
    """Print a line for each, for reading."""
    for one in drift:
        where = one["type"] + (f"/{one['subtype']}" if one["subtype"] else "")
        value = f" = {json.dumps(one['value'])}" if "value" in one else ""
        version = f", Claude Code {one['claude_code_version']}" if one["claude_code_version"] else ""
        times = "once" if one["count"] == 1 else f"{one['count']} times"
        seen = f"{times}, first {one['first_seen']} in {one['session_id']}{version}"
        print(printable(f"{one['kind']:7} {one['stream']:6} {where} {one['path']}{value}  ({seen})"))
    noun = "thing" if len(drift) == 1 else "things"
    sys.stderr.write(f"{len(drift)} {noun} that the specification does not have\n")
