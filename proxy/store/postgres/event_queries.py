"""Questions about events to a centre, each asked on a connection that sees one moment of it.

``team``: only its sessions are there; None: all are.
"""

from collections.abc import Collection, Iterator

from proxy.events.timestamps import TimestampCodec
from proxy.store.counting import HOUR, LEVELS_US
from proxy.store.encoding import envelope
from proxy.store.model import Arrival, Arrivals, Cursor, EventBatch, EventQuery, Page, RawEvent
from proxy.store.postgres.connections import Ask, Connection, execute
from proxy.store.postgres.hosts import read_epoch
from proxy.store.postgres.pages import STANDING, PageRow, page_statement, page_values
from proxy.store.postgres.removal import ANY_SESSION
from proxy.store.postgres.tables import SessionRow, counts_of, of_team, read_sessions
from proxy.store.ranks import FOREVER, window_of

_ARRIVAL_BYTES = 4 << 20
_BATCH_BYTES, _BATCH_ROWS = 4 << 20, 20_000
"""What is read at once: as with SQLite, so that an answer costs the server as much memory and time in both stores."""


def page(ask: Ask, query: EventQuery, team: str | None, now_us: int) -> Page:
    """Return one page of events."""
    statement = page_statement(
        is_of_session=query.session_id is not None,
        is_typed=query.event_types is not None,
        is_of_team=team is not None,
        has_start=query.after_us is not None,
    )
    rows = [PageRow(*row) for row in ask(statement, page_values(query, team))]
    first = rows[0]
    codec = TimestampCodec()
    events = [
        envelope(row.type, codec.format(row.timestamp_us), row.session_id, row.data)
        for row in rows
        if row.timestamp_us is not None
    ]
    if not window_of(query).is_ascending:
        events.reverse()
    newest = Cursor(first.epoch, first.newest_id, min(now_us, first.settled_us))
    return Page(events, first.total, newest, first.settled_us)


def cursor(ask: Ask, now_us: int) -> Cursor:
    """Return the newest place; where everything up to the watermark has come, that is its timestamp."""
    ((epoch, newest_id, settled_us),) = ask(STANDING, ())
    return Cursor(epoch, newest_id, min(now_us, settled_us))


def locate(connection: Connection, place: Cursor) -> int:
    """Return the id behind which to go on from a place."""
    ((epoch, newest_id),) = execute(connection, "SELECT epoch, next_id - 1 FROM meta")
    if place.is_within(epoch, newest_id):
        return place.id
    ((first,),) = execute(connection, "SELECT min(id) FROM events WHERE ts > %s", (place.timestamp_us,))
    return int(newest_id) if first is None else int(first) - 1


