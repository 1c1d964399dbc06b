"""``claude-proxy show`` and ``tail``: one session for reading, as a conversation with tools, times and costs."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from proxy.cli.overview import duration
from proxy.cli.terminal import printable
from proxy.sessions import catalogue
from proxy.sessions.reader import Entry, LogReader, Record, Skipped

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_LONGEST = 2000
"""Characters of a text that are shown; the record has the rest."""
_POLL_S = 0.2


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands to the command line."""
    help_session = "an id, the beginning of one, `latest`, or the path of a log"
    show = subparsers.add_parser("show", help="print one session for reading")
    show.add_argument("session", metavar="SESSION", help=help_session)
    form = show.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print its records, one JSON object a line")
    form.add_argument(
        "--html", metavar="FILE", help="write one page that needs nothing else, to share (-: print it)"
    )
    show.set_defaults(run=run_show)
    tail = subparsers.add_parser("tail", help="print the end of a session")
    tail.add_argument(
        "session", metavar="SESSION", nargs="?", default="latest", help=f"{help_session} (default: latest)"
    )
    tail.add_argument("-f", "--follow", action="store_true", help="go on as the session grows, until it ends")
    tail.add_argument("-n", type=int, default=20, metavar="COUNT", help="how many records (default: 20)")
    tail.add_argument("--json", action="store_true", help="print records, one JSON object a line")
    tail.set_defaults(run=run_tail)


def run_show(arguments: argparse.Namespace) -> int:
    """Print a whole session, or write its page; return the exit status."""
    if arguments.html is not None:
        return _share(arguments)
    return _print(arguments, count=None, follow=False)


def _share(arguments: argparse.Namespace) -> int:
    from proxy.cli.sharing import write_page  # noqa: PLC0415 - events, which the other forms do without

    try:
        return write_page(catalogue.find(arguments.data_dir, arguments.session), arguments.html)
    except catalogue.SessionLookupError as error:
        sys.stderr.write(f"claude-proxy: {error}\n")
        return 2


def run_tail(arguments: argparse.Namespace) -> int:
    """Print the end of a session; return the exit status."""
    return _print(arguments, count=max(0, arguments.n), follow=arguments.follow)


def _print(arguments: argparse.Namespace, *, count: int | None, follow: bool) -> int:
    try:
        path = catalogue.find(arguments.data_dir, arguments.session).path
        reader = LogReader(path)
    except (catalogue.SessionLookupError, OSError) as error:
        sys.stderr.write(f"claude-proxy: {error}\n")
        return 2
    printer = _Raw(path) if arguments.json else Conversation(Console(soft_wrap=True))
    with reader:
        items: Iterator[Entry | Skipped] = reader.read()
        for item in items if count is None else deque(items, maxlen=count):
            printer.print(item)
        while follow:
            running = catalogue.is_running(path)
            for item in reader.read():
                printer.print(item)
            if not running:
                break
            sys.stdout.flush()
            time.sleep(_POLL_S)
        if not catalogue.is_running(path):
            if rest := reader.rest():
                printer.print(rest)
            if catalogue.inspect(path).state == "crashed":
                sys.stderr.write("claude-proxy: the log has no end: its wrapper was killed\n")
    return 0


