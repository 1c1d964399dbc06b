"""The index of a data directory as a `Store`: filled from its logs by a thread, and thrown away without loss."""

import contextlib
import os
import time
from collections.abc import Collection, Generator

from proxy.events import Session
from proxy.sessions import catalogue
from proxy.sessions.drift import MOST_LISTED, SearchState, Sightings
from proxy.sessions.identity import log_path
from proxy.store.embedded import event_queries, session_queries
from proxy.store.embedded.database import index_path
from proxy.store.embedded.follower import Follower
from proxy.store.embedded.indexer import Indexer
from proxy.store.embedded.integrity import Inspector
from proxy.store.embedded.log_pieces import LogPieces
from proxy.store.embedded.readers import Readers
from proxy.store.embedded.rows import read_drift, read_sessions
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
from proxy.store.protocol import Listener

_LAST_LOOK_S = 2.0
"""How long a store that is closed may take for what was written just before."""


class EmbeddedStore:
    """The store of one machine."""

    def __init__(self, data_dir: str, *, most_events: int | None = None, min_free_bytes: int = 0) -> None:
        """``most_events`` bounds what is indexed of a session; ``min_free_bytes`` is left free on the disk.

        Raises:
            StoreError, OSError: the index can be neither opened nor made.
        """
        self._data_dir = data_dir
        self._indexer = Indexer(data_dir, most_events=most_events, min_free_bytes=min_free_bytes)
        self._readers = Readers(index_path(data_dir), self._on_damage)
        self._follower: Follower | None = None
        self._inspector: Inspector | None = None

    def start(self, listener: Listener) -> None:
        """Begin to follow the logs."""
        self._inspector = Inspector(
            index_path(self._data_dir), self._on_damage, is_due=not self._indexer.was_closed_cleanly
        )
        self._follower = Follower(
            self._indexer, listener, self._readers.forget, on_touched=self._inspector.look_soon
        )
        self._follower.start()
        self._inspector.start(self._follower.caught_up)

    def close(self) -> None:
        """Take in what was written just before, and let go of everything."""
        if self._follower is not None:
            self._follower.catch_up(_LAST_LOOK_S)
            self._follower.stop()
        if self._inspector is not None:
            self._inspector.stop()
        self._readers.close()
        self._indexer.close()

    def wait_filled(self, timeout_s: float) -> bool:
        """Wait until everything that was in the logs at the start is indexed."""
        return self._follower is not None and self._follower.caught_up.wait(timeout_s)

    def catch_up(self, timeout_s: float, session_id: str | None = None) -> bool:
        """Wait until everything that is in the logs now, or in one, is indexed."""
        return self._follower is not None and self._follower.catch_up(timeout_s, session_id)

    def health(self) -> Health:
        """Ask every table, and the follower what keeps it."""
        with self._readers.reading() as connection:
            session_queries.check_tables(connection)
            sessions = session_queries.count_sessions(connection)
            offsets = session_queries.behind(connection)
        behind = 0
        for session_id, offset in offsets:
            with contextlib.suppress(OSError):  # removed just now
                behind += max(0, os.stat(log_path(self._data_dir, session_id)).st_size - offset)
        follower = self._follower
        return Health(
            sessions,
            behind,
            None if follower is None else follower.trouble,
            sorted(self._indexer.set_aside),
            follower is not None and follower.caught_up.is_set(),
        )

    # -- events ------------------------------------------------------------------------------------------------

    def events(self, query: EventQuery) -> Page:
        """Return one page of events."""
        with self._readers.reading() as connection:
            return event_queries.page(connection, query, _now_us())

    def cursor(self) -> Cursor:
        """Return the newest place."""
        with self._readers.reading() as connection:
            return event_queries.cursor(connection, _now_us())

    def locate(self, cursor: Cursor) -> int:
        """Return the id behind which to go on from a place."""
        with self._readers.reading() as connection:
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
        with self._readers.reading() as connection:
            return event_queries.arrivals(
                connection, after_id, limit, told=told, session_id=session_id, event_types=event_types
            )

    def events_of(self, session_id: str, after_us: int) -> EventBatch | None:
        """Return the next events of a session behind a timestamp."""
        with self._readers.reading() as connection:
            return event_queries.events_of(connection, session_id, after_us)

    def event_counts(self, after_us: int | None, until_us: int | None) -> list[tuple[int, str, int]]:
        """Return hour, type and number of events of each hour of a period."""
        with self._readers.reading() as connection:
            return event_queries.event_counts(connection, after_us, until_us)

    def events_between(
        self, event_types: Collection[str], after_us: int | None, until_us: int | None
    ) -> Generator[RawEvent]:
        """Yield the events of some types in a period."""
        with self._readers.reading() as connection:
            yield from event_queries.events_between(connection, event_types, after_us, until_us)

    # -- sessions ----------------------------------------------------------------------------------------------

    def session(self, session_id: str) -> Session | None:
        """Return a session."""
        with self._readers.reading() as connection:
            return session_queries.session(connection, session_id)

    def sessions(
        self,
        *,
        live_only: bool = False,
        which: SessionFilter = EVERY_SESSION,
        limit: int = 1000,
        offset: int = 0,
        begin: tuple[int, str] | None = None,
    ) -> list[Session]:
        """Return sessions, newest first."""
        with self._readers.reading() as connection:
            found = session_queries.sessions(
                connection, live_only=live_only, which=which, limit=limit, offset=offset, begin=begin
            )
            return list(found)

    def all_sessions(self) -> Generator[Session]:
        """Yield every session, newest first."""
        with self._readers.reading() as connection:
            yield from session_queries.sessions(connection)

    def count_sessions(self, which: SessionFilter = EVERY_SESSION) -> int:
        """Return how many sessions there are of those that are wanted."""
        with self._readers.reading() as connection:
            return session_queries.count_sessions(connection, which)

    def count_events(self) -> int:
        """Return how many events there are."""
        with self._readers.reading() as connection:
            return session_queries.count_events(connection)

    def live(self) -> list[str]:
        """Return the sessions that are not over."""
        return self._indexer.live

    def is_written(self, session_id: str) -> bool:
        """Tell whether the session's writer holds its log."""
        try:
            return catalogue.is_running(log_path(self._data_dir, session_id))
        except OSError:
            return False  # removed, or not ours to read

    def read_share(self, session_id: str) -> float:
        """Return how much of a log is in the index."""
        try:
            size = os.path.getsize(log_path(self._data_dir, session_id))
        except OSError:
            return 1.0  # removed, or not ours to read
        with self._readers.reading() as connection:
            rows = list(read_sessions(connection, "WHERE session_id = ?", (session_id,)))
        return min(1.0, rows[0].offset / size) if rows and size else 1.0

    def watched(self, after_row: int, session_ids: Collection[str]) -> Watched:
        """Return the sessions that are live, those named, and those that came behind a row."""
        with self._readers.reading() as connection:
            return session_queries.watched(connection, after_row, session_ids)

    def totals(self) -> Totals:
        """Return what all sessions add up to, those included that were removed."""
        with self._readers.reading() as connection:
            return session_queries.totals(connection)

    # -- records -----------------------------------------------------------------------------------------------

    def pieces(self, session_id: str) -> Pieces:
        """Return the records of a session."""
        return LogPieces.of(self._readers, log_path(self._data_dir, session_id), session_id)

    def drift(self, session_id: str) -> tuple[Sightings, bool]:
        """Return what the specification does not have of a session, and whether all of it was looked at."""
        pieces = self.pieces(session_id)
        with self._readers.reading() as connection:
            rows = list(read_sessions(connection, "WHERE session_id = ?", (session_id,)))
            if not rows:
                raise KeyError(session_id)
            state = read_drift(connection, rows[0].id) or SearchState()
        return Sightings(MOST_LISTED, state.listed, state.unlisted), pieces.is_complete

    def _on_damage(self, reason: str) -> None:
        if self._follower is not None:
            self._follower.report_damage(reason)


def _now_us() -> int:
    return time.time_ns() // 1000
