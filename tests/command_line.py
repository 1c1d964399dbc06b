"""Runs `claude-proxy` in this process, as a function: what a subcommand prints, and its exit status."""

from __future__ import annotations

import io
from dataclasses import dataclass

from proxy import cli

__all__ = ["Finished", "claude_proxy"]


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a subcommand."""

    status: int
    stdout: str
    stderr: str


class _Stream(io.TextIOWrapper):
    """A standard stream that keeps what is written, also after it was closed."""

    def __init__(self, content: bytes = b"") -> None:
        self.kept = io.BytesIO(content)
        super().__init__(self.kept, encoding="utf-8", write_through=True)

    def text(self) -> str:
        return self.kept.getvalue().decode()


def claude_proxy(*words: str, stdin: bytes = b"") -> Finished:
    """Run a subcommand with such words and such a standard input."""
    stdout, stderr = _Stream(), _Stream()
    status = cli.run(words, _Stream(stdin), stdout, stderr)
    return Finished(status, stdout.text(), stderr.text())
