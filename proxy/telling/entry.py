"""What is said to a reader: the shapes that all views render.

An `Entry` is what one event says, in one or more `Part`s. Whatever was recorded may stand in ``title``, ``text``,
``diff`` and ``fields``: a view makes text of it, never markup, and shows control characters as such.
"""

from typing import Any, Literal

import msgspec

_Dialogue = Literal["session", "prompt", "answer", "thinking", "call", "result"]
_Around = Literal["permission", "turn", "task", "client", "note", "problem", "output"]
Kind = Literal[_Dialogue, _Around]
Form = Literal["plain", "markdown", "code"]
"""How a text is to be read: as it stands, as Markdown, or as code or the output of a program."""
Tone = Literal["", "good", "warn", "bad", "faint"]


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is said."""

    kind: Kind
    label: str
    """Who says it, or what it is, in a word or two: ``user``, ``claude``, ``tool``, ``turn ended``."""
    title: str = ""
    """What it is about, in a few words: the name of a tool, how a turn ended."""
    summary: str = ""
    """Of a tool call: what it does, in one line."""
    text: str = ""
    form: Form = "plain"
    language: str = ""
    """Of code: its language, as a fence of Markdown names it."""
    diff: list[tuple[str, str]] = []
    """Of a change of a file: lines, each behind ``-``, ``+``, a blank, or ``@`` where lines are left out."""
    fields: dict[str, Any] = {}
    """Further values of a tool's input or of an event that is not known here."""
    decided: str = ""
    """Of a result: who or what allowed or denied the call, as in ``by caller``; empty where nobody needed to."""
    figures: list[str] = []
    """Durations, costs and counts, as people read them."""
    tone: Tone = ""
    lines: int = 0
    """How many lines of the text are worth showing before a reader asks for more; 0: all."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one event, or one line of a log that is no message, says."""

    timestamp: str
    parts: list[Part]
    event: str = ""
    """The kind of event; empty for a line."""
    seq: int | None = None
    depth: int = 0
    """How many subagents deep it happened."""
    tool_use_id: str | None = None
    shortened: bool = False
    """Whether something was taken from its texts and values; the record has it whole."""
