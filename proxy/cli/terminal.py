"""What every subcommand that prints to a person needs."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    import argparse
    import threading
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import Console
    from rich.text import Text

    from proxy.events import Event, Session
    from proxy.sessions.catalogue import SessionInfo
    from proxy.sessions.reader import Entry, Skipped

PATIENCE_S = 2.0
"""After so long without an answer people want to know whether there is going to be one."""
_REFRESH_S = 0.1
"""As often as a person sees a bar move."""
PIPED_WIDTH = 160
"""Where nobody says how wide: tables are whole then."""
_PIECE = 1 << 16
"""Bytes of a line that are passed over at once: a line may have 256 MiB."""
_COLOURS = {"FORCE_COLOR", "TTY_COMPATIBLE"}
"""Variables by which rich's console is told that there is a terminal, or none."""
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200c\u200d\u2060\ufe0e\ufe0f\ufeff"))
"""Joiners and the like: what they join is shown apart, because terminals do not agree on how wide the whole is."""


def printable(text: str) -> str:
    """Return the text without what could move a terminal's cursor: names and messages come from the wire."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text.translate(_UNSEEN)
    )


def one_line(text: str, most: int = 400) -> str:
    """Return the beginning of what may hold anything, printable and in one line."""
    line = printable(" ".join(text[: 4 * most].split()))
    return line if len(line) <= most else line[: most - 1] + "…"


def print_json(answer: Any) -> None:
    """Print an answer, which may hold models, as indented JSON in ASCII: nothing in it acts on a terminal."""
    import msgspec  # noqa: PLC0415 - `help` and `completion` do without

    print(json.dumps(msgspec.to_builtins(answer), indent=2))


def print_answer(arguments: argparse.Namespace, answer: Any, *lines: str) -> None:
    """Print an answer as JSON where ``--json`` asks for that, else what it says to people."""
    if arguments.json:
        print_json(answer)
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines)


def size(count: float) -> str:
    """Return a size for people, in powers of 1000: ``512 B``, ``1.5 MB``."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


class Output(Protocol):
    """What is printed on: a console of rich's, or a pipe."""

    @property
    def width(self) -> int:
        """How many cells a line has."""

    @property
    def is_terminal(self) -> bool:
        """Whether somebody looks, so that lines are folded."""

    def print(self, text: Text, /) -> None:
        """Print lines."""


class _Pipe(NamedTuple):
    """A standard output without colours. To import rich's console takes a tenth of a subcommand's time."""

    width: int
    is_terminal: bool = False

    def print(self, text: Text, /) -> None:
        sys.stdout.write(f"{text.plain}\n")


def open_console() -> Output:
    """Return what to print on: as wide as the terminal, or COLUMNS, or else wide enough for tables."""
    columns = os.environ.get("COLUMNS", str(PIPED_WIDTH))
    if not (sys.stdout.isatty() or _COLOURS & os.environ.keys()) and columns.isdecimal():
        return _Pipe(int(columns))
    from rich.console import Console, ConsoleDimensions  # noqa: PLC0415 - most of what a `--json` would wait for

    class Ours(Console):
        @functools.cached_property  # which rich asks the system for several times a line
        def is_terminal(self) -> bool:
            return super().is_terminal

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # which ends every subcommand alike, and not with rich's status 1

    console = Ours(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.size = ConsoleDimensions(PIPED_WIDTH, 25)
    return console


def wrapped(line: Text, width: int) -> list[Text]:
    """Return a line in pieces of so many cells."""
    # Without justification, rich asks nothing of a console.
    return [*line.wrap(cast("Console", None), width, overflow="fold")] if line.cell_len > width else [line]


def folded(console: Output, line: Text, *, hang: int = 0) -> list[Text]:
    """Return a line in pieces that fit; what goes on is moved in by ``hang`` cells. Piped, a line stays a line."""
    from rich.text import Text  # noqa: PLC0415 - as above

    width = max(8, console.width - hang)
    is_folded = console.is_terminal or console.width < PIPED_WIDTH
    pieces = wrapped(line, width) if is_folded else [line]
    for piece in pieces:
        piece.rstrip()
    return [*pieces[:1], *(Text(" " * hang) + piece for piece in pieces[1:])]


def print_lines(console: Output, lines: Iterable[Text]) -> None:
    """Print lines, folded, at once: rich takes as long to begin with one as to print a screen of them."""
    from rich.text import Text  # noqa: PLC0415 - as above

    console.print(Text("\n").join(piece for line in lines for piece in folded(console, line)))


def line_behind(path: str, offset: int) -> int:
    """Return where in a log the next line begins behind an offset."""
    with open(path, "rb") as log:
        log.seek(max(0, offset))
        while (piece := log.readline(_PIECE)) and not piece.endswith(b"\n"):
            pass
        return log.tell()


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


def events_of(info: SessionInfo, session: Session | None = None) -> Iterator[Event]:
    """Yield the events of a session, oldest first; ``session`` learns its state. OSError: its log cannot be read."""
    from proxy.events import Interpreter, Session  # noqa: PLC0415 - records do without
    from proxy.sessions import firings  # noqa: PLC0415
    from proxy.sessions.reader import Entry  # noqa: PLC0415

    interpreter = Interpreter(session or Session(info.session_id))
    interpreter.expect(firings.beside(info.path))
    for _, item in read_visibly({info.path: info.size}):
        if isinstance(item, Entry):
            yield from interpreter.take(item.record)
    yield from interpreter.rest()


@contextlib.contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show that something is being done, and how far it is, when it has taken `PATIENCE_S`.

    What is yielded is told of each step, of ``total`` in all; without a total the time is shown that it has taken.
    Shown on standard error, where that is a terminal.
    """
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    import threading  # noqa: PLC0415 - programs do without

    so_far = 0
    done = threading.Event()

    def advance(step: int) -> None:
        nonlocal so_far
        so_far += step

    def show() -> None:
        if not done.wait(PATIENCE_S):
            _show_progress(what, total, lambda: so_far, done)

    showing = threading.Thread(target=show, daemon=True)
    showing.start()
    try:
        yield advance
    finally:
        done.set()
        showing.join()


def _show_progress(what: str, total: int | None, so_far: Callable[[], int], done: threading.Event) -> None:
    from rich import progress as parts  # noqa: PLC0415 - only for what takes long
    from rich.console import Console  # noqa: PLC0415

    columns: tuple[str | parts.ProgressColumn, ...]
    if total is None:
        columns = (parts.SpinnerColumn(), what, parts.TimeElapsedColumn())
    else:
        columns = (what, parts.BarColumn(), "{task.percentage:>3.0f} %", parts.TimeRemainingColumn())
    with parts.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=total)
        while not done.wait(_REFRESH_S):
            shown.update(task, completed=so_far())
