"""What a centre tells of sessions: each question is asked in one statement, or on a connection that sees one moment."""

from collections.abc import Collection, Generator

from proxy.events import Session
from proxy.sessions.drift import Search, Sightings
from proxy.store.model import EVERY_SESSION, SessionFilter, SessionQuery, Totals, Watched
from proxy.store.postgres.connections import Connection, Connections, execute
from proxy.store.postgres.event_queries import find_session
from proxy.store.postgres.tables import SessionRow, counts_of, of_team, read_sessions

_TABLES = (
    *("meta", "teams", "types", "hosts", "sessions", "events"),
    *("pieces", "bodies", "counts", "marks", "totals", "spent"),
)


class SessionQueries:
    """What the store of a centre tells of sessions."""

    _connections: Connections
    _team: str | None

    def session(self, session_id: str) -> Session | None:
        """Return a session."""
        row = self._find(session_id)
        return None if row is None else row.session()

    def is_written(self, session_id: str) -> bool:
        """Tell whether its host says that the session's writer lives."""
        row = self._find(session_id)
        return row is not None and row.running

    def drift(self, session_id: str) -> tuple[Sightings, bool]:
        """Return what the specification does not have of a session; all that is here was looked at."""
        row = self._find(session_id)
        if row is None:
            raise KeyError(session_id)
        return Search(row.search()).found, True

    def firings(self, session_id: str) -> list[bytes]:
        """Return what rules found of a session, each as JSON; nothing of one that is not there."""
        row = self._find(session_id)
        return [] if row is None else row.firings

    def _find(self, session_id: str) -> SessionRow | None:
        with self._connections.reading() as connection:
            return find_session(connection, self._team, session_id)

    def find_sessions(self, query: SessionQuery) -> Generator[Session]:
        """Yield the sessions that are wanted, newest first."""
        where = f"WHERE {self._wanted(query.which)} AND state != ''"
        where += " AND NOT over" if query.live_only else ""
        where += " AND (started, session_id) <= (%(started)s, %(from)s)" if query.begin else ""
        where += " ORDER BY started DESC, session_id DESC LIMIT %(limit)s OFFSET %(offset)s"
        started, session_id = query.begin or (None, None)
        values = {"started": started, "from": session_id, "limit": query.limit, "offset": query.offset}
        with self._connections.reading() as connection:
            for row in read_sessions(connection, where, self._values(query.which) | values):
                yield row.session()

    def live(self) -> list[str]:
        """Return the sessions that are not over."""
        query = f"SELECT session_id FROM sessions WHERE NOT over AND {of_team(self._team)} ORDER BY id"
        return [name for (name,) in self._connections.ask(query, {"team": self._team})]

    def watched(self, after_row: int, session_ids: Collection[str]) -> Watched:
        """Return the sessions that are live, those named, and those that came behind a row."""
        with self._connections.reading() as connection:
            newest = "SELECT epoch, (SELECT coalesce(max(id), 0) FROM sessions) FROM meta"
            ((epoch, newest_row),) = execute(connection, newest)
            values = {
                "after": after_row if after_row >= 0 else newest_row,
                "names": list(session_ids),
                "team": self._team,
            }
            where = "WHERE (NOT over OR id > %(after)s OR session_id = ANY(%(names)s))"
            rows = list(read_sessions(connection, f"{where} AND {of_team(self._team)}", values))
        live = [row.session_id for row in rows if not row.over]
        return Watched(epoch, newest_row, live, [row.session() for row in rows if row.state])

    def totals(self) -> Totals:
        """Return what all sessions add up to, those included that were removed."""
        query = f"SELECT key, sum(value)::bigint FROM totals WHERE {of_team(self._team)} GROUP BY key"
        rows = self._connections.ask(query, {"team": self._team})
        return Totals({tuple(key.split("/")): value for key, value in rows})

    def count_events(self) -> int:
        """Return how many events there are."""
        query = (
            f"SELECT coalesce(sum(count), 0)::bigint FROM counts WHERE level = 4 AND {counts_of(self._team)}"
        )
        ((count,),) = self._connections.ask(query, {"team": self._team})
        return int(count)

    def count_sessions(self, which: SessionFilter = EVERY_SESSION) -> int:
        """Return how many sessions there are of those that are wanted."""
        query = f"SELECT count(*) FROM sessions WHERE {self._wanted(which)}"
        ((count,),) = self._connections.ask(query, self._values(which))
        return int(count)

    def _wanted(self, which: SessionFilter) -> str:
        conditions = [of_team(self._team)]
        if which.outcomes:
            conditions.append("outcome = ANY(%(outcomes)s)")
        if which.hosts:
            named = "SELECT id FROM hosts WHERE name = ANY(%(hosts)s) OR host_id = ANY(%(hosts)s)"
            conditions.append(f"host = ANY(ARRAY({named}))")
        if which.teams:
            conditions.append("team = ANY(ARRAY(SELECT id FROM teams WHERE name = ANY(%(teams)s)))")
        return " AND ".join(conditions)

    def _values(self, which: SessionFilter) -> dict[str, object]:
        return {"team": self._team} | {name: list(values) for name, values in which._asdict().items()}


def check_tables(connection: Connection) -> None:
    """Ask every table something."""
    for table in _TABLES:
        execute(connection, f"SELECT * FROM {table} LIMIT 1").fetchone()
