"""What the store of one machine tells of events: each question is asked on a connection that sees one moment."""

import sqlite3
import time
from collections.abc import Collection, Generator, Iterator, Sequence

from proxy.events.timestamps import TimestampCodec
from proxy.store.counting import HOUR, counts_by_hour
from proxy.store.embedded import tombstones
from proxy.store.embedded.counts import all_events, of_types, session_events
from proxy.store.embedded.readers import Readers
from proxy.store.embedded.rows import (
    EVENTS,
    SESSIONS,
    EventRow,
    find_session,
    name_of,
    read_newest,
    read_types,
    read_watermark,
)
from proxy.store.encoding import envelope
from proxy.store.model import (
    EVERY_ARRIVAL,
    Arrival,
    ArrivalFilter,
    Arrivals,
    Cursor,
    EventBatch,
    EventQuery,
    Page,
    RawEvent,
)
from proxy.store.protocol import StoreDamagedError
from proxy.store.ranks import FOREVER, bounds, cut, slices, window_of

_ARRIVAL_BYTES = 4 << 20


class EventQueries:
    """What a store of one machine tells of events."""

    _readers: Readers

    def events(self, query: EventQuery) -> Page:
        """Return one page of events."""
        with self._readers.reading() as connection:
            watermark_us = read_watermark(connection)
            settled_us = FOREVER if watermark_us is None else watermark_us
            newest = _cursor(connection)
            types = _type_numbers(connection, query.event_types)
            if query.session_id is None:
                tree = all_events(connection, types)
                where, values = "INDEXED BY by_time WHERE 1", []
            elif (session := find_session(connection, query.session_id)) is not None:
                tree = session_events(connection, session.id, types)
                where, values = "INDEXED BY by_session WHERE session = ?", [session.id]
            else:
                return Page([], 0, newest, settled_us)
            low, high = bounds(tree, query, settled_us)
            window = window_of(query)
            first, end = cut(window, query.limit, low, high)
            where += f" AND {of_types(types)} AND ts >= ? AND ts < ? ORDER BY ts, session LIMIT ? OFFSET ?"
            values += types or ()
            rows: list[EventRow] = []
            for one in slices(tree, first, end):
                rows += EVENTS.read(
                    connection, where, (*values, one.start_us, one.stop_us, one.take, one.skip)
                )
            if len(rows) != end - first:
                raise StoreDamagedError("events are not as many as were counted")
            if not window.is_ascending:
                rows.reverse()
            return Page([one.json for one in _arrivals(connection, rows)], high - low, newest, settled_us)

    def cursor(self) -> Cursor:
        """Return the newest place; where everything up to the watermark has come, that is its timestamp."""
        with self._readers.reading() as connection:
            return _cursor(connection)

    def locate(self, place: Cursor) -> int:
        """Return the id behind which to go on from a place."""
        with self._readers.reading() as connection:
            epoch, newest_id = read_newest(connection)
            if place.is_within(epoch, newest_id):
                return place.id
            found = connection.execute(
                "SELECT min(id) FROM events INDEXED BY by_time WHERE ts > ?", (place.timestamp_us,)
            ).fetchone()[0]
            return newest_id if found is None else int(found) - 1

    def arrivals(
        self, after_id: int, limit: int, which: ArrivalFilter = EVERY_ARRIVAL, *, told: int = 0
    ) -> Arrivals:
        """Return what came behind an event, and whether something that is wanted was removed there."""
        with self._readers.reading() as connection:
            types = _type_numbers(connection, which.event_types)
            is_missing, removal = tombstones.missing(connection, after_id, which.session_id, types, told=told)
            rows, size = [], 0
            for row in EVENTS.read(connection, "WHERE id > ? ORDER BY id LIMIT ?", (after_id, limit)):
                rows.append(row)
                size += len(row.data)
                if size > _ARRIVAL_BYTES:
                    break
            return Arrivals(list(_arrivals(connection, rows)), is_missing, removal)

    def events_of(self, session_id: str, after_us: int) -> EventBatch | None:
        """Return the next events of a session behind a timestamp, None when the index does not have the session."""
        with self._readers.reading() as connection:
            session = find_session(connection, session_id)
            if session is None:
                return None
            # Numbers of events are never used again, those of sessions may be.
            where = "INDEXED BY by_session WHERE session = ? ORDER BY ts LIMIT 1"
            first = connection.execute(f"SELECT id FROM events {where}", (session.id,)).fetchone()
            filling = (read_newest(connection)[0], 0 if first is None else int(first[0]))
            where = "INDEXED BY by_session WHERE session = ? AND ts > ? ORDER BY ts"
            return EventBatch.of(filling, _raw(connection, where, (session.id, after_us)))

    def event_counts(self, after_us: int | None, until_us: int | None) -> list[tuple[int, str, int]]:
        """Return hour, type and number of events of each hour of a period."""
        with self._readers.reading() as connection:
            names = read_types(connection)
            hours = f"SELECT slot, type, count FROM counts WHERE level = {HOUR} AND slot >= ? AND slot < ?"
            counted = (
                "SELECT type, count(*) FROM events INDEXED BY by_time WHERE ts >= ? AND ts < ? GROUP BY type"
            )
            found = counts_by_hour(
                after_us,
                until_us,
                lambda *slots: connection.execute(hours, slots),
                lambda *times: connection.execute(counted, times),
            )
            return sorted((hour, name_of(names, type_id), count) for hour, type_id, count in found)

    def events_between(
        self, event_types: Collection[str], after_us: int | None, until_us: int | None
    ) -> Generator[RawEvent]:
        """Yield the events of some types in a period."""
        low = -FOREVER if after_us is None else after_us
        high = FOREVER if until_us is None else until_us
        with self._readers.reading() as connection:
            types = _type_numbers(connection, event_types) or []
            where = f"INDEXED BY by_time WHERE ts > ? AND ts <= ? AND {of_types(types)}"
            yield from _raw(connection, where, (low, high, *types))


def _raw(connection: sqlite3.Connection, where: str, values: tuple[int, ...]) -> Iterator[RawEvent]:
    names = read_types(connection)
    for row in EVENTS.read(connection, where, values):
        yield name_of(names, row.type), row.timestamp_us, row.data


def _cursor(connection: sqlite3.Connection) -> Cursor:
    watermark_us = read_watermark(connection)
    return Cursor(*read_newest(connection), time.time_ns() // 1000 if watermark_us is None else watermark_us)


def _type_numbers(connection: sqlite3.Connection, names: Collection[str] | None) -> list[int] | None:
    if names is None:
        return None
    known = {name: number for number, name in read_types(connection).items()}
    return [known[name] for name in dict.fromkeys(names) if name in known]


def _arrivals(connection: sqlite3.Connection, rows: Sequence[EventRow]) -> Iterator[Arrival]:
    codec, names, sessions = TimestampCodec(), read_types(connection), dict[int, str]()
    for row in rows:
        if row.session not in sessions:
            found = list(SESSIONS.read(connection, "WHERE id = ?", (row.session,)))
            if not found:
                raise StoreDamagedError("an event is of no session")
            sessions[row.session] = found[0].session_id
        name, session_id = name_of(names, row.type), sessions[row.session]
        event = envelope(name, codec.format(row.timestamp_us), session_id, row.data)
        yield Arrival(row.id, session_id, name, row.timestamp_us, event)
