"""The pieces of a log: what the index knows of them, and the lines from the log itself."""

import os

import msgspec

from proxy.sessions.reader import LogReader
from proxy.store.embedded.readers import Readers
from proxy.store.embedded.rows import PIECES, SessionRow, find_session
from proxy.store.pieces import Piece
from proxy.store.protocol import StoreDamagedError


class LogBody(msgspec.Struct, frozen=True):
    """Some lines of a log."""

    path: str
    inode: int
    offset: int
    end: int
    is_future: bool

    def text(self) -> bytes:
        """Return the lines as they stand in the log. OSError when it cannot be read, or is another one now."""
        with open(self.path, "rb") as log:
            if os.fstat(log.fileno()).st_ino != self.inode:
                raise OSError(0, "another log has taken its place just now")
            log.seek(self.offset)
            return log.read(self.end - self.offset)


class LogPieces:
    """The pieces of one session's log, as far as they are indexed."""

    def __init__(self, readers: Readers, path: str, row: SessionRow, count: int) -> None:
        self.filling: object = (row.id, row.inode)
        self.count = count
        self._readers, self._path, self._row = readers, path, row
        with LogReader(path, row.offset) as reader:
            is_mine = os.fstat(reader.fileno()).st_ino == row.inode and reader.is_current()
            self.is_complete = is_mine and next(reader.read(), None) is None
            self._is_future = reader.is_future

    @classmethod
    def of(cls, readers: Readers, path: str, session_id: str) -> "LogPieces":
        """Return the pieces of a session. KeyError when the index does not have it, OSError without its log."""
        with readers.reading() as connection:
            row = find_session(connection, session_id)
            if row is None:
                raise KeyError(session_id)
            query = "SELECT coalesce(max(number) + 1, 0) FROM pieces WHERE session = ?"
            (count,) = connection.execute(query, (row.id,)).fetchone()
        return cls(readers, path, row, count)

    def at(self, number: int) -> Piece:
        """Return a piece."""
        with self._readers.reading() as connection:
            query = "SELECT 1 FROM sessions WHERE id = ? AND session_id = ?"
            if connection.execute(query, self._row[:2]).fetchone() is None:
                raise KeyError(self._row.session_id)
            where = "WHERE session = ? AND number = ?"
            for piece in PIECES.read(connection, where, (self._row.id, number)):
                return piece
            raise StoreDamagedError("a piece of a log is missing")

    def body(self, piece: Piece) -> LogBody:
        """Return where the lines of a piece are."""
        return LogBody(self._path, self._row.inode, piece.offset, piece.end, self._is_future)
