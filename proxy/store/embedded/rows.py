"""Rows of the index, written with a checksum each, and read with care.

What is not what was written is damage, and nothing is made of it.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from proxy.events import Session
from proxy.sessions.drift import SearchState
from proxy.store.counting import Mark
from proxy.store.embedded.database import checksum
from proxy.store.pieces import Piece
from proxy.store.protocol import StoreDamagedError

_decode_session = msgspec.json.Decoder(Session).decode
_decode_search = msgspec.json.Decoder(SearchState).decode

_T = TypeVar("_T")


class SessionRow(NamedTuple):
    """What the index has of one log."""

    id: int
    session_id: str
    started_us: int
    inode: int
    offset: int
    mark_at: int
    mark: bytes
    over: int
    outcome: str
    state: bytes

    def session(self) -> Session:
        """Return the session as it was up to there."""
        return _decode_session(self.state)


class EventRow(NamedTuple):
    """One event."""

    id: int
    timestamp_us: int
    session: int
    type: int
    data: bytes


class Table(Generic[_T]):
    """A table whose rows have a checksum each."""

    def __init__(self, name: str, row: str, made: Callable[[list[Any]], _T]) -> None:
        """``row``: what a row is, in words; ``made``: makes something of its columns."""
        self.name, self._row, self._made = name, row, made

    def read(
        self, connection: sqlite3.Connection, where: str = "", values: Sequence[object] = ()
    ) -> Iterator[_T]:
        """Yield what rows hold: ``where`` is what follows the table's name."""
        for *columns, found in connection.execute(f"SELECT * FROM {self.name} {where}", values):
            if not _is_whole(columns, found):
                raise StoreDamagedError(f"{self._row} is not what was written")
            yield self._made(columns)

    def write(
        self, connection: sqlite3.Connection, rows: Iterable[Sequence[Any]], *, replace: bool = False
    ) -> None:
        """Write rows; ``replace`` says whether some may take the place of others."""
        summed = [(*row, checksum(*row)) for row in rows]
        if summed:
            verb = "INSERT OR REPLACE" if replace else "INSERT"
            connection.executemany(f"{verb} INTO {self.name} VALUES ({parameters(summed[0])})", summed)


META = Table("meta", "a value of the index itself", tuple)
SESSIONS = Table("sessions", "a session", SessionRow._make)
EVENTS = Table("events", "an event", EventRow._make)
TYPES = Table("types", "the name of an event's type", tuple)
MARKS = Table("marks", "a mark of a session", lambda columns: Mark.of_row(columns[1:]))
PIECES = Table("pieces", "a piece of a log", lambda columns: Piece.of_row(columns[1:]))
DRIFT = Table("drift", "the drift of a session", lambda columns: _decode_search(columns[1]))


def parameters(values: Collection[object]) -> str:
    """Return the parameters of a list of values in SQL."""
    return ", ".join("?" * len(values))


def find_session(connection: sqlite3.Connection, session_id: str) -> SessionRow | None:
    """Return the row of a session, None when the index does not have it."""
    return next(SESSIONS.read(connection, "WHERE session_id = ?", (session_id,)), None)


def read_drift(connection: sqlite3.Connection, session: int) -> SearchState | None:
    """Return what the search for drift in a session remembers, None where it has found nothing to remember."""
    return next(DRIFT.read(connection, "WHERE session = ?", (session,)), None)


def read_types(connection: sqlite3.Connection) -> dict[int, str]:
    """Return the names of event types by their numbers."""
    return dict(TYPES.read(connection))


def name_of(names: Mapping[int, str], type_id: int) -> str:
    """Return the name of an event's type."""
    if type_id not in names:
        raise StoreDamagedError("an event is of no type")
    return names[type_id]


def read_meta(connection: sqlite3.Connection, key: str) -> int | str | None:
    """Return a value of the index itself."""
    for _, value in META.read(connection, "WHERE key = ?", (key,)):
        found: int | str | None = value
        return found
    raise StoreDamagedError(f"the index has no {key}")


def read_newest(connection: sqlite3.Connection) -> tuple[str, int]:
    """Return the epoch, and the id of the newest event."""
    return str(read_meta(connection, "epoch")), int(read_meta(connection, "next_id") or 0) - 1


def read_watermark(connection: sqlite3.Connection) -> int | None:
    """Return the watermark, None while nothing is being written."""
    watermark = read_meta(connection, "watermark")
    return watermark if isinstance(watermark, int) else None


def write_meta(connection: sqlite3.Connection, values: Mapping[str, int | str | None]) -> None:
    """Write values of the index itself."""
    META.write(connection, values.items(), replace=True)


def _is_whole(values: Iterable[object], found: object) -> bool:
    try:
        return checksum(*values) == found  # type: ignore[arg-type]
    except (AttributeError, UnicodeEncodeError):
        return False
