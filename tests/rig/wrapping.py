"""The wrapper between two recorders: what each side of it saw, and what it wrote down.

    client  ⇄  recorder (outside)  ⇄  claude-proxy  ⇄  recorder (inside)  ⇄  claude

The log is read here by a reader of our own, not by the project's: it is checked, and cannot vouch for itself.
"""

from __future__ import annotations

import base64
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tests.rig.recording import Recording, recorded, recordings

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Log", "Record", "Wrapped", "claude_proxy", "read_logs"]


class Record(msgspec.Struct):
    """One line of a session log; `message` as the bytes that stand in it."""

    seq: int
    ts: str
    session_id: str
    stream: str
    verdict: str | None = None
    message: msgspec.Raw = msgspec.Raw()
    raw: str | None = None
    raw_base64: str | None = None
    errors: list[Any] | None = None
    redacted: list[str] | None = None
    truncated: bool = False
    forwarded: bool = True
    eol: str | None = None
    bom: bool = False
    source: str | None = None
    event: dict[str, Any] | None = None

    @property
    def line(self) -> bytes:
        """The line as it passed, without its end."""
        if self.message:
            start, end = b"\xef\xbb\xbf" if self.bom else b"", (self.eol or "\n").encode()[:-1]
            return start + bytes(self.message) + end
        if self.raw_base64 is not None:
            return base64.b64decode(self.raw_base64)
        assert self.raw is not None
        return self.raw.encode()

    @property
    def is_blank(self) -> bool:
        """Whether the line is one that Claude Code passes over."""
        return not self.line.decode(errors="replace").replace("\ufeff", "").strip()


@dataclass(frozen=True, slots=True)
class Log:
    """One session log, whole."""

    path: Path
    records: list[Record]

    def lines(self, stream: str) -> list[Record]:
        """Return the records of one stream, in order."""
        return [record for record in self.records if record.stream == stream]

    def event(self, event_type: str) -> dict[str, Any]:
        """Return the data of the one lifecycle record of this type."""
        found = [r.event["data"] for r in self.records if r.event and r.event["event_type"] == event_type]
        assert len(found) == 1, f"{len(found)} records of type {event_type}"
        data: dict[str, Any] = found[0]
        return data


def claude_proxy() -> list[str]:
    """Return the installed command: the console script beside this interpreter, else the module."""
    script = Path(sys.executable).with_name("claude-proxy")
    found = str(script) if script.exists() else shutil.which("claude-proxy")
    return [found] if found else [sys.executable, "-m", "proxy"]


def read_logs(data_dir: Path) -> list[Log]:
    """Return the session logs of a data directory, oldest first."""
    decoder = msgspec.json.Decoder(Record)
    paths = sorted(p for p in (data_dir / "sessions").glob("*.jsonl") if not p.is_symlink())
    return [Log(path, [decoder.decode(line) for line in _lines(path)]) for path in paths]


def _lines(path: Path) -> list[bytes]:
    *whole, torn = path.read_bytes().split(b"\n")
    assert torn == b"", f"{path.name} ends in a torn line"
    return whole


class Wrapped:
    """A command line of the wrapper in front of the real command, with a recorder on either side."""

    def __init__(self, folder: Path, real: Path, options: Sequence[str] = ()) -> None:
        self.data_dir = folder / "data"
        self._outside = folder / "outside"
        self._inside = folder / "inside"
        # The wrapper knows Claude Code by its name, so the inner recorder must bear it.
        inner = recorded(folder / "real/claude", self._inside, [str(real)])
        wrapper = [
            *claude_proxy(),
            "--server",
            "off",
            "--data-dir",
            str(self.data_dir),
            *options,
            "--",
            str(inner),
        ]
        self.command = recorded(folder / "wrapped/claude", self._outside, wrapper)

    def outside(self) -> list[Recording]:
        """Return what the caller's side saw, one recording a run."""
        return recordings(self._outside)

    def inside(self) -> list[Recording]:
        """Return what the command's side saw, one recording a run."""
        return recordings(self._inside)

    def logs(self) -> list[Log]:
        """Return what the wrapper recorded, one log a run."""
        return read_logs(self.data_dir)
