"""Questions about events to the index, each asked on a connection that sees one moment of it."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence

from proxy.events.timestamps import TimestampCodec
from proxy.store.counting import HOUR, LEVELS_US
from proxy.store.embedded import tombstones
from proxy.store.embedded.counts import all_events, session_events
from proxy.store.embedded.rows import (
    EventRow,
    name_of,
    read_events,
    read_newest,
    read_sessions,
    read_types,
    read_watermark,
)
from proxy.store.encoding import envelope
from proxy.store.model import Arrival, Arrivals, Cursor, EventBatch, EventQuery, Page, RawEvent
from proxy.store.protocol import StoreDamagedError
from proxy.store.ranks import FOREVER, SpanTree, bounds, cut, slices, window_of

_ARRIVAL_BYTES = 4 << 20
_BATCH_BYTES, _BATCH_ROWS = 4 << 20, 20_000
"""How much of a session is read at a time."""


def page(connection: sqlite3.Connection, query: EventQuery, now_us: int) -> Page:
    """Return one page of events."""
    watermark_us = read_watermark(connection)
    settled_us = FOREVER if watermark_us is None else watermark_us
    newest = cursor(connection, now_us)
    types = _type_numbers(connection, query.event_types)
    session = None if query.session_id is None else find_session(connection, query.session_id)
    if types == [] or (query.session_id is not None and session is None):
        return Page([], 0, newest, settled_us)
    tree: SpanTree = (
        all_events(connection, types) if session is None else session_events(connection, session, types)
    )
    low, high = bounds(tree, query, settled_us)
    window = window_of(query)
    first, end = cut(window, query.limit, low, high)
    where, values = ("1", []) if session is None else ("session = ?", [session])
    if types is not None:
        where += f" AND type IN ({', '.join('?' * len(types))})"
        values += types
    rows: list[EventRow] = []
    for one in slices(tree, first, end):
        index = "by_time" if session is None else "by_session"
        rows += read_events(
            connection,
            f"INDEXED BY {index} WHERE {where} AND ts >= ? AND ts < ? ORDER BY ts, session LIMIT ? OFFSET ?",
            (*values, one.start_us, one.stop_us, one.take, one.skip),
        )
    if len(rows) != end - first:
        raise StoreDamagedError("events are not as many as were counted")
    if not window.is_ascending:
        rows.reverse()
    return Page([one.json for one in _arrivals(connection, rows)], high - low, newest, settled_us)


def cursor(connection: sqlite3.Connection, now_us: int) -> Cursor:
    """Return the newest place; where everything up to the watermark has come, that is its timestamp."""
    watermark_us = read_watermark(connection)
    return Cursor(*read_newest(connection), now_us if watermark_us is None else watermark_us)


def locate(connection: sqlite3.Connection, place: Cursor) -> int:
    """Return the id behind which to go on from a place."""
    epoch, newest_id = read_newest(connection)
    if place.is_within(epoch, newest_id):
        return place.id
    found = connection.execute(
        "SELECT min(id) FROM events INDEXED BY by_time WHERE ts > ?", (place.timestamp_us,)
    ).fetchone()[0]
    return newest_id if found is None else int(found) - 1


def arrivals(
    connection: sqlite3.Connection,
    after_id: int,
    limit: int,
    *,
    told: int,
    session_id: str | None,
    event_types: Collection[str] | None,
) -> Arrivals:
    """Return what came behind an event, and whether something that is wanted was removed there."""
    types = _type_numbers(connection, event_types)
    missing = tombstones.missing(connection, after_id, told=told, session_id=session_id, types=types)
    rows, size = [], 0
    for row in read_events(connection, "WHERE id > ? ORDER BY id LIMIT ?", (after_id, limit)):
        rows.append(row)
        size += len(row.data)
        if size > _ARRIVAL_BYTES:
            break
    return Arrivals(list(_arrivals(connection, rows)), missing.any, missing.removal)


def events_of(connection: sqlite3.Connection, session_id: str, after_us: int) -> EventBatch | None:
    """Return the next events of a session behind a timestamp, None when the index does not have the session."""
    session = find_session(connection, session_id)
    if session is None:
        return None
    # Numbers of events are never used again, those of sessions may be.
    first = connection.execute(
        "SELECT id FROM events INDEXED BY by_session WHERE session = ? ORDER BY ts LIMIT 1", (session,)
    ).fetchone()
    filling = (read_newest(connection)[0], 0 if first is None else int(first[0]))
    names = read_types(connection)
    events: list[RawEvent] = []
    size = 0
    where = "INDEXED BY by_session WHERE session = ? AND ts > ? ORDER BY ts"
    for row in read_events(connection, where, (session, after_us)):
        if size > _BATCH_BYTES or len(events) >= _BATCH_ROWS:
            return EventBatch(filling, events, is_last=False)
        events.append((name_of(names, row.type), row.timestamp_us, row.data))
        size += len(row.data)
    return EventBatch(filling, events, is_last=True)


def event_counts(
    connection: sqlite3.Connection, after_us: int | None, until_us: int | None
) -> list[tuple[int, str, int]]:
    """Return hour, type and number of events of each hour of a period; only hours at its ends are counted through."""
    hour_us = LEVELS_US[HOUR]
    low = -FOREVER if after_us is None else after_us + 1
    high = FOREVER if until_us is None else until_us + 1
    first, end = -(-low // hour_us), high // hour_us
    found: dict[tuple[int, int], int] = {}
    rows = connection.execute(
        "SELECT slot, type, count FROM counts WHERE level = ? AND slot >= ? AND slot < ?", (HOUR, first, end)
    )
    for slot, type_id, count in rows:
        found[slot, type_id] = count
    ends = [(low, high)] if first > end else [(low, first * hour_us), (end * hour_us, high)]
    for start_us, stop_us in ends:
        rows = connection.execute(
            "SELECT type, count(*) FROM events INDEXED BY by_time WHERE ts >= ? AND ts < ? GROUP BY type",
            (start_us, stop_us),
        )
        for type_id, count in rows:
            place = (start_us // hour_us, type_id)
            found[place] = found.get(place, 0) + count
    names = read_types(connection)
    return [
        (slot * hour_us, name_of(names, type_id), count) for (slot, type_id), count in sorted(found.items())
    ]


def events_between(
    connection: sqlite3.Connection,
    event_types: Collection[str],
    after_us: int | None,
    until_us: int | None,
) -> Iterator[RawEvent]:
    """Yield the events of some types in a period."""
    names = read_types(connection)
    wanted = [number for number, name in names.items() if name in event_types]
    where = f"INDEXED BY by_time WHERE ts > ? AND ts <= ? AND type IN ({', '.join('?' * len(wanted))})"
    low = -FOREVER if after_us is None else after_us
    high = FOREVER if until_us is None else until_us
    for row in read_events(connection, where, (low, high, *wanted)):
        yield name_of(names, row.type), row.timestamp_us, row.data


def find_session(connection: sqlite3.Connection, session_id: str) -> int | None:
    """Return the number of a session in the index, None when it does not have it."""
    row = connection.execute("SELECT id FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
    return None if row is None else int(row[0])


def _type_numbers(connection: sqlite3.Connection, names: Collection[str] | None) -> list[int] | None:
    if names is None:
        return None
    known = {name: number for number, name in read_types(connection).items()}
    return [known[name] for name in dict.fromkeys(names) if name in known]


def _arrivals(connection: sqlite3.Connection, rows: Sequence[EventRow]) -> Iterator[Arrival]:
    codec, names, sessions = TimestampCodec(), read_types(connection), dict[int, str]()
    for row in rows:
        if row.session not in sessions:
            found = list(read_sessions(connection, "WHERE id = ?", (row.session,)))
            if not found:
                raise StoreDamagedError("an event is of no session")
            sessions[row.session] = found[0].session_id
        name, session_id = name_of(names, row.type), sessions[row.session]
        event = envelope(name, codec.format(row.timestamp_us), session_id, row.data)
        yield Arrival(row.id, session_id, name, row.timestamp_us, event)