def arrivals(
    ask: Ask,
    team: str | None,
    after_id: int,
    limit: int,
    *,
    told: int,
    session_id: str | None,
    event_types: Collection[str] | None,
) -> Arrivals:
    """Return what came behind an event, and whether something that is wanted was removed there."""
    removed = of_team(team)
    if session_id is not None:  # one that is not here may be among the older removals
        removed += (
            " AND (session_id = %(session)s OR session_id = %(any)s"
            " AND NOT EXISTS (SELECT FROM sessions WHERE session_id = %(session)s))"
        )
    if event_types is not None:
        removed += " AND type = ANY(ARRAY(SELECT id FROM types WHERE name = ANY(%(types)s)))"
    rows = ask(
        "SELECT removals, removals > %(told)s AND EXISTS (SELECT FROM tombstones"
        f" WHERE removal > %(told)s AND last_id > %(after)s AND {removed}), e.id, e.ts,"
        " (SELECT session_id FROM sessions s WHERE s.id = e.session), (SELECT name FROM types t WHERE t.id = e.type),"
        " e.data FROM meta LEFT JOIN (SELECT id, ts, session, type, data FROM events"
        f" WHERE id > %(after)s AND {of_team(team)} ORDER BY id LIMIT %(limit)s) e ON true ORDER BY e.id",
        {
            "team": team,
            "told": told,
            "after": after_id,
            "limit": limit,
            "session": session_id,
            "any": ANY_SESSION,
            "types": list(event_types or ()),
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


def events_of(connection: Connection, team: str | None, session_id: str, after_us: int) -> EventBatch | None:
    """Return the next events of a session behind a timestamp, None when there is no such session."""
    session = find_session(connection, team, session_id)
    if session is None:
        return None
    first = execute(
        connection,
        "SELECT id FROM events WHERE week = %s AND session = %s ORDER BY ts LIMIT 1",
        (session.week, session.id),
    ).fetchone()
    filling = (read_epoch(connection), 0 if first is None else int(first[0]))
    names = _type_names(connection)
    events: list[RawEvent] = []
    size = 0
    rows = execute(
        connection,
        "SELECT type, ts, data FROM events WHERE week = %s AND session = %s AND ts > %s ORDER BY ts LIMIT %s",
        (session.week, session.id, after_us, _BATCH_ROWS + 1),
    )
    for type_id, timestamp_us, data in rows:
        if size > _BATCH_BYTES or len(events) >= _BATCH_ROWS:
            return EventBatch(filling, events, is_last=False)
        events.append((names[type_id], timestamp_us, data))
        size += len(data)
    return EventBatch(filling, events, is_last=True)


def event_counts(
    connection: Connection, team: str | None, after_us: int | None, until_us: int | None
) -> list[tuple[int, str, int]]:
    """Return hour, type and number of events of each hour of a period; only hours at its ends are counted through."""
    hour_us = LEVELS_US[HOUR]
    low = -FOREVER if after_us is None else after_us + 1
    high = FOREVER if until_us is None else until_us + 1
    first, end = -(-low // hour_us), high // hour_us
    found: dict[tuple[int, int], int] = {}
    rows = execute(
        connection,
        "SELECT slot, type, sum(count)::bigint FROM counts WHERE level = %(level)s AND slot >= %(first)s"
        f" AND slot < %(end)s AND {counts_of(team)} GROUP BY slot, type",
        {"level": HOUR, "first": first, "end": end, "team": team},
    )
    for slot, type_id, count in rows:
        found[slot, type_id] = count
    ends = [(low, high)] if first > end else [(low, first * hour_us), (end * hour_us, high)]
    for start_us, stop_us in ends:
        rows = execute(
            connection,
            "SELECT type, count(*) FROM events WHERE ts >= %(start)s AND ts < %(stop)s"
            f" AND {of_team(team)} GROUP BY type",
            {"start": start_us, "stop": stop_us, "team": team},
        )
        for type_id, count in rows:
            place = (start_us // hour_us, type_id)
            found[place] = found.get(place, 0) + count
    names = _type_names(connection)
    return [(slot * hour_us, names[type_id], count) for (slot, type_id), count in sorted(found.items())]


def events_between(
    connection: Connection,
    team: str | None,
    event_types: Collection[str],
    after_us: int | None,
    until_us: int | None,
) -> Iterator[RawEvent]:
    """Yield the events of some types in a period."""
    names = _type_names(connection)
    query = (
        "SELECT type, ts, data FROM events WHERE ts > %(after)s AND ts <= %(until)s AND type = ANY(%(types)s)"
        f" AND {of_team(team)}"
    )
    values = {
        "after": -FOREVER if after_us is None else after_us,
        "until": FOREVER if until_us is None else until_us,
        "types": [number for number, name in names.items() if name in event_types],
        "team": team,
    }
    for type_id, timestamp_us, data in execute(connection, query, values):
        yield names[type_id], timestamp_us, data


def find_session(connection: Connection, team: str | None, session_id: str) -> SessionRow | None:
    """Return a session's row, None when there is none of that id for this team."""
    where = f"WHERE session_id = %(session)s AND {of_team(team)}"
    return next(read_sessions(connection, where, {"session": session_id, "team": team}), None)


def _type_names(connection: Connection) -> dict[int, str]:
    return dict(execute(connection, "SELECT id, name FROM types").fetchall())
