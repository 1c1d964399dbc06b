"""Takes sessions out of a centre: what has expired, with the tables of its week, and what is to be forgotten.

What was removed for good is named in ``forgotten``, as its host may have it still. Who listens is told that events are
missing by ``tombstones``: for each type of a removed session its last number. Of older removals only the last numbers
of each team are kept.
"""

import contextlib
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

import psycopg

from proxy.store.counting import LEVELS_US, EventCounts
from proxy.store.fleet import Removed
from proxy.store.model import Totals
from proxy.store.postgres import spending
from proxy.store.postgres.connections import Connection, execute, value_of
from proxy.store.postgres.tables import (
    PARTITIONED,
    SessionRow,
    add_counts,
    add_totals,
    read_sessions,
    week_of,
)

ANY_SESSION = ""
"""Stands in ``tombstones`` for the sessions of older removals: no session has that id."""
_AT_ONCE = 50
"""Sessions of one transaction: who stores events waits while it adds up counts, so they are few."""
_KEPT_REMOVALS = 100
"""Removals that are kept by session: at least so many transactions, and at most twice as many. That bounds the table,
and a listener that was away for fewer removals is told exactly what it missed.
"""
_LOST_DAYS = 7
"""A host that was not heard for so long is taken to be gone, and its sessions to be over: a laptop that was shut over a
week-end is not, and a host keeps what it sent for as long (`ship.keep`).
"""
_LOCK_WAIT = "500ms"
"""For the lock that dropping a table takes. Shorter than PostgreSQL's ``deadlock_timeout``, a second, so that it is
this transaction that gives up, and nobody waits for long behind it.
"""
_NEWER = "ON CONFLICT (session_id, team, type) DO UPDATE SET last_id = excluded.last_id, removal = excluded.removal"
OF_WHOM = "session_id = ANY(%s) OR host IN (SELECT id FROM hosts WHERE host_id = ANY(%s))"


def forget(connection: Connection, session_ids: Collection[str], host_ids: Collection[str]) -> list[str]:
    """Erase some of those sessions; return which, none when there are no more. Within a transaction."""
    where = f"WHERE {OF_WHOM} ORDER BY id LIMIT {_AT_ONCE} FOR UPDATE"
    rows = list(read_sessions(connection, where, (list(session_ids), list(host_ids))))
    remove_sessions(connection, rows, by_whom="forget")
    return [row.session_id for row in rows]


def expire(connection: Connection, before: datetime) -> list[Removed]:
    """Remove some of the sessions that came in weeks that ended before then, and had nothing new since.

    Return which, none when there are no more. One that is not over stays, unless its host is lost. Within a
    transaction.
    """
    where = (
        "WHERE week <= %s AND stored_at < %s AND (over OR host IN (SELECT id FROM hosts WHERE heard_at <"
        f" now() - interval '{_LOST_DAYS} days')) ORDER BY id LIMIT {_AT_ONCE} FOR UPDATE SKIP LOCKED"
    )
    rows = list(read_sessions(connection, where, (_last_week(before), before)))
    remove_sessions(connection, rows, by_whom="retention")
    return [Removed(row.session_id, row.size) for row in rows]


def expired_weeks(connection: Connection, before: datetime) -> list[str]:
    """Return the weeks that ended before then and have no session any more, as the names of tables end."""
    table = PARTITIONED[-1]
    query = (
        f"SELECT w.name FROM (SELECT substr(c.relname, {len(table) + 2}) AS name FROM pg_inherits i"
        f" JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '{table}'::regclass) w WHERE w.name <= %s"
        " AND NOT EXISTS (SELECT FROM sessions s WHERE s.week = to_date(w.name, 'YYYYMMDD')) ORDER BY 1"
    )
    found = execute(connection, query, (f"{_last_week(before):%Y%m%d}",))
    return [name for (name,) in found]


