"""All events that fit a question, page after page, also while more arrive: none lost, none twice.

A page goes on from the moment of the last event, not from a number, so that what is added or expires meanwhile moves
nothing. In one session every event has a moment of its own. Events of several sessions may share one: that moment is
asked for again, and those of it that were given are passed over, remembered by their session.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from functools import partial

from proxy.client.models import Event
from proxy.client.queries import Queries
from proxy.client.retries import Patience, patiently
from proxy.client.selections import EventQuery
from proxy.events.timestamps import format_timestamp, parse_timestamp
from proxy.events.vocabulary import OVER

LOOK_S = 1  # a session without events of these types may end meanwhile
WAIT_S = 20
"""For how long the server is asked to wait for the next event. A server that stops answers at once."""
_MOST = 10_000
"""Events of one page, at most."""
_BEGINNING = "1970-01-01T00:00:00.000000Z"


@dataclass(slots=True)
class Question:
    """What is wanted, and how far it was answered."""

    asked: EventQuery
    page_size: int = 1000
    newest_first: bool = False
    boundary_us: int | None = None
    given: set[str] = field(default_factory=set)
    """The sessions of the events at the boundary that were given."""

    def query(self, wait_s: int) -> EventQuery:
        """Return the next page's query."""
        query: EventQuery = {
            **self.asked,
            # Were so many of one moment, they would fill a page, and no other would ever come.
            "offset": max(0, len(self.given) - _MOST // 2),
            "limit": min(_MOST, self.page_size + len(self.given)),
            "order": "desc" if self.newest_first else "asc",
            "wait": wait_s or None,
        }
        if not self.newest_first:
            query["start_time"] = query.get("start_time") or _BEGINNING
        if self.boundary_us is not None:
            if self.newest_first:
                query["end_time"] = format_timestamp(self.boundary_us)  # inclusive
            else:
                query["start_time"] = format_timestamp(self.boundary_us - 1)  # exclusive
        return query

    def is_new(self, event: Event) -> bool:
        """Take an event in; return whether it was not given yet."""
        timestamp_us = parse_timestamp(event.timestamp)
        if timestamp_us != self.boundary_us:
            self.boundary_us = timestamp_us
            self.given = set()
        if event.session_id in self.given:
            return False
        self.given.add(event.session_id)
        return True


async def every(
    queries: Queries, question: Question, *, follow: bool, give_up_s: float, was_served: bool = False
) -> AsyncGenerator[Event, None]:
    """Yield all events; with ``follow`` also those to come, until the session is over, or for ever.

    A server that has answered, or ``was_served`` its caller before, is waited for when it goes away; one that was
    never there is not.
    """
    was_over, wait_s, session_id = False, 0, question.asked.get("session_id")
    patience = Patience(give_up_s=give_up_s if was_served else 0)
    # The end of a session is an event that a filter may leave out: then it is looked for.
    longest_s = LOOK_S if session_id and question.asked.get("event_types") else WAIT_S
    while True:
        query = question.query(0 if was_over else wait_s)
        page = await patiently(partial(queries.events_page, **query), patience)
        if follow and not was_served:
            was_served, patience = True, Patience(give_up_s=give_up_s)
        fresh = [event for event in page.events if question.is_new(event)]
        for event in fresh:
            yield event
            if follow and event.event_type == "session_ended" and event.session_id == session_id:
                return
        if fresh:
            continue
        if not follow or was_over:
            return
        # What came between this page and the session's end is in one more page.
        wait_s = longest_s
        if session_id is not None:
            session = await patiently(partial(queries.session, session_id), patience)
            was_over = session.state in OVER
