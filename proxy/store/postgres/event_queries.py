"""Questions about events to a centre, each asked on a connection that sees one moment of it.

``teams``: only their sessions are there; None: all are.
"""

from collections.abc import Collection, Iterator, Sequence

from proxy.events.timestamps import TimestampCodec
from proxy.store.counting import HOUR, LEVELS_US, LevelTree, MarkTree
from proxy.store.encoding import envelope
from proxy.store.model import Arrival, Arrivals, Cursor, EventBatch, EventQuery, Page, RawEvent
from proxy.store.postgres.connections import Connection, execute
from proxy.store.postgres.hosts import UNREACHABLE_S, read_epoch
from proxy.store.postgres.removal import ANY_SESSION
from proxy.store.postgres.tables import EventRow, SessionRow, read_marks, read_sessions
from proxy.store.ranks import FOREVER, SpanTree, bounds, page_of, slices

Teams = Sequence[int] | None
_ARRIVAL_BYTES = 4 << 20
_BATCH_BYTES, _BATCH_ROWS = 4 << 20, 20_000
"""What is read at once: as with SQLite, so that an answer costs the server as much memory and time in both stores."""
_EVENTS = "SELECT e.id, e.ts, s.session_id, e.type, e.data FROM ({}) e JOIN sessions s ON s.id = e.session ORDER BY {}"
"""Events that a query chooses, with their session's name: only of those that are wanted is that looked up."""
_CHOSEN = "SELECT e.id, e.ts, e.session, e.type, e.data FROM events e"
_SETTLING_MS = 2000
"""A host sends what is recorded within a quarter of a second (`ship.gather`); the rest is left to networks and a retry.
"""


def page(connection: Connection, query: EventQuery, teams: Teams, now_us: int) -> Page:
    """Return one page of events."""
    epoch, newest_id, settled_us = _standing(connection)
    newest = Cursor(epoch, newest_id, min(now_us, settled_us))
    types = _type_numbers(connection, query.event_types)
    session = None if query.session_id is None else find_session(connection, query.session_id, teams)
    if types == [] or (query.session_id is not None and session is None):
        return Page([], 0, newest, settled_us)
    tree = _tree(connection, session, types, teams)
    low, high = bounds(tree, query, settled_us)
    first, end, is_ascending = page_of(query, low, high)
    where, values = _scope(session, types, teams)
    order = "e.ts, e.session"
    chosen = f"{_CHOSEN} WHERE {where} AND e.ts >= %s AND e.ts < %s ORDER BY {order} LIMIT %s OFFSET %s"
    rows: list[EventRow] = []
    for one in slices(tree, first, end):
        found = execute(
            connection,
            _EVENTS.format(chosen, order),
            (*values, one.start_us, one.stop_us, one.take, one.skip),
        )
        rows += [EventRow(*row) for row in found]
    if not is_ascending:
        rows.reverse()
    return Page([one.json for one in _arrivals(connection, rows)], high - low, newest, settled_us)


def cursor(connection: Connection, now_us: int) -> Cursor:
    """Return the newest place; where everything up to the watermark has come, that is its timestamp."""
    epoch, newest_id, settled_us = _standing(connection)
    return Cursor(epoch, newest_id, min(now_us, settled_us))


def locate(connection: Connection, place: Cursor) -> int:
    """Return the id behind which to go on from a place."""
    epoch, newest_id, _ = _standing(connection)
    if place.is_within(epoch, newest_id):
        return place.id
    row = execute(connection, "SELECT min(id) FROM events WHERE ts > %s", (place.timestamp_us,)).fetchone()
    return newest_id if row is None or row[0] is None else int(row[0]) - 1


