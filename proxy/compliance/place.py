"""The folder of one run: the `claude` that the wrapper is to run, its script, its journal, a working directory."""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from proxy.compliance import processes
from proxy.compliance.evidence import Seen
from proxy.replay.launcher import write_stand_in


class Place:
    """A folder that is made by `build`, and removed by whoever made the folder above it."""

    def __init__(self, folder: str, claude: str | None = None) -> None:
        """``claude``: the real one, in place of a stand-in."""
        self.folder = folder
        self.mark = secrets.token_hex(8)
        self.claude = os.path.join(folder, "bin", "claude")
        self.directory = os.path.join(folder, "project")
        self.journal = os.path.join(folder, "journal.jsonl")
        self._real = claude

    def build(self, script: list[Any] | Mapping[str, Any], *, journal: bool = True) -> None:
        """Make it, with a stand-in that plays the script."""
        os.makedirs(self.directory)
        os.makedirs(os.path.dirname(self.claude))
        if self._real is not None:
            os.symlink(self._real, self.claude)
            return
        path = os.path.join(self.folder, "script.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(script, file)
        with processes.starting:
            write_stand_in(self.claude, {"plays": [path], "journal": self.journal if journal else None})

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield what the stand-in has noted so far."""
        with contextlib.suppress(FileNotFoundError), open(self.journal, "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def seen(self) -> Seen | None:
        """Return what the stand-in saw, which is nothing if it never ran; None of the real `claude`."""
        if self._real is not None:
            return None
        seen = Seen()
        streams = {0: bytearray(), 1: bytearray(), 2: bytearray()}
        for entry in self.entries():
            match entry["event"]:
                case "started":
                    seen.started, seen.environment = True, entry["env"]
                    seen.arguments, seen.directory = entry["argv"], entry["cwd"] or ""
                case "line":
                    line = entry["line"].encode("utf-8", "surrogateescape")
                    streams[0] += line + b"\n" * entry["newline"]
                case "wrote":
                    streams[entry["fd"]] += entry["data"].encode("utf-8", "surrogateescape")
                case "end_of_input":
                    seen.input_ended = True
                case "signal":
                    seen.signals[entry["signal"]] = seen.signals.get(entry["signal"], 0) + 1
        seen.stdin, seen.stdout, seen.stderr = map(bytes, streams.values())
        return seen
