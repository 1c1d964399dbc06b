"""What every subcommand that prints to a person needs."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from proxy.sessions.reader import Entry, Skipped

LONG_BYTES = 8 << 20
"""Logs from which on a progress bar is shown: they take more than a second or so."""
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

    ``offsets``: where to begin in those that need not be read whole. The bar is shown only where standard error is a
    terminal, and there is enough to read that somebody would wait for it.
    """
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from proxy.sessions.reader import read_log  # noqa: PLC0415

    offsets = offsets or {}
    total = sum(size - offsets.get(path, 0) for path, size in paths.items())
    console = Console(stderr=True)
    columns = (
        TextColumn("reading"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal or total < LONG_BYTES
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("", total=total)
        before = told = 0
        for path, size in paths.items():
            offset = offsets.get(path, 0)
            try:
                for item in read_log(path, offset):
                    yield path, item
                    if before + item.end - offset - told > LONG_BYTES // 16:
                        told = before + item.end - offset
                        progress.update(task, completed=told)
            except FileNotFoundError:
                continue  # removed meanwhile, which is no fault
            before += size - offset
    sys.stderr.flush()