class _Raw:
    """Prints records as they are in the log."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - read from for as long as the program runs

    def print(self, item: Entry | Skipped) -> None:
        if isinstance(item, Skipped):
            sys.stderr.write(f"claude-proxy: byte {item.offset}: {item.detail}\n")
            return
        self._file.seek(item.offset)
        sys.stdout.buffer.write(self._file.read(item.end - item.offset))
        sys.stdout.buffer.flush()


class Conversation:
    """Prints records as a person reads them: who said what, which tools ran, what it took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tools: dict[str, tuple[str, str]] = {}  # by id: name, ts of the call

    def print(self, item: Entry | Skipped) -> None:
        """Print one record, if it says something to a person."""
        if isinstance(item, Skipped):
            self._say("", "log", f"{item.detail} (byte {item.offset})", "red")
            return
        record = item.record
        if record.event is not None:
            self._lifecycle(record, record.event.event_type, record.event.data)
            return
        if record.verdict in ("invalid", "malformed", "unknown"):
            reasons = "; ".join(str(error.get("message", "")) for error in record.errors)
            held_back = "" if record.forwarded else ", held back"
            line = record.line()[:200].decode(errors="replace")
            self._say(
                record.ts,
                f"{record.stream}: {record.verdict}{held_back}",
                f"{reasons}\n{line}".strip(),
                "red",
            )
            return
        message = record.value()
        if isinstance(message, dict) and record.verdict != "text":
            self._message(record, message)
        else:
            self._say(record.ts, record.stream, record.line().decode(errors="replace"), "dim")

    def _lifecycle(self, record: Record, event_type: str, data: dict[str, Any]) -> None:
        match event_type:
            case "session_started":
                command = " ".join(map(str, data.get("command") or ()))
                self._say(record.ts, "started", f"{command}\nin {data.get('cwd')}", "bold")
            case "session_ended":
                how = data.get("signal") or f"exit status {data.get('exit_code')}"
                self._say(record.ts, "ended", f"{how} after {duration(data.get('duration_ms') or 0)}", "bold")
            case _:
                self._say(record.ts, event_type, json.dumps(data, ensure_ascii=False), "yellow")

    def _message(self, record: Record, message: dict[str, Any]) -> None:
        inner = message.get("message")
        content = inner.get("content") if isinstance(inner, dict) else None
        match message.get("type"):
            case "user" if record.stream == "stdin":
                self._say(record.ts, "user", _text(content), "bold cyan")
            case "user" | "assistant":
                for block in content if isinstance(content, list) else [{"type": "text", "text": content}]:
                    if isinstance(block, dict):
                        self._block(record.ts, str(message["type"]), block)
            case "result":
                self._result(record.ts, message)
            case "system" if message.get("subtype") == "init":
                self._say(
                    record.ts,
                    "init",
                    f"{message.get('model')}, Claude Code {message.get('claude_code_version')}",
                    "dim",
                )
            case "control_request" if isinstance(request := message.get("request"), dict):
                self._request(record, request)

    def _block(self, ts: str, speaker: str, block: dict[str, Any]) -> None:
        match block.get("type"):
            case "text":
                self._say(ts, speaker, str(block.get("text")), "green" if speaker == "assistant" else "dim")
            case "thinking":
                self._say(ts, "thinking", str(block.get("thinking")), "dim italic")
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                name = str(block.get("name"))
                self._tools[str(block.get("id"))] = name, ts
                self._say(ts, f"tool {name}", json.dumps(block.get("input"), ensure_ascii=False), "magenta")
            case "tool_result":
                name, since = self._tools.pop(str(block.get("tool_use_id")), ("", ts))
                failed = " failed" if block.get("is_error") else ""
                took = f" in {duration(_between_ms(since, ts))}"
                self._say(
                    ts,
                    f"result {name}{failed}{took}",
                    _text(block.get("content")),
                    "red" if failed else "dim",
                )

    def _request(self, record: Record, request: dict[str, Any]) -> None:
        if record.stream == "stdin":
            if request.get("subtype") != "initialize":
                self._say(record.ts, "client asks", str(request.get("subtype")), "cyan")
        elif request.get("subtype") == "can_use_tool":
            self._say(record.ts, "permission?", str(request.get("tool_name")), "yellow")

    def _result(self, ts: str, message: dict[str, Any]) -> None:
        errors = message.get("errors")
        what = "; ".join(map(str, errors)) if isinstance(errors, list) else ""
        took = duration(message.get("duration_ms") or 0)
        turns, cost = message.get("num_turns"), message.get("total_cost_usd")
        said = f"{message.get('subtype')}, {turns} turns, {took}, ${cost} in all"
        self._say(ts, "turn ended", f"{said}\n{what}".strip(), "red" if message.get("is_error") else "bold")

    def _say(self, ts: str, who: str, what: str, style: str) -> None:
        shown = (
            what
            if len(what) <= _LONGEST
            else f"{what[:_LONGEST]}... ({len(what) - _LONGEST} more characters)"
        )
        # Control characters in what was recorded must not reach the terminal.
        clean = printable(shown, keep="\n\t")
        when, speaker = Text(f"{ts[11:23]:12} ", style="dim"), Text(f"{printable(who):22}", style=style)
        if self._console.is_terminal:  # folded to its width, beside the speaker
            line = Table.grid(
                Column(width=13), Column(width=22), Column(overflow="fold"), padding=(0, 1, 0, 0)
            )
            line.add_row(when, speaker, Text(clean))
            self._console.print(line)
        else:  # for grep and the like: a line stays a line
            self._console.print(Text(" ").join([when, speaker, Text(clean.replace("\n", "\n" + " " * 37))]))


def _text(content: object) -> str:
    """Return the text of a message's content, other blocks by their type."""
    if isinstance(content, str):
        return content
    parts = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return "\n".join(
        str(part.get("text")) if part.get("type") == "text" else f"[{part.get('type')}]" for part in parts
    )


def _between_ms(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() * 1000
