"""Takes sessions out of a centre: what expires with its partition, and what is to be forgotten."""

from collections.abc import Sequence

from proxy.store.counting import LEVELS_US, EventCounts
from proxy.store.model import Totals
from proxy.store.postgres.connections import Connection, execute
from proxy.store.postgres.tables import SessionRow, add_counts, add_totals

__all__ = ["remove_sessions"]


def remove_sessions(connection: Connection, rows: Sequence[SessionRow], *, by_whom: str | None = None) -> int:
    """Remove sessions, and remember for who listens which events are gone; return how many events that were.

    ``by_whom``: who has forgotten them; they are never taken again then. Within a transaction.
    """
    if not rows:
        return 0
    ids = [row.id for row in rows]
    counted: dict[int, EventCounts] = {}
    found = execute(
        connection,
        "SELECT team, floor(ts / %s::numeric)::bigint, type, count(*) FROM events WHERE session = ANY(%s)"
        " GROUP BY 1, 2, 3",
        (LEVELS_US[0], ids),
    )
    for team, second, type_id, count in found:
        counted.setdefault(team, EventCounts())[second, type_id] = -count
    add_counts(connection, counted)
    states: dict[int, Totals] = {}
    for row in rows:
        if row.state:
            states.setdefault(row.team, Totals())["state", row.session().state] -= 1
    add_totals(connection, states)
    execute(
        connection,
        "WITH one AS (UPDATE meta SET removals = removals + 1 RETURNING removals)"
        " INSERT INTO tombstones SELECT s.session_id, e.team, e.type, max(e.id), one.removals"
        " FROM one, events e JOIN sessions s ON s.id = e.session WHERE e.session = ANY(%s)"
        " GROUP BY s.session_id, e.team, e.type, one.removals"
        " ON CONFLICT (session_id, type) DO UPDATE SET last_id = excluded.last_id, removal = excluded.removal",
        (ids,),
    )
    for table in ("events", "pieces", "bodies", "marks"):
        execute(connection, f"DELETE FROM {table} WHERE session = ANY(%s)", (ids,))
    execute(connection, "DELETE FROM sessions WHERE id = ANY(%s)", (ids,))
    if by_whom is not None:
        execute(
            connection,
            "INSERT INTO forgotten SELECT unnest(%s::text[]), now(), %s ON CONFLICT DO NOTHING",
            ([row.session_id for row in rows], by_whom),
        )
    return sum(-count for counts in counted.values() for count in counts.values())