def drop_week(connection: Connection, week: str) -> None:
    """Drop the tables of a week, which gives their room back to the disk. Within a transaction.

    Where somebody uses them for long, as ``pg_dump`` does, they stay for another time.
    """
    execute(connection, f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
    with contextlib.suppress(psycopg.errors.LockNotAvailable), connection.transaction():
        execute(connection, f"DROP TABLE IF EXISTS {', '.join(f'{table}_{week}' for table in PARTITIONED)}")


def empty_sessions(connection: Connection, rows: Sequence[SessionRow]) -> dict[int, EventCounts]:
    """Take out the lines of sessions and all that was derived of them; return what events count less, by team.

    Within a transaction.
    """
    counted: dict[int, EventCounts] = {}
    whose = {
        "weeks": list({row.week for row in rows}),
        "ids": [row.id for row in rows],
        "second": LEVELS_US[0],
    }
    where = "WHERE week = ANY(%(weeks)s) AND session = ANY(%(ids)s)"
    second = "floor(ts / %(second)s::numeric)::bigint"
    found = execute(
        connection, f"SELECT team, {second}, type, count(*) FROM events {where} GROUP BY 1, 2, 3", whose
    )
    for team, slot, type_id, count in found:
        counted.setdefault(team, EventCounts())[slot, type_id] = -count
    for table in PARTITIONED:
        execute(connection, f"DELETE FROM {table} {where}", whose)
    execute(connection, "DELETE FROM marks WHERE session = ANY(%(ids)s)", whose)
    return counted


def remove_sessions(connection: Connection, rows: Sequence[SessionRow], *, by_whom: str | None = None) -> int:
    """Remove sessions, and remember for who listens which events are gone; return how many events that were.

    ``by_whom``: who has forgotten them; they are never taken again then. What sessions cost stays in the totals.
    Within a transaction.
    """
    if not rows:
        return 0
    ids = [row.id for row in rows]
    last_ids = execute(
        connection,
        "SELECT s.session_id, e.team, e.type, max(e.id) FROM events e JOIN sessions s ON s.id = e.session"
        " WHERE e.session = ANY(%s) GROUP BY 1, 2, 3",
        (ids,),
    ).fetchall()
    # Before what all sessions share: who stores events waits for that, and this takes longest.
    counted = empty_sessions(connection, rows)
    spending.keep(connection, ids)
    execute(connection, "DELETE FROM sessions WHERE id = ANY(%s)", (ids,))
    if by_whom is not None:
        execute(
            connection,
            "INSERT INTO forgotten SELECT unnest(%s::text[]), now(), %s ON CONFLICT DO NOTHING",
            ([row.session_id for row in rows], by_whom),
        )
    add_counts(connection, counted)
    states: dict[int, Totals] = {}
    for row in rows:
        if row.state:
            states.setdefault(row.team, Totals())["state", row.session().state] -= 1
    add_totals(connection, states)
    _bury(connection, last_ids)
    return sum(-count for counts in counted.values() for count in counts.values())


def _bury(connection: Connection, last_ids: Sequence[tuple[str, int, int, int]]) -> None:
    """Remember the last events that were removed: session, team, type, number."""
    removal = int(value_of(connection, "UPDATE meta SET removals = removals + 1 RETURNING removals"))
    if last_ids:
        execute(
            connection,
            "INSERT INTO tombstones SELECT t.*, %s FROM"
            f" unnest(%s::text[], %s::smallint[], %s::smallint[], %s::bigint[]) t {_NEWER}",
            (removal, *(list(column) for column in zip(*last_ids, strict=True))),
        )
    if removal % _KEPT_REMOVALS == 0:
        upto = removal - _KEPT_REMOVALS
        execute(
            connection,
            "INSERT INTO tombstones SELECT %s, team, type, max(last_id), max(removal) FROM tombstones"
            f" WHERE removal <= %s GROUP BY team, type {_NEWER}",
            (ANY_SESSION, upto),
        )
        execute(
            connection, "DELETE FROM tombstones WHERE removal <= %s AND session_id != %s", (upto, ANY_SESSION)
        )


def _last_week(before: datetime) -> date:
    """Return the last week that ended before then."""
    return week_of(before.date()) - timedelta(days=7)
