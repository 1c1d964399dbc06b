"""A centre's database as a `Store`: filled by what hosts push, by any number of servers."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from datetime import datetime

from proxy.store.fleet import Removed, Token
from proxy.store.model import Health
from proxy.store.pieces import Pieces
from proxy.store.postgres import hosts, removal
from proxy.store.postgres.bodies import StoredPieces
from proxy.store.postgres.connections import (
    Connection,
    Connections,
    Writer,
    connect,
    execute,
    translated_errors,
    value_of,
)
from proxy.store.postgres.event_queries import EventQueries, find_session
from proxy.store.postgres.fleet_queries import FleetQueries
from proxy.store.postgres.migrations import check_schema
from proxy.store.postgres.news import News
from proxy.store.postgres.session_queries import SessionQueries, check_tables
from proxy.store.protocol import Listener, Store


class PostgresStore(EventQueries, SessionQueries, FleetQueries, Store):
    """The store of a centre."""

    def __init__(self, url: str, *, is_pooled: bool = False) -> None:
        """``is_pooled``: a pooler in transaction mode is between, so nothing is prepared and no notice is heard.

        Raises:
            OldSchemaError: the tables are of another version; the sentence says what to do.
            StoreError: the database cannot be asked.
        """
        self._url, self._is_pooled = url, is_pooled
        with translated_errors(), connect(url, is_pooled=is_pooled) as connection:
            check_schema(connection)
        self._connections = Connections(url, is_pooled=is_pooled)
        self._opened_at = self.cursor()
        self._team: str | None = None
        self._news: News | None = None

    def for_team(self, team: str) -> "PostgresStore":
        """Return the same store, as those see it who may see one team alone."""
        view = object.__new__(PostgresStore)
        view.__dict__.update(self.__dict__, _team=team)
        return view

    def start(self, listener: Listener) -> None:
        """Begin to tell what is new."""
        self._news = News(
            self._url, self, self._end_epoch, listener, behind=self._opened_at, is_pooled=self._is_pooled
        )
        self._news.start()

    def _end_epoch(self, epoch: str) -> None:
        with self._writing() as connection:
            hosts.end_epoch(connection, epoch)

    def close(self) -> None:
        """End, and let go of the database."""
        if self._news is not None:
            self._news.stop()
        self._connections.close()

    def health(self) -> Health:
        """Ask every table."""
        with self._connections.reading() as connection:
            check_tables(connection)
        trouble = None if self._news is None else self._news.trouble
        return Health(self.count_sessions(), 0, trouble, [], is_filled=True)

    # -- tokens ------------------------------------------------------------------------------------------------

    def add_token(self, token: Token) -> bool:
        """Add a token; return whether there was none of that name."""
        values = (token.name, token.sha256, list(token.scopes), token.team)
        with self._writing() as connection:
            query = "INSERT INTO tokens (name, sha256, scopes, team) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
            return execute(connection, query, values).rowcount > 0

    def remove_token(self, name: str) -> bool:
        """Remove a token; return whether there was one of that name."""
        with self._writing() as connection:
            return execute(connection, "DELETE FROM tokens WHERE name = %s", (name,)).rowcount > 0

    # -- removal -----------------------------------------------------------------------------------------------

    def forgettable(self, session_ids: Collection[str], host_ids: Collection[str]) -> list[str]:
        """Return which of some sessions, and of all those of some hosts, there are."""
        query = f"SELECT session_id FROM sessions WHERE {removal.OF_WHOM} ORDER BY id"
        return [name for (name,) in self._connections.ask(query, (list(session_ids), list(host_ids)))]

    def forget(self, session_ids: Collection[str], host_ids: Collection[str]) -> Iterator[str]:
        """Erase sessions, and all of some hosts, for good; yield each that is gone."""
        while True:
            with self._writing() as connection:
                gone = removal.forget(connection, session_ids, host_ids)
            if not gone:
                return
            yield from gone

    def expire(self, before: datetime, is_stopping: Callable[[], bool] = lambda: False) -> Iterator[Removed]:
        """Remove what came before then and is over, yielding each session, and drop the weeks that are empty.

        ``is_stopping`` is asked in between: when it says so, the rest is left for another time.
        """
        while not is_stopping():
            with self._writing() as connection:
                gone = removal.expire(connection, before)
            if not gone:
                break
            yield from gone
        with self._connections.reading() as connection:
            weeks = removal.expired_weeks(connection, before)
        for week in weeks:
            if not is_stopping():
                with self._writing() as connection:
                    removal.drop_week(connection, week)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Give a connection for something that is seldom done, in a transaction."""
        writer = Writer(self._url, is_pooled=self._is_pooled)
        with contextlib.closing(writer), writer.transaction() as connection:
            yield connection

    # -- records -----------------------------------------------------------------------------------------------

    def pieces(self, session_id: str) -> Pieces:
        """Return the records of a session."""
        with self._connections.reading() as connection:
            row = find_session(connection, self._team, session_id)
            if row is None:
                raise KeyError(session_id)
            counted = "SELECT count(*) FROM pieces WHERE week = %s AND session = %s"
            count = value_of(connection, counted, (row.week, row.id))
        return StoredPieces(self._connections, row, count)
