"""Rows of the index, written with a checksum each, and read with care.

What is not what was written is damage, and nothing is made of it.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

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

_ROW_OF = {
    "sessions": "a session",
    "events": "an event",
    "types": "the name of an event's type",
    "marks": "a mark of a session",
    "pieces": "a piece of a log",
    "drift": "the drift of a session",
}
"""What a row of each table is."""


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


def write_rows(
    connection: sqlite3.Connection, table: str, rows: Iterable[Sequence[Any]], *, replace: bool = False
) -> None:
    """Write rows, each with its checksum; ``replace`` says whether some may take the place of others."""
    summed = [(*row, checksum(*row)) for row in rows]
    if summed:
        verb = "INSERT OR REPLACE" if replace else "INSERT"
        connection.executemany(f"{verb} INTO {table} VALUES ({parameters(summed[0])})", summed)


def parameters(values: Collection[object]) -> str:
    """Return the parameters of a list of values in SQL."""
    return ", ".join("?" * len(values))


def _read(
    connection: sqlite3.Connection,
    table: str,
    made: Callable[[list[Any]], _T],
    where: str,
    values: Iterable[object] = (),
) -> Iterator[_T]:
    """Yield what is ``made`` of the columns of rows: ``where`` is what follows the table's name."""
    for *columns, found in connection.execute(f"SELECT * FROM {table} {where}", tuple(values)):
        if not _is_whole(columns, found):
            raise StoreDamagedError(f"{_ROW_OF[table]} is not what was written")
        yield made(columns)


def read_sessions(
    connection: sqlite3.Connection, where: str, values: Iterable[object] = ()
) -> Iterator[SessionRow]:
    """Yield rows of sessions: ``where`` is what follows the table's name."""
    return _read(connection, "sessions", SessionRow._make, where, values)


def find_session(connection: sqlite3.Connection, session_id: str) -> SessionRow | None:
    """Return the row of a session, None when the index does not have it."""
    return next(read_sessions(connection, "WHERE session_id = ?", (session_id,)), None)


def read_events(
    connection: sqlite3.Connection, where: str, values: Iterable[object] = ()
) -> Iterator[EventRow]:
    """Yield rows of events: ``where`` is what follows the table's name."""
    return _read(connection, "events", EventRow._make, where, values)


def read_pieces(connection: sqlite3.Connection, where: str, values: Iterable[object] = ()) -> Iterator[Piece]:
    """Yield pieces of logs: ``where`` is what follows the table's name."""
    return _read(connection, "pieces", lambda columns: Piece.of_row(columns[1:]), where, values)


def read_marks(connection: sqlite3.Connection, where: str, values: Iterable[object] = ()) -> Iterator[Mark]:
    """Yield marked events of sessions: ``where`` is what follows the table's name."""
    return _read(connection, "marks", lambda columns: Mark.of_row(columns[1:]), where, values)


def read_drift(connection: sqlite3.Connection, session: int) -> SearchState | None:
    """Return what the search for drift in a session remembers, None where it has found nothing to remember."""
    rows = _read(connection, "drift", lambda row: _decode_search(row[1]), "WHERE session = ?", (session,))
    return next(rows, None)


def read_types(connection: sqlite3.Connection) -> dict[int, str]:
    """Return the names of event types by their numbers."""
    return dict(_read(connection, "types", tuple, ""))


def name_of(names: Mapping[int, str], type_id: int) -> str:
    """Return the name of an event's type."""
    if type_id not in names:
        raise StoreDamagedError("an event is of no type")
    return names[type_id]


def read_meta(connection: sqlite3.Connection, key: str) -> int | str | None:
    """Return a value of the index itself."""
    row = connection.execute("SELECT value, sum FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None or not _is_whole((key, row[0]), row[1]):
        raise StoreDamagedError(f"the {key} of the index is not what was written")
    value: int | str | None = row[0]
    return value


def read_newest(connection: sqlite3.Connection) -> tuple[str, int]:
    """Return the epoch, and the id of the newest event."""
    return str(read_meta(connection, "epoch")), int(read_meta(connection, "next_id") or 0) - 1


def read_watermark(connection: sqlite3.Connection) -> int | None:
    """Return the watermark, None while nothing is being written."""
    watermark = read_meta(connection, "watermark")
    return watermark if isinstance(watermark, int) else None


def write_meta(connection: sqlite3.Connection, values: Mapping[str, int | str | None]) -> None:
    """Write values of the index itself."""
    write_rows(connection, "meta", values.items(), replace=True)


def _is_whole(values: Iterable[object], found: object) -> bool:
    try:
        return checksum(*values) == found  # type: ignore[arg-type]
    except (AttributeError, UnicodeEncodeError):
        return False
