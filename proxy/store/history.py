"""What an analysis asks of the index: the events of one session, and those of a period by hour and type."""

import contextlib
import sqlite3
from collections.abc import Callable, Generator
from typing import NamedTuple

import msgspec

from proxy.events import Session
from proxy.store import ranks

__all__ = ["History", "Piece", "RawEvent"]

_READ_BYTES = 4 << 20
_READ_ROWS = 20_000
"""How much is read at a time."""
_Reading = Callable[[], contextlib.AbstractContextManager[sqlite3.Connection]]

RawEvent = tuple[str, int, bytes]
"""Type, moment and data, as JSON, of an event."""


class Piece(NamedTuple):
    """Some events of a session, in order, and from which filling of the index they are."""

    filling: tuple[str, int]
    """Another one when the session was indexed anew since: what was read before is to be forgotten."""
    events: list[RawEvent]
    is_last: bool
    """Whether there are no more now."""


class History:
    """Reads what has happened. Safe to use from several threads."""

    def __init__(self, reading: _Reading) -> None:
        """``reading`` gives a connection that sees one moment of the index."""
        self._reading = reading

    def events_of(self, session_id: str, after_us: int) -> Piece | None:
        """Return the next events of a session behind a moment; None when the index does not have the session."""
        with self._reading() as connection:
            row = connection.execute("SELECT id FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
            if row is None:
                return None
            generation = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0]
            # Numbers of events are never used again, those of sessions may be.
            first = connection.execute(
                "SELECT id FROM events WHERE session = ? ORDER BY ts LIMIT 1", row
            ).fetchone()
            names = dict(connection.execute("SELECT id, name FROM types"))
            rows = connection.execute(
                "SELECT type, ts, data FROM events WHERE session = ? AND ts > ? ORDER BY ts",
                (row[0], after_us),
            )
            events: list[RawEvent] = []
            size = 0
            for kind, moment, data in rows:
                events.append((names[kind], moment, data))
                size += len(data)
                if size > _READ_BYTES or len(events) >= _READ_ROWS:
                    break
            is_last = rows.fetchone() is None
            return Piece((str(generation), 0 if first is None else int(first[0])), events, is_last)

    def counts(self, after_us: int | None, until_us: int | None, step_us: int) -> list[tuple[int, str, int]]:
        """Return beginning, type and number of events of each step of time that holds any.

        What lies in one step with its whole chunk is not counted through (see `ranks`).
        """
        low = 0 if after_us is None else after_us + 1
        high = ranks.FOREVER if until_us is None else until_us + 1
        found: dict[tuple[int, int], int] = {}
        with self._reading() as connection:
            names = dict(connection.execute("SELECT id, name FROM types"))
            starts = [start for start, _ in ranks.chunks(connection, 0, None)]
            for start, stop in zip(starts, [*starts[1:], ranks.FOREVER], strict=True):
                if stop <= low or start >= high:
                    continue
                step = start // step_us
                if start >= low and stop <= high and step == (stop - 1) // step_us:
                    rows = [(step, *row) for row in _whole(connection, start)]
                else:
                    rows = _counted(connection, max(start, low), min(stop, high), step_us)
                for place, kind, count in rows:
                    found[place, kind] = found.get((place, kind), 0) + count
        return [(place * step_us, names[kind], count) for (place, kind), count in sorted(found.items())]

    def data_of(
        self, kinds: tuple[str, ...], after_us: int | None, until_us: int | None
    ) -> Generator[tuple[int, str, bytes]]:
        """Yield moment, type and data of the events of some types, in no certain order."""
        low = -1 if after_us is None else after_us
        high = ranks.FOREVER if until_us is None else until_us
        with self._reading() as connection:
            names: dict[int, str] = dict(connection.execute("SELECT id, name FROM types"))
            wanted = [number for number, name in names.items() if name in kinds]
            marks = ", ".join("?" * len(wanted))
            rows = connection.execute(
                "SELECT ts, type, data FROM events INDEXED BY by_time"
                f" WHERE ts > ? AND ts <= ? AND type IN ({marks})",
                (low, high, *wanted),
            )
            for moment, kind, data in rows:
                yield moment, names[kind], data

    def all_sessions(self) -> Generator[Session]:
        """Yield all sessions, the newest first."""
        with self._reading() as connection:
            for (state,) in connection.execute(
                "SELECT state FROM sessions WHERE state != x'' ORDER BY session_id DESC"
            ):
                yield msgspec.json.decode(state, type=Session)


def _whole(connection: sqlite3.Connection, start: int) -> list[tuple[int, int]]:
    rows = connection.execute("SELECT type, count FROM chunks WHERE scope = 0 AND start = ?", (start,))
    return rows.fetchall()


def _counted(connection: sqlite3.Connection, low: int, high: int, step_us: int) -> list[tuple[int, int, int]]:
    rows = connection.execute(
        "SELECT ts / ?, type, count(*) FROM events INDEXED BY by_time WHERE ts >= ? AND ts < ? GROUP BY 1, 2",
        (step_us, low, high),
    )
    return rows.fetchall()
