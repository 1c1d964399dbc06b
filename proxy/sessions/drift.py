"""What passed in recorded sessions that the specification does not have: each thing once, with its first record."""

import contextlib
from collections.abc import Iterable
from typing import Any

import msgspec

from proxy.protocol.drift import Finder, Kind, Stream
from proxy.sessions.reader import Record

MOST_LISTED = 1000
"""Different things of one session: a stream of made-up names must not fill the memory."""


class Sighting(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One thing that the specification does not have, where it was seen first, and how often."""

    kind: Kind
    stream: Stream
    type: str
    """Of the message."""
    subtype: str | None
    """Of the message, or, in a reply, what was asked for."""
    path: str
    """A JSON pointer into the message, with `*` for list positions and for keys that are data."""
    value: str | None = None
    """The unknown type, tag or value; a field has none."""
    first_seen: str
    session_id: str
    seq: int
    """The first record that has it."""
    claude_code_version: str | None
    count: int
    """How often it was seen."""

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from every other thing."""
        return self.stream, self.kind, self.type, self.subtype, self.path, self.value


class Sightings:
    """All that was found, in one session or several, in the order in which it was."""

    def __init__(self, most: int, listed: Iterable[Sighting] = (), unlisted: int = 0) -> None:
        """``most``: as many different things are told apart."""
        self.unlisted = unlisted
        """How often something was seen beyond those."""
        self._most = most
        self._found = {one.key: one for one in listed}

    def listed(self) -> list[Sighting]:
        """Return what was found, in the order in which it was."""
        return list(self._found.values())

    def add(self, one: Sighting) -> None:
        """Take in what was seen, as often as it was."""
        if (known := self._found.get(one.key)) is not None:
            known.count += one.count
        elif len(self._found) >= self._most:
            self.unlisted += one.count
        else:
            self._found[one.key] = one

    def merge(self, others: "Sightings") -> None:
        """Take in what was seen later."""
        for one in others.listed():
            self.add(msgspec.structs.replace(one))
        self.unlisted += others.unlisted


class SearchState(msgspec.Struct, omit_defaults=True):
    """All that a search remembers: it goes on from it as if it had never stopped."""

    listed: list[Sighting] = []
    unlisted: int = 0
    asked: list[tuple[Stream, str, str]] = []
    """Control requests without an answer yet: the stream of the answer, their ids and what they ask for."""
    version: str | None = None
    """Of Claude Code, which is told after the first messages."""


class Search:
    """Looks through the records of one session, given in order."""

    def __init__(self, state: SearchState | None = None) -> None:
        """``state``: where to go on."""
        state = state or SearchState()
        self.found = Sightings(MOST_LISTED, state.listed, state.unlisted)
        self.has_changed = False
        """Whether there is something new since `state` was asked for last."""
        self._finder = Finder({(stream, request): asked for stream, request, asked in state.asked})
        self._version = state.version

    def state(self) -> SearchState:
        """Return what is remembered now."""
        self.has_changed = False
        asked = [(stream, request, asked) for (stream, request), asked in self._finder.asked.items()]
        return SearchState(self.found.listed(), self.found.unlisted, asked, self._version)

    def look_at(self, record: Record) -> None:
        """Note what a record has of it: messages that passed, not those that the wrapper wrote itself."""
        match record.stream:
            case "stdin" | "stdout" if record.origin is None and record.has_message:
                self._look_into(record.stream, record, bytes(record.message))
            case _:
                pass

    def _look_into(self, stream: Stream, record: Record, message: bytes) -> None:
        if self._version is None and stream == "stdout" and b'"claude_code_version"' in message:
            with contextlib.suppress(ValueError, RecursionError):  # what no reader here can hold
                self._learn(_version(record.value()))
        asked = len(self._finder.asked)
        drift = self._finder.find(stream, message)
        self.has_changed |= bool(drift) or len(self._finder.asked) != asked
        for one in drift:
            sighting = Sighting(
                **msgspec.structs.asdict(one),
                stream=stream,
                first_seen=record.ts,
                session_id=record.session_id,
                seq=record.seq,
                claude_code_version=self._version,
                count=1,
            )
            self.found.add(sighting)

    def _learn(self, version: str | None) -> None:
        if version is not None:
            self._version, self.has_changed = version, True
            for sighting in self.found.listed():
                sighting.claude_code_version = version


def _version(message: Any) -> str | None:
    """Return Claude Code's version as a message tells it: `init` itself, or the reply to `initialize`."""
    reply = message.get("response") if isinstance(message, dict) else None
    places = (message, reply.get("response") if isinstance(reply, dict) else None)
    versions = (place.get("claude_code_version") for place in places if isinstance(place, dict))
    return next((version for version in versions if isinstance(version, str)), None)
