"""The questions that a store answers, and how it fails. What holds for all stores is in ``tests/store/contract``.

What a store tells of a session follows from its records, by the one `Interpreter`; no engine decides anything. Every
question sees one moment of the store. Methods block, and may be called from several threads.
"""

from collections.abc import Collection, Generator
from typing import Protocol

from proxy.events import Session
from proxy.sessions.drift import Sightings
from proxy.store.model import (
    EVERY_ARRIVAL,
    EVERY_SESSION,
    Arrival,
    ArrivalFilter,
    Arrivals,
    Cursor,
    EventBatch,
    EventQuery,
    Health,
    Page,
    SessionFilter,
    SessionQuery,
    Totals,
    Watched,
)
from proxy.store.pieces import Pieces


class StoreError(Exception):
    """The store cannot be used now: the disk is full, the database is away. Asking again later may help."""


class StoreDamagedError(StoreError):
    """What the store holds contradicts itself. One that can be filled again is begun anew."""


class Listener(Protocol):
    """What a store tells while it runs, from threads of its own."""

    def on_arrivals(self, arrivals: list[Arrival]) -> None:
        """Learn what is new, in the order of arrival; what was there at the start is not."""

    def on_epoch(self, reason: str) -> None:
        """Learn that the store was begun anew: no place in it means anything any more."""

    def on_fault(self, sentence: str) -> None:
        """Learn why the store does not go on."""


class Store(Protocol):
    """What is known of all sessions. Each method raises StoreError when the store cannot be used."""

    def start(self, listener: Listener) -> None:
        """Begin to take in what is recorded."""

    def close(self) -> None:
        """End, and let go of everything."""

    # A store that is told of records, and follows no logs, always has all of them.

    def wait_filled(self, timeout_s: float) -> bool:
        """Wait until everything that had been recorded at the start is here; return whether it is."""
        return True

    def catch_up(self, timeout_s: float, session_id: str | None = None) -> bool:
        """Wait until everything that is recorded now, or of one session, is here; return whether it is."""
        return True

    def read_share(self, session_id: str) -> float:
        """Return how much of what is recorded of a session is here: 1.0 is all."""
        return 1.0

    def health(self) -> Health:
        """Ask every table."""

    # -- events ------------------------------------------------------------------------------------------------

    def events(self, query: EventQuery) -> Page:
        """Return one page of events."""

    def cursor(self) -> Cursor:
        """Return the newest place, removed events included."""

    def locate(self, cursor: Cursor) -> int:
        """Return the id behind which to go on from a place.

        One of another epoch leads to before the first event behind its timestamp: some events may be given again,
        none is left out.
        """

    def arrivals(
        self, after_id: int, limit: int, which: ArrivalFilter = EVERY_ARRIVAL, *, told: int = 0
    ) -> Arrivals:
        """Return what came behind an event, in the order of arrival: of all sessions, some megabytes at most.

        ``told``: the newest removal that is known already. ``which`` says what is missed when it was removed.
        """

    # -- sessions ----------------------------------------------------------------------------------------------

    def session(self, session_id: str) -> Session | None:
        """Return a session, None when there is none of that id."""

    def sessions(
        self,
        *,
        live_only: bool = False,
        which: SessionFilter = EVERY_SESSION,
        limit: int = 1000,
        offset: int = 0,
        begin: tuple[int, str] | None = None,
    ) -> list[Session]:
        """Return the sessions that are wanted, newest first: see `SessionQuery`."""
        query = SessionQuery(which=which, live_only=live_only, begin=begin, limit=limit, offset=offset)
        return list(self.find_sessions(query))

    def all_sessions(self) -> Generator[Session]:
        """Yield every session, newest first."""
        return self.find_sessions(SessionQuery())

    def find_sessions(self, query: SessionQuery) -> Generator[Session]:
        """Yield the sessions that are wanted, newest first."""

    def count_sessions(self, which: SessionFilter = EVERY_SESSION) -> int:
        """Return how many sessions there are of those that are wanted."""

    def count_events(self) -> int:
        """Return how many events there are."""

    def live(self) -> list[str]:
        """Return the sessions that are not over, without asking the database."""

    def is_written(self, session_id: str) -> bool:
        """Tell whether the session's writer lives."""

    def watched(self, after_row: int, session_ids: Collection[str]) -> Watched:
        """Return the sessions that are live, those named, and those that came behind a row."""

    def totals(self) -> Totals:
        """Return what all sessions add up to, those included that were removed."""

    # -- what happened -----------------------------------------------------------------------------------------

    def events_of(self, session_id: str, after_us: int) -> EventBatch | None:
        """Return the next events of a session behind a timestamp, None when there is no such session."""

    def event_counts(self, after_us: int | None, until_us: int | None) -> list[tuple[int, str, int]]:
        """Return hour (its beginning), type and number of events of each hour of a period that has any."""

    def events_between(
        self, event_types: Collection[str], after_us: int | None, until_us: int | None
    ) -> Generator[tuple[str, int, bytes]]:
        """Yield the events of some types in a period, in no certain order."""

    # -- records -----------------------------------------------------------------------------------------------

    def pieces(self, session_id: str) -> Pieces:
        """Return the records of a session. KeyError when there is no such session."""

    def drift(self, session_id: str) -> tuple[Sightings, bool]:
        """Return what the specification does not have of a session, and whether all of it was looked at.

        KeyError when there is no such session.
        """
