"""Reads seals: the lines of ``seals.jsonl``, and what was kept of them elsewhere.

A seal says what the first ``bytes`` bytes of a session's log are. One with ``ended`` is about a whole log: nothing may
follow. Other lines say what became of a log: it was removed, or a copy of it was made.
"""

import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from proxy.protocol.grammar import REFUSALS
from proxy.sessions.identity import START_BYTES
from proxy.sessions.reader import parse
from proxy.sessions.record import LONGEST_HEAD, may_be_lifecycle
from proxy.sessions.sealing import first_timestamp, seals_path

_CHECKPOINT = b'"event":{"event_type":"checkpoint"'
_SPANS = (1 << 16, 1 << 22, 1 << 28)
"""How far from a log's end its newest checkpoint is looked for: lines that are written within seconds."""


class Seal(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line."""

    session_id: str
    started: str = ""
    """When the log's first record was written."""
    bytes: int = 0
    records: int = 0
    sha256: str = ""
    ended: str | None = None
    """When the session ended; None: it ran, or its wrapper had died."""
    copy: str | None = None
    """Which kind of copy of the log this is about: ``redacted``."""
    removed_by: str | None = None
    """What removed the log: ``retention``."""
    prev: str | None = None
    """SHA-256 of the line before, without its newline."""
    host: str | None = None
    data_dir: str | None = None


decode_seal = msgspec.json.Decoder(Seal).decode


@dataclass(slots=True)
class Seals:
    """The lines of a file."""

    lines: list[tuple[bytes, Seal]] = field(default_factory=list)
    by_session: dict[str, list[Seal]] = field(default_factory=dict)
    changed_at: int | None = None
    """The number of the first line, from 1, that is not as it was written; None: there is none."""


def read_seals(content: bytes) -> Seals:
    """Return the lines that are in a file. A line whose writer was killed in the middle of it is passed over."""
    found, before = Seals(), b""
    *lines, torn = content.split(b"\n")
    for number, line in enumerate([*lines, torn] if torn else lines, 1):
        try:
            seal = decode_seal(line)
        except REFUSALS:
            is_as_written = number != len(lines)  # else it is the last one, and has its end
        else:
            found.lines.append((line, seal))
            found.by_session.setdefault(seal.session_id, []).append(seal)
            is_as_written = seal.prev == (sha256(before).hexdigest() if before else None)
            number = max(1, number - 1)  # noqa: PLW2901 - the line before is not the one that this one followed
        if not is_as_written and found.changed_at is None:
            found.changed_at = number
        before = line
    return found


def seals_of(data_dir: str) -> Seals:
    """Return the lines of ``seals.jsonl``; none where nothing was ever sealed. OSError when it cannot be read."""
    try:
        with open(seals_path(data_dir), "rb") as file:
            return read_seals(file.read())
    except FileNotFoundError:
        return Seals()


def sealed_sessions(data_dir: str) -> set[str]:
    """Return the ids of the sessions that have a line, also those that were sealed after they had ended."""
    try:
        return set(seals_of(data_dir).by_session)
    except OSError:  # then no line can be added either
        return set()


def newest_checkpoint(path: str) -> Seal | None:
    """Return what a log's newest checkpoint says, None where there is none. OSError when the log cannot be read."""
    with open(path, "rb", buffering=0) as file:
        fd = file.fileno()
        size, started = os.fstat(fd).st_size, first_timestamp(os.pread(fd, START_BYTES, 0))
        for span in _SPANS:
            start = max(0, size - span)
            lines = os.pread(fd, size - start, start).split(b"\n")
            for line in reversed(lines[1 if start else 0 : -1]):
                if _CHECKPOINT in line[:LONGEST_HEAD] and (seal := _seal_of(line, started)):
                    return seal
            if not start:
                break
        return None


def unsealed(record: bytes) -> bytes:
    """Return a record of a log (one line, without its newline) for a copy of it, of which what seals it is not true."""
    if not may_be_lifecycle(record):
        return record
    fields: dict[str, Any] = msgspec.json.decode(record)
    match fields.get("event"):
        case {"event_type": "checkpoint"} if fields["stream"] == "proxy":
            fields["event"]["data"] = {}
        case {"event_type": "session_started", "data": {"seal": "on"}} if fields["stream"] == "proxy":
            fields["event"]["data"]["seal"] = "copy"
        case _:
            return record
    return msgspec.json.encode(fields)


def _seal_of(line: bytes, started: str) -> Seal | None:
    record = parse(line)
    if isinstance(record, str) or record.stream != "proxy" or record.event is None:
        return None
    try:
        return msgspec.convert(
            {**record.event.data, "session_id": record.session_id, "started": started}, Seal
        )
    except msgspec.ValidationError:
        return None
