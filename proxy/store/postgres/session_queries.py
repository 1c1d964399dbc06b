"""Questions about sessions to a centre, each asked on a connection that sees one moment of it."""

from collections.abc import Collection, Iterator

from proxy.events import Session
from proxy.store.model import EVERY_SESSION, SessionFilter, Totals, Watched
from proxy.store.postgres.connections import Connection, execute
from proxy.store.postgres.tables import counts_of, of_team, read_sessions

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
    "spent",
)


def sessions(
    connection: Connection,
    team: str | None,
    *,
    live_only: bool = False,
    which: SessionFilter = EVERY_SESSION,
    limit: int | None = None,
    offset: int = 0,
    begin: tuple[int, str] | None = None,
) -> Iterator[Session]:
    """Yield the sessions that are wanted, newest first."""
    where = f"WHERE {_wanted(team, which)} AND state != ''"
    where += " AND NOT over" if live_only else ""
    where += " AND (started, session_id) <= (%(started)s, %(from)s)" if begin else ""
    where += " ORDER BY started DESC, session_id DESC LIMIT %(limit)s OFFSET %(offset)s"
    started, session_id = begin or (None, None)
    values = {"started": started, "from": session_id, "limit": limit, "offset": offset}
    for row in read_sessions(connection, where, _values(team, which) | values):
        yield row.session()


def live(connection: Connection, team: str | None) -> list[str]:
    """Return the sessions that are not over."""
    query = f"SELECT session_id FROM sessions WHERE NOT over AND {of_team(team)} ORDER BY id"
    return [name for (name,) in execute(connection, query, {"team": team})]


def watched(
    connection: Connection, team: str | None, after_row: int, session_ids: Collection[str]
) -> Watched:
    """Return the sessions that are live, those named, and those that came behind a row."""
    newest = "SELECT epoch, (SELECT coalesce(max(id), 0) FROM sessions) FROM meta"
    ((epoch, newest_row),) = execute(connection, newest)
    where = "WHERE (NOT over OR id > %(after)s OR session_id = ANY(%(names)s))"
    values = {
        "after": after_row if after_row >= 0 else newest_row,
        "names": list(session_ids),
        "team": team,
    }
    rows = list(read_sessions(connection, f"{where} AND {of_team(team)}", values))
    live = [row.session_id for row in rows if not row.over]
    return Watched(epoch, newest_row, live, [row.session() for row in rows if row.state])


def totals(connection: Connection, team: str | None) -> Totals:
    """Return what all sessions add up to, those included that were removed."""
    query = f"SELECT key, sum(value)::bigint FROM totals WHERE {of_team(team)} GROUP BY key"
    return Totals({tuple(key.split("/")): value for key, value in execute(connection, query, {"team": team})})


def count_events(connection: Connection, team: str | None) -> int:
    """Return how many events there are."""
    query = f"SELECT coalesce(sum(count), 0)::bigint FROM counts WHERE level = 4 AND {counts_of(team)}"
    ((count,),) = execute(connection, query, {"team": team})
    return int(count)


def count_sessions(connection: Connection, team: str | None, which: SessionFilter = EVERY_SESSION) -> int:
    """Return how many sessions there are of those that are wanted."""
    query = f"SELECT count(*) FROM sessions WHERE {_wanted(team, which)}"
    ((count,),) = execute(connection, query, _values(team, which))
    return int(count)


def check_tables(connection: Connection) -> None:
    """Ask every table something."""
    for table in _TABLES:
        execute(connection, f"SELECT * FROM {table} LIMIT 1").fetchone()


def _wanted(team: str | None, which: SessionFilter) -> str:
    conditions = [of_team(team)]
    if which.outcomes:
        conditions.append("outcome = ANY(%(outcomes)s)")
    if which.hosts:
        named = "SELECT id FROM hosts WHERE name = ANY(%(hosts)s) OR host_id = ANY(%(hosts)s)"
        conditions.append(f"host = ANY(ARRAY({named}))")
    if which.teams:
        conditions.append("team = ANY(ARRAY(SELECT id FROM teams WHERE name = ANY(%(teams)s)))")
    return " AND ".join(conditions)


def _values(team: str | None, which: SessionFilter) -> dict[str, object]:
    return {"team": team} | {name: list(values) for name, values in which._asdict().items()}
