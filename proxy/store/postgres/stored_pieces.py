"""The pieces of a session, as a centre has them."""

from proxy.store.pieces import Piece
from proxy.store.postgres.bodies import CompressedBody, Place, read_frames
from proxy.store.postgres.connections import Connections
from proxy.store.postgres.tables import SessionRow, read_pieces
from proxy.store.protocol import StoreDamagedError


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
            return CompressedBody(read_frames(connection, place), piece.lines)
