"""A strict reader of session logs for tests: it forgives nothing that the format does not allow.

It is not the project's reader, because what is checked cannot vouch for itself.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Log", "Record", "read_log", "read_log_bytes"]

_TS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_MESSAGE = re.compile(
    rb'\{"seq":\d+,"ts":"[^"]+","session_id":"[^"]+","stream":"\w+",(?:"verdict":"\w+",)?(?:"source":\{[^}]*\},)?"message":'
)
_AFTER_MESSAGE = re.compile(r'(?:,"\w+":.*)?\}')
_BEFORE_MESSAGE = {"seq", "ts", "session_id", "stream", "verdict", "source", "message"}
_SPACES = " \t\r"


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its line as it stands in the file, and its fields."""

    text: bytes
    fields: dict[str, Any]

    @property
    def stream(self) -> str:
        """The stream it is about."""
        return str(self.fields["stream"])

    @property
    def verdict(self) -> str | None:
        """The verdict on its line, if it has one."""
        return self.fields.get("verdict")

    @property
    def event_type(self) -> str | None:
        """What a lifecycle record says has happened."""
        event = self.fields.get("event")
        return event["event_type"] if event else None

    @property
    def data(self) -> dict[str, Any]:
        """What a lifecycle record tells."""
        return dict(self.fields["event"]["data"])

    @property
    def line(self) -> bytes:
        """The line that passed, without its newline: the very bytes, where they stand in the record."""
        if "raw" in self.fields:
            return str(self.fields["raw"]).encode()
        if "raw_base64" in self.fields:
            return base64.b64decode(self.fields["raw_base64"], validate=True)
        start = _MESSAGE.match(self.text)
        assert start, self.text[:200]
        if self.fields.keys() <= _BEFORE_MESSAGE:
            return self.text[start.end() : -1]
        text = self.text[start.end() :].decode()
        begin = len(text) - len(text.lstrip(_SPACES))  # JSON may stand between white space
        _, end = json.JSONDecoder().raw_decode(text, begin)
        end += len(text[end:]) - len(text[end:].lstrip(_SPACES))
        assert _AFTER_MESSAGE.fullmatch(text[end:]), text[end:][:200]
        eol: str = self.fields.get("eol", "\n")
        start_of_line = "\ufeff" if self.fields.get("bom") else ""
        return (start_of_line + text[:end] + eol[:-1]).encode()


@dataclass(frozen=True, slots=True)
class Log:
    """One session log: its whole records, and the beginning of one that was torn."""

    records: list[Record]
    torn: bytes

    def of(self, stream: str) -> list[Record]:
        """Return the records of one stream, in order."""
        return [record for record in self.records if record.stream == stream]

    def lines(self, stream: str) -> list[bytes]:
        """Return the lines of one stream, in order."""
        return [record.line for record in self.of(stream)]

    def events(self) -> list[str]:
        """Return what happened to the session, in order."""
        return [record.event_type for record in self.records if record.event_type]

    def event(self, event_type: str) -> dict[str, Any]:
        """Return what the only record of this type tells."""
        (found,) = [record for record in self.records if record.event_type == event_type]
        return found.data

    @property
    def ended(self) -> dict[str, Any]:
        """What the last record tells, which has to be the end of the session."""
        assert self.records[-1].event_type == "session_ended", self.events()
        assert not self.torn
        return self.records[-1].data


def read_log(path: Path) -> Log:
    """Read a log that may end in one torn line and has to be perfect otherwise."""
    return read_log_bytes(path.read_bytes())


def read_log_bytes(content: bytes) -> Log:
    """Check and read a log's content: see `read_log`."""
    *lines, torn = content.split(b"\n")
    records = [Record(line, json.loads(line)) for line in lines]
    first = records[0].fields["seq"] if records else 0
    assert [record.fields["seq"] for record in records] == list(range(first, first + len(records)))
    assert all(_TS.fullmatch(record.fields["ts"]) for record in records)
    assert all(a.fields["ts"] < b.fields["ts"] for a, b in pairwise(records))
    assert len({record.fields["session_id"] for record in records}) <= 1
    return Log(records, torn)
