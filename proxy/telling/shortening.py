"""Long texts and values, shortened: both ends of a text are kept, as what matters often stands at its end."""

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

_T = TypeVar("_T")
_MOST_ITEMS = 200
"""Of one list or object: more than a person reads, few enough to be drawn at once."""
_MOST_VALUES = 5000
"""In all, so that many small lists are bounded too."""
_DEEPEST = 40
"""Far deeper than a message of Claude Code, and shallow enough for every JSON reader."""
_HEAD = 0.7
"""The share of a shortened text that is its beginning."""


def shorten_text(text: str, longest: int) -> tuple[str, bool]:
    """Return a text of about so many characters, and whether anything was taken from its middle."""
    more = len(text) - longest
    if more <= 0:
        return text, False
    head = round(longest * _HEAD)
    return f"{text[:head]}\n… {more:,} characters …\n{text[head + more :]}", True


class Fold(NamedTuple, Generic[_T]):
    """Lines of which the middle is left out."""

    head: Sequence[_T]
    hidden: int
    tail: Sequence[_T]


def fold(lines: Sequence[_T], most: int) -> Fold[_T]:
    """Return so many of the lines, from both ends; one line alone is not worth being left out."""
    if len(lines) <= most + 1:
        return Fold(lines, 0, ())
    head = (most + 1) // 2
    tail = most - head
    return Fold(lines[:head], len(lines) - most, lines[len(lines) - tail :])


def shorten_value(value: Any, longest: int) -> tuple[Any, bool]:
    """Return a JSON value with texts of at most so many characters, and whether anything was taken from it.

    What a text lacks is said at its end, what a list or an object lacks in a last item of its own.
    """
    left = _MOST_VALUES

    def shorten(text: str) -> str:
        more = len(text) - longest
        return f"{text[:longest]}… {more} more characters" if more > 0 else text

    def cut(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if isinstance(value, str):
            return shorten(value)
        if not isinstance(value, list | dict) or not value:
            return value
        if depth >= _DEEPEST or left <= 0:
            return "…"
        most = min(_MOST_ITEMS, max(1, left))
        more = len(value) - most
        if isinstance(value, list):
            items = [cut(item, depth + 1) for item in value[:most]]
            return [*items, f"… {more} more"] if more > 0 else items
        fields = {shorten(key): cut(value[key], depth + 1) for key in list(value)[:most]}
        return {**fields, "…": f"{more} more"} if more > 0 else fields

    shown = cut(value, 0)
    return shown, shown != value
