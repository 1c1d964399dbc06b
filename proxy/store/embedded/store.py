"""The index of a data directory as a `Store`: filled from its logs by a thread, and thrown away without loss."""

import contextlib
import os

from proxy.sessions import catalogue
from proxy.sessions.drift import Search, Sightings
from proxy.sessions.identity import log_path
from proxy.store.embedded.database import index_path
from proxy.store.embedded.event_queries import EventQueries
from proxy.store.embedded.follower import Follower
from proxy.store.embedded.indexer import Indexer
from proxy.store.embedded.integrity import Inspector
from proxy.store.embedded.log_pieces import LogPieces
from proxy.store.embedded.readers import Readers
from proxy.store.embedded.rows import SESSIONS, find_session, read_drift
from proxy.store.embedded.session_queries import SessionQueries, check_tables
from proxy.store.model import Health
from proxy.store.pieces import Pieces
from proxy.store.protocol import Listener, Store

_LAST_LOOK_S = 2.0
"""How long a store that is closed may take for what was written just before."""


class EmbeddedStore(EventQueries, SessionQueries, Store):
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
            check_tables(connection)
            live = list(SESSIONS.read(connection, "INDEXED BY live WHERE over = 0"))
        behind = 0
        for row in live:
            with contextlib.suppress(OSError):  # removed just now
                behind += max(0, os.stat(log_path(self._data_dir, row.session_id)).st_size - row.offset)
        follower = self._follower
        return Health(
            self.count_sessions(),
            behind,
            None if follower is None else follower.trouble,
            sorted(self._indexer.set_aside),
            follower is not None and follower.caught_up.is_set(),
        )

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
            row = find_session(connection, session_id)
        return min(1.0, row.offset / size) if row and size else 1.0

    # -- records -----------------------------------------------------------------------------------------------

    def pieces(self, session_id: str) -> Pieces:
        """Return the records of a session."""
        return LogPieces.of(self._readers, log_path(self._data_dir, session_id), session_id)

    def drift(self, session_id: str) -> tuple[Sightings, bool]:
        """Return what the specification does not have of a session, and whether all of it was looked at."""
        pieces = self.pieces(session_id)
        with self._readers.reading() as connection:
            row = find_session(connection, session_id)
            if row is None:
                raise KeyError(session_id)
            return Search(read_drift(connection, row.id)).found, pieces.is_complete

    def _on_damage(self, reason: str) -> None:
        if self._follower is not None:
            self._follower.report_damage(reason)
