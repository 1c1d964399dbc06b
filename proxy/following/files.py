"""Where Claude Code keeps what a recorder reads, and reading it. Nothing here writes, creates or locks anything."""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from proxy.following import registry
from proxy.following.registry import Registration
from proxy.sessions import process

_PROJECTS = "projects"
_SUBAGENTS = "subagents"
_LARGEST_ENTRY = 1 << 20  # of the registry: real ones have some hundred bytes
_META = {"agentType": "agent_type", "description": "description", "toolUseId": "parent_tool_use_id"}


def config_folder(environment: Mapping[bytes, bytes]) -> str | None:
    """Return Claude Code's configuration folder for a process with that environment; None: it has no home."""
    if given := environment.get(b"CLAUDE_CONFIG_DIR"):
        return os.path.abspath(os.fsdecode(given))
    home = os.fsdecode(environment.get(b"HOME", b""))
    return os.path.join(home, ".claude") if os.path.isabs(home) else None


class ConfigFolder:
    """One configuration folder of Claude Code."""

    def __init__(self, path: str, cwd: str | None) -> None:
        """``cwd``: the working directory of the session, after which its project's folder is named."""
        self.path = path
        self.registry = os.path.join(path, registry.FOLDER)
        self._likely = re.sub(r"[^A-Za-z0-9]", "-", cwd or "")
        self._registrations: dict[int, Registration] = {}

    # -- the registry ------------------------------------------------------------------------------------------

    def registrations(self, changed: Iterable[str] | None = None) -> dict[int, Registration]:
        """Return all registrations by their process ids. One that is being written is as it was before.

        ``changed``: names of the only files that may have changed since the last time.
        """
        before = self._registrations
        found = {} if changed is None else before.copy()
        for name in process.names(self.registry) if changed is None else changed:
            if (pid := registry.pid_of(name)) is None:
                continue
            found.pop(pid, None)
            with contextlib.suppress(OSError):
                said = registry.parse(pid, _content(os.path.join(self.registry, name))) or before.get(pid)
                if said is not None:
                    found[pid] = said
        self._registrations = found
        return found

    # -- transcripts -------------------------------------------------------------------------------------------

    def sizes(self, before_us: int) -> dict[str, int]:
        """Return how long the transcripts of the likely project are, by their files (see `transcript`).

        Of those that were not written to since: of the others nobody knows how long they were.
        """
        folder = os.path.join(_PROJECTS, self._likely)
        names = (name for name in process.names(self.absolute(folder)) if name.endswith(".jsonl"))
        files = (os.path.join(folder, name) for name in names)
        stats = {file: status for file in files if (status := self.status(file)) is not None}
        return {file: one.st_size for file, one in stats.items() if one.st_mtime_ns // 1000 < before_us}

    def likely_transcript(self, conversation: str) -> str:
        """Return where a conversation's transcript will probably be: its file, relative to the folder."""
        return os.path.join(_PROJECTS, self._likely, f"{conversation}.jsonl")

    def transcript(self, conversation: str) -> str | None:
        """Return the file of a conversation's transcript, relative to the folder; None: there is none (yet)."""
        if os.sep in conversation:
            return None
        folders = (self._likely, *process.names(self.absolute(_PROJECTS)))
        files = (os.path.join(_PROJECTS, folder, f"{conversation}.jsonl") for folder in folders)
        return next((file for file in files if self.status(file) is not None), None)

    def subagents(self, transcript: str) -> Iterator[str]:
        """Yield the files of the transcripts of a conversation's subagents."""
        for folder, _, names in os.walk(self.absolute(self.subagents_folder(transcript))):
            for name in sorted(names):
                if name.endswith(".jsonl"):
                    yield os.path.relpath(os.path.join(folder, name), self.path)

    def subagents_folder(self, transcript: str) -> str:
        """Return the folder of the transcripts of a conversation's subagents, which may be missing."""
        return os.path.join(transcript.removesuffix(".jsonl"), _SUBAGENTS)

    def subagent(self, file: str) -> dict[str, Any]:
        """Return what is said beside a subagent's transcript of who called it and what for."""
        try:
            said = json.loads(_content(self.absolute(file.removesuffix(".jsonl") + ".meta.json")))
        except (OSError, ValueError, RecursionError):
            return {}
        return {
            ours: said[theirs] for theirs, ours in _META.items() if isinstance(said, dict) and theirs in said
        }

    def absolute(self, file: str) -> str:
        """Return the path of a file that is named relative to the folder."""
        return os.path.join(self.path, file)

    def status(self, file: str) -> os.stat_result | None:
        """Return what the system says of a file, None when it is not there."""
        try:
            return os.stat(self.absolute(file))
        except OSError:
            return None


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read(min(os.fstat(file.fileno()).st_size, _LARGEST_ENTRY))
