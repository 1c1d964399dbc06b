"""A session as people read it, in pages: what the events say, as terminal and shared page have it too."""

import asyncio
import itertools

from aiohttp import web

from proxy.api.sessions import ConversationPage
from proxy.events import Event, Session
from proxy.events.timestamps import parse_timestamp
from proxy.server.base.answers import raw_answer
from proxy.server.routes.parameters import FARTHEST, Number, Words, paging
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import of
from proxy.store import Store
from proxy.store.encoding import as_json, decode_envelope
from proxy.store.model import EventQuery
from proxy.telling import Entry, tell
from proxy.telling.events import LONGEST
from proxy.telling.filters import FILTERS, event_types

routes = Routes(OF_SESSION)
_LEAST_TEXT, _LONGEST_TEXT = 200, 20_000_000
"""Characters: no less than a line of code, no more than the longest message that is relayed."""
FILTER = Words(
    "filter", f"Only these, separated by commas: {', '.join(f'`{name}`' for name in FILTERS)}.", FILTERS
)
FROM_SEQ = Number("from_seq", "Begin with what this record, or a later one, says.", 0, FARTHEST, None)
LIMIT, OFFSET = paging("Entries", 1000)
MAX_TEXT = Number(
    "max_text",
    f"Longest text that is given whole (default {LONGEST}); of a longer one both ends are.",
    _LEAST_TEXT,
    _LONGEST_TEXT,
    LONGEST,
)
_NEAR = 20
"""Entries among which one that says something is looked for: a record makes fewer that say nothing."""


@routes.add("GET", "/conversation", FILTER, FROM_SEQ, LIMIT, OFFSET, MAX_TEXT, answer=ConversationPage)
async def conversation(request: web.Request) -> web.Response:
    """A session as people read it: who says what, which tools run, what it takes.

    With `from_seq` from the first entry that is of that record or of a later one.
    """
    shared, names = of(request), FILTER.of(request)
    limit, offset, from_seq = LIMIT.of(request), OFFSET.of(request), FROM_SEQ.of(request)
    longest = MAX_TEXT.of(request)
    await shared.ready()
    session = await shared.session(request.match_info["session_id"])

    def found() -> bytes:
        asked = _Asked(shared.store, session, names)
        start = offset if from_seq is None else asked.position(from_seq)
        entries, total = asked.page(start, limit, longest)
        return as_json(ConversationPage(entries=entries, offset=start, total=total))

    return raw_answer(await asyncio.to_thread(found))


class _Asked:
    """A conversation of which pages are asked for."""

    def __init__(self, store: Store, session: Session, names: tuple[str, ...]) -> None:
        self._store, self._session_id = store, session.session_id
        # Events of a client's own have any names.
        is_client = session.kind == "monitoring" and not names
        self._types = None if is_client else event_types(names)

    def page(self, offset: int, limit: int, longest: int) -> tuple[list[Entry], int]:
        """Return some entries, and how many there are in all."""
        found = self._store.events(
            EventQuery(
                session_id=self._session_id, event_types=self._types, limit=limit, offset=offset, order="asc"
            )
        )
        return [_told(event, longest) for event in found.events], found.total

    def position(self, seq: int) -> int:
        """Return where a record, or a later one, first says something; the last entry where none does."""
        low, high = 0, self.page(0, 1, _LEAST_TEXT)[1]
        last = max(0, high - 1)
        while low < high:
            middle = (low + high) // 2
            found, _ = self.page(middle, 1, _LEAST_TEXT)
            if found and (found[0].seq or 0) < seq:
                low = middle + 1
            else:
                high = middle
        silent = itertools.takewhile(lambda entry: not entry.parts, self.page(low, _NEAR, _LEAST_TEXT)[0])
        return min(low + len(list(silent)), last)


def _told(event: bytes, longest: int) -> Entry:
    envelope = decode_envelope(event)
    return tell(Event(envelope.event_type, parse_timestamp(envelope.timestamp), envelope.data), longest)
