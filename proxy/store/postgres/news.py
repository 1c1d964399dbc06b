"""Hears of new events of a centre, whichever of its servers has taken them, and hands them on.

What is new is what is numbered behind the newest event that was handed on: numbers are given in the order of commits,
so none is missed. The database's notice is a bell that saves waiting; without it (a pooler is between, the connection
broke) it is looked every second.
"""

import contextlib
import threading
from collections.abc import Callable

import psycopg

from proxy.store.model import Cursor
from proxy.store.postgres.connections import Connection, connect, translated_errors
from proxy.store.postgres.intake import NEWS
from proxy.store.protocol import Listener, Store, StoreError

_POLL_S = 1.0
"""How long a notice that was lost, or behind a pooler all news, may stay unheard: a person takes a second for at once,
and the question is one row.
"""
_RETRY_S = 1.0
"""After a failure: a database that restarts is back within seconds, and one connection a second disturbs nobody."""
_AT_ONCE = 500
"""Events that are read at once, some hundred kilobytes: subscribers get the first before the last are read."""


class News:
    """A thread that listens."""

    def __init__(
        self,
        url: str,
        store: Store,
        end_epoch: Callable[[str], None],
        listener: Listener,
        *,
        behind: Cursor,
        is_pooled: bool,
    ) -> None:
        """``end_epoch`` tells all servers that places of an epoch mean nothing any more.

        ``behind``: what is there up to this place is history.
        """
        self.trouble: str | None = None
        self._url, self._is_pooled = url, is_pooled
        self._store, self._end_epoch = store, end_epoch
        self._listener = listener
        self._stopping = threading.Event()
        self._bell: Connection | None = None
        self._place = behind
        self._thread = threading.Thread(target=self._run, name="news", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with translated_errors():
                    self._hear()
                self.trouble = None
            except StoreError as error:
                if self.trouble is None:
                    self._listener.on_fault(str(error))
                self.trouble = str(error)
                self._hang_up()
                self._stopping.wait(_RETRY_S)
        self._hang_up()

    def _hear(self) -> None:
        """Hand on what is new, and wait for more."""
        if self._bell is None and not self._is_pooled:
            self._bell = connect(self._url)
            self._bell.execute(f"LISTEN {NEWS}".encode())
        self._hand_on()
        if self._bell is None:
            self._stopping.wait(_POLL_S)
            return
        for _ in self._bell.notifies(timeout=_POLL_S, stop_after=1):
            pass

    def _hand_on(self) -> None:
        newest = self._store.cursor()
        if newest.epoch == self._place.epoch and newest.id < self._place.id:
            # The database was restored, and nobody knows yet.
            self._end_epoch(newest.epoch)
            newest = self._store.cursor()
        if newest.epoch != self._place.epoch:
            self._place = newest
            self._listener.on_epoch("the database was begun anew, or restored to an older state")
        while self._place.id < newest.id and not self._stopping.is_set():
            events = self._store.arrivals(self._place.id, _AT_ONCE).events
            if not events:  # removed meanwhile
                self._place = newest
                break
            self._listener.on_arrivals(events)
            self._place = self._place._replace(id=events[-1].id)

    def _hang_up(self) -> None:
        if self._bell is not None:
            with contextlib.suppress(psycopg.Error):
                self._bell.close()
        self._bell = None
