"""A session as people read it, in pages: what the events say, as terminal and shared page have it too."""

import itertools
from bisect import bisect_left
from collections.abc import Callable

from aiohttp import web

from proxy.api.sessions import ConversationPage
from proxy.events import Event
from proxy.events.timestamps import parse_timestamp
from proxy.server.routes.parameters import FARTHEST, number, paging, words
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import filled
from proxy.store.encoding import decode_envelope
from proxy.store.model import EventQuery
from proxy.telling import Entry, tell
from proxy.telling.events import LONGEST
from proxy.telling.filters import FILTERS, event_types

routes = Routes(OF_SESSION)
_LEAST_TEXT, _LONGEST_TEXT = 200, 20_000_000
"""Characters: no less than a line of code, no more than the longest message that is relayed."""
FILTER = words(
    "filter", f"Only these, separated by commas: {', '.join(f'`{name}`' for name in FILTERS)}.", FILTERS
)
FROM_SEQ = number("from_seq", "Begin with what this record, or a later one, says.", 0, FARTHEST, None)
LIMIT, OFFSET = paging("Entries", 1000)
MAX_TEXT = number(
    "max_text",
    f"Longest text that is given whole (default {LONGEST}); of a longer one both ends are.",
    _LEAST_TEXT,
    _LONGEST_TEXT,
    LONGEST,
)
_NEAR = 20
"""Entries among which one that says something is looked for: a record makes fewer that say nothing."""


@routes.add("GET", "/conversation", FILTER, FROM_SEQ, LIMIT, OFFSET, MAX_TEXT, answer=ConversationPage)
def conversation(request: web.Request) -> ConversationPage:
    """A session as people read it: who says what, which tools run, what it takes.

    With `from_seq` from the first entry that is of that record or of a later one.
    """
    names, longest = FILTER.of(request), MAX_TEXT.of(request)
    limit, offset, from_seq = LIMIT.of(request), OFFSET.of(request), FROM_SEQ.of(request)
    shared = filled(request)
    session = shared.session(request.match_info["session_id"])
    # Events of a client's own have any names.
    types = None if session.kind == "monitoring" and not names else event_types(names)

    def page(offset: int, limit: int, longest: int) -> tuple[list[Entry], int]:
        """Return some entries, and how many there are in all."""
        query = EventQuery(
            session_id=session.session_id, event_types=types, limit=limit, offset=offset, order="asc"
        )
        page = shared.store.events(query)
        return [_told(event, longest) for event in page.events], page.total

    start = offset if from_seq is None else _position(page, from_seq)
    entries, total = page(start, limit, longest)
    return ConversationPage(entries=entries, offset=start, total=total)


def _position(page: Callable[[int, int, int], tuple[list[Entry], int]], seq: int) -> int:
    """Return where a record, or a later one, first says something; the last entry where none does."""
    total = page(0, 1, _LEAST_TEXT)[1]

    def seq_at(place: int) -> int:
        found, _ = page(place, 1, _LEAST_TEXT)
        return found[0].seq or 0 if found else FARTHEST

    first = bisect_left(range(total), seq, key=seq_at)
    silent = itertools.takewhile(lambda entry: not entry.parts, page(first, _NEAR, _LEAST_TEXT)[0])
    return max(0, min(first + len(list(silent)), total - 1))


def _told(event: bytes, longest: int) -> Entry:
    envelope = decode_envelope(event)
    return tell(Event(envelope.event_type, parse_timestamp(envelope.timestamp), envelope.data), longest)
