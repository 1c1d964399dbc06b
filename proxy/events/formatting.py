"""What people read: durations, costs and numbers in as few characters as tell them, texts in one line, and faults."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

SUMMARY_FIELDS = ("description", "command", "file_path", "pattern", "query", "url", "path", "skill", "prompt")
"""Fields of a tool's input that tell a person what it is about, the best first."""
_CENTS_FROM = 0.1
"""Amounts from here on are whole cents; of smaller ones four digits are left."""


def format_duration(ms: float) -> str:
    """Return a duration: ``840 ms``, ``12.3 s``, ``4 m 05 s``, ``2 h 10 m``, ``3 d 04 h``."""
    seconds = ms / 1000
    if _rounded(ms, 0) < 1000:
        return f"{_rounded(ms, 0)} ms"
    if _rounded(seconds, 1) < 60:
        return f"{_rounded(seconds, 1)} s"
    minutes, rest = divmod(int(_rounded(seconds, 0)), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m" if hours < 48 else f"{hours // 24} d {hours % 24:02d} h"


def format_dollars(cost: float, beside: Iterable[float] = ()) -> str:
    """Return an amount; ``beside``: the others of its column, so that all of them have as many digits."""
    digits = 2 if (not cost and not any(beside)) or max(cost, *beside, 0.0) >= _CENTS_FROM else 4
    least = 10**-digits
    return f"<${least:.{digits}f}" if 0 < cost < least / 2 else f"${_rounded(cost, digits):,}"


def format_count(count: int) -> str:
    """Return a number: ``840``, ``12.3 k``, ``4.0 M``."""
    if count >= 999_950:
        return f"{_rounded(count / 1_000_000, 1):,} M"
    return f"{_rounded(count / 1000, 1)} k" if count >= 10_000 else str(count)


def _rounded(number: float, digits: int) -> Decimal:
    """Return a number with so many digits behind its point, a half rounded up, as people and the page round."""
    return Decimal(str(number)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def quantity(number: int, thing: str) -> str:
    """Return so many of a thing: ``1 turn``, ``1,200 turns``."""
    return f"{number} {thing}" if number == 1 else f"{number:,} {thing}s"


def one_line(text: str, longest: int = 80) -> str:
    """Return the beginning of a text in one line, by default short enough for a label. ``longest``: characters."""
    line = " ".join(text[: 4 * longest].split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def error_message(error: Exception) -> str:
    """Return what an error says; one of the system ``/data/sessions: Permission denied``, without its number."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if isinstance(error.filename, str) else error.strerror
