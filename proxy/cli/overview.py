"""``claude-proxy sessions`` and ``status``: what was recorded, and what is running now."""

import argparse
import contextlib
import errno
import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from proxy.cli.arguments import option, whole_number
from proxy.cli.errors import complain
from proxy.cli.selection import add_options, fits, may_fit
from proxy.cli.terminal import line_behind, open_console, print_answer, read_visibly
from proxy.escaping import escape_controls
from proxy.events.formatting import error_message, quantity
from proxy.events.interpreter import Interpreter
from proxy.events.session import Session
from proxy.events.status import describe
from proxy.events.timestamps import format_timestamp
from proxy.server.background import server_address
from proxy.sessions import catalogue, firings
from proxy.sessions.catalogue import SessionInfo
from proxy.sessions.identity import log_path
from proxy.sessions.private import check_data_dir
from proxy.sessions.process import is_stopped
from proxy.sessions.reader import Entry, LogReader
from proxy.sessions.unrecorded import unrecorded
from proxy.store.embedded.known import known_sessions

_AT_ONCE = 50
"""Logs that are read together while sessions are looked for that fit: more would read in vain."""

_UNRECORDED_US = 86_400_000_000
"""How long `status` tells of commands that ran unrecorded: a day, after which whoever cares has looked."""
_READ_BYTES = 64 << 20
"""Of all logs together that are read to their end: that takes some seconds."""
_END_BYTES = 1 << 18
"""Of a longer log, at each end."""


def sessions_options(parser: argparse.ArgumentParser) -> None:
    """List recorded sessions, newest first.

    Examples:
        claude-proxy sessions --outcome failed,crashed --since 2d
        claude-proxy sessions --state waiting
        claude-proxy sessions --cwd . -n 0
    """
    option(parser, "-n COUNT: list at most COUNT sessions (default: 20; 0: all)", whole_number, 20)
    add_options(parser)
    option(parser, "--json: print JSON")


def status_options(parser: argparse.ArgumentParser) -> None:
    """What is running now, and what each session waits for."""
    option(parser, "--json: print JSON")


def run_sessions(arguments: argparse.Namespace) -> None:
    """List recorded sessions."""
    ids = catalogue.list_logs(arguments.data_dir)
    described = _selected(arguments, ids, arguments.n or len(ids))
    if not described or arguments.json:
        empty = f"No sessions in {escape_controls(arguments.data_dir)} yet. Record one:"
        none = (
            f"None of {quantity(len(ids), 'session')} fits."
            if ids
            else f"{empty} claude-proxy -- claude -p 'hello'"
        )
        print_answer(arguments, {"sessions": described}, none)
        return
    from proxy.cli.listing import print_table  # noqa: PLC0415 - most of what `--json` would wait for

    is_chosen = any((arguments.state, arguments.outcome, arguments.since, arguments.name, arguments.cwd))
    print_table(open_console(), described, ids, left=0 if is_chosen else len(ids) - len(described))


def run_status(arguments: argparse.Namespace) -> None:
    """Say what is running."""
    server = server_address(arguments.data_dir)
    ids = catalogue.list_logs(arguments.data_dir)
    infos = [info for info in _inspected(arguments.data_dir, ids, is_live=True) if info.state == "running"]
    running = [one for one in _described(arguments.data_dir, infos) if one["outcome"] is None]
    trouble = [*_trouble(arguments.data_dir), *_unwatched(arguments, server)]
    report = {"server": server, "active_sessions": len(running), "sessions": running, "trouble": trouble}
    where = f"Server: {server['url']}" if server else "No server is running; `claude-proxy serve` starts one."
    lines = [*map(escape_controls, trouble), where, *([] if running else ["Nothing is running."])]
    print_answer(arguments, report, *lines)
    if running and not arguments.json:
        from proxy.cli.listing import print_running  # noqa: PLC0415 - as above

        print_running(open_console(), running, ids)


def _unwatched(arguments: argparse.Namespace, server: dict[str, Any] | None) -> list[str]:
    """Say so where rules are configured and nobody holds sessions to them."""
    from proxy import sources  # noqa: PLC0415 - `sessions` does without

    try:
        rules = sources.read(arguments.config, os.environ).settings.rules
    except sources.ConfigurationError:
        return []  # `config check` is for that
    if server is not None or not rules.named:
        return []
    return [
        f"Nobody watches the {quantity(len(rules.named), 'rule')} of the configuration: no server is running."
    ]


