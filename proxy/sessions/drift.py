"""What passed in recorded sessions that the specification does not have: each thing once, with its first record."""

import contextlib
from typing import Any

import msgspec

from proxy.protocol.drift import Drift, Finder, Kind, Stream
from proxy.sessions.reader import Record

__all__ = ["Search", "Sighting", "Sightings"]


class Sighting(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One thing that the specification does not have (see `Drift`), where it was seen first, and how often."""

    kind: Kind
    stream: Stream
    type: str
    subtype: str | None
    path: str
    value: str | None = None
    first_seen: str
    session_id: str
    seq: int
    """The first record that has it."""
    claude_code_version: str | None
    count: int


class Sightings:
    """All that was found, in one session or several: a stream of made-up names must not fill the memory."""

    def __init__(self, most: int) -> None:
        """``most``: as many different things are told apart."""
        self.unlisted = 0
        """How often something was seen beyond those."""
        self._most = most
        self._found: dict[tuple[Stream, Drift], Sighting] = {}

    def listed(self) -> list[Sighting]:
        """Return what was found, in the order in which it was."""
        return list(self._found.values())

    def note(self, stream: Stream, one: Drift, record: Record, version: str | None) -> Sighting | None:
        """Count what was seen in a record; return it when it is seen for the first time."""
        sighting = self._found.get((stream, one))
        if sighting is not None:
            sighting.count += 1
            return None
        if len(self._found) >= self._most:
            self.unlisted += 1
            return None
        sighting = self._found[stream, one] = Sighting(
            **msgspec.structs.asdict(one),
            stream=stream,
            first_seen=record.ts,
            session_id=record.session_id,
            seq=record.seq,
            claude_code_version=version,
            count=1,
        )
        return sighting


class Search:
    """Looks through the records of one session, given in order."""

    def __init__(self, found: Sightings) -> None:
        self._found = found
        self._finder = Finder()
        self._version: str | None = None
        self._before: list[Sighting] = []
        """What was found before the version was told, which it is after the first messages."""

    def look_at(self, record: Record) -> None:
        """Note what a record has of it: messages that passed, not those that the wrapper wrote itself."""
        match record.stream:
            case "stdin" | "stdout" if record.has_message and record.origin is None:
                self._look_into(record.stream, record)
            case _:
                pass

    def _look_into(self, stream: Stream, record: Record) -> None:
        message = bytes(record.message)
        if self._version is None and stream == "stdout" and b'"claude_code_version"' in message:
            with contextlib.suppress(ValueError, RecursionError):  # what no reader here can hold
                self._learn(_version(record.value()))
        for one in self._finder.find(stream, message):
            new = self._found.note(stream, one, record, self._version)
            if new is not None and self._version is None:
                self._before.append(new)

    def _learn(self, version: str | None) -> None:
        if version is not None:
            self._version = version
            for sighting in self._before:
                sighting.claude_code_version = version
            self._before.clear()


def _version(message: Any) -> str | None:
    """Return Claude Code's version as a message tells it: `init` itself, or the reply to `initialize`."""
    reply = message.get("response") if isinstance(message, dict) else None
    places = (message, reply.get("response") if isinstance(reply, dict) else None)
    told = (place.get("claude_code_version") for place in places if isinstance(place, dict))
    return next((version for version in told if isinstance(version, str)), None)
