"""What the store of one machine tells of sessions: each question is asked on a connection that sees one moment."""

import sqlite3
from collections.abc import Collection, Generator

from proxy.events import Session
from proxy.store.embedded.database import TABLES
from proxy.store.embedded.readers import Readers
from proxy.store.embedded.rows import SESSIONS, find_session, parameters, read_meta, read_newest
from proxy.store.model import EVERY_SESSION, SessionFilter, SessionQuery, Totals, Watched
from proxy.store.totals import decode_totals


class SessionQueries:
    """What a store of one machine tells of sessions."""

    _readers: Readers

    def session(self, session_id: str) -> Session | None:
        """Return a session."""
        with self._readers.reading() as connection:
            row = find_session(connection, session_id)
            return None if row is None else row.session()

    def find_sessions(self, query: SessionQuery) -> Generator[Session]:
        """Yield the sessions that are wanted, newest first."""
        which, limit = query.which, -1 if query.limit is None else query.limit
        if which.hosts or which.teams:
            return
        where = "INDEXED BY live WHERE over = 0 AND" if query.live_only else "WHERE"
        where += f" outcome IN ({parameters(which.outcomes)}) AND" if which.outcomes else ""
        where += " (started, session_id) <= (?, ?) AND" if query.begin else ""
        where += " 1 ORDER BY started DESC, session_id DESC LIMIT ? OFFSET ?"
        values = (*which.outcomes, *(query.begin or ()), limit, query.offset)
        with self._readers.reading() as connection:
            for row in SESSIONS.read(connection, where, values):
                yield row.session()

    def watched(self, after_row: int, session_ids: Collection[str]) -> Watched:
        """Return the sessions that are live, those named, and those that came behind a row."""
        with self._readers.reading() as connection:
            newest = connection.execute("SELECT coalesce(max(id), 0) FROM sessions").fetchone()[0]
            rows = list(SESSIONS.read(connection, "INDEXED BY live WHERE over = 0"))
            live = [row.session_id for row in rows]
            if after_row >= 0:
                rows += SESSIONS.read(connection, "WHERE id > ?", (after_row,))
            for session_id in session_ids:
                rows += SESSIONS.read(connection, "WHERE session_id = ?", (session_id,))
            found = {row.session_id: row.session() for row in rows}
            return Watched(read_newest(connection)[0], int(newest), live, list(found.values()))

    def totals(self) -> Totals:
        """Return what all sessions add up to, those included that were removed."""
        with self._readers.reading() as connection:
            return decode_totals(str(read_meta(connection, "totals")))

    def count_events(self) -> int:
        """Return how many events there are."""
        counted = "SELECT coalesce(sum(count), 0) FROM counts WHERE level = (SELECT max(level) FROM counts)"
        with self._readers.reading() as connection:
            return int(connection.execute(counted).fetchone()[0])

    def count_sessions(self, which: SessionFilter = EVERY_SESSION) -> int:
        """Return how many sessions there are of those that are wanted."""
        if which.hosts or which.teams:
            return 0
        where = f" WHERE outcome IN ({parameters(which.outcomes)})" if which.outcomes else ""
        query = f"SELECT count(*) FROM sessions{where}"
        with self._readers.reading() as connection:
            return int(connection.execute(query, tuple(which.outcomes)).fetchone()[0])


def check_tables(connection: sqlite3.Connection) -> None:
    """Ask every table something. StoreDamagedError when one cannot answer."""
    for table in TABLES:
        connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()
    for row in SESSIONS.read(connection, "LIMIT 1"):
        row.session()
    read_meta(connection, "totals")
