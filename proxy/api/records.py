"""Records of a session as the API shows them, and what of them the specification does not have."""

from typing import Any, NotRequired, TypedDict

import msgspec

from proxy.events.terms import SessionId
from proxy.sessions.drift import Sighting


class ShownRecord(TypedDict):
    """A record as in the log, with long values shortened, and what it is."""

    seq: int | None
    """None for a line that is no record."""
    stream: str
    """`log` for a line that is no record."""
    type: str
    """Type and subtype of a message, or the type of an event."""
    size: int
    """Bytes of the record in the log."""
    shortened: bool
    """Whether long values were shortened."""
    preview: NotRequired[str]
    """What it says, in one line."""
    ts: NotRequired[str]
    session_id: NotRequired[SessionId]
    verdict: NotRequired[str]
    message: NotRequired[Any]
    raw: NotRequired[str]
    raw_base64: NotRequired[str]
    event: NotRequired[dict[str, Any]]
    errors: NotRequired[list[Any]]
    redacted: NotRequired[Any]
    origin: NotRequired[Any]
    eol: NotRequired[str]
    bom: NotRequired[bool]
    truncated: NotRequired[bool]
    forwarded: NotRequired[bool]
    skipped: NotRequired[str]
    """Why a line is no record."""


class RecordKind(TypedDict):
    """How many records of one kind the log holds."""

    stream: str
    verdict: str
    type: str
    count: int


class RecordPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a session's records, and how many there are in all."""

    records: list[ShownRecord]
    """As in the log, with long values shortened."""
    position: int
    """How many records that fit the query lie before the first of these."""
    total: int
    """Records that fit the query."""
    searched: int
    """Records that were looked at."""
    complete: bool
    """Whether those are all. A long log takes several questions: ask again, and the search goes on."""
    kinds: list[RecordKind]
    """How many records of each kind the log holds, as far as it was looked at."""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What passed in a session that the specification does not have: types, subtypes, fields, blocks and values."""

    drift: list[Sighting]
    """Each thing once, in the order in which they were first seen, at most 1000. Long names and values are cut."""
    unlisted: int
    """How often something was seen that is not listed, because so much else is."""
    complete: bool
    """Whether the log was looked through to its end. A long one takes several questions: ask again, and the search
    goes on."""
