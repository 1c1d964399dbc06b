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
    cutter = _Cutter(longest)
    return cutter.cut(value, 0), cutter.has_cut


class _Cutter:
    def __init__(self, longest: int) -> None:
        self.has_cut = False
        self._longest = longest
        self._left = _MOST_VALUES

    def cut(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if isinstance(value, str):
            return self._text(value)
        if not isinstance(value, list | dict) or not value:
            return value
        if depth >= _DEEPEST or self._left <= 0:
            self.has_cut = True
            return "…"
        most = min(_MOST_ITEMS, max(1, self._left))
        more = len(value) - most
        self.has_cut = self.has_cut or more > 0
        if isinstance(value, list):
            items = [self.cut(item, depth + 1) for item in value[:most]]
            return [*items, f"… {more} more"] if more > 0 else items
        fields = {self._text(key): self.cut(value[key], depth + 1) for key in list(value)[:most]}
        return {**fields, "…": f"{more} more"} if more > 0 else fields

    def _text(self, text: str) -> str:
        more = len(text) - self._longest
        if more <= 0:
            return text
        self.has_cut = True
        return f"{text[: self._longest]}… {more} more characters"
