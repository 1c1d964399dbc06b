"""Shortens what is long in a value, so that it can be shown: texts, lists, depth and all together are bounded."""

from typing import Any

import msgspec

from proxy.store.spelling import as_json

__all__ = ["shortened", "shortened_event"]

_MOST_ITEMS = 200
"""Of one list or object."""
_MOST_VALUES = 5000
"""In all."""
_DEEPEST = 40


def shortened(value: Any, longest: int) -> tuple[Any, bool]:
    """Return the value with texts of at most so many characters, and whether anything was taken from it.

    What a text lacks is said at its end, what a list or an object lacks in a last item of its own.
    """
    cutter = _Cutter(longest)
    return cutter.cut(value, 0), cutter.has_cut


def shortened_event(event: bytes, longest: int | None) -> bytes:
    """Return an event, given as JSON, with what is long in its data shortened; None: as it is."""
    if longest is None or len(event) <= longest:
        return event
    value, has_cut = shortened(msgspec.json.decode(event), longest)
    if not has_cut:
        return event
    return as_json({**value, "shortened": True})


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