def arrivals(
    connection: Connection,
    after_id: int,
    limit: int,
    *,
    told: int,
    session_id: str | None,
    event_types: Collection[str] | None,
    teams: Teams,
) -> Arrivals:
    """Return what came behind an event, and whether something that is wanted was removed there."""
    types = _type_numbers(connection, event_types)
    names = None
    if session_id is not None:  # one that is not here may be among the older removals
        is_here = find_session(connection, session_id, None) is not None
        names = [session_id] if is_here else [session_id, ANY_SESSION]
    wanted = [("session_id = ANY(%s)", names), ("type = ANY(%s)", types), ("team = ANY(%s)", teams)]
    is_missing, removal = _missing(connection, after_id, told, wanted)
    where, values = ("", []) if teams is None else ("AND e.team = ANY(%s)", [teams])
    chosen = f"{_CHOSEN} WHERE e.id > %s {where} ORDER BY e.id LIMIT %s"
    found = execute(connection, _EVENTS.format(chosen, "e.id"), (after_id, *values, limit))
    rows, size = [], 0
    for row in found:
        rows.append(EventRow(*row))
        size += len(row[4])
        if size > _ARRIVAL_BYTES:
            break
    return Arrivals(list(_arrivals(connection, rows)), is_missing, removal)


def events_of(connection: Connection, session_id: str, teams: Teams, after_us: int) -> EventBatch | None:
    """Return the next events of a session behind a timestamp, None when there is no such session."""
    session = find_session(connection, session_id, teams)
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
    connection: Connection, teams: Teams, after_us: int | None, until_us: int | None
) -> list[tuple[int, str, int]]:
    """Return hour, type and number of events of each hour of a period; only hours at its ends are counted through."""
    hour_us = LEVELS_US[HOUR]
    low = -FOREVER if after_us is None else after_us + 1
    high = FOREVER if until_us is None else until_us + 1
    first, end = -(-low // hour_us), high // hour_us
    where, values = ("", []) if teams is None else ("AND team = ANY(%s)", [teams])
    found: dict[tuple[int, int], int] = {}
    rows = execute(
        connection,
        "SELECT slot, type, sum(count)::bigint FROM counts WHERE level = %s AND slot >= %s AND slot < %s"
        f" AND {of_teams(teams)} GROUP BY slot, type",
        (HOUR, first, end, *values),
    )
    for slot, type_id, count in rows:
        found[slot, type_id] = count
    ends = [(low, high)] if first > end else [(low, first * hour_us), (end * hour_us, high)]
    for start_us, stop_us in ends:
        rows = execute(
            connection,
            f"SELECT type, count(*) FROM events WHERE ts >= %s AND ts < %s {where} GROUP BY type",
            (start_us, stop_us, *values),
        )
        for type_id, count in rows:
            place = (start_us // hour_us, type_id)
            found[place] = found.get(place, 0) + count
    names = _type_names(connection)
    return [(slot * hour_us, names[type_id], count) for (slot, type_id), count in sorted(found.items())]


def events_between(
    connection: Connection,
    event_types: Collection[str],
    teams: Teams,
    after_us: int | None,
    until_us: int | None,
) -> Iterator[RawEvent]:
    """Yield the events of some types in a period."""
    names = _type_names(connection)
    wanted = [number for number, name in names.items() if name in event_types]
    where, values = ("", []) if teams is None else ("AND team = ANY(%s)", [teams])
    low = -FOREVER if after_us is None else after_us
    high = FOREVER if until_us is None else until_us
    query = f"SELECT type, ts, data FROM events WHERE ts > %s AND ts <= %s AND type = ANY(%s) {where}"
    for type_id, timestamp_us, data in execute(connection, query, (low, high, wanted, *values)):
        yield names[type_id], timestamp_us, data


def find_session(connection: Connection, session_id: str, teams: Teams) -> SessionRow | None:
    """Return a session's row, None when there is none of that id for these teams."""
    for row in read_sessions(connection, "WHERE session_id = %s", (session_id,)):
        if teams is None or row.team in teams:
            return row
    return None


# -- parts of it -----------------------------------------------------------------------------------------------


def of_teams(teams: Teams) -> str:
    """Return what chooses counts of teams, which are its values if there are any: an index begins with the team."""
    return "team = ANY(ARRAY(SELECT id FROM teams))" if teams is None else "team = ANY(%s)"


def _tree(
    connection: Connection, session: SessionRow | None, types: Sequence[int] | None, teams: Teams
) -> SpanTree:
    where, values = _scope(session, types, teams)
    counted = f"SELECT count(*) FROM events e WHERE {where} AND e.ts >= %s AND e.ts < %s"

    def count(start_us: int, stop_us: int) -> int:
        row = execute(connection, counted, (*values, start_us, stop_us)).fetchone()
        return 0 if row is None else int(row[0])

    if session is not None:
        return MarkTree(read_marks(connection, session.id), types, count)
    wanted = "sum(count)" if types is None else "coalesce(sum(count) FILTER (WHERE type = ANY(%s)), 0)"
    spans = (
        f"SELECT slot, {wanted}::bigint, sum(count)::bigint FROM counts"
        f" WHERE level = %s AND slot >= %s AND slot < %s AND {of_teams(teams)} GROUP BY slot ORDER BY slot"
    )
    before = [] if types is None else [list(types)]
    behind = [] if teams is None else [teams]

    def read_spans(level: int, first: int, end: int) -> list[tuple[int, int, int]]:
        rows = execute(connection, spans, (*before, level, first, end, *behind))
        return [(slot, wanted, total) for slot, wanted, total in rows]

    return LevelTree(read_spans, count)


def _scope(session: SessionRow | None, types: Sequence[int] | None, teams: Teams) -> tuple[str, list[object]]:
    """Return what chooses the events that are meant, and its values."""
    where, values = "true", list[object]()
    if session is not None:
        where, values = "e.week = %s AND e.session = %s", [session.week, session.id]
    elif teams is not None:
        where, values = "e.team = ANY(%s)", [teams]
    if types is not None:
        where, values = f"{where} AND e.type = ANY(%s)", [*values, list(types)]
    return where, values


def _standing(connection: Connection) -> tuple[str, int, int]:
    """Return the epoch, the id of the newest event, and the watermark.

    Up to the watermark nothing earlier will come from hosts that are heard; FOREVER when none of them records.
    """
    row = execute(
        connection,
        # A clock that is behind stamps earlier than it is.
        "SELECT epoch, next_id - 1, (SELECT (extract(epoch FROM min(h.heard_at + least(0, h.clock_offset_ms)"
        " * interval '1 millisecond')) * 1000000)::bigint FROM hosts h"
        " WHERE h.heard_at > now() - %s * interval '1 second'"
        " AND EXISTS (SELECT FROM sessions s WHERE s.host = h.id AND NOT s.over)) FROM meta",
        (UNREACHABLE_S,),
    ).fetchone()
    assert row is not None
    epoch, newest_id, watermark_us = row
    return epoch, newest_id, FOREVER if watermark_us is None else watermark_us - _SETTLING_MS * 1000


def _missing(
    connection: Connection, after_id: int, told: int, wanted: Sequence[tuple[str, object]]
) -> tuple[bool, int]:
    """Tell whether events behind one were removed that are wanted, and what the newest removal is.

    ``wanted``: conditions with a value each; those whose value is None are none.
    """
    row = execute(connection, "SELECT removals FROM meta").fetchone()
    removal = 0 if row is None else int(row[0])
    if removal <= told:
        return False, removal
    where, values = "removal > %s AND last_id > %s", list[object]([told, after_id])
    for condition, value in wanted:
        if value is not None:
            where, values = f"{where} AND {condition}", [*values, value]
    found = execute(connection, f"SELECT EXISTS (SELECT FROM tombstones WHERE {where})", values).fetchone()
    return bool(found and found[0]), removal


def _type_names(connection: Connection) -> dict[int, str]:
    return dict(execute(connection, "SELECT id, name FROM types").fetchall())


def _type_numbers(connection: Connection, names: Collection[str] | None) -> list[int] | None:
    if names is None:
        return None
    found = execute(connection, "SELECT id FROM types WHERE name = ANY(%s)", (list(names),))
    return [number for (number,) in found]


def _arrivals(connection: Connection, rows: Sequence[EventRow]) -> Iterator[Arrival]:
    codec, names = TimestampCodec(), _type_names(connection) if rows else {}
    for row in rows:
        event = envelope(names[row.type], codec.format(row.timestamp_us), row.session_id, row.data)
        yield Arrival(row.id, row.session_id, names[row.type], row.timestamp_us, event)
