"""How many events there are in each stretch of time, of all sessions and of long ones: what every engine keeps alike.

Of all sessions together it is counted by second, minute, hour, day and thirty days: a timestamp's rank is at most
sixty rows of each, however many events there are. A session's events come in order, so one event in some thousand is a
mark that knows what is before it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import msgspec

from proxy.store.ranks import FOREVER

LEVELS_US = (1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000, 2_592_000_000_000)
"""How long the spans of each level are. Each divides the next, so that a span consists of whole ones."""
HOUR = 2
MARK_EVERY = 4096
"""Events between two marks of a session."""

EventCounts = Counter[tuple[int, int]]
"""How many events there are by second and type: what is counted before it is written."""

ReadHours = Callable[[int, int], Iterable[tuple[int, Any, int]]]
"""Given two slots of hours, returns slot, type and number of events of those from one up to before the other."""
CountTypes = Callable[[int, int], Iterable[tuple[Any, int]]]
"""Counts the events of each type from a timestamp up to before another, one by one."""


def by_level(counted: EventCounts) -> Iterator[tuple[int, int, int, int]]:
    """Yield level, slot, type and number of what was counted, on every level.

    Sorted: of two who write into one database, none waits for the other crosswise.
    """
    for level, length_us in enumerate(LEVELS_US):
        seconds = length_us // LEVELS_US[0]
        slots: Counter[tuple[int, int]] = Counter()
        for (second, type_id), count in counted.items():
            slots[second // seconds, type_id] += count
        for (slot, type_id), count in sorted(slots.items()):
            if count:
                yield level, slot, type_id, count


def counts_by_hour(
    after_us: int | None, until_us: int | None, read_hours: ReadHours, count_types: CountTypes
) -> list[tuple[int, Any, int]]:
    """Return hour, type and number of events of each hour of a period; only hours at its ends are counted through.

    A type is given by its name or its number, as the store does.
    """
    hour_us = LEVELS_US[HOUR]
    low = -FOREVER if after_us is None else after_us + 1
    high = FOREVER if until_us is None else until_us + 1
    first, end = -(-low // hour_us), high // hour_us
    found = Counter({(slot, name): count for slot, name, count in read_hours(first, end)})
    for start_us, stop_us in (
        [(low, high)] if first > end else [(low, first * hour_us), (end * hour_us, high)]
    ):
        for name, count in count_types(start_us, stop_us):
            found[start_us // hour_us, name] += count
    return [(slot * hour_us, name, count) for (slot, name), count in sorted(found.items())]


class Mark(NamedTuple):
    """An event of a session that knows how many of which types are before it."""

    number: int
    """Its place in its session."""
    timestamp_us: int
    types: Counter[int]

    def row(self) -> tuple[int, int, bytes]:
        """Return it as a store keeps it."""
        return self.number, self.timestamp_us, msgspec.json.encode(self.types)

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Self:
        """Return the mark that a store keeps."""
        number, timestamp_us, types = row
        return cls(number, timestamp_us, Counter(_decode_types(types)))


_decode_types = msgspec.json.Decoder(dict[int, int]).decode


class Tally(msgspec.Struct):
    """How many events of a session are in a store, and of which types: what its marks are made of."""

    number: int = 0
    types: Counter[int] = msgspec.field(default_factory=Counter)

    @classmethod
    def of(cls, last: Mark | None, count_types: Callable[[int], Iterable[tuple[int, int]]]) -> Self:
        """Return that of a session by its last mark, and the type and number of its events from a timestamp on."""
        mark = last or Mark(0, -FOREVER, Counter())
        types = mark.types + Counter(dict(count_types(mark.timestamp_us)))
        return cls(types.total(), types)

    def add(self, type_id: int, timestamp_us: int) -> Mark | None:
        """Count the next event; return the mark that it is, if it is one."""
        is_mark = self.number and self.number % MARK_EVERY == 0
        mark = Mark(self.number, timestamp_us, self.types.copy()) if is_mark else None
        self.number += 1
        self.types[type_id] += 1
        return mark
