"""Rows of the index, read with care: what is not what was written is damage, and nothing is made of it."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from proxy.events import Session
from proxy.sessions.drift import SearchState
from proxy.store.embedded.database import checksum
from proxy.store.pieces import Piece, decode_kinds
from proxy.store.protocol import StoreDamagedError

_decode_session = msgspec.json.Decoder(Session).decode
_decode_search = msgspec.json.Decoder(SearchState).decode

SESSION_COLUMNS = "id, session_id, started, inode, offset, mark_at, mark, over, outcome, state, sum"
EVENT_COLUMNS = "id, ts, session, type, data, sum"
PIECE_COLUMNS = "session, number, offset, line, seq, end, last_seq, kinds_before, kinds, sum"


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

    @property
    def sum(self) -> int:
        """The checksum of the row."""
        return checksum(*self)

    def session(self) -> Session | None:
        """Return the session, None when nothing of it was read yet."""
        return _decode_session(self.state) if self.state else None


class EventRow(NamedTuple):
    """One event."""

    id: int
    timestamp_us: int
    session: int
    type: int
    data: bytes

    @property
    def sum(self) -> int:
        """The checksum of the row."""
        return checksum(*self)


def read_sessions(
    connection: sqlite3.Connection, where: str, values: Iterable[object] = ()
) -> Iterator[SessionRow]:
    """Yield rows of sessions: ``where`` is what follows the table's name."""
    for *columns, found in connection.execute(
        f"SELECT {SESSION_COLUMNS} FROM sessions {where}", tuple(values)
    ):
        row = SessionRow(*columns)
        if not _is_whole(row, found):
            raise StoreDamagedError("a session is not what was written")
        yield row


def read_events(
    connection: sqlite3.Connection, where: str, values: Iterable[object] = ()
) -> Iterator[EventRow]:
    """Yield rows of events: ``where`` is what follows the table's name."""
    for *columns, found in connection.execute(f"SELECT {EVENT_COLUMNS} FROM events {where}", tuple(values)):
        row = EventRow(*columns)
        if not _is_whole(row, found):
            raise StoreDamagedError("an event is not what was written")
        yield row


def read_pieces(connection: sqlite3.Connection, where: str, values: Iterable[object] = ()) -> Iterator[Piece]:
    """Yield pieces of logs: ``where`` is what follows the table's name."""
    for row in connection.execute(f"SELECT {PIECE_COLUMNS} FROM pieces {where}", tuple(values)):
        if not _is_whole(row[:-1], row[-1]):
            raise StoreDamagedError("a piece of a log is not what was written")
        _, number, offset, line, seq, end, last_seq, before, kinds, _ = row
        yield Piece(number, offset, line, seq, end, last_seq, decode_kinds(before), decode_kinds(kinds))


def read_drift(connection: sqlite3.Connection, session: int) -> SearchState | None:
    """Return what the search for drift in a session remembers, None where it has found nothing to remember."""
    row = connection.execute("SELECT state, sum FROM drift WHERE session = ?", (session,)).fetchone()
    if row is None:
        return None
    if not _is_whole((session, row[0]), row[1]):
        raise StoreDamagedError("the drift of a session is not what was written")
    return _decode_search(row[0])


def piece_row(session: int, piece: Piece, before: bytes, kinds: bytes) -> tuple[int | bytes, ...]:
    """Return the row of a piece, its kinds given as JSON."""
    place = (piece.number, piece.offset, piece.line, piece.seq, piece.end, piece.last_seq)
    row = (session, *place, before, kinds)
    return *row, checksum(*row)


def read_types(connection: sqlite3.Connection) -> dict[int, str]:
    """Return the names of event types by their numbers."""
    found = {}
    for number, name, found_sum in connection.execute("SELECT id, name, sum FROM types"):
        if not _is_whole((number, name), found_sum):
            raise StoreDamagedError("the name of an event's type is not what was written")
        found[number] = name
    return found


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
    rows = [(key, value, checksum(key, value)) for key, value in values.items()]
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", rows)


def _is_whole(values: Iterable[object], found: object) -> bool:
    try:
        return checksum(*values) == found  # type: ignore[arg-type]
    except (TypeError, UnicodeEncodeError):
        return False
