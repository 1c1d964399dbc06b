"""The pieces of sessions and their lines, compressed: appended as they come, and put together once a piece is full.

A frame holds a megabyte of text at most, so that one long line is never whole in the memory of the database.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice
from typing import NamedTuple

import msgspec
import zstandard

from proxy.store.pieces import Piece
from proxy.store.postgres.connections import Connection, Connections, execute
from proxy.store.postgres.tables import SessionRow, read_pieces
from proxy.store.protocol import StoreDamagedError

_FRAME_BYTES = 1 << 20
"""One record is read by decompressing the frame that it is in: a megabyte takes half a millisecond, and recorded
sessions compress to a twentieth; as one frame they would be a sixth smaller.
"""
_LEVEL = 3
"""Zstandard's default: a higher one costs more time than it saves room."""
_AT_ONCE = 8
"""Frames that are handed to the database at once: the driver holds what it sends, and a line may have a hundred."""
_WHERE = "WHERE week = %s AND session = %s AND piece = %s"


class Place(NamedTuple):
    """Which piece: of which session, which lies in that week's partition."""

    week: date
    session: int
    piece: int


class CompressedBody(msgspec.Struct, frozen=True):
    """The lines of a piece, as the database has them."""

    frames: tuple[bytes, ...]
    is_future: bool = False
    """A log of a newer format is not taken."""

    def text(self) -> bytes:
        """Return the lines as they stand, and what was appended behind them."""
        return decompressed(self.frames)


class StoredPieces:
    """The pieces of one session."""

    def __init__(self, connections: Connections, row: SessionRow, count: int) -> None:
        self.filling: object = row.id
        self.count = count
        self.is_complete = True
        self._connections, self._row = connections, row

    def at(self, number: int) -> Piece:
        """Return a piece."""
        where = "WHERE week = %s AND session = %s AND number = %s"
        with self._connections.reading() as connection:
            found = list(read_pieces(connection, where, (self._row.week, self._row.id, number)))
        if not found:
            raise StoreDamagedError(f"{self._row.session_id} has no piece {number}")
        return found[0]

    def body(self, piece: Piece) -> CompressedBody:
        """Return where the lines of a piece are."""
        place = Place(self._row.week, self._row.id, piece.number)
        with self._connections.reading() as connection:
            return CompressedBody(read_frames(connection, place))


def append(connection: Connection, piece: Place, text: bytes, *, parts: int = 0) -> int:
    """Append lines to a piece that has so many frames; return how many it has then."""
    rows = ((*piece, number, frame) for number, frame in enumerate(compressed(text), parts))
    with connection.cursor() as cursor:
        while some := list(islice(rows, _AT_ONCE)):
            cursor.executemany("INSERT INTO bodies VALUES (%s, %s, %s, %s, %s)", some)
            parts += len(some)
    return parts


def put_together(connection: Connection, piece: Place) -> None:
    """Compress a full piece as a whole: what came in many small frames takes a third of the room then."""
    text = decompressed(read_frames(connection, piece))
    execute(connection, f"DELETE FROM bodies {_WHERE}", piece)
    append(connection, piece, text)


def read_frames(connection: Connection, piece: Place) -> tuple[bytes, ...]:
    """Return the frames of a piece."""
    query = f"SELECT body FROM bodies {_WHERE} ORDER BY part"
    return tuple(body for (body,) in execute(connection, query, piece))


def compressed(text: bytes) -> Iterator[bytes]:
    """Yield the frames of a text."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    for place in range(0, len(text), _FRAME_BYTES):
        yield compressor.compress(text[place : place + _FRAME_BYTES])


def decompressed(frames: Sequence[bytes]) -> bytes:
    """Return the text of frames."""
    decompressor = zstandard.ZstdDecompressor()
    return b"".join(decompressor.decompress(frame) for frame in frames)
