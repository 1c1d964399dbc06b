"""``claude-proxy drift``: what passed on the wire that the specification does not have."""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from proxy.cli.arguments import add_session, option
from proxy.cli.errors import complain
from proxy.cli.terminal import print_json, printable, progress
from proxy.escaping import escape_controls
from proxy.events.formatting import quantity
from proxy.sessions import catalogue
from proxy.sessions.catalogue import SessionInfo
from proxy.sessions.drift import Search, SearchState, Sighting, Sightings
from proxy.sessions.reader import Skipped, read_log
from proxy.store.embedded.known import known_sessions

_MOST = 10_000
"""As many different things are told apart."""
_LONG_BYTES = 8 << 20
"""With more to read than this, a second or so, other processes help."""
_AT_ONCE = 16
"""Logs that one process is given together."""


def drift_options(parser: argparse.ArgumentParser) -> None:
    """List types, subtypes, fields, blocks and values that were seen on the wire and are not in the specification.

    This is how a new release of Claude Code shows.

    Examples:
        claude-proxy drift
        claude-proxy drift latest --json --fail
    """
    add_session(parser, "*", " (default: all recorded sessions)")
    option(parser, "--json: print JSON")
    option(parser, "--fail: exit with status 1 if there is any")


class Looked(NamedTuple):
    """What was found in a log, how many of its lines are records and how many are not, or why it cannot be read."""

    found: SearchState
    records: int = 0
    skipped: int = 0
    error: str | None = None


def run_drift(args: argparse.Namespace) -> int:
    """Look through the sessions, print what was found and return the exit status."""
    named, status = list(args.sessions), 0
    wanted: dict[str, SessionInfo] = {}
    for text in named or catalogue.list_logs(args.data_dir)[::-1]:
        try:
            info = catalogue.find(args.data_dir, text)
            wanted.setdefault(os.path.realpath(info.path), info)  # `latest.jsonl` is one of the others
        except catalogue.SessionLookupError as error:
            status = complain(error, 2)
    found = Sightings(_MOST)
    for info, looked in zip(wanted.values(), _look(args.data_dir, list(wanted.values())), strict=True):
        found.merge(Sightings(_MOST, looked.found.listed, looked.found.unlisted))
        if looked.error is not None:
            status = complain(f"{info.path} cannot be read: {looked.error}", 2)
        elif looked.skipped and not looked.records:
            refused = complain(catalogue.NoRecordsError(info.path), 2)
            status = refused if named else status
        elif looked.skipped:
            complain(f"{info.session_id}: {quantity(looked.skipped, 'line')} left out, as no record", 0)
    drift = found.listed()
    if args.json:
        print_json({"drift": drift})
    else:
        _print_lines(drift)
        if wanted or not named:
            _print_count(args.data_dir, len(drift), len(wanted))
    if found.unlisted:
        complain(f"there is more; only the first {_MOST} things are listed", 0)
    return status or (1 if drift and args.fail else 0)


def look_through(path: str, offset: int, state: SearchState) -> Looked:
    """Return what is in a log from an offset on, beside what was found before; on one that cannot be read, why."""
    search = Search(state)
    records = skipped = 0
    try:
        for item in read_log(path, offset):
            if isinstance(item, Skipped):
                skipped += 1
            else:
                records += 1
                search.look_at(item.record)
    except OSError as error:
        return Looked(search.state(), error=error.strerror or str(error))
    return Looked(search.state(), records + bool(offset), skipped)


def _look(data_dir: str, infos: Sequence[SessionInfo]) -> Iterator[Looked]:
    """Look through logs, as many at a time as there are processors; what the index knows is not read again."""
    known = known_sessions(data_dir, infos)
    paths = [info.path for info in infos]
    offsets = [known[path].offset if path in known else 0 for path in paths]
    states = [known[path].drift if path in known else SearchState() for path in paths]
    sizes = [info.size - offset for info, offset in zip(infos, offsets, strict=True)]
    if sum(sizes) < _LONG_BYTES:
        yield from map(look_through, paths, offsets, states)
        return
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - for those who have much to read

    with ProcessPoolExecutor(os.cpu_count()) as pool:
        # All processes are forked here, before the bar has a thread of its own.
        found = pool.map(look_through, paths, offsets, states, chunksize=_AT_ONCE)
        with progress("reading", sum(sizes)) as advance:
            for looked, size in zip(found, sizes, strict=True):
                advance(size)
                yield looked


def _print_lines(drift: list[Sighting]) -> None:
    """Print a line for each, for reading."""
    for one in drift:
        where = one.type + (f"/{one.subtype}" if one.subtype else "")
        value = f" = {json.dumps(one.value)}" if one.value is not None else ""
        version = f", Claude Code {one.claude_code_version}" if one.claude_code_version else ""
        times = "once" if one.count == 1 else f"{one.count} times"
        seen = f"{times}, first {one.first_seen} in {one.session_id}{version}"
        print(printable(f"{one.kind:7} {one.stream:6} {where} {one.path}{value}  ({seen})"))


def _print_count(data_dir: str, things: int, sessions: int) -> None:
    if sessions:
        what = quantity(things, "thing") if things else "nothing"
        print(f"{what} in {quantity(sessions, 'session')} that the specification does not have")
    else:
        print(f"No sessions in {escape_controls(data_dir)} yet: there is nothing to look at.")
