"""Questions to the index: pages of events, what came since, sessions.

Each question sees the index at one moment, whatever is written meanwhile. Pages follow the rules of the API: with a
session or a start the oldest come first, else the newest; without an offset and a start a page holds the newest
events, with either it goes forward from there.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import msgspec

from proxy.events import Session
from proxy.events.timestamps import TimestampCodec
from proxy.store import ranks, removals
from proxy.store.amounts import Amounts, Counted
from proxy.store.database import connect, index_path
from proxy.store.indexer import Arrival
from proxy.store.spelling import envelope

__all__ = ["Behind", "Cursor", "EventQuery", "Page", "Queries", "Watched"]

_ARRIVAL_BYTES = 4 << 20
_STATE = "SELECT state FROM sessions WHERE state != x''"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events are wanted. Moments are microseconds since 1970."""

    session_id: str | None = None
    event_types: tuple[str, ...] | None = None
    after_us: int | None = None
    until_us: int | None = None
    limit: int = 100
    offset: int | None = None
    order: Literal["asc", "desc"] | None = None
    horizon_us: int | None = None
    """For pages that go on from a moment across sessions: later events may still be overtaken by others."""
    settled_only: bool = False
    """Take the horizon that the index had at the moment that is seen."""


class Page(NamedTuple):
    """Events as the API gives them, each as JSON, and how many there are in all."""

    events: list[bytes]
    total: int


class Cursor(NamedTuple):
    """A place in the order of arrival: of which index, behind which event, and that event's moment."""

    generation: str
    id: int
    moment_us: int


class Behind(NamedTuple):
    """What is behind a place: events, and whether others were there that somebody wants and that are removed."""

    arrivals: list[Arrival]
    missing: removals.Missing


class Watched(NamedTuple):
    """Sessions that somebody watches, at one moment of the index."""

    generation: str
    newest_row: int
    live: list[str]
    sessions: list[Session]


