"""A centre's database as a `Store`: filled by what hosts push, by any number of servers."""

import contextlib
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from datetime import datetime

from proxy.events import Session
from proxy.sessions.drift import MOST_LISTED, Sightings
from proxy.store.fleet import Hosted, HostRow, Removed, Spent, TokenRow
from proxy.store.model import (
    EVERY_SESSION,
    Arrivals,
    Cursor,
    EventBatch,
    EventQuery,
    Health,
    Page,
    RawEvent,
    SessionFilter,
    Totals,
    Watched,
)
from proxy.store.pieces import Pieces
from proxy.store.postgres import event_queries, hosts, removal, session_queries, spending, tokens
from proxy.store.postgres.connections import (
    Connection,
    Connections,
    Writer,
    connect,
    execute,
    translated_errors,
)
from proxy.store.postgres.event_queries import find_session
from proxy.store.postgres.migrations import check_schema
from proxy.store.postgres.news import News
from proxy.store.postgres.stored_pieces import StoredPieces
from proxy.store.protocol import Listener


class PostgresStore:
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
            session_queries.check_tables(connection)
            count = session_queries.count_sessions(connection, self._team)
        return Health(count, 0, None if self._news is None else self._news.trouble, [], is_filled=True)

    # -- events ------------------------------------------------------------------------------------------------

    def events(self, query: EventQuery) -> Page:
        """Return one page of events."""
        return event_queries.page(self._connections.ask, query, self._team, _now_us())

    def cursor(self) -> Cursor:
        """Return the newest place."""
        return event_queries.cursor(self._connections.ask, _now_us())

    def locate(self, cursor: Cursor) -> int:
        """Return the id behind which to go on from a place."""
        with self._connections.reading() as connection:
            return event_queries.locate(connection, cursor)

    def arrivals(
        self,
        after_id: int,
        limit: int,
        *,
        told: int = 0,
        session_id: str | None = None,
        event_types: Collection[str] | None = None,
    ) -> Arrivals:
        """Return what came behind an event, in the order of arrival."""
        return event_queries.arrivals(
            self._connections.ask,
            self._team,
            after_id,
            limit,
            told=told,
            session_id=session_id,
            event_types=event_types,
        )

    def events_of(self, session_id: str, after_us: int) -> EventBatch | None:
        """Return the next events of a session behind a timestamp."""
        with self._connections.reading() as connection:
            return event_queries.events_of(connection, self._team, session_id, after_us)

    def event_counts(self, after_us: int | None, until_us: int | None) -> list[tuple[int, str, int]]:
        """Return hour, type and number of events of each hour of a period."""
        with self._connections.reading() as connection:
            return event_queries.event_counts(connection, self._team, after_us, until_us)

    def events_between(
        self, event_types: Collection[str], after_us: int | None, until_us: int | None
    ) -> Generator[RawEvent]:
        """Yield the events of some types in a period."""
        with self._connections.reading() as connection:
            yield from event_queries.events_between(connection, self._team, event_types, after_us, until_us)

    # -- sessions ----------------------------------------------------------------------------------------------

    def session(self, session_id: str) -> Session | None:
        """Return a session."""
        with self._connections.reading() as connection:
            row = find_session(connection, self._team, session_id)
        return None if row is None else row.session()

    def sessions(
        self,
        *,
        live_only: bool = False,
        which: SessionFilter = EVERY_SESSION,
        limit: int = 1000,
        offset: int = 0,
        begin: tuple[int, str] | None = None,
    ) -> list[Session]:
        """Return the sessions that are wanted, newest first."""
        with self._connections.reading() as connection:
            found = session_queries.sessions(
                connection,
                self._team,
                live_only=live_only,
                which=which,
                limit=limit,
                offset=offset,
                begin=begin,
            )
            return list(found)

    def all_sessions(self) -> Generator[Session]:
        """Yield every session, newest first."""
        with self._connections.reading() as connection:
            yield from session_queries.sessions(connection, self._team)

    def count_sessions(self, which: SessionFilter = EVERY_SESSION) -> int:
        """Return how many sessions there are of those that are wanted."""
        with self._connections.reading() as connection:
            return session_queries.count_sessions(connection, self._team, which)

    def count_events(self) -> int:
        """Return how many events there are."""
        with self._connections.reading() as connection:
            return session_queries.count_events(connection, self._team)

    def live(self) -> list[str]:
        """Return the sessions that are not over."""
        with self._connections.reading() as connection:
            return session_queries.live(connection, self._team)

    def is_written(self, session_id: str) -> bool:
        """Tell whether its host says that the session's writer lives."""
        with self._connections.reading() as connection:
            row = find_session(connection, self._team, session_id)
        return row is not None and row.running

    def read_share(self, session_id: str) -> float:
        """Return 1.0: what its host has sent of a session is here."""
        return 1.0

    def watched(self, after_row: int, session_ids: Collection[str]) -> Watched:
        """Return the sessions that are live, those named, and those that came behind a row."""
        with self._connections.reading() as connection:
            return session_queries.watched(connection, self._team, after_row, session_ids)

    def totals(self) -> Totals:
        """Return what all sessions add up to, those included that were removed."""
        with self._connections.reading() as connection:
            return session_queries.totals(connection, self._team)

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
        return spending.spent(self._connections.ask, self._team, after_us, until_us)

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

    def drift(self, session_id: str) -> tuple[Sightings, bool]:
        """Return what the specification does not have of a session; all that is here was looked at."""
        with self._connections.reading() as connection:
            row = find_session(connection, self._team, session_id)
        if row is None:
            raise KeyError(session_id)
        state = row.search()
        return Sightings(MOST_LISTED, state.listed, state.unlisted), True


def _now_us() -> int:
    return time.time_ns() // 1000
