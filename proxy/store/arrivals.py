"""Pages in the order of arrival: nothing missed and nothing twice, whatever clocks do."""

from typing import NamedTuple

from proxy.store.model import EVERY_ARRIVAL, Arrival, ArrivalFilter, Cursor
from proxy.store.protocol import Store

BEGUN_ANEW = "The server's index was begun anew: what is in no log any more is missing."
REMOVED = "Sessions were removed: events of theirs that were not given yet are missing."
_AT_ONCE = 1000  # events: some milliseconds of work
_MOST_PASSED_OVER = 50_000
"""Events that nobody wants are passed over for so long; whoever asks again goes on behind them."""


class ArrivalPage(NamedTuple):
    """Some events behind a place."""

    events: list[Arrival]
    after: Cursor
    """Where to go on."""
    gap: str | None
    """Why events before these may be missing."""


def arrivals_behind(
    store: Store, place: Cursor, *, limit: int, which: ArrivalFilter = EVERY_ARRIVAL
) -> ArrivalPage:
    """Return the next events behind a place of those that are wanted."""
    newest = store.cursor()
    gap = None if place.is_within(newest.epoch, newest.id) else BEGUN_ANEW
    after_id, timestamp_us = store.locate(place), place.timestamp_us
    found: list[Arrival] = []
    first_id = after_id
    at_once = min(limit, _AT_ONCE) if which == EVERY_ARRIVAL else _AT_ONCE
    while len(found) < limit and after_id - first_id < _MOST_PASSED_OVER:
        batch = store.arrivals(after_id, at_once, which)
        if batch.is_missing and gap is None:
            gap = REMOVED
        if not batch.events:
            # Behind what was removed there, too: so a gap is told once.
            after_id = max(after_id, newest.id)
            break
        for one in batch.events:
            if len(found) == limit:
                break
            after_id, timestamp_us = one.id, max(timestamp_us, one.timestamp_us)
            if which.takes(one):
                found.append(one)
    return ArrivalPage(found, Cursor(newest.epoch, after_id, timestamp_us), gap)
