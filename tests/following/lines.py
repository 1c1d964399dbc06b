"""Transcripts for tests: lines as Claude Code writes them, and what a recorder makes of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from proxy.following.transcript import Transcript
from proxy.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.following.transcript import Why
    from proxy.sessions.record import Body

START_US = 1_800_000_000_000_000
"""When the sessions of these tests started: 2027-01-15T08:00:00Z."""


def at(seconds: float) -> str:
    """Return the timestamp so many seconds after the start."""
    return f"2027-01-15T{8 + seconds // 3600:02.0f}:{seconds % 3600 // 60:02.0f}:{seconds % 60:06.3f}Z"


def line(type_: str, seconds: float | None = None, **fields: Any) -> bytes:
    """Return one line of a transcript; without a time where ``seconds`` is None."""
    timed = {} if seconds is None else {"timestamp": at(seconds)}
    return json.dumps({"type": type_, **timed, **fields}).encode() + b"\n"


def prompt(words: str, seconds: float, **fields: Any) -> bytes:
    """Return the line of a prompt that was typed."""
    return line("user", seconds, message={"role": "user", "content": words}, promptSource="typed", **fields)


def transcript(why: Why = "new", boundary_us: int = START_US, redact: str = "off") -> Transcript:
    """Return a transcript that nothing was read of yet."""
    return Transcript("session", "projects/p/c.jsonl", "c", why, Redactor(redact), boundary_us=boundary_us)


def records(bodies: Iterable[Body]) -> list[dict[str, Any]]:
    """Return the records that bodies make, without the head that the writer gives them."""
    return [json.loads(b"{" + b"".join(body)) for body in bodies]
