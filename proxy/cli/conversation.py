"""A session as a person reads it in a terminal: who said what, which tools ran, what it took and cost.

Rules it lives by:

* A line is a time, who, and what; what belongs to a subagent is moved in. Texts are folded beside who said them.
* Everything that was recorded goes through `printable`, and is shortened and says so: the record has the rest.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec
from rich.text import Text

from proxy.cli.terminal import Output, one_line, printable, wrapped
from proxy.events import Interpreter, Session
from proxy.events.formatting import quantity
from proxy.sessions import firings
from proxy.sessions.reader import Entry as Recorded
from proxy.sessions.reader import Skipped
from proxy.telling import Entry, Part, calls, tell_crash, tell_record
from proxy.telling.shortening import fold

_LONGEST = 2000
"""Characters of a text that are shown."""
_LONGEST_FIELD = 160  # two lines of a usual terminal
_MOST_FIELDS = 6  # the record has all of them
_WHO = 11  # cells: the label `permission`, and a blank
_DEEPEST = 4  # further indentation leaves no room for text
_COLOURS = {
    "prompt": "bold cyan",
    "answer": "bold green",
    "thinking": "dim italic",
    "call": "magenta",
    "client": "cyan",
}
_TONES = {"good": "bold", "warn": "yellow", "bad": "bold red", "faint": "dim"}


class Reading:
    """Makes entries of what is in a log."""

    def __init__(self, session_id: str, path: str) -> None:
        self._interpreter = Interpreter(Session(session_id))
        self._path = path
        self._last_answer = ""

    def entries(self, items: Iterable[Recorded | Skipped]) -> Iterator[Entry]:
        """Yield what the next pieces of the log say to a person, and the rules that have fired so far."""
        interpreter = self._interpreter
        interpreter.expect(firings.beside(self._path))
        for item in items:
            if isinstance(item, Skipped):
                said = f"{item.detail} (byte {item.offset})"
                yield Entry("", [Part("problem", "log", said, tone="bad")])
            else:
                told = tell_record(item.record, interpreter.take(item.record), _LONGEST)
                yield from map(self._once, told)
        yield from map(self._once, tell_record(None, interpreter.rest(), _LONGEST))

    def _once(self, entry: Entry) -> Entry:
        """Leave out an error that was told as an answer just before."""
        part = entry.parts[-1]
        if part.kind == "answer":
            self._last_answer = " ".join(part.text.split())
        elif part.kind == "turn" and part.text and " ".join(part.text.split()) == self._last_answer:
            part = msgspec.structs.replace(part, text="")
            return msgspec.structs.replace(entry, parts=[*entry.parts[:-1], part])
        return entry

    def crashed(self) -> Iterator[Entry]:
        """Return what is known from the lock of a log that has no end."""
        self._interpreter.session.mark_crashed()
        return tell_crash(self._interpreter.session)


def put(console: Output, entry: Entry, before: str) -> str:
    """Print an entry; return its date, to be given with the next one: where the date changes, it stands alone."""
    date = entry.timestamp[:10] or before
    lines = [Text()] if entry.parts[0].label == "user" and before else []
    if date != before:
        lines.append(Text(f"{date} UTC", style="dim"))
    for part in entry.parts:
        lines += _printed(console, entry.timestamp[11:19], min(entry.depth, _DEEPEST), part)
    console.print(Text("\n").join(lines))
    return date


def _printed(console: Output, time: str, depth: int, part: Part) -> Iterator[Text]:
    """Yield the lines of a part as they are printed."""
    margin = " " * (10 + 2 * depth + _WHO + 1)
    style = _COLOURS.get(part.kind) or _TONES.get(part.tone) or "bold"
    who = f"{one_line(part.label, 40):{_WHO}}"
    head = Text.assemble((f"{time:8}  ", "dim"), " " * (2 * depth), (who, style), " ")
    width = max(20, console.width - len(margin)) if console.is_terminal else 1 << 30
    lines = _lines(part)
    for line in lines:
        line.rstrip()
    pieces = [piece for line in lines for piece in wrapped(line, width)]
    shown = fold(pieces, part.lines or len(pieces))
    hidden = [Text(f"… {quantity(shown.hidden, 'more line')}", style="dim")] if shown.hidden else []
    for at, piece in enumerate([*shown.head, *hidden, *shown.tail] or [Text()]):
        printed = head + piece if not at else Text(margin) + piece
        printed.rstrip()
        yield printed


def _lines(part: Part) -> list[Text]:
    """Return what stands beside a label: the title with its figures, the text, a change, and further fields."""
    faint = _COLOURS["thinking"] if part.kind == "thinking" else "dim" if part.tone == "faint" else ""
    title = "  ".join(filter(None, [part.title, part.summary]))
    if part.kind == "result":
        title = ", ".join(filter(None, [" in ".join([title, *part.figures]), part.decided]))
    else:
        title = ", ".join(filter(None, [title, *part.figures]))
    body = part.text.strip("\n")
    if title and body and "\n" not in body and part.kind == "result":
        title, body = f"{title}: {body}", ""
    said = [*([title] if title else []), *(body.split("\n") if body else [])]
    lines = [Text(printable(line.expandtabs(4)), style=faint) for line in said]
    signs = {"-": "red", "+": "green", "@": "dim"}
    lines += [
        Text(f"{sign} {printable(line.expandtabs(4))}".rstrip(), style=signs.get(sign, ""))
        for sign, line in part.diff
    ]
    return lines + [Text(line) for line in _fields(part)]


def _fields(part: Part) -> list[str]:
    lines = [
        f"{one_line(name, 40)}: {printable(calls.one_line(value, _LONGEST_FIELD))}"
        for name, value in islice(part.fields.items(), _MOST_FIELDS)
    ]
    left = len(part.fields) - len(lines)
    return [*lines, f"… {quantity(left, 'more field')}"] if left > 0 else lines
