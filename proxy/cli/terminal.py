"""What every subcommand that prints to a person needs."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """Return the text without what could move a terminal's cursor: names and messages come from the wire."""
    return "".join(
        char if char.isprintable() or char in keep else "\N{REPLACEMENT CHARACTER}" for char in text
    )
