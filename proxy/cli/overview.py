"""``claude-proxy sessions`` and ``status``: what was recorded, and what is running now."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from proxy.cli.terminal import printable
from proxy.events.interpreter import Interpreter
from proxy.events.session import Session
from proxy.events.status import describe
from proxy.server.background import server_address
from proxy.sessions import catalogue
from proxy.sessions.identity import log_path
from proxy.sessions.reader import Entry, read_log

if TYPE_CHECKING:
    import argparse

_STYLES = {"ended": "dim", "failed": "bold red", "executing": "bold green", "waiting": "bold yellow"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands to the command line."""
    sessions = subparsers.add_parser("sessions", help="list recorded sessions, newest first")
    sessions.add_argument(
        "-n", type=int, default=20, metavar="COUNT", help="at most so many (default: 20; 0: all)"
    )
    sessions.add_argument("--json", action="store_true", help="print JSON")
    sessions.set_defaults(run=print_sessions)
    status = subparsers.add_parser("status", help="what is running now")
    status.add_argument("--json", action="store_true", help="print JSON")
    status.set_defaults(run=print_status)


def print_sessions(arguments: argparse.Namespace) -> int:
    """List recorded sessions; return the exit status."""
    ids = catalogue.list_logs(arguments.data_dir)
    shown = ids[: arguments.n] if arguments.n > 0 else ids
    described = [
        one for session_id in shown if (one := read_session(arguments.data_dir, session_id)) is not None
    ]
    if arguments.json:
        print(json.dumps({"sessions": described}, indent=2))
        return 0
    console = Console()
    if not described:
        console.print(
            f"No sessions in {arguments.data_dir} yet. Record one: claude-proxy -- claude -p 'hello'"
        )
        return 0
    console.print(_table(described, console.width))
    if len(ids) > len(shown):
        console.print(Text(f"{len(ids) - len(shown)} older sessions; -n 0 lists all", style="dim"))
    return 0


def print_status(arguments: argparse.Namespace) -> int:
    """Say what is running; return the exit status."""
    server = server_address(arguments.data_dir)
    running = [
        one
        for session_id in catalogue.list_logs(arguments.data_dir)
        if catalogue.is_running(log_path(arguments.data_dir, session_id))
        and (one := read_session(arguments.data_dir, session_id)) is not None
    ]
    if arguments.json:
        print(json.dumps({"server": server, "active_sessions": len(running), "sessions": running}, indent=2))
        return 0
    console = Console()
    console.print(f"Server: {server['url']}" if server else "No server is running.", highlight=False)
    if not running:
        console.print("Nothing is running.")
        return 0
    console.print(_table(running, console.width))
    for one in running:
        for waiting in one["waits_for"]:
            what = " ".join(
                str(value) for key, value in waiting.items() if key in ("what", "kind", "tool", "description")
            )
            console.print(Text(printable(f"{one['session_id']} waits for: {what}")))
        for warning in one["warnings"]:
            console.print(Text(printable(f"{one['session_id']}: {warning['message']}"), style="yellow"))
    return 0


def read_session(data_dir: str, session_id: str) -> dict[str, Any] | None:
    """Interpret a whole log and return what ``/status`` says of its session; None if it is gone by now."""
    path = log_path(data_dir, session_id)
    interpreter = Interpreter(Session(session_id))
    try:
        running = catalogue.is_running(path)
        for item in read_log(path):
            if isinstance(item, Entry):
                interpreter.take(item.record)
    except OSError:
        return None
    if not running:
        interpreter.crashed()  # says nothing of a log that has its end
    described = describe(interpreter.session, time.time_ns() // 1000)
    return described | {"duration_ms": _duration_ms(described, catalogue.inspect(path).duration_ms)}


def duration(milliseconds: float) -> str:
    """Return a duration for people: ``840 ms``, ``12.3 s``, ``4 m 05 s``, ``2 h 10 m``."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} m {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} m"


def _table(described: list[dict[str, Any]], width: int) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("session", no_wrap=True, min_width=23)
    table.add_column("state", no_wrap=True, min_width=9)
    problems = any(_problems(one) for one in described)
    rest = 78 if problems else 64
    table.add_column("name or command", overflow="ellipsis", no_wrap=True, max_width=max(8, width - rest))
    for heading, width_of_column in (("duration", 9), ("turns", 5), ("cost", 8)):
        table.add_column(heading, justify="right", no_wrap=True, min_width=width_of_column)
    if problems:
        table.add_column("problems", overflow="ellipsis", no_wrap=True)
    for one in described:
        style = _STYLES.get(one["state"], "")
        table.add_row(
            one["session_id"].partition("-")[0],  # the moment of its start is enough to find it by
            Text(one["state"], style=style),
            Text(printable(one["name"] or _command(one["command"]))),
            duration(one["duration_ms"]),
            str(one["turns"]),
            f"${one['cost']:.4f}" if one["cost"] else "",
            *((Text(_problems(one), style="red"),) if problems else ()),
        )
    return table


def _command(command: list[str]) -> str:
    return " ".join([os.path.basename(command[0]), *command[1:]]) if command else ""


def _duration_ms(one: dict[str, Any], said: int | None) -> float:
    """Return how long the command ran: as its last record says, else by the log's times and the clock."""
    if said is not None:
        return said
    if not one["started_at"]:
        return 0
    last = one["last_record_at"] if one["state"] in ("ended", "failed") else None
    end = datetime.fromisoformat(last) if last else datetime.now(UTC)
    return max(0.0, (end - datetime.fromisoformat(one["started_at"])).total_seconds() * 1000)


def _problems(one: dict[str, Any]) -> str:
    counts = dict.fromkeys(("invalid", "malformed", "unknown"), 0)
    for verdicts in one["counts"].values():
        for verdict in counts:
            counts[verdict] += verdicts.get(verdict, 0)
    counts["lost"] = one["lost_records"]
    return ", ".join(f"{number} {what}" for what, number in counts.items() if number)
