"""How many events there are in each stretch of time: the rows of ``counting``."""

import sqlite3
from collections.abc import Sequence

from proxy.store.counting import EventCounts, LevelTree, Mark, MarkTree, by_level
from proxy.store.embedded.database import checksum
from proxy.store.protocol import StoreDamagedError


def write_counts(connection: sqlite3.Connection, counted: EventCounts) -> None:
    """Add what was counted (or, below zero, was taken out) to every level."""
    rows = list(by_level(counted))
    connection.executemany(
        "INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
        rows,
    )
    connection.executemany(
        "DELETE FROM counts WHERE level = ? AND slot = ? AND type = ? AND count <= 0",
        [row[:3] for row in rows if row[3] < 0],
    )


def all_events(connection: sqlite3.Connection, types: Sequence[int] | None) -> LevelTree:
    """Return the events of all sessions; of some types where they are given."""
    marks = "" if types is None else ", ".join("?" * len(types))
    wanted = "count" if types is None else f"iif(type IN ({marks}), count, 0)"
    typed, values = ("", ()) if types is None else (f"AND type IN ({marks})", tuple(types))
    spans = (
        f"SELECT slot, sum({wanted}), sum(count) FROM counts"
        " WHERE level = ? AND slot >= ? AND slot < ? GROUP BY slot ORDER BY slot"
    )
    counted = f"SELECT count(*) FROM events INDEXED BY by_time WHERE ts >= ? AND ts < ? {typed}"
    return LevelTree(
        lambda level, first, end: connection.execute(spans, (*values, level, first, end)).fetchall(),
        lambda start_us, stop_us: connection.execute(counted, (start_us, stop_us, *values)).fetchone()[0],
    )


def session_events(connection: sqlite3.Connection, session: int, types: Sequence[int] | None) -> MarkTree:
    """Return the events of one session; of some types where they are given."""
    typed, values = (
        ("", ()) if types is None else (f"AND type IN ({', '.join('?' * len(types))})", tuple(types))
    )
    counted = (
        f"SELECT count(*) FROM events INDEXED BY by_session WHERE session = ? AND ts >= ? AND ts < ? {typed}"
    )
    return MarkTree(
        read_marks(connection, session),
        types,
        lambda start_us, stop_us: connection.execute(
            counted, (session, start_us, stop_us, *values)
        ).fetchone()[0],
    )


def read_marks(connection: sqlite3.Connection, session: int, *, last_only: bool = False) -> list[Mark]:
    """Return the marked events of a session."""
    order = "ORDER BY number DESC LIMIT 1" if last_only else "ORDER BY number"
    found = []
    for number, timestamp_us, types, found_sum in connection.execute(
        f"SELECT number, ts, types, sum FROM marks WHERE session = ? {order}", (session,)
    ):
        if checksum(session, number, timestamp_us, types) != found_sum:
            raise StoreDamagedError("a mark of a session is not what was written")
        found.append(Mark(number, timestamp_us, Mark.decoded_types(types)))
    return found


def mark_row(session: int, mark: Mark) -> tuple[object, ...]:
    """Return the row of a mark."""
    types = mark.encoded_types()
    return (
        session,
        mark.number,
        mark.timestamp_us,
        types,
        checksum(session, mark.number, mark.timestamp_us, types),
    )
