"""A recorded session as it is to be played: what either side said, in the order of the log, and how it ended."""

import os
from datetime import datetime
from typing import Any

import msgspec

from proxy.claude_command import Call
from proxy.replay.differences import kind
from proxy.replay.messages import decoded
from proxy.sessions.catalogue import SessionInfo, inspect
from proxy.sessions.reader import Record, Skipped, read_log

_RUNTIMES = ("node", "nodejs", "bun", "deno")
_STREAMS = ("stdin", "stdout", "stderr")


class Cue(msgspec.Struct, eq=False):
    """One line of the record."""

    seq: int
    at: float
    """Seconds from the start of the session."""
    stream: str
    line: bytes
    """As it passed, with its newline where it had one."""
    redacted: tuple[str, ...] = ()
    """Pointers into the message."""
    _message: Any = None

    @property
    def message(self) -> dict[str, Any] | None:
        """The line as the JSON object that it is, None if it is none; decoded once."""
        if self._message is None:
            self._message = decoded(self.line) or ()
        return self._message or None

    @property
    def kind(self) -> str:
        """What it is matched by."""
        return kind(self.message)


class Recording(msgspec.Struct, eq=False):
    """A whole session."""

    info: SessionInfo
    """How it ended, or that it still went on when its log was read."""
    arguments: list[str]
    cues: list[Cue] = []
    version: str | None = None
    reads: bool = True
    """Whether the record has what the client wrote: a terminal, for one, is not relayed."""
    lost: int = 0
    """How many records are missing because the log could not be written for a while."""

    @property
    def speaks_messages(self) -> bool:
        """Whether the client spoke in messages, or was told to; else its input was text."""
        spoken = any(cue.stream == "stdin" and cue.message for cue in self.cues)
        return spoken or Call(self.arguments).values.get("--input-format") == "stream-json"

    def told(self, field: str) -> str | None:
        """Return the first text that Claude Code gives in a field of its messages."""
        likely = (cue for cue in self.cues if cue.stream == "stdout" and f'"{field}"'.encode() in cue.line)
        values = (cue.message.get(field) for cue in likely if cue.message)
        return next((value for value in values if isinstance(value, str)), None)


def read(path: str) -> Recording:
    """Return the session of a log.

    Lines that are no records are passed over, as in every reader of logs.

    Raises:
        OSError: the log cannot be read.
        ValueError: it holds no record.
    """
    info = inspect(path)
    if info.started_at is None:
        wanted = "SESSION is the log of a session that claude-proxy recorded"
        raise ValueError(f"{path} holds no record; {wanted}")
    recording = Recording(info, _arguments(info.command))
    start = datetime.fromisoformat(info.started_at)
    for item in read_log(path):
        if isinstance(item, Skipped):
            continue
        record = item.record
        if record.stream in _STREAMS:
            recording.cues.append(_cue(record, (datetime.fromisoformat(record.ts) - start).total_seconds()))
        elif record.event is not None and record.stream == "proxy":
            _note(recording, record.event.event_type, record.event.data)
    if version := recording.told("claude_code_version"):
        recording.version = f"{version} (Claude Code)"
    return recording


def _cue(record: Record, at: float) -> Cue:
    line = record.line() + (b"" if record.truncated else b"\n")
    redacted = tuple(pointer.removeprefix("/message") for pointer in record.redacted)
    return Cue(record.seq, at, record.stream, line, redacted)


def _note(recording: Recording, event_type: str, data: dict[str, Any]) -> None:
    if event_type == "recording_gap":
        lost = data.get("lost_records")
        recording.lost += lost if isinstance(lost, int) else 1
    if event_type == "session_started" and isinstance(streams := data.get("streams"), dict):
        stdin = streams.get("stdin")
        recording.reads = not isinstance(stdin, dict) or stdin.get("relayed") is not False


def _arguments(command: list[str]) -> list[str]:
    """Return what the client gave to ``claude``: the words behind the program, and behind its script."""
    runtime = bool(command) and os.path.basename(command[0]) in _RUNTIMES
    return command[2:] if runtime else command[1:]