class Queries:
    """Reads the index. Safe to use from several threads, each of which gets a connection of its own."""

    def __init__(self, data_dir: str) -> None:
        self._path = index_path(data_dir)
        self._local = threading.local()

    def events(self, query: EventQuery) -> Page:
        """Return one page of events. sqlite3.Error when the index cannot be read."""
        with self.reading() as connection:
            if query.settled_only:
                query = replace(query, horizon_us=_horizon(connection))
            scope, known_session = self._scope(connection, query.session_id)
            types = self._types(connection, query.event_types)
            if not known_session or types == []:
                return Page([], 0)
            known = ranks.chunks(connection, scope, types)
            low, high = self._bounds(connection, query, scope, types, known)
            first, end, is_ascending = _page(query, low, high)
            rows = ranks.rows_between(connection, scope, types, known, first=first, end=end)
            if not is_ascending:
                rows.reverse()
            return Page(self._as_events(connection, rows), max(0, high - low))

    def arrivals(self, after_id: int, limit: int) -> list[Arrival]:
        """Return what came into the index behind an event, in the order of arrival: some megabytes at most."""
        with self.reading() as connection:
            return self._arrivals(connection, after_id, limit)

    def behind(
        self,
        after_id: int,
        limit: int,
        *,
        told: int,
        session_id: str | None,
        event_types: Collection[str] | None,
    ) -> Behind:
        """Return `arrivals`, and whether events behind that one were removed that are wanted.

        ``told``: the newest removal that is known already.
        """
        with self.reading() as connection:
            types = self._types(connection, event_types)
            missing = removals.missing(connection, after_id, told=told, session_id=session_id, types=types)
            return Behind(self._arrivals(connection, after_id, limit), missing)

    def place_of(self, cursor: Cursor | None) -> int:
        """Return the id behind which to go on: of the newest event, removed or not, without a cursor.

        A cursor of an index that was begun anew since leads to the first event at or behind its moment that came
        last before it: some events may be given again, none is left out.
        """
        with self.reading() as connection:
            newest = connection.execute("SELECT value FROM meta WHERE key = 'next_id'").fetchone()[0] - 1
            if cursor is None:
                return int(newest)
            generation = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0]
            if generation == cursor.generation:
                return min(cursor.id, int(newest))
            found = connection.execute(
                "SELECT min(id) FROM events INDEXED BY by_time WHERE ts > ?", (cursor.moment_us,)
            ).fetchone()[0]
            return int(newest) if found is None else int(found) - 1

    def sessions(self, *, live_only: bool = False, limit: int = 1000, offset: int = 0) -> list[Session]:
        """Return sessions as they stand in the index, newest first."""
        where = " AND over = 0" if live_only else ""
        with self.reading() as connection:
            rows = connection.execute(
                f"{_STATE}{where} ORDER BY session_id DESC LIMIT ? OFFSET ?", (limit, offset)
            )
            return [msgspec.json.decode(state, type=Session) for (state,) in rows]

    def offsets(self) -> list[tuple[str, int]]:
        """Return up to where the logs of sessions that are not over are indexed."""
        with self.reading() as connection:
            return connection.execute("SELECT session_id, offset FROM sessions WHERE over = 0").fetchall()

    def offset(self, session_id: str) -> int | None:
        """Return up to where a session's log is indexed, None when the index does not have it."""
        with self.reading() as connection:
            row = connection.execute(
                "SELECT offset FROM sessions WHERE session_id = ?", (session_id,)
            ).fetchone()
            return int(row[0]) if row else None

    def standing(self) -> tuple[str, int | None]:
        """Return the index's generation and its horizon (see `Indexer`)."""
        with self.reading() as connection:
            generation = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0]
            return str(generation), _horizon(connection)

    def session(self, session_id: str) -> Session | None:
        """Return one session, None when the index does not have it."""
        with self.reading() as connection:
            row = connection.execute(f"{_STATE} AND session_id = ?", (session_id,)).fetchone()
            return msgspec.json.decode(row[0], type=Session) if row else None

    def totals(self) -> dict[str, int]:
        """Return how many sessions and events the index holds."""
        with self.reading() as connection:
            sessions = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
            events = connection.execute(
                "SELECT coalesce(sum(count), 0) FROM chunks WHERE scope = 0"
            ).fetchone()[0]
            return {"sessions": int(sessions), "events": int(events)}

    def watched(self, after_row: int, session_ids: Sequence[str]) -> Watched:
        """Return the sessions that are live, those named, and those that came into the index behind a row."""
        with self.reading() as connection:
            generation = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0]
            newest = connection.execute("SELECT coalesce(max(id), 0) FROM sessions").fetchone()[0]
            found: dict[str, bytes] = {}
            live = dict(connection.execute("SELECT session_id, state FROM sessions WHERE over = 0"))
            if after_row >= 0:
                found.update(
                    connection.execute("SELECT session_id, state FROM sessions WHERE id > ?", (after_row,))
                )
            for session_id in session_ids:
                found.update(
                    connection.execute(
                        "SELECT session_id, state FROM sessions WHERE session_id = ?", (session_id,)
                    )
                )
            found |= live
            sessions = [msgspec.json.decode(state, type=Session) for state in found.values() if state]
            return Watched(generation, newest, list(live), sessions)

    def amounts(self, counted: Counted) -> Amounts:
        """Return what all sessions add up to; ``counted`` remembers what need not be looked at again."""
        with self.reading() as connection:
            return counted.up_to_date(connection)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one moment of the index."""
        opened: _Opened | None = getattr(self._local, "opened", None)
        inode = _inode(self._path)
        if opened is None or opened.inode != inode:  # another process may have begun it anew
            opened = self._local.opened = _Opened(self._path, inode)
        connection = opened.connection
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")

    # -- parts of it -------------------------------------------------------------------------------------------

    def _arrivals(self, connection: sqlite3.Connection, after_id: int, limit: int) -> list[Arrival]:
        rows, size = [], 0
        for row in connection.execute(
            "SELECT id, ts, session, type, data FROM events WHERE id > ? ORDER BY id LIMIT ?",
            (after_id, limit),
        ):
            rows.append(row)
            size += len(row[4])
            if size > _ARRIVAL_BYTES:
                break
        events = self._as_events(connection, [row[1:] for row in rows])
        names = self._type_names(connection)
        sessions = self._session_ids(connection, {row[2] for row in rows})
        return [
            Arrival(number, sessions[session], names[type_id], moment, event)
            for (number, moment, session, type_id, _), event in zip(rows, events, strict=True)
        ]

    def _scope(self, connection: sqlite3.Connection, session_id: str | None) -> tuple[int, bool]:
        if session_id is None:
            return 0, True
        row = connection.execute("SELECT id FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
        return (int(row[0]), True) if row else (0, False)

    def _types(self, connection: sqlite3.Connection, names: Collection[str] | None) -> list[int] | None:
        if names is None:
            return None
        known = {name: number for number, name in self._type_names(connection).items()}
        return [known[name] for name in dict.fromkeys(names) if name in known]

    def _bounds(
        self,
        connection: sqlite3.Connection,
        query: EventQuery,
        scope: int,
        types: Sequence[int] | None,
        known: ranks.Chunks,
    ) -> tuple[int, int]:
        """Return the ranks between which the wanted events lie."""
        low, high = 0, sum(count for _, count in known)
        if query.after_us is not None:
            low = ranks.rank(connection, scope, types, known, query.after_us)
        until = query.until_us
        if query.horizon_us is not None and query.session_id is None and query.after_us is not None:
            until = query.horizon_us if until is None else min(until, query.horizon_us)
        if until is not None:
            high = ranks.rank(connection, scope, types, known, until)
        return low, max(low, high)

    def _as_events(
        self, connection: sqlite3.Connection, rows: Sequence[tuple[int, int, int, bytes]]
    ) -> list[bytes]:
        codec = TimestampCodec()
        names = self._type_names(connection)
        sessions = self._session_ids(connection, {session for _, session, _, _ in rows})
        return [
            envelope(names[type_id], codec.format(moment), sessions[session], data)
            for moment, session, type_id, data in rows
        ]

    def _type_names(self, connection: sqlite3.Connection) -> dict[int, str]:
        return dict(connection.execute("SELECT id, name FROM types"))

    def _session_ids(self, connection: sqlite3.Connection, numbers: set[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        for number in numbers:
            row = connection.execute("SELECT session_id FROM sessions WHERE id = ?", (number,)).fetchone()
            found[number] = row[0]
        return found


class _Opened:
    """A thread's connection, which is closed when the thread has ended or uses another one."""

    def __init__(self, path: str, inode: int) -> None:
        self.connection = connect(path, read_only=True)
        self.inode = inode

    def __del__(self) -> None:
        if hasattr(self, "connection"):  # else there was nothing to open
            self.connection.close()


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _horizon(connection: sqlite3.Connection) -> int | None:
    """Return the horizon; 0, before which nothing lies, when the index has none yet."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'horizon'").fetchone()
    return 0 if row is None else row[0]


def _page(query: EventQuery, low: int, high: int) -> tuple[int, int, bool]:
    """Return the ranks of a page, from which up to which, and whether it is shown oldest first."""
    order = query.order or ("asc" if query.session_id is not None or query.after_us is not None else "desc")
    is_ascending = order == "asc"
    if query.offset is None and query.after_us is None:
        return max(low, high - query.limit), high, is_ascending
    offset = query.offset or 0
    if is_ascending:
        first = min(high, low + offset)
        return first, min(high, first + query.limit), True
    end = max(low, high - offset)
    return max(low, end - query.limit), end, False
