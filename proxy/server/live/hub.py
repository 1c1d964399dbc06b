"""Hands new events to whoever listens, as fast as each can take them.

A subscriber holds nothing but its place in the order of arrival. What is newest lies in one buffer for all, bounded
in bytes; a subscriber that has fallen behind it reads from the index instead. So a slow one loses nothing, costs no
memory, and slows nobody. What is removed from the index before it was given is told as a gap.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

from proxy.store import Store
from proxy.store.arrivals import BEGUN_ANEW, REMOVED
from proxy.store.model import EVERY_ARRIVAL, Arrival, ArrivalFilter

_BUFFER_BYTES = 16 << 20  # bounds memory; who is further behind reads from the store
_AT_ONCE = 500  # events: some milliseconds of work
_AT_ONCE_BYTES = 1 << 20  # the same


class Gap(NamedTuple):
    """Here events may be missing."""

    upto_id: int
    """The place behind it."""
    reason: str


class Hub:
    """The newest events, and the signal that there are more. For the event loop's thread."""

    def __init__(self) -> None:
        self.newest_id = 0
        """What was handed on last; history, which is not handed on, has ids below."""
        self.listeners = Counter[str]()
        """How many listen now, by how they do."""
        self.closing = False
        self.resets = 0
        """How often the store was begun anew: places of before mean nothing."""
        self._clear()
        self._news = asyncio.Event()

    def reset(self) -> None:
        """Let everybody come back: the store was begun anew."""
        self.resets += 1
        self.newest_id = 0
        self._clear()
        self._wake()

    def _clear(self) -> None:
        self._buffer: deque[Arrival] = deque()
        self._bytes = self._floor = 0

    def publish(self, arrivals: Sequence[Arrival]) -> None:
        """Take in what is new and wake everybody who waits for it."""
        if self._buffer and arrivals[0].id != self.newest_id + 1:  # some were removed before they came here
            self._clear()
        if not self._buffer:
            self._floor = arrivals[0].id - 1
        self._buffer.extend(arrivals)
        self._bytes += sum(len(arrival.json) for arrival in arrivals)
        while self._bytes > _BUFFER_BYTES and len(self._buffer) > 1:
            oldest = self._buffer.popleft()
            self._floor = oldest.id
            self._bytes -= len(oldest.json)
        self.newest_id = arrivals[-1].id
        self._wake()

    def pass_over(self, newest_id: int) -> None:
        """Learn up to where the index goes: what was there before the first event was handed on is in it only."""
        if not self._buffer and newest_id > self.newest_id:
            self.newest_id = self._floor = newest_id

    def close(self) -> None:
        """Let everybody go: the server stops."""
        self.closing = True
        self._wake()

    @property
    def subscribers(self) -> int:
        """How many listen now. As long as anybody does, the server is needed."""
        return self.listeners.total()

    @contextmanager
    def listening(self, kind: str) -> Iterator[None]:
        """Count somebody as a listener, as long as they are."""
        self.listeners[kind] += 1
        try:
            yield
        finally:
            self.listeners[kind] -= 1

    async def wait(self, after_id: int) -> None:
        """Wait until something came behind that event, the store was begun anew, or the server stops."""
        resets = self.resets
        while self.newest_id <= after_id and not self.closing and self.resets == resets:
            await self._news.wait()

    def behind(self, after_id: int) -> list[Arrival] | None:
        """Return what came behind an event; None: some of it is in the index only."""
        if after_id < self._floor:
            return None
        newest_first = takewhile(lambda arrival: arrival.id > after_id, reversed(self._buffer))
        return list(newest_first)[::-1]

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


@dataclass
class Subscriber:
    """One listener's place, and what it wants to hear of."""

    hub: Hub
    store: Store
    after_id: int
    """What is behind this event is yet to be given."""
    which: ArrivalFilter = EVERY_ARRIVAL
    is_other_index: bool = False
    """Whether the place is in an index that was begun anew since the listener was here."""
    sees_all: bool = True
    """Whether the store gives this listener whatever the hub has."""

    def __post_init__(self) -> None:
        self._resets = self.hub.resets
        self._told = 0  # the newest removal that is known

    async def next(self) -> list[Arrival | Gap]:
        """Return the next events that are wanted, behind a gap if there is one; nothing when it is to come back."""
        if self.is_other_index:
            self.is_other_index = False
            return [Gap(self.after_id, BEGUN_ANEW)]
        while True:
            await self.hub.wait(self.after_id)
            if self.hub.closing or self.hub.resets != self._resets:
                return []
            # Before the index is asked: what comes meanwhile is not passed over.
            newest, wanted = self.hub.newest_id, list[Arrival | Gap]()
            held = self.hub.behind(self.after_id) if self.sees_all else None
            found, is_missing = (held, False) if held is not None else await asyncio.to_thread(self._read)
            if is_missing:
                wanted.append(Gap(found[0].id - 1 if found else newest, REMOVED))
            found = _piece(found)
            self.after_id = found[-1].id if found else max(self.after_id, newest)
            wanted.extend(arrival for arrival in found if self.which.takes(arrival))
            if wanted:
                return wanted

    def _read(self) -> tuple[list[Arrival], bool]:
        """Return what came behind the place, and whether something that is wanted was removed there."""
        found = self.store.arrivals(self.after_id, _AT_ONCE, self.which, told=self._told)
        self._told = found.removal
        return found.events, found.is_missing


def _piece(arrivals: list[Arrival]) -> list[Arrival]:
    """Return the first of the events: as many as may be sent together, one at least."""
    size = 0
    for index, arrival in enumerate(arrivals[:_AT_ONCE]):
        size += len(arrival.json)
        if size > _AT_ONCE_BYTES:
            return arrivals[: index + 1]
    return arrivals[:_AT_ONCE]
