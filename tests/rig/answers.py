"""What the stand-in for the Messages API may answer: values, no behaviour.

An answer is one of

* `Reply`: a model's answer, streamed block by block;
* `Failure`: an error answer with its HTTP status;
* `Dropped`: a stream that breaks off before its end;
* `Tries`: one of these for the first request, the next for the second, the last for all further ones.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Answer",
    "Dropped",
    "Failure",
    "Gate",
    "Reply",
    "Tries",
    "redacted_thinking",
    "says",
    "text",
    "thinking",
    "tool",
    "uses",
]

Block = dict[str, Any]

GATE_WAIT_S = 30.0  # longer than any healthy run needs; a test that meets it has failed


class Gate:
    """A point in mid-stream where an answer waits until the scenario lets it go on."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()

    def pass_through(self) -> None:
        """Say that the stream has come this far, and wait to be let through."""
        self._reached.set()
        self._open.wait(GATE_WAIT_S)

    def wait_until_reached(self) -> None:
        """Wait, in a thread, until a stream has come this far; TimeoutError when none does within the limit."""
        if not self._reached.wait(GATE_WAIT_S):
            raise TimeoutError("no answer came as far as the gate")

    async def reached(self) -> None:
        """Return when a stream stands at the gate.

        Raises TimeoutError when none came within the limit.
        """
        if not await anyio.to_thread.run_sync(self._reached.wait, GATE_WAIT_S):
            raise TimeoutError("no answer came as far as the gate")

    def open(self) -> None:
        """Let everything through, now and later."""
        self._open.set()


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer. With a gate, the stream stops after the first delta of its last block.

    `alter` changes an event of the stream before it is sent, as a gateway may.
    """

    blocks: tuple[Block, ...]
    stop_reason: str = "end_turn"
    gate: Gate | None = None
    input_tokens: int = 120
    alter: Callable[[Block], Block] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An error answer: the HTTP status and the error object that the Messages API gives with it."""

    status: int
    error_type: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A stream that ends without warning after its first block was begun."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Tries:
    """Different answers to one and the same request, as it is tried again."""

    answers: tuple[Reply | Failure | Dropped, ...]


Answer = Reply | Failure | Dropped | Tries


def text(words: str) -> Block:
    """Return a block of text."""
    return {"type": "text", "text": words}


def thinking(words: str) -> Block:
    """Return a block of thinking; its signature is one that no real service would accept."""
    return {"type": "thinking", "thinking": words, "signature": "c2lnbmF0dXJl"}


def redacted_thinking() -> Block:
    """Return a block of thinking that the client cannot read."""
    return {"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="}


def tool(name: str, /, **arguments: Any) -> Block:
    """Return a call of a tool; the stand-in gives it an id of its own."""
    return {"type": "tool_use", "name": name, "input": arguments}


def says(words: str, *, gate: Gate | None = None) -> Reply:
    """Return an answer of text alone, which ends the turn."""
    return Reply((text(words),), gate=gate)


def uses(name: str, /, **arguments: Any) -> Reply:
    """Return an answer that calls one tool."""
    return Reply((tool(name, **arguments),), stop_reason="tool_use")
