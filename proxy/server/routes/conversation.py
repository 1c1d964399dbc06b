"""A session as people read it, in pages: what the events say, as terminal and shared page have it too."""

import asyncio
import itertools

from aiohttp import web

from proxy.api.conversation import ConversationPage
from proxy.events import Event
from proxy.events.timestamps import parse_timestamp
from proxy.server.base.answers import raw_answer
from proxy.server.routes.requests import FARTHEST, whole, words
from proxy.server.shared import Shared, of
from proxy.store.encoding import as_json, decode_envelope
from proxy.store.model import EventQuery
from proxy.telling import Entry, tell
from proxy.telling.events import LONGEST
from proxy.telling.filters import FILTERS, event_types

MOST_ENTRIES = 1000
"""Of one page: some hundred fill a screen of the largest kind many times."""
LEAST_TEXT, LONGEST_TEXT = 200, 20_000_000
"""Characters: no less than a line of code, no more than the longest message that is relayed."""
_NEAR = 20
"""Entries among which one that says something is looked for: a record makes fewer that say nothing."""


async def conversation(request: web.Request) -> web.Response:
    """Give a page of entries; with `from_seq`, from the first one that is of that record or of a later one."""
    shared, session_id = of(request), request.match_info["session_id"]
    names = words(request, "filter", FILTERS)
    limit = whole(request, "limit", 100, 1, MOST_ENTRIES) or 0
    offset = whole(request, "offset", 0, 0, FARTHEST) or 0
    from_seq = whole(request, "from_seq", None, 0, FARTHEST)
    longest = whole(request, "max_text", LONGEST, LEAST_TEXT, LONGEST_TEXT) or 0
    await shared.ready()
    await shared.known(session_id)

    def found() -> bytes:
        asked = _Asked(shared, session_id, names)
        start = offset if from_seq is None else asked.position(from_seq)
        entries, total = asked.page(start, limit, longest)
        return as_json(ConversationPage(entries=entries, offset=start, total=total))

    return raw_answer(await asyncio.to_thread(found))


class _Asked:
    """A conversation of which pages are asked for."""

    def __init__(self, shared: Shared, session_id: str, names: tuple[str, ...]) -> None:
        self._store, self._session_id = shared.store, session_id
        session = shared.store.session(session_id)
        # Events of a client's own have any names.
        is_client = session is not None and session.kind == "monitoring" and not names
        self._types = None if is_client else event_types(names)

    def page(self, offset: int, limit: int, longest: int) -> tuple[list[Entry], int]:
        """Return some entries, and how many there are in all."""
        found = self._store.events(
            EventQuery(
                session_id=self._session_id,
                event_types=self._types,
                limit=limit,
                offset=offset,
                order="asc",
            )
        )
        return [_told(event, longest) for event in found.events], found.total

    def position(self, seq: int) -> int:
        """Return where a record, or a later one, first says something; the last entry where none does."""
        low, high = 0, self.page(0, 1, LEAST_TEXT)[1]
        last = max(0, high - 1)
        while low < high:
            middle = (low + high) // 2
            found, _ = self.page(middle, 1, LEAST_TEXT)
            if found and (found[0].seq or 0) < seq:
                low = middle + 1
            else:
                high = middle
        silent = itertools.takewhile(lambda entry: not entry.parts, self.page(low, _NEAR, LEAST_TEXT)[0])
        return min(low + len(list(silent)), last)


def _told(event: bytes, longest: int) -> Entry:
    envelope = decode_envelope(event)
    return tell(Event(envelope.event_type, parse_timestamp(envelope.timestamp), envelope.data), longest)
