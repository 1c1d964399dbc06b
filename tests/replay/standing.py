"""Runs a stand-in with a script, as a client would."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from proxy.replay.launcher import write_stand_in

if TYPE_CHECKING:
    from pathlib import Path

WAIT_S = 60

USER = b'{"type":"user","message":{"role":"user","content":"hi"}}\n'


def request(subtype: str, request_id: str = "r1") -> bytes:
    """Return a control request as a line."""
    message = {"type": "control_request", "request_id": request_id, "request": {"subtype": subtype}}
    return json.dumps(message).encode() + b"\n"


def stand_in(folder: Path, script: Any, **settings: Any) -> Path:
    """Write an executable that plays a script; its journal is beside it."""
    (folder / "script.json").write_text(json.dumps(script))
    path = folder / "claude"
    given = {"plays": [str(folder / "script.json")], "journal": str(folder / "journal"), **settings}
    write_stand_in(str(path), given)
    return path


def start(path: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a stand-in with pipes."""
    pipe = subprocess.PIPE
    return subprocess.Popen([path, *arguments], stdin=pipe, stdout=pipe, stderr=pipe)


def play(
    folder: Path, script: Any, given: bytes = b"", *arguments: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a script with that input; return what came of it."""
    command = [str(stand_in(folder, script)), *arguments]
    return subprocess.run(command, input=given, capture_output=True, timeout=WAIT_S, check=False)


def journal(folder: Path) -> list[dict[str, Any]]:
    """Return what the stand-in noted."""
    return [json.loads(line) for line in (folder / "journal").read_text().splitlines()]


def messages(output: bytes) -> list[Any]:
    """Return the lines of an output, decoded."""
    return [json.loads(line) for line in output.splitlines()]


PROXY = [sys.executable, "-m", "proxy"]
