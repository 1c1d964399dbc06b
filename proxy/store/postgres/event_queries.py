"""What a centre tells of events: each question is asked in one statement, or on a connection that sees one moment."""

import time
from collections.abc import Collection, Generator
from functools import partial

from proxy.events.timestamps import TimestampCodec
from proxy.store.counting import HOUR, counts_by_hour
from proxy.store.encoding import envelope
from proxy.store.model import (
    EVERY_ARRIVAL,
    MOST_IN_BATCH,
    Arrival,
    ArrivalFilter,
    Arrivals,
    Cursor,
    EventBatch,
    EventQuery,
    Page,
    RawEvent,
)
from proxy.store.postgres.connections import Connection, Connections, Row, execute
from proxy.store.postgres.hosts import read_epoch
from proxy.store.postgres.pages import STANDING, PageRow, page_statement, page_values
from proxy.store.postgres.removal import ANY_SESSION
from proxy.store.postgres.tables import SessionRow, counts_of, of_team, read_sessions
from proxy.store.ranks import FOREVER, window_of

_TYPE = "(SELECT name FROM types t WHERE t.id = type)"
_ARRIVAL_BYTES = 4 << 20
"""What is read at once: as with SQLite, so that an answer costs the server as much memory and time in both stores."""


class EventQueries:
    """What the store of a centre tells of events."""

    _connections: Connections
    _team: str | None
    """Only its sessions are there; None: all are."""

    def events(self, query: EventQuery) -> Page:
        """Return one page of events."""
        statement = page_statement(
            is_of_session=query.session_id is not None,
            is_typed=query.event_types is not None,
            is_of_team=self._team is not None,
            has_start=query.after_us is not None,
        )
        rows = [PageRow(*row) for row in self._connections.ask(statement, page_values(query, self._team))]
        first = rows[0]
        codec = TimestampCodec()
        events = [
            envelope(row.type, codec.format(row.timestamp_us), row.session_id, row.data)
            for row in rows
            if row.timestamp_us is not None
        ]
        if not window_of(query).is_ascending:
            events.reverse()
        newest = Cursor(first.epoch, first.newest_id, min(_now_us(), first.settled_us))
        return Page(events, first.total, newest, first.settled_us)

    def cursor(self) -> Cursor:
        """Return the newest place; where everything up to the watermark has come, that is its timestamp."""
        ((epoch, newest_id, settled_us),) = self._connections.ask(STANDING)
        return Cursor(epoch, newest_id, min(_now_us(), settled_us))

    def locate(self, place: Cursor) -> int:
        """Return the id behind which to go on from a place."""
        with self._connections.reading() as connection:
            ((epoch, newest_id),) = execute(connection, "SELECT epoch, next_id - 1 FROM meta")
            if place.is_within(epoch, newest_id):
                return place.id
            query = "SELECT min(id) FROM events WHERE ts > %s"
            ((first,),) = execute(connection, query, (place.timestamp_us,))
            return int(newest_id) if first is None else int(first) - 1

    def arrivals(
        self, after_id: int, limit: int, which: ArrivalFilter = EVERY_ARRIVAL, *, told: int = 0
    ) -> Arrivals:
        """Return what came behind an event, and whether something that is wanted was removed there."""
        removed = of_team(self._team)
        if which.session_id is not None:  # one that is not here may be among the older removals
            removed += (
                " AND (session_id = %(session)s OR session_id = %(any)s"
                " AND NOT EXISTS (SELECT FROM sessions WHERE session_id = %(session)s))"
            )
        if which.event_types is not None:
            removed += " AND type = ANY(ARRAY(SELECT id FROM types WHERE name = ANY(%(types)s)))"
        rows = self._connections.ask(
            f"""SELECT removals, removals > %(told)s AND EXISTS (
                SELECT FROM tombstones WHERE removal > %(told)s AND last_id > %(after)s AND {removed}
            ), e.id, e.ts, (SELECT session_id FROM sessions s WHERE s.id = e.session),
            (SELECT name FROM types t WHERE t.id = e.type), e.data FROM meta LEFT JOIN (
                SELECT id, ts, session, type, data FROM events
                WHERE id > %(after)s AND {of_team(self._team)} ORDER BY id LIMIT %(limit)s
            ) e ON true ORDER BY e.id""",
            {
                "team": self._team,
                "told": told,
                "after": after_id,
                "limit": limit,
                "session": which.session_id,
                "any": ANY_SESSION,
                "types": list(which.event_types or ()),
            },
        )
        found, size, codec = list[Arrival](), 0, TimestampCodec()
        removal, is_missing = rows[0][:2]
        for _, _, number, timestamp_us, name, event_type, data in rows:
            if number is not None and size <= _ARRIVAL_BYTES:
                event = envelope(event_type, codec.format(timestamp_us), name, data)
                found.append(Arrival(number, name, event_type, timestamp_us, event))
                size += len(data)
        return Arrivals(found, is_missing, removal)

    def events_of(self, session_id: str, after_us: int) -> EventBatch | None:
        """Return the next events of a session behind a timestamp, None when there is no such session."""
        with self._connections.reading() as connection:
            session = find_session(connection, self._team, session_id)
            if session is None:
                return None
            query = "SELECT id FROM events WHERE week = %s AND session = %s ORDER BY ts LIMIT 1"
            first = execute(connection, query, (session.week, session.id)).fetchone()
            rows = execute(
                connection,
                f"SELECT {_TYPE}, ts, data FROM events"
                " WHERE week = %s AND session = %s AND ts > %s ORDER BY ts LIMIT %s",
                (session.week, session.id, after_us, MOST_IN_BATCH + 1),
            )
            return EventBatch.of((read_epoch(connection), 0 if first is None else int(first[0])), rows)

    def event_counts(self, after_us: int | None, until_us: int | None) -> list[tuple[int, str, int]]:
        """Return hour, type and number of events of each hour of a period."""
        hours = (
            f"SELECT slot, {_TYPE}, sum(count)::bigint FROM counts WHERE level = %(level)s AND slot >= %(first)s"
            f" AND slot < %(end)s AND {counts_of(self._team)} GROUP BY slot, type"
        )
        counted = (
            f"SELECT {_TYPE}, count(*) FROM events"
            f" WHERE ts >= %(first)s AND ts < %(end)s AND {of_team(self._team)} GROUP BY type"
        )
        with self._connections.reading() as connection:

            def ask(query: str, first: int, end: int) -> list[Row]:
                values = {"level": HOUR, "first": first, "end": end, "team": self._team}
                return execute(connection, query, values).fetchall()

            return counts_by_hour(after_us, until_us, partial(ask, hours), partial(ask, counted))

    def events_between(
        self, event_types: Collection[str], after_us: int | None, until_us: int | None
    ) -> Generator[RawEvent]:
        """Yield the events of some types in a period."""
        query = (
            f"SELECT {_TYPE}, ts, data FROM events WHERE ts > %(after)s AND ts <= %(until)s"
            f" AND type = ANY(ARRAY(SELECT id FROM types WHERE name = ANY(%(types)s))) AND {of_team(self._team)}"
        )
        values = {
            "after": -FOREVER if after_us is None else after_us,
            "until": FOREVER if until_us is None else until_us,
            "types": list(event_types),
            "team": self._team,
        }
        with self._connections.reading() as connection:
            yield from execute(connection, query, values)


def find_session(connection: Connection, team: str | None, session_id: str) -> SessionRow | None:
    """Return a session's row, None when there is none of that id for this team."""
    where = f"WHERE session_id = %(session)s AND {of_team(team)}"
    return next(read_sessions(connection, where, {"session": session_id, "team": team}), None)


def _now_us() -> int:
    return time.time_ns() // 1000
