"""How many events there are in each stretch of time: the rows of ``counting``."""

import sqlite3
from collections import Counter
from collections.abc import Sequence

from proxy.store.counting import LEVELS_US, EventCounts, Mark, by_level
from proxy.store.embedded.rows import MARKS, parameters
from proxy.store.ranks import FOREVER, Span, SpanTree


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


def of_types(types: Sequence[int] | None) -> str:
    """Return the condition that a row is of one of some types, whose numbers are values; None: of any."""
    return "1" if types is None else f"type IN ({parameters(types)})"


def all_events(connection: sqlite3.Connection, types: Sequence[int] | None) -> SpanTree:
    """Return the events of all sessions; of some types where they are given."""
    values = tuple(types or ())
    query = (
        f"SELECT slot, sum(iif({of_types(types)}, count, 0)), sum(count) FROM counts"
        " WHERE level = ? AND slot >= ? AND slot < ? GROUP BY slot ORDER BY slot"
    )
    counted = f"SELECT count(*) FROM events INDEXED BY by_time WHERE ts >= ? AND ts < ? AND {of_types(types)}"

    def spans(level: int, start_us: int, stop_us: int) -> list[Span]:
        length_us = LEVELS_US[level]
        slots = (*values, level, start_us // length_us, stop_us // length_us)
        return [
            Span(slot * length_us, (slot + 1) * length_us, wanted, total, level)
            for slot, wanted, total in connection.execute(query, slots)
        ]

    return SpanTree(
        spans(len(LEVELS_US) - 1, -FOREVER, FOREVER),
        lambda span: spans(span.level - 1, span.start_us, span.stop_us),
        lambda start_us, stop_us: connection.execute(counted, (start_us, stop_us, *values)).fetchone()[0],
    )


def session_events(connection: sqlite3.Connection, session: int, types: Sequence[int] | None) -> SpanTree:
    """Return the events of one session, in spans from one mark to the next; of some types where they are given."""
    counted = "SELECT count(*) FROM events INDEXED BY by_session WHERE session = ? AND ts >= ? AND ts < ?"
    query = f"{counted} AND {of_types(types)}"

    def count(start_us: int, stop_us: int) -> int:
        found: int = connection.execute(query, (session, start_us, stop_us, *(types or ()))).fetchone()[0]
        return found

    spans = []
    last = Mark(0, -FOREVER, Counter())
    for mark in MARKS.read(connection, "WHERE session = ? ORDER BY number", (session,)):
        wanted = total = mark.number - last.number
        if types is not None:
            wanted = sum(mark.types[type_id] - last.types[type_id] for type_id in types)
        spans.append(Span(last.timestamp_us, mark.timestamp_us, wanted, total, 0))
        last = mark
    if rest := count(last.timestamp_us, FOREVER):
        spans.append(Span(last.timestamp_us, FOREVER, rest, rest, 0))
    return SpanTree(spans, lambda _: (), count)
