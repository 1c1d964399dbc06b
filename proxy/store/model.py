"""What a store is asked, and what it answers: plain values, whatever engine holds them.

Timestamps are microseconds since 1970.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple, Self

import msgspec

from proxy.events import Session

_CURSOR = re.compile(r"([0-9a-zA-Z]{1,64})-([0-9]{1,18})-([0-9]{1,18})", re.ASCII)

Totals = Counter[tuple[str, ...]]
"""Sums over all sessions, such as that of ``("messages", "stdout", "valid")``: see `totals`."""

RawEvent = tuple[str, int, bytes]
"""Type, timestamp and data, as JSON, of an event."""


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are wanted.

    With a session or a start the oldest come first, else the newest; without an offset and a start a page holds the
    newest events, with either it goes forward from there.
    """

    session_id: str | None = None
    event_types: tuple[str, ...] | None = None
    after_us: int | None = None
    """Exclusive. Across sessions the page ends at the watermark then: behind it, earlier events may still come."""
    until_us: int | None = None
    """Inclusive."""
    limit: int = 100
    offset: int | None = None
    order: Literal["asc", "desc"] | None = None


class SessionFilter(NamedTuple):
    """Which sessions are wanted, each by one of some values; none of them: whatever it is."""

    outcomes: Collection[str] = ()
    """Of sessions that are over."""
    hosts: Collection[str] = ()
    """Names or ids. Where there is no fleet, no session has a host, or a team."""
    teams: Collection[str] = ()


EVERY_SESSION = SessionFilter()


class SessionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions are wanted, and which part of them, newest first."""

    which: SessionFilter = EVERY_SESSION
    live_only: bool = False
    """Only those that are not over."""
    begin: tuple[int, str] | None = None
    """From the session on that started then (`Session.started_us`) and has that id, or where it would be."""
    limit: int | None = None
    offset: int = 0


class Cursor(NamedTuple):
    """A place in the order of arrival: of which epoch, behind which event, and that event's timestamp."""

    epoch: str
    """Tells a filling of the store from all others: ids of one mean nothing in another."""
    id: int
    timestamp_us: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.id}-{self.timestamp_us}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the place that a text names, None if it is no name of one."""
        match = _CURSOR.fullmatch(text)
        return None if match is None else cls(match[1], int(match[2]), int(match[3]))

    def is_within(self, epoch: str, newest_id: int) -> bool:
        """Tell whether a store of that epoch, with that newest event, can go on behind this very place.

        One that is ahead of all is of a database that was restored to an older state since.
        """
        return self.epoch == epoch and self.id <= newest_id


class Page(NamedTuple):
    """Events as the API gives them, each as JSON, and what there is beside them at the same moment."""

    events: list[bytes]
    total: int
    cursor: Cursor
    """The newest place: what comes behind it is not in this page."""
    settled_us: int
    """Nothing with an earlier timestamp will come any more."""


class Arrival(NamedTuple):
    """An event that has come into the store."""

    id: int
    """Ids grow in the order of arrival, and are never used again within an epoch."""
    session_id: str
    event_type: str
    timestamp_us: int
    json: bytes
    """The event as the API gives it."""


class ArrivalFilter(NamedTuple):
    """Which events are wanted of those that come."""

    session_id: str | None = None
    event_types: Collection[str] | None = None

    def takes(self, one: Arrival) -> bool:
        """Tell whether an event is wanted."""
        is_of_session = self.session_id in (None, one.session_id)
        return is_of_session and (self.event_types is None or one.event_type in self.event_types)


EVERY_ARRIVAL = ArrivalFilter()


class Arrivals(NamedTuple):
    """What came behind a place: events, and whether others were there that are wanted and have been removed."""

    events: list[Arrival]
    is_missing: bool
    removal: int
    """The newest removal that was looked at."""


MOST_IN_BATCH, _BATCH_BYTES = 20_000, 4 << 20


class EventBatch(NamedTuple):
    """Some events of a session, in order."""

    filling: tuple[str, int]
    """Another one when the session was interpreted anew: what was read before is to be forgotten then."""
    events: list[RawEvent]
    is_last: bool
    """Whether there are no more now."""

    @classmethod
    def of(cls, filling: tuple[str, int], found: Iterable[RawEvent]) -> Self:
        """Return as many of some events as are read at a time; what `found` gives behind them is looked at no more."""
        events, size = list[RawEvent](), 0
        for one in found:
            if size > _BATCH_BYTES or len(events) >= MOST_IN_BATCH:
                return cls(filling, events, is_last=False)
            events.append(one)
            size += len(one[2])
        return cls(filling, events, is_last=True)


class Watched(NamedTuple):
    """Sessions that somebody watches, at one moment of the store."""

    epoch: str
    newest_row: int
    live: list[str]
    sessions: list[Session]


class Health(NamedTuple):
    """How a store stands, after each of its tables was asked."""

    sessions: int
    behind_bytes: int
    """What live sessions have recorded that is not in the store yet."""
    trouble: str | None
    """Why it does not go on, if it does not."""
    set_aside: list[str]
    """Sessions that have shown a fault of ours, and are not gone on with."""
    is_filled: bool
    """Whether everything that had been recorded when it was opened is in it."""
