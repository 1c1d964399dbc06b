"""How many events there are in each stretch of time, of all sessions and of long ones.

Of all sessions together it is counted by second, minute, hour, day and thirty days: a timestamp's rank is at most
sixty rows of each, however many events there are. A session's events come in order, so one event in some thousand is a
mark that knows what is before it.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from proxy.store.embedded.database import checksum
from proxy.store.protocol import StoreDamagedError
from proxy.store.ranks import FOREVER, Span

__all__ = ["HOUR", "LEVELS_US", "MARK_EVERY", "AllEvents", "EventCounts", "SessionEvents", "write_counts"]

LEVELS_US = (1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000, 2_592_000_000_000)
"""How long the spans of each level are. Each divides the next, as `AllEvents` needs it."""
HOUR = 2
MARK_EVERY = 4096
"""Events between two marks of a session."""

EventCounts = Counter[tuple[int, int]]
"""How many events there are by second and type: what is counted before it is written."""


def write_counts(connection: sqlite3.Connection, counted: EventCounts) -> None:
    """Add what was counted (or, below zero, was taken out) to every level."""
    for level, length_us in enumerate(LEVELS_US):
        seconds = length_us // LEVELS_US[0]
        slots: Counter[tuple[int, int]] = Counter()
        for (second, type_id), count in counted.items():
            slots[second // seconds, type_id] += count
        connection.executemany(
            "INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(level, slot, type_id, count) for (slot, type_id), count in slots.items() if count],
        )
        if any(count < 0 for count in slots.values()):
            connection.executemany(
                "DELETE FROM counts WHERE level = ? AND slot = ? AND type = ? AND count <= 0",
                [(level, slot, type_id) for (slot, type_id), count in slots.items() if count < 0],
            )


class AllEvents:
    """The events of all sessions, as a `SpanTree`; of some types where they are given."""

    def __init__(self, connection: sqlite3.Connection, types: Sequence[int] | None) -> None:
        self._connection = connection
        self._types = types
        marks = "" if types is None else ", ".join("?" * len(types))
        self._wanted = "count" if types is None else f"iif(type IN ({marks}), count, 0)"
        self._typed = "" if types is None else f"AND type IN ({marks})"

    def top(self) -> list[Span]:
        """Return the longest spans."""
        return self._spans(len(LEVELS_US) - 1, -FOREVER, FOREVER)

    def within(self, span: Span) -> list[Span]:
        """Return the spans that one consists of."""
        length_us = LEVELS_US[span.level - 1]
        return self._spans(span.level - 1, span.start_us // length_us, span.stop_us // length_us)

    def count(self, start_us: int, stop_us: int) -> int:
        """Count the wanted events of a stretch of time."""
        query = f"SELECT count(*) FROM events INDEXED BY by_time WHERE ts >= ? AND ts < ? {self._typed}"
        return int(self._connection.execute(query, (start_us, stop_us, *(self._types or ()))).fetchone()[0])

    def _spans(self, level: int, first: int, end: int) -> list[Span]:
        rows = self._connection.execute(
            f"SELECT slot, sum({self._wanted}), sum(count) FROM counts"
            " WHERE level = ? AND slot >= ? AND slot < ? GROUP BY slot ORDER BY slot",
            (*(self._types or ()), level, first, end),
        )
        length_us = LEVELS_US[level]
        return [
            Span(slot * length_us, (slot + 1) * length_us, wanted, total, level)
            for slot, wanted, total in rows
        ]


class SessionEvents:
    """The events of one session, as a `SpanTree`: each span goes from one mark to the next."""

    def __init__(self, connection: sqlite3.Connection, session: int, types: Sequence[int] | None) -> None:
        self._connection = connection
        self._session = session
        self._types = types
        self._typed = "" if types is None else f"AND type IN ({', '.join('?' * len(types))})"

    def top(self) -> list[Span]:
        """Return all spans."""
        marks = [(0, -FOREVER, Counter[int]()), *read_marks(self._connection, self._session)]
        found = []
        for (number, start_us, types), (next_number, stop_us, next_types) in pairwise(marks):
            total = next_number - number
            wanted = (
                total if self._types is None else sum(next_types[one] - types[one] for one in self._types)
            )
            found.append(Span(start_us, stop_us, wanted, total, 0))
        last_us = marks[-1][1]
        wanted = self.count(last_us, FOREVER)
        if wanted:
            found.append(Span(last_us, FOREVER, wanted, wanted, 0))
        return found

    def within(self, span: Span) -> list[Span]:
        """Return the span: it is not cut."""
        return [span]

    def count(self, start_us: int, stop_us: int) -> int:
        """Count the wanted events of a stretch of time."""
        query = (
            "SELECT count(*) FROM events INDEXED BY by_session"
            f" WHERE session = ? AND ts >= ? AND ts < ? {self._typed}"
        )
        values = (self._session, start_us, stop_us, *(self._types or ()))
        return int(self._connection.execute(query, values).fetchone()[0])


def read_marks(
    connection: sqlite3.Connection, session: int, *, last_only: bool = False
) -> list[tuple[int, int, Counter[int]]]:
    """Return number and timestamp of marked events, and how many events of each type are before each."""
    order = "ORDER BY number DESC LIMIT 1" if last_only else "ORDER BY number"
    found = []
    for number, timestamp_us, types, found_sum in connection.execute(
        f"SELECT number, ts, types, sum FROM marks WHERE session = ? {order}", (session,)
    ):
        if checksum(session, number, timestamp_us, types) != found_sum:
            raise StoreDamagedError("a mark of a session is not what was written")
        counts = Counter({int(one): count for one, count in msgspec.json.decode(types).items()})
        found.append((number, timestamp_us, counts))
    return found


def mark_row(session: int, number: int, timestamp_us: int, types: Mapping[int, int]) -> tuple[object, ...]:
    """Return the row of a mark."""
    encoded = msgspec.json.encode({str(one): count for one, count in types.items()})
    return session, number, timestamp_us, encoded, checksum(session, number, timestamp_us, encoded)
