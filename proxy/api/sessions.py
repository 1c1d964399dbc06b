"""Lists of sessions, and what is told of one: its conversation, its approvals, its seal.

What the status says of each is `proxy.events.shown_session`'s.
"""

import msgspec

from proxy.events.approved_calls import ApprovedCall
from proxy.events.shown_session import Session
from proxy.telling import Entry


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that are running now."""

    active_sessions: int
    sessions: list[Session]


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions, newest first."""

    sessions: list[Session]
    total: int = 0
    """How many there are in all."""


class ApprovalPage(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of a session with their approvals, in the order of their results."""

    approvals: list[ApprovedCall]
    offset: int
    """How many calls lie before the first of these."""
    total: int
    """Calls that have a result, of what the server has read."""
    counts: dict[str, dict[str, int]]
    """How many of all of them, by who decided and how: `{"caller": {"deny": 1}}`."""


class ConversationPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what a session says to people. What was recorded may hold anything: escape it."""

    entries: list[Entry]
    offset: int
    """How many entries lie before the first of these."""
    total: int


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the first bytes of a log are, as its newest checkpoint, or its line in `seals.jsonl`, says."""

    bytes: int
    records: int
    sha256: str
    """Of these bytes, in hexadecimal digits."""
    ended: str | None
    """When the session ended: nothing may follow these bytes. None while it runs, or when its wrapper was killed."""


class SealAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a session's log."""

    session_id: str
    head: Head | None
    """None: the session is not sealed."""
