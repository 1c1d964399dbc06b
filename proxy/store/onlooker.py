"""The thread that hands on what another process has put into the index.

Of several processes over one data directory a single one indexes; it says in its lock file how it stands (see
`Standing`). All of them, that one too, learn of new events from the index's own file: whoever indexes may be killed
and replaced at any moment, and no listener of another process misses or repeats anything.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable

import msgspec

from proxy.sessions import catalogue
from proxy.sessions.identity import log_path
from proxy.store.database import index_path
from proxy.store.indexer import Arrival
from proxy.store.queries import Queries
from proxy.store.watch import Watch

__all__ = ["LOCK", "Onlooker", "Standing", "standing"]

LOCK = "index.lock"
"""Held by the process that indexes, in the data directory; it holds its `Standing` as JSON."""
_LOOK_S = 0.25
_AT_ONCE = 500


class Standing(msgspec.Struct):
    """How the process that indexes stands."""

    pid: int = 0
    caught_up: bool = False
    trouble: str | None = None
    set_aside: list[str] = []


def standing(data_dir: str) -> Standing:
    """Return what the process that indexes, or did last, says of itself."""
    try:
        with open(os.path.join(data_dir, LOCK), "rb") as file:
            return msgspec.json.decode(file.read(), type=Standing)
    except (OSError, msgspec.DecodeError):
        return Standing()


class Onlooker:
    """Reads along in the index. For requests it stands for the indexer and the follower of another process."""

    def __init__(
        self,
        data_dir: str,
        queries: Queries,
        on_arrivals: Callable[[list[Arrival]], None],
        on_begun_anew: Callable[[], None],
    ) -> None:
        """``on_arrivals`` is called in the thread with what is new, ``on_begun_anew`` when it is another index."""
        self.caught_up = threading.Event()
        self.trouble: str | None = None
        self.set_aside: set[str] = set()
        self.live: list[str] = []
        self.generation = ""
        self.horizon_us: int | None = 0
        self._data_dir = data_dir
        self._queries = queries
        self._on_arrivals = on_arrivals
        self._on_begun_anew = on_begun_anew
        self._stopping = False
        self._turn = threading.Condition()
        self._watch = Watch(data_dir)
        names = os.path.basename(index_path(data_dir))
        self._names = {names, f"{names}-wal", LOCK}
        self._thread = threading.Thread(target=self._run, name="onlooker", daemon=True)

    def start(self) -> None:
        """Begin to read along."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._watch.wake()
        self._thread.join()
        self._watch.close()

    def catch_up(self, timeout_s: float, session_id: str | None = None) -> bool:
        """Wait until everything that is in the logs now, or in one, is indexed; return whether it is."""
        names = [session_id] if session_id is not None else catalogue.list_logs(self._data_dir)
        until = time.monotonic() + timeout_s
        return all(self._has_read(name, until) for name in names)

    def _has_read(self, session_id: str, until: float) -> bool:
        try:
            size = os.stat(log_path(self._data_dir, session_id)).st_size
        except OSError:
            return True  # there is no such log: nothing to wait for

        def is_read() -> bool:
            try:
                offset = self._queries.offset(session_id)
            except sqlite3.Error:
                return False
            return offset is not None and offset >= size

        with self._turn:
            return self._turn.wait_for(is_read, max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        place: int | None = None
        while not self._stopping:
            self._learn()
            try:
                if self.caught_up.is_set() or standing(self._data_dir).caught_up:
                    place = self._read(place)
                    self.caught_up.set()
            except sqlite3.Error as error:
                self.trouble = f"the index cannot be read: {error}"
            with self._turn:
                self._turn.notify_all()
            self._wait()

    def _learn(self) -> None:
        said = standing(self._data_dir)
        self.trouble, self.set_aside = said.trouble, set(said.set_aside)

    def _read(self, place: int | None) -> int:
        """Hand on what came behind a place (None: nothing yet, as what is there is history); return the new one."""
        generation, self.horizon_us = self._queries.standing()
        if self.generation and generation != self.generation:
            self._on_begun_anew()
        self.generation = generation
        if place is None:
            return self._queries.place_of(None)
        while arrivals := self._queries.arrivals(place, _AT_ONCE):
            self._on_arrivals(arrivals)
            place = arrivals[-1].id
        return place

    def _wait(self) -> None:
        until = time.monotonic() + _LOOK_S
        while not self._stopping and (left := until - time.monotonic()) > 0:
            names = self._watch.wait(left)
            if names is None or names & self._names:
                return
