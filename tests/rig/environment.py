"""Where Claude Code is found, and surroundings of its own for one run of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Surroundings", "find_claude", "release_of", "surroundings_unset"]

# What a caller's own Claude Code may have left in the environment must not reach the runs.
OWN_PREFIXES = ("CLAUDE", "ANTHROPIC", "DISABLE_", "MCP_", "BASH_", "API_TIMEOUT", "AWS_", "GOOGLE_", "OTEL_")


def find_claude() -> Path | None:
    """Return the Claude Code that the installed Agent SDK carries, else the one on PATH, else None."""
    spec = find_spec("claude_agent_sdk")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).with_name("_bundled") / "claude"
        if bundled.is_file():
            return bundled
    on_path = shutil.which("claude")
    return Path(on_path) if on_path else None


def release_of(claude: Path) -> str:
    """Return which release a Claude Code is, such as 2.1.330."""
    said = subprocess.run([claude, "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[0]


@contextmanager
def surroundings_unset() -> Iterator[None]:
    """Take everything that configures a Claude Code out of this process's environment for a while.

    The Agent SDKs pass the caller's whole environment on; with this, what a run sees is what a run was given.
    """
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(OWN_PREFIXES)}
    try:
        yield
    finally:
        os.environ.update(taken)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A home and a project folder that belong to one run."""

    home: Path

    @property
    def project(self) -> Path:
        """The working directory of the run."""
        return self.home / "project"

    def build(self) -> None:
        """Make the folders."""
        self.project.mkdir(parents=True, exist_ok=True)

    def variables(self, base_url: str) -> dict[str, str]:
        """Return the variables that keep a run on loopback and at home."""
        return {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "XDG_STATE_HOME": str(self.home / ".local/state"),
            "ANTHROPIC_BASE_URL": base_url,
            "ANTHROPIC_API_KEY": "sk-ant-not-a-key",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "NO_PROXY": "127.0.0.1",
        }
