"""Session logs made of the recorded scenarios: the streams of a fixture, put into an order that could have been.

A fixture holds each stream by itself. The client's lines are put where they must have been: an answer behind its
request, a prompt behind the result of the turn before, an interrupt in the middle of a turn.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from signal import Signals
from typing import Any, Literal

from proxy.events.timestamps import format_timestamp
from proxy.protocol import Judge
from proxy.redaction import Redactor
from proxy.relay.framing import Batch
from proxy.relay.recording import StreamRecorder, TextRecorder
from proxy.sessions.firings import Firing
from proxy.sessions.reader import Record, parse
from proxy.sessions.record import Body, StreamRecords, lifecycle

FIXTURES = Path(__file__).parent.parent / "fixtures"
SCENARIOS = FIXTURES / "scenarios"
INTERACTIVE = FIXTURES / "interactive" / "log.jsonl"
"""The log of an interactive session, as its recorder wrote it."""
INTERACTIVE_WITHOUT_STATES = FIXTURES / "interactive" / "2.1.100.jsonl"
"""The same of a release that does not say what it does."""
INTERACTIVE_LOGS = sorted((FIXTURES / "interactive").glob("*.jsonl"))
"""These, and those of other releases."""
NAMES = sorted(folder.name for folder in SCENARIOS.iterdir() if folder.is_dir())
RELEASES = sorted(f"../{path.parent.relative_to(FIXTURES)}" for path in FIXTURES.glob("releases/*/*/argv"))
"""Recordings of other releases, by their place beside the scenarios."""
_STREAMS: tuple[Literal["stdin"], Literal["stdout"]] = ("stdin", "stdout")
START_US = 1_767_323_045_000_000  # 2026-01-02T03:04:05Z


class LogMaker:
    """Spells the records of one session, one millisecond apart."""

    def __init__(
        self,
        session_id: str = "made",
        start_us: int = START_US,
        *,
        prints: Literal["text", "json"] | None = None,
    ) -> None:
        """``prints``: what the command prints in place of messages."""
        self.session_id = session_id
        self.now_us = start_us
        self.step_us = 1000
        self.seq = 0
        self._recorders: dict[str, StreamRecorder | TextRecorder] = {
            stream: _recorder(session_id, stream) for stream in _STREAMS
        }
        self._prints = prints
        if prints is not None:
            self._recorders["stdin"] = _recorder(session_id, "stdin", kind="text")
            self._recorders["stdout"] = _recorder(
                session_id, "stdout", kind="text" if prints == "text" else "undecided"
            )
        self._recorders["stderr"] = TextRecorder(session_id, Redactor())

    def lines(self, stream: str, *messages: object) -> bytes:
        """Return the records of messages (or of lines, given as bytes) that passed on a stream."""
        lines = [m if isinstance(m, bytes) else json.dumps(m).encode() for m in messages]
        batch = Batch(b"\n".join(lines), lines)
        self._recorders[stream].record(batch)
        return b"".join(self._spelled(body) for body in batch.records)

    def transcript(self, *messages: dict[str, Any], file: str = "main.jsonl") -> bytes:
        """Return the records of lines of a transcript."""
        spelled = StreamRecords(self.session_id, "transcript")
        lines = [json.dumps(message).encode() for message in messages]
        return b"".join(self._spelled(spelled.message(line, None, source=(file, 0, 1))) for line in lines)

    def life(self, event_type: str, **data: object) -> bytes:
        """Return a lifecycle record."""
        return self._spelled(lifecycle(self.session_id, event_type, data))

    def started(self, command: Sequence[str] = ("claude",), **data: object) -> bytes:
        """Return the first record."""
        stdin = {"kind": "pipe", "relayed": True, "declared_messages": "--input-format" in command}
        streams = {"stdin": stdin, "stdout": {**stdin, "declared_messages": self._prints is None}}
        about = {"format": 1, "command": list(command), "cwd": "/home/dev/project", "pid": 7, "name": None}
        return self.life("session_started", **{**about, "streams": streams, "validation": "observe", **data})

    def ended(self, **data: object) -> bytes:
        """Return the last record."""
        return self.life("session_ended", **{"exit_code": 0, "duration_ms": 1000, "counts": {}, **data})

    def _spelled(self, body: Body) -> bytes:
        head = b'{"seq":%d,"ts":"%s",' % (self.seq, format_timestamp(self.now_us).encode())
        self.seq += 1
        self.now_us += self.step_us
        return head + b"".join(body)


def _recorder(
    session_id: str,
    stream: Literal["stdin", "stdout"],
    kind: Literal["messages", "text", "undecided"] = "messages",
) -> StreamRecorder:
    recorder = StreamRecorder(
        session_id,
        stream,
        declared=kind == "messages",
        is_text=kind == "text",
        judged=True,
        redactor=Redactor(),
    )
    recorder._judge = _judge(stream)
    return recorder


@cache
def _judge(stream: Literal["stdin", "stdout"]) -> Judge:
    """Return one judge for all logs: to learn the messages anew takes ten times as long as to judge them."""
    return Judge(stream)


def firing(timestamp_us: int, rule: str = "dear", **fields: Any) -> Firing:
    """Return that a rule fired."""
    about = {"do": "tell", "mode": "act", "value": 5.5, "occasion": "1", "when": {"cost_usd": 5.0}}
    return Firing(timestamp_us=timestamp_us, rule=rule, **{**about, **fields})


def scenario(name: str, maker: LogMaker | None = None) -> bytes:
    """Return the log of a recorded scenario."""
    return _ordinary(name) if maker is None else _made(name, maker)


@cache
def _ordinary(name: str) -> bytes:
    return _made(name, LogMaker())


def _made(name: str, maker: LogMaker) -> bytes:
    folder = SCENARIOS / name
    command = ["claude", *(folder / "argv").read_text().split("\n")[:-1]]
    made = [maker.started(command)]
    made += [maker.lines(stream, line) for stream, line in _in_order(folder)]
    made.append(maker.ended(**_exit(folder)))
    return b"".join(made)


def records(log: bytes) -> list[Record]:
    """Return the records of a log."""
    return list(_parsed(log))


@lru_cache(100)
def _parsed(log: bytes) -> tuple[Record, ...]:
    found = [parse(line) for line in log.split(b"\n")[:-1]]
    assert all(isinstance(record, Record) for record in found)
    return tuple(record for record in found if isinstance(record, Record))


def _exit(folder: Path) -> dict[str, object]:
    file = folder / "exit"
    status = int(file.read_text()) if file.exists() else 0
    return {"exit_code": status} if status >= 0 else {"exit_code": None, "signal": Signals(-status).name}


@cache
def _in_order(folder: Path) -> Sequence[tuple[str, bytes]]:
    return list(_ordered(folder))


def _ordered(folder: Path) -> Iterator[tuple[str, bytes]]:
    outputs = (folder / "stdout.jsonl").read_bytes().split(b"\n")[:-1]
    position, prompts = 0, 0
    for line in (folder / "stdin.jsonl").read_bytes().split(b"\n")[:-1]:
        upto = _place(line, outputs, position, prompts)
        yield from (("stdout", output) for output in outputs[position:upto])
        position = max(position, upto)
        prompts += _kind(line)[0] == "user"
        yield "stdin", line
    yield from (("stdout", output) for output in outputs[position:])


def _place(line: bytes, outputs: list[bytes], position: int, prompts: int) -> int:
    """Return how many of the outputs must have come before a line of the client."""
    kind, key = _kind(line)
    if kind == "user" and key:  # Claude Code says when it takes a prompt that has an id
        wanted, nth, behind = ("command_lifecycle", key), 1, 0
    elif kind == "user" and prompts:
        wanted, nth, behind = ("result", ""), prompts, 1
    elif kind == "control_response":
        wanted, nth, behind = ("control_request", key), 1, 1
    elif kind == "interrupt":
        wanted, nth, behind = ("system/init", ""), prompts, 1
    else:
        return position
    places = [index for index, output in enumerate(outputs) if _kind(output) == wanted]
    return max(position, places[nth - 1] + behind) if 0 < nth <= len(places) else position


def _kind(line: bytes) -> tuple[str, str]:
    """Return what kind of message a line is, and the id by which another one refers to it."""
    try:
        message: Any = json.loads(line)
    except ValueError:
        return "", ""
    if not isinstance(message, dict):
        return "", ""
    type_ = str(message.get("type"))
    if type_ == "control_request" and message.get("request", {}).get("subtype") == "interrupt":
        return "interrupt", ""
    ids = {
        "control_response": message.get("response", {}),
        "control_request": message,
        "user": {"request_id": message.get("uuid", "")},
        "command_lifecycle": {"request_id": message.get("command_uuid", "")},
    }
    kind = f"system/{message.get('subtype')}" if type_ == "system" else type_
    return kind, ids.get(type_, {}).get("request_id", "")
