"""Makes small recorded sessions, and plays them to a client."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from proxy.redaction import Redactor
from proxy.relay.recording import StreamRecorder
from proxy.replay.launcher import write_stand_in
from tests.recorded import LogMaker
from tests.replay.standing import WAIT_S

if TYPE_CHECKING:
    from pathlib import Path

STREAMING = ("claude", "--print", "--output-format", "stream-json", "--input-format", "stream-json")
RESULT = {"type": "result", "subtype": "success", "is_error": False, "result": "done"}


def user(text: str = "hi", **fields: Any) -> dict[str, Any]:
    """Return a prompt."""
    return {"type": "user", "message": {"role": "user", "content": text}, **fields}


def request(subtype: str, request_id: str = "r1", **fields: Any) -> dict[str, Any]:
    """Return a control request of the client's, or of Claude Code's."""
    return {"type": "control_request", "request_id": request_id, "request": {"subtype": subtype, **fields}}


def response(request_id: str = "r1", **payload: Any) -> dict[str, Any]:
    """Return the answer to a control request."""
    answer = {"subtype": "success", "request_id": request_id, "response": payload}
    return {"type": "control_response", "response": answer}


def log(*turns: Any, command: tuple[str, ...] = STREAMING, **end: Any) -> bytes:
    """Return the log of a session: ``("<", MESSAGE)`` the client said, ``(">", MESSAGE)`` Claude Code said."""
    maker = LogMaker()
    streams = {"<": "stdin", ">": "stdout", "!": "stderr"}
    complaints: Any = "stderr"
    maker._recorders["stderr"] = StreamRecorder(
        "made", complaints, declared=False, judged=False, redactor=Redactor()
    )
    made = [maker.started(command), *(maker.lines(streams[side], message) for side, message in turns)]
    return b"".join(made) + (maker.ended(**end) if end.pop("ends", True) else b"")


def encoded(*messages: Any) -> bytes:
    """Return messages as a client sends them; bytes are sent as they are."""
    lines = [m if isinstance(m, bytes) else json.dumps(m).encode() + b"\n" for m in messages]
    return b"".join(lines)


class Outcome:
    """What came of a replay."""

    def __init__(self, folder: Path, done: subprocess.CompletedProcess[bytes]) -> None:
        self.returncode = done.returncode
        self.output = done.stdout
        self.stderr = done.stderr.decode()
        (report,) = (folder / "report").read_text().splitlines()
        self.report: dict[str, Any] = json.loads(report)

    @property
    def said(self) -> list[Any]:
        """What the stand-in said, decoded."""
        return [json.loads(line) for line in self.output.splitlines()]

    @property
    def kinds(self) -> list[str]:
        """What kinds of divergences there were."""
        return [divergence["kind"] for divergence in self.report["divergences"]]


def stand_in(folder: Path, recorded: bytes, **settings: Any) -> Path:
    """Write an executable that plays a log."""
    (folder / "a.jsonl").write_bytes(recorded)
    given = {"plays": [str(folder / "a.jsonl")], "report": str(folder / "report"), **settings}
    write_stand_in(str(folder / "claude"), given)
    return folder / "claude"


def replay(
    folder: Path, recorded: bytes, *given: Any, arguments: tuple[str, ...] = (), **settings: Any
) -> Outcome:
    """Play a log to a client that says all it has to say at once, and ends."""
    command = [str(stand_in(folder, recorded, **settings)), *arguments]
    done = subprocess.run(command, input=encoded(*given), capture_output=True, timeout=WAIT_S, check=False)
    return Outcome(folder, done)
