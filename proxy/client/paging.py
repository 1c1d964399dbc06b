"""All events that fit a question, page after page, also while more arrive: none lost, none twice.

A page goes on from the moment of the last event, not from a number, so that what is added or expires meanwhile moves
nothing. In one session every event has a moment of its own. Events of several sessions may share one: those that
were given of the boundary's moment are passed over, and remembered by their session.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proxy.client.errors import UnreachableError
from proxy.client.models import Event, EventPage
from proxy.client.retries import delays
from proxy.events.moments import microseconds, spelled
from proxy.events.vocabulary import OVER

if TYPE_CHECKING:
    from proxy.client.client import AsyncClient

__all__ = ["Question", "every"]

LOOK_S = 1
WAIT_S = 20
"""For how long the server is asked to wait for the next event. A server that stops answers at once."""
_BEGINNING = "1970-01-01T00:00:00.000000Z"


@dataclass(slots=True)
class Question:
    """What is wanted, and how far it was answered."""

    session_id: str | None
    event_types: str | None
    start_time: str | None
    end_time: str | None
    newest_first: bool
    page_size: int
    boundary_us: int | None = None
    given: set[str] = field(default_factory=set)
    """The sessions of the events at the boundary that were given."""

    def query(self, wait_s: int) -> dict[str, Any]:
        """Return the next page's query."""
        start, end = self.start_time, self.end_time
        if self.newest_first:
            if self.boundary_us is not None:
                end = spelled(self.boundary_us)  # inclusive
        else:
            start = start or _BEGINNING
            if self.boundary_us is not None:
                start = spelled(self.boundary_us - 1)  # exclusive
        return {
            "session_id": self.session_id,
            "event_types": self.event_types,
            "start_time": start,
            "end_time": end,
            "offset": len(self.given),
            "limit": self.page_size,
            "order": "desc" if self.newest_first else "asc",
            "wait": wait_s or None,
        }

    def is_new(self, event: Event) -> bool:
        """Take an event in; return whether it was not given yet."""
        moment_us = microseconds(event.timestamp)
        if moment_us != self.boundary_us:
            self.boundary_us = moment_us
            self.given = set()
        if event.session_id in self.given:
            return False
        self.given.add(event.session_id)
        return True


async def every(
    client: "AsyncClient", question: Question, *, follow: bool, give_up_s: float
) -> AsyncGenerator[Event, None]:
    """Yield all events; with ``follow`` also those to come, until the session is over, or for ever."""
    was_over = False
    wait_s = 0
    # The end of a session is an event that a filter may leave out: then it is looked for.
    longest_s = LOOK_S if question.session_id and question.event_types else WAIT_S
    while True:
        page = await _page(client, question, 0 if was_over else wait_s, give_up_s if follow else 0)
        for event in page.events:
            if question.is_new(event):
                yield event
                if follow and event.event_type == "session_ended" and event.session_id == question.session_id:
                    return
        if page.events:
            continue
        if not follow or was_over:
            return
        # What came between this page and the session's end is in one more page.
        wait_s = longest_s
        was_over = question.session_id is not None and await _is_over(client, question.session_id)


async def _is_over(client: "AsyncClient", session_id: str) -> bool:
    return (await client.session(session_id)).state in OVER


async def _page(client: "AsyncClient", question: Question, wait_s: int, give_up_s: float) -> EventPage:
    """Ask for the next page; a server that went away may come back for so long."""
    loop = asyncio.get_running_loop()
    gone_at: float | None = None
    pauses = delays()
    while True:
        try:
            return await client.events_page(**question.query(wait_s))
        except UnreachableError:
            now = loop.time()
            gone_at = now if gone_at is None else gone_at
            if now - gone_at >= give_up_s:
                raise
            await asyncio.sleep(next(pauses))
