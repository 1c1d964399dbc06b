"""``claude-proxy show`` and ``tail``: one session for reading, as a conversation with tools, times and costs."""

import argparse
import os
import sys
import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from proxy.cli.arguments import add_session, option, whole_number
from proxy.cli.errors import complain
from proxy.cli.terminal import line_behind
from proxy.escaping import escape_controls
from proxy.sessions import catalogue
from proxy.sessions.reader import Entry, LogReader, Skipped

if TYPE_CHECKING:
    from proxy.telling import Entry as Told

_POLL_S = 0.2  # what a reader takes for at once
_NEAR_THE_END = 8 << 20
"""Bytes at the end of a log in which its last records are looked for, before all of it is read."""


def show_options(parser: argparse.ArgumentParser) -> None:
    """Print one session for reading.

    Examples:
        claude-proxy show latest
        claude-proxy show 20261122T0945 --json | jq 'select(.verdict=="invalid")'
    """
    add_session(parser, "?", " (default: latest)", default="latest")
    form = parser.add_mutually_exclusive_group()
    option(form, "--json: print its records, one JSON object per line")
    option(form, "--html FILE: write one self-contained page to share (-: print it), as `--redact` has it")


def tail_options(parser: argparse.ArgumentParser) -> None:
    """Print the end of a session, and follow it.

    Examples:
        claude-proxy tail -f
        claude-proxy tail latest -n 5
    """
    add_session(parser, "?", " (default: latest)", default="latest")
    option(parser, "-f/--follow: follow the session until it ends; with `latest`, continue with a newer one")
    count = "print the last COUNT entries (with --json: records; default: 20)"
    option(parser, f"-n COUNT: {count}", whole_number, 20)
    option(parser, "--json: print records, one JSON object per line")


def run_show(arguments: argparse.Namespace) -> int:
    """Print a whole session, or write its page; return the exit status."""
    if arguments.html is not None:
        from proxy.cli.sharing import share  # noqa: PLC0415 - events, which the other forms do without

        return share(arguments)
    if arguments.json:
        return _read(arguments, count=None, follow=False)
    from proxy.cli.pager import paged  # noqa: PLC0415 - which the other forms do without

    with paged():  # which whoever has seen enough leaves before the end
        _read(arguments, count=None, follow=False)
    return 0


def run_tail(arguments: argparse.Namespace) -> int:
    """Print the end of a session; return the exit status."""
    return _read(arguments, count=arguments.n, follow=arguments.follow)


def _read(arguments: argparse.Namespace, *, count: int | None, follow: bool) -> int:
    path = catalogue.find(arguments.data_dir, arguments.session).path
    _print(path, arguments, count, follow=follow)
    while follow and arguments.session == "latest":
        newest = catalogue.find(arguments.data_dir, "latest").path
        if os.path.realpath(newest) == os.path.realpath(path):
            break
        path = newest
        _print(path, arguments, None, follow=True)
    return 0


def _print(path: str, arguments: argparse.Namespace, count: int | None, *, follow: bool) -> None:
    """Print a session, or the last so many things of it, and what comes until it ends."""
    with LogReader(path) as reader:
        size = os.fstat(reader.fileno()).st_size
        if count is not None and size > 2 * _NEAR_THE_END:
            near = line_behind(path, size - _NEAR_THE_END)
            reader.offset = near if near < size else 0  # one line, from which there is nothing to be left out
        printer = _Raw(path) if arguments.json else _Told(path)
        printer.print(reader.read(), count)
        while follow:
            running = reader.is_current() and catalogue.is_running(path)
            printer.print(reader.read(), None)
            sys.stdout.flush()
            if not running:
                break
            time.sleep(_POLL_S)
        if not reader.is_current():  # another log, or a shorter one
            complain(f"{path} was removed or replaced: nothing more will come of it", 0)
        elif not catalogue.is_running(path):
            printer.print(filter(None, [reader.rest()]), None)
            if catalogue.inspect(path).state == "crashed":
                printer.crash()


class _Raw:
    """Prints records as they are in the log; at a terminal with escapes of JSON for what it would act on."""

    def __init__(self, path: str) -> None:
        self._is_shown = sys.stdout.isatty()
        self._file = open(path, "rb")  # noqa: SIM115 - read from for as long as the program runs

    def print(self, items: Iterable[Entry | Skipped], count: int | None) -> None:
        for item in items if count is None else deque(items, maxlen=count):
            if isinstance(item, Skipped):
                complain(f"byte {item.offset}: {item.detail}", 0)
                continue
            self._file.seek(item.offset)
            line = self._file.read(item.end - item.offset)
            if self._is_shown:
                line = escape_controls(line.decode(errors="replace"), keep_lines=True).encode()
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()

    def crash(self) -> None:
        complain("the log has no end: its wrapper was killed", 0)


class _Told:
    """Prints a session as a conversation."""

    def __init__(self, path: str) -> None:
        from proxy.cli.conversation import Reading, put  # noqa: PLC0415 - which records need not wait for
        from proxy.cli.terminal import open_console  # noqa: PLC0415

        self._reading = Reading(catalogue.inspect(path).session_id, path)
        self._console = open_console()
        self._put = put
        self._date = ""

    def print(self, items: Iterable[Entry | Skipped], count: int | None) -> None:
        self._tell(self._reading.entries(items), count)

    def crash(self) -> None:
        self._tell(self._reading.crashed(), None)

    def _tell(self, entries: "Iterable[Told]", count: int | None) -> None:
        for entry in entries if count is None else deque(entries, maxlen=count):
            self._date = self._put(self._console, entry, self._date)
