"""The stores that the contract is held against, each with a way to put records into it."""

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from proxy.sessions import firings
from proxy.sessions.firings import Firing
from proxy.sessions.identity import log_path
from proxy.store import Store
from proxy.store.embedded.store import EmbeddedStore
from proxy.store.model import Arrival

WAIT_S = 60


class Ear:
    """Hears what a store tells."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.epochs: list[str] = []
        self.faults: list[str] = []
        self._news = threading.Condition()

    def on_arrivals(self, arrivals: list[Arrival]) -> None:
        """Take in what is new."""
        with self._news:
            self.arrivals += arrivals
            self._news.notify_all()

    def on_epoch(self, reason: str) -> None:
        """Learn that the store was begun anew."""
        with self._news:
            self.epochs.append(reason)
            self._news.notify_all()

    def on_fault(self, sentence: str) -> None:
        """Learn of a fault."""
        with self._news:
            self.faults.append(sentence)
            self._news.notify_all()

    def has_heard(self, count: int) -> bool:
        """Wait for so many arrivals."""
        with self._news:
            return self._news.wait_for(lambda: len(self.arrivals) >= count, WAIT_S)

    def has_begun_anew(self) -> bool:
        """Wait until the store was begun anew."""
        with self._news:
            return self._news.wait_for(lambda: self.epochs, WAIT_S) != []


class Engine(Protocol):
    """A store, and the sessions that it is filled from."""

    store: Store
    ear: Ear

    def put(
        self, session_id: str, records: bytes, *, live: bool = False, fired: Sequence[Firing] = ()
    ) -> None:
        """Record something, and what rules have found; ``live``: its writer goes on, until `end`."""

    def end(self, session_id: str) -> None:
        """Let a session's writer be gone."""

    def remove(self, session_id: str) -> None:
        """Let a session be removed."""

    def settle(self) -> None:
        """Wait until everything that is recorded is in the store."""

    def reopen(self, **options: Any) -> None:
        """Close the store and open it again."""

    def reset(self) -> None:
        """Lose what was derived, and derive it again."""


class Embedded:
    """The store of one machine, over the logs of a data directory."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self._held: dict[str, int] = {}
        self._open(**options)

    def _open(self, **options: Any) -> None:
        self.ear = Ear()
        self.store: Store = EmbeddedStore(str(self.folder), **options)
        self.store.start(self.ear)
        assert self.store.wait_filled(WAIT_S)

    def put(
        self, session_id: str, records: bytes, *, live: bool = False, fired: Sequence[Firing] = ()
    ) -> None:
        """Append to a log."""
        path = log_path(str(self.folder), session_id)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        for one in fired:
            firings.append(str(self.folder), session_id, one)
        if session_id not in self._held:
            self._held[session_id] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            fcntl.flock(self._held[session_id], fcntl.LOCK_EX)
        os.write(self._held[session_id], records)
        if not live:
            self.end(session_id)

    def end(self, session_id: str) -> None:
        """Let go of a log."""
        os.close(self._held.pop(session_id))

    def remove(self, session_id: str) -> None:
        """Remove a log."""
        os.unlink(log_path(str(self.folder), session_id))

    def settle(self) -> None:
        """Wait for the index."""
        assert self.store.catch_up(WAIT_S)

    def reopen(self, **options: Any) -> None:
        """Close the index and open it again."""
        self.store.close()
        self._open(**options)

    def reset(self) -> None:
        """Delete the index under the running store."""
        os.unlink(self.folder / "index.sqlite3")
        self.settle()
        assert self.ear.has_begun_anew()
        assert self.store.wait_filled(WAIT_S)

    def close(self) -> None:
        """Close everything."""
        self.store.close()
        for session_id in list(self._held):
            self.end(session_id)


@contextmanager
def embedded(folder: Path) -> Iterator[Engine]:
    """Give the store of one machine."""
    engine = Embedded(folder)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def postgres(folder: Path) -> Iterator[Engine]:
    """Give the store of a centre, where there is a PostgreSQL for it."""
    pytest.importorskip("psycopg")
    from tests.store.postgres import cluster, engine  # noqa: PLC0415 - its library is an extra

    if cluster.binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    with engine.postgres(folder) as made:
        yield made


ENGINES = {"embedded": embedded, "postgres": postgres}
