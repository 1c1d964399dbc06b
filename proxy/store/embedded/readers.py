"""Connections for reading the index: as many as there are threads that ask at one time, kept for the next ones."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator

from proxy.store.embedded.database import connect, shape_of, translated_errors
from proxy.store.protocol import StoreDamagedError, StoreError


class Readers:
    """Gives connections, each of which sees one moment of the index."""

    def __init__(self, path: str, on_damage: Callable[[str], None]) -> None:
        """``on_damage`` is told what a reader has come upon."""
        self._path = path
        self._on_damage = on_damage
        self._idle: list[sqlite3.Connection] = []
        self._turn = threading.Lock()
        self._inode: int | None = None
        self._is_closed = False

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection. StoreError when the index cannot be read, also in the middle."""
        try:
            with translated_errors():
                connection, inode = self._taken()
                try:
                    connection.execute("BEGIN")
                    yield connection
                finally:
                    self._give_back(connection, inode)
        except StoreDamagedError as error:
            self._on_damage(str(error))
            raise

    def close(self) -> None:
        """Close all connections, those that are in use as soon as they are given back."""
        with self._turn:
            self._is_closed = True
        self.forget()

    def forget(self, inode: int | None = None) -> None:
        """Close the connections that are not in use: the index is another one now, of that inode if it is known."""
        with self._turn:
            idle, self._idle, self._inode = self._idle, [], inode
        for connection in idle:
            connection.close()

    def _taken(self) -> tuple[sqlite3.Connection, int | None]:
        shape = shape_of(self._path)
        inode = None if shape is None else shape[0]
        with self._turn:
            if self._is_closed:
                raise StoreError("the store is closed")
            if inode == self._inode and self._idle:
                return self._idle.pop(), inode
        if inode != self._inode:
            self.forget(inode)
        return connect(self._path, read_only=True), inode

    def _give_back(self, connection: sqlite3.Connection, inode: int | None) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            with self._turn:
                if inode == self._inode and not self._is_closed:
                    self._idle.append(connection)
                    return
        except sqlite3.Error:
            pass  # one that cannot even end its transaction is of no use
        connection.close()
