"""What every subcommand that prints to a person needs."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Progress

    from proxy.sessions.reader import Entry, Skipped

PATIENCE_S = 2.0
"""After so long without an answer people want to know whether there is going to be one."""
PIPED_WIDTH = 160
"""Where nobody says how wide: tables are whole then."""
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200c\u200d\u2060\ufe0e\ufe0f\ufeff"))
"""Joiners and the like: what they join is shown apart, because terminals do not agree on how wide the whole is."""


def printable(text: str, keep: str = "") -> str:
    """Return the text without what could move a terminal's cursor: names and messages come from the wire."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else "\N{REPLACEMENT CHARACTER}"
        for char in text.translate(_UNSEEN)
    )


def one_line(text: str, most: int = 400) -> str:
    """Return the beginning of what may hold anything, printable and in one line."""
    line = printable(" ".join(text[: 4 * most].split()))
    return line if len(line) <= most else line[: most - 1] + "…"


def whole_number(text: str) -> int:
    """Return the number that is meant, for argparse."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r}; it takes a whole number from 0")
    return int(text)


def open_console() -> Console:
    """Return a console on standard output: as wide as the terminal, or COLUMNS, or else wide enough for tables."""
    from rich.console import Console  # noqa: PLC0415 - most of what a `--json` would wait for

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # which ends every subcommand alike, and not with rich's status 1

    console = Ours(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    return console


def read_visibly(
    paths: dict[str, int], offsets: dict[str, int] | None = None
) -> Iterator[tuple[str, Entry | Skipped]]:
    """Yield what is in logs, given with their sizes in bytes; a progress bar shows how far it is.

    ``offsets``: where to begin in those that need not be read whole.
    """
    from proxy.sessions.reader import read_log  # noqa: PLC0415

    offsets = offsets or {}
    total = sum(size - offsets.get(path, 0) for path, size in paths.items())
    with progress("reading", total) as advance:
        for path in paths:
            offset = offsets.get(path, 0)
            try:
                for item in read_log(path, offset):
                    yield path, item
                    advance(item.end - offset)
                    offset = item.end
            except FileNotFoundError:
                continue  # removed meanwhile, which is no fault


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far something is that may take long; what is yielded is told each step, of ``total`` in all.

    Shown on standard error where that is a terminal, when it has taken `PATIENCE_S`.
    """
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    bar = _Bar(what, total)
    try:
        yield bar.advance
    finally:
        bar.close()


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show what is being done, for how long, while something is done that does not say how far it is.

    Shown as `progress` is.
    """
    if not sys.stderr.isatty():
        yield
        return
    import threading  # noqa: PLC0415 - as below

    done = threading.Event()

    def show() -> None:
        if done.wait(PATIENCE_S):
            return
        from rich.console import Console  # noqa: PLC0415 - only for what takes long
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        columns = SpinnerColumn(), TextColumn(what), TimeElapsedColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            shown.add_task("", total=None)
            done.wait()

    showing = threading.Thread(target=show, daemon=True)
    showing.start()
    try:
        yield
    finally:
        done.set()
        showing.join()


class _Bar:
    """A progress bar that nobody sees who does not wait."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._next_look_s = time.monotonic() + PATIENCE_S
        self._shown: Progress | None = None

    def advance(self, step: int) -> None:
        """Note that so much more is done."""
        self._done += step
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + 0.1
        if self._shown is None:
            self._shown = self._open()
        self._shown.update(self._shown.task_ids[0], completed=self._done)

    def close(self) -> None:
        """Take the bar away."""
        if self._shown is not None:
            self._shown.stop()

    def _open(self) -> Progress:
        from rich.console import Console  # noqa: PLC0415 - only for what takes long
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        columns = TextColumn(self._what), BarColumn(), TextColumn("{task.percentage:>3.0f} %")
        shown = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        shown.add_task("", total=self._total)
        shown.start()
        return shown
