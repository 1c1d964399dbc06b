"""Sessions as people read them."""

import msgspec

from proxy.telling import Entry


class ConversationPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what a session says to people. What was recorded may hold anything: escape it."""

    entries: list[Entry]
    offset: int
    """How many entries lie before the first of these."""
    total: int
