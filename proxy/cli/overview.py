"""``claude-proxy sessions`` and ``status``: what was recorded, and what is running now."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from typing import TYPE_CHECKING, Any

from proxy.cli.terminal import open_console, read_visibly, whole_number
from proxy.escaping import escape_controls
from proxy.events.formatting import error_message, quantity
from proxy.events.interpreter import Interpreter
from proxy.events.session import Session
from proxy.events.status import describe
from proxy.events.timestamps import format_timestamp
from proxy.server.background import server_address
from proxy.sessions import catalogue
from proxy.sessions.identity import log_path
from proxy.sessions.private import check_data_dir
from proxy.sessions.reader import Entry
from proxy.sessions.unrecorded import unrecorded
from proxy.store.remembered import remembered

if TYPE_CHECKING:
    import argparse

_UNRECORDED_US = 86_400_000_000
"""How long `status` tells of commands that ran unrecorded: a day, after which whoever cares has looked."""


def sessions_options(parser: argparse.ArgumentParser) -> None:
    """Say what the subcommand takes."""
    parser.add_argument(
        "-n", type=whole_number, default=20, metavar="COUNT", help="at most so many (default: 20; 0: all)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=print_sessions)


def status_options(parser: argparse.ArgumentParser) -> None:
    """Say what the subcommand takes."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=print_status)


def print_sessions(arguments: argparse.Namespace) -> int:
    """List recorded sessions; return the exit status."""
    ids = catalogue.list_logs(arguments.data_dir)
    described = _described(arguments.data_dir, ids[: arguments.n] if arguments.n > 0 else ids)
    if arguments.json:
        print(json.dumps({"sessions": described}, indent=2))
        return 0
    if not described:
        print(
            f"No sessions in {escape_controls(arguments.data_dir)} yet. Record one: claude-proxy -- claude -p 'hello'"
        )
        return 0
    from proxy.cli.listing import print_table  # noqa: PLC0415 - most of what `--json` would wait for

    print_table(open_console(), described, ids)
    return 0


def print_status(arguments: argparse.Namespace) -> int:
    """Say what is running; return the exit status."""
    server = server_address(arguments.data_dir)
    ids = catalogue.list_logs(arguments.data_dir)
    running = _described(
        arguments.data_dir,
        [one for one in ids if _is_running(log_path(arguments.data_dir, one))],
        while_running=True,
    )
    trouble = _trouble(arguments.data_dir)
    if arguments.json:
        told = {"server": server, "active_sessions": len(running), "sessions": running, "trouble": trouble}
        print(json.dumps(told, indent=2))
        return 0
    for sentence in trouble:
        print(escape_controls(sentence))
    print(f"Server: {server['url']}" if server else "No server is running; `claude-proxy serve` starts one.")
    if not running:
        print("Nothing is running.")
        return 0
    from proxy.cli.listing import print_running  # noqa: PLC0415 - as above

    print_running(open_console(), running, ids)
    return 0


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


def _described(data_dir: str, ids: list[str], *, while_running: bool = False) -> list[dict[str, Any]]:
    """Return what ``/status`` says of sessions; those that are gone are left out.

    What the index of the server knows of a log is taken from there, and only what has come since is interpreted.
    """
    infos = []
    for session_id in ids:
        with contextlib.suppress(OSError):  # removed meanwhile
            infos.append(catalogue.inspect(log_path(data_dir, session_id)))
    known = remembered(data_dir, infos)
    interpreters = {
        info.path: Interpreter(known[info.path].session if info.path in known else Session(info.session_id))
        for info in infos
    }
    sizes = {info.path: info.size for info in infos}
    for path, item in read_visibly(sizes, {path: one.offset for path, one in known.items()}):
        if isinstance(item, Entry):
            interpreters[path].take(item.record)
    described = []
    for info in infos:
        interpreter = interpreters[info.path]
        if info.state == "crashed":
            interpreter.session.mark_crashed()
        one = describe(interpreter.session, time.time_ns() // 1000)
        if not while_running or info.state == "running":
            described.append(one)
    return described


def _is_running(path: str) -> bool:
    try:
        return catalogue.is_running(path)
    except OSError:
        return False  # removed meanwhile
