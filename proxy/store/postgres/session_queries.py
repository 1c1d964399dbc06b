"""Questions about sessions to a centre, each asked on a connection that sees one moment of it."""

from collections.abc import Collection, Iterator

from proxy.events import Session
from proxy.store.model import EVERY_SESSION, SessionFilter, Totals, Watched
from proxy.store.postgres.connections import Connection, execute
from proxy.store.postgres.event_queries import Teams, of_teams
from proxy.store.postgres.tables import read_sessions

_TABLES = (
    "meta",
    "teams",
    "types",
    "hosts",
    "sessions",
    "events",
    "pieces",
    "bodies",
    "counts",
    "marks",
    "totals",
)


def sessions(
    connection: Connection,
    teams: Teams,
    *,
    live_only: bool = False,
    which: SessionFilter = EVERY_SESSION,
    limit: int | None = None,
    offset: int = 0,
    begin: tuple[int, str] | None = None,
) -> Iterator[Session]:
    """Yield the sessions that are wanted, newest first."""
    where, values = _of(teams, which)
    if live_only:
        where += " AND NOT over"
    if begin:
        where, values = f"{where} AND (started, session_id) <= (%s, %s)", [*values, *begin]
    query = f"WHERE {where} AND state != '' ORDER BY started DESC, session_id DESC LIMIT %s OFFSET %s"
    for row in read_sessions(connection, query, (*values, limit, offset)):
        yield row.session()


def live(connection: Connection, teams: Teams) -> list[str]:
    """Return the sessions that are not over."""
    where, values = _of(teams)
    query = f"SELECT session_id FROM sessions WHERE NOT over AND {where} ORDER BY id"
    return [name for (name,) in execute(connection, query, values)]


def watched(connection: Connection, teams: Teams, after_row: int, session_ids: Collection[str]) -> Watched:
    """Return the sessions that are live, those named, and those that came behind a row."""
    meta = execute(
        connection, "SELECT epoch, (SELECT coalesce(max(id), 0) FROM sessions) FROM meta"
    ).fetchone()
    assert meta is not None
    where, values = _of(teams)
    rows = list(read_sessions(connection, f"WHERE NOT over AND {where}", values))
    names = [row.session_id for row in rows]
    if after_row >= 0:
        rows += read_sessions(connection, f"WHERE id > %s AND {where}", (after_row, *values))
    rows += read_sessions(connection, f"WHERE session_id = ANY(%s) AND {where}", (list(session_ids), *values))
    return Watched(
        meta[0], int(meta[1]), names, list({row.id: row.session() for row in rows if row.state}.values())
    )


def totals(connection: Connection, teams: Teams) -> Totals:
    """Return what all sessions add up to, those included that were removed."""
    where, values = _of(teams)
    rows = execute(
        connection, f"SELECT key, sum(value)::bigint FROM totals WHERE {where} GROUP BY key", values
    )
    return Totals({tuple(key.split("/")): value for key, value in rows})


def count_events(connection: Connection, teams: Teams) -> int:
    """Return how many events there are."""
    query = f"SELECT coalesce(sum(count), 0)::bigint FROM counts WHERE level = 4 AND {of_teams(teams)}"
    row = execute(connection, query, () if teams is None else (teams,)).fetchone()
    return 0 if row is None else int(row[0])


def count_sessions(connection: Connection, teams: Teams, which: SessionFilter = EVERY_SESSION) -> int:
    """Return how many sessions there are of those that are wanted."""
    where, values = _of(teams, which)
    row = execute(connection, f"SELECT count(*) FROM sessions WHERE {where}", values).fetchone()
    return 0 if row is None else int(row[0])


def check_tables(connection: Connection) -> None:
    """Ask every table something."""
    for table in _TABLES:
        execute(connection, f"SELECT * FROM {table} LIMIT 1").fetchone()


def _of(teams: Teams, which: SessionFilter = EVERY_SESSION) -> tuple[str, list[object]]:
    conditions: list[tuple[str, list[object]]] = []
    if teams is not None:
        conditions.append(("team = ANY(%s)", [teams]))
    if which.outcomes:
        conditions.append(("outcome = ANY(%s)", [list(which.outcomes)]))
    if hosts := list(which.hosts):
        query = "host = ANY(ARRAY(SELECT id FROM hosts WHERE name = ANY(%s) OR host_id = ANY(%s)))"
        conditions.append((query, [hosts, hosts]))
    if which.teams:
        query = "team = ANY(ARRAY(SELECT id FROM teams WHERE name = ANY(%s)))"
        conditions.append((query, [list(which.teams)]))
    where = " AND ".join(condition for condition, _ in conditions) or "true"
    return where, [value for _, values in conditions for value in values]
