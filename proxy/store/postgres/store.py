"""A centre's database as a `Store`: filled by what hosts push, by any number of servers."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime

from proxy.store.fleet import Hosted, HostRow, Removed, Spent, TokenRow
from proxy.store.model import (
    Health,
)
from proxy.store.pieces import Pieces
from proxy.store.postgres import hosts, removal, spending, tokens
from proxy.store.postgres.connections import (
    Connection,
    Connections,
    Writer,
    connect,
    execute,
    translated_errors,
)
from proxy.store.postgres.event_queries import EventQueries, find_session
from proxy.store.postgres.migrations import check_schema
from proxy.store.postgres.news import News
from proxy.store.postgres.session_queries import SessionQueries, check_tables
from proxy.store.postgres.stored_pieces import StoredPieces
from proxy.store.protocol import Listener


class PostgresStore(EventQueries, SessionQueries):
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
            self._url,
            self.arrivals,
            self.cursor,
            self._end_epoch,
            listener,
            behind=self._opened_at,
            is_pooled=self._is_pooled,
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

    def wait_filled(self, timeout_s: float) -> bool:
        """Return at once: what hosts have sent is here."""
        return True

    def catch_up(self, timeout_s: float, session_id: str | None = None) -> bool:
        """Return at once: what hosts have sent is here."""
        return True

    def health(self) -> Health:
        """Ask every table."""
        with self._connections.reading() as connection:
            check_tables(connection)
        trouble = None if self._news is None else self._news.trouble
        return Health(self.count_sessions(), 0, trouble, [], is_filled=True)

    def read_share(self, session_id: str) -> float:
        """Return 1.0: what its host has sent of a session is here."""
        return 1.0

    # -- hosts -------------------------------------------------------------------------------------------------

    def hosts(self) -> list[HostRow]:
        """Return the hosts that were heard, by name."""
        with self._connections.reading() as connection:
            return hosts.hosts(connection, self._team)

    def hosted(self, session_ids: Sequence[str]) -> dict[str, Hosted]:
        """Return where sessions come from."""
        with self._connections.reading() as connection:
            return hosts.hosted(connection, session_ids)

    def spent(self, after_us: int | None, until_us: int | None) -> list[Spent]:
        """Return what was spent on sessions that began in a period, by team, day and model; removed ones included."""
        return spending.spent(self._connections, self._team, after_us, until_us)

    # -- tokens ------------------------------------------------------------------------------------------------

    def tokens(self) -> list[TokenRow]:
        """Return the tokens, by name."""
        with self._connections.reading() as connection:
            return tokens.read_tokens(connection)

    def add_token(self, name: str, sha256: str, scopes: list[str], team: str | None) -> bool:
        """Add a token; return whether there was none of that name."""
        with self._writing() as connection:
            return tokens.add_token(connection, name, sha256, scopes, team)

    def remove_token(self, name: str) -> bool:
        """Remove a token; return whether there was one of that name."""
        with self._writing() as connection:
            return tokens.remove_token(connection, name)

    # -- removal -----------------------------------------------------------------------------------------------

    def forgettable(self, session_ids: Collection[str], host_ids: Collection[str]) -> list[str]:
        """Return which of some sessions, and of all those of some hosts, there are."""
        with self._connections.reading() as connection:
            return removal.forgettable(connection, session_ids, host_ids)

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
            found = execute(connection, counted, (row.week, row.id)).fetchone()
        return StoredPieces(self._connections, row, 0 if found is None else int(found[0]))