def _trouble(data_dir: str) -> list[str]:
    """Return why nothing is recorded, or something was not, in sentences."""
    found = []
    try:
        check_data_dir(data_dir)
        if os.path.exists(data_dir) and not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), data_dir)
    except OSError as error:
        found.append(f"Nothing is recorded: {error_message(error)}.")
    since = format_timestamp(time.time_ns() // 1000 - _UNRECORDED_US)
    if noted := [one for one in unrecorded(data_dir) if one.ts >= since]:
        ran = f"{quantity(len(noted), 'command')} ran unrecorded in the last 24 hours"
        last = f"the last one, {noted[-1].program}, at {noted[-1].ts}"
        found.append(f"{ran}: {noted[-1].reason} (see `ulimit -a`); {last}.")
    return found


def _selected(wanted: argparse.Namespace, ids: list[str], count: int) -> list[dict[str, Any]]:
    """Return what is known of the newest sessions that fit, so many at most."""
    fitting = (info for info in _inspected(wanted.data_dir, ids) if may_fit(wanted, info))
    if not (wanted.state or wanted.outcome):  # the ends of a log are enough
        return _described(wanted.data_dir, list(itertools.islice(fitting, count)))
    found: list[dict[str, Any]] = []
    while len(found) < count and (some := list(itertools.islice(fitting, _AT_ONCE))):
        found += [one for one in _described(wanted.data_dir, some) if fits(wanted, one)]
    return found[:count]


def _inspected(data_dir: str, ids: list[str], *, is_live: bool = False) -> Iterator[SessionInfo]:
    """Yield what the ends of logs say; ``is_live``: of those alone that somebody writes."""
    for path in (log_path(data_dir, session_id) for session_id in ids):
        with contextlib.suppress(OSError):  # removed meanwhile
            if not is_live or catalogue.is_running(path):
                yield catalogue.inspect(path)


def _described(data_dir: str, infos: list[SessionInfo]) -> list[dict[str, Any]]:
    """Return what ``/status`` says of sessions.

    What the index of the server knows of a log is taken from there, and only what has come since is interpreted. Of
    logs of which there is more than somebody would wait for, it is what their two ends say (``complete`` is False).
    """
    known = known_sessions(data_dir, infos)
    offsets = {path: one.offset for path, one in known.items()}
    interpreters = {
        info.path: Interpreter(known[info.path].session if info.path in known else Session(info.session_id))
        for info in infos
    }
    for path, interpreter in interpreters.items():
        interpreter.expect(firings.beside(path))
    whole = _not_too_long(infos, offsets)
    at_fault: set[str] = set()
    for path, item in read_visibly(whole, offsets):
        if isinstance(item, Entry) and path not in at_fault:
            try:
                interpreters[path].take(item.record)
            except Exception as error:  # a fault of ours, which is to hide no other session
                at_fault.add(path)
                complain(f"{path} cannot be read to its end: {error!r}. Please report this.")
    now_us = time.time_ns() // 1000
    for info in infos:
        if info.path not in whole:
            _read_ends(info, offsets.get(info.path, 0), interpreters[info.path])
        interpreters[info.path].rest()
        if info.state == "crashed":
            interpreters[info.path].session.mark_crashed()
    unknown: dict[str, Any] = {"complete": False, "turns": None, "cost": None, "tokens": {}, "counts": {}}
    return [
        msgspec.to_builtins(describe(interpreters[info.path].session, now_us))
        | {"log": os.path.abspath(info.path)}
        | {"suspended": info.state == "running" and info.pid is not None and is_stopped(info.pid)}
        | ({} if info.path in whole and info.path not in at_fault else unknown)
        for info in infos
    ]


def _not_too_long(infos: list[SessionInfo], offsets: dict[str, int]) -> dict[str, int]:
    """Return size by path of the logs to be read to their end: as many as can be while somebody waits."""
    left = _READ_BYTES
    found = {}
    for info in sorted(infos, key=lambda info: info.size - offsets.get(info.path, 0)):
        left -= info.size - offsets.get(info.path, 0)
        if left >= 0:
            found[info.path] = info.size
    return found


def _read_ends(info: SessionInfo, offset: int, interpreter: Interpreter) -> None:
    """Interpret the beginning of a log, unless that is known, and its end."""
    with contextlib.suppress(OSError):  # removed meanwhile
        places = [offset] if offset else [0]
        if (end := line_behind(info.path, info.size - _END_BYTES)) > _END_BYTES:
            places.append(end)
        for place in places:
            with LogReader(info.path, place) as reader:
                for item in reader.read(max_bytes=_END_BYTES):
                    if isinstance(item, Entry):
                        interpreter.take(item.record)
