"""What was said, and in which sessions."""

import msgspec

from proxy.events.terms import SessionId


class FoundRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record in which the text was said."""

    seq: int
    ts: str
    stream: str
    snippet: str
    """What stands around the text, in one line. What was recorded may hold anything: escape it."""


class FoundSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session in which the text was said."""

    session_id: SessionId
    records: list[FoundRecord]
    """The first of them."""
    total: int
    """How many records hold it, of those that were looked through for this answer."""


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions in which a text was said, newest first.

    A session that is looked through for several answers is in each of them, with other records.
    """

    sessions: list[FoundSession]
    searched: int
    """Sessions that were looked through to their end for this answer."""
    total: int
    """Sessions that there are."""
    complete: bool
    """Whether all that is recorded of these sessions could be read: false while the server still takes in logs, and
    where one cannot be read."""
    after: str | None
    """Asked for with it, the search goes on; null when all were looked through."""
