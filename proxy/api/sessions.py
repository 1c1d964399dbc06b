"""Lists of sessions; what is said of one is `proxy.events.shown_session`'s."""

import msgspec

from proxy.events.shown_session import Session


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that are running now."""

    active_sessions: int
    sessions: list[Session]


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions, newest first."""

    sessions: list[Session]
    total: int = 0
    """How many there are in all."""
