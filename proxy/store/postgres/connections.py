"""Connections to the database of a centre."""

import contextlib
import select
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from proxy.store.protocol import StoreError

SCHEMA = "claude_proxy"
Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]
Values = Sequence[object] | Mapping[str, object]
_READERS = 5
"""With two for writing, one that listens, and one now and then for what is seldom done, fewer than ten a server: ten
servers fit into the 100 connections that PostgreSQL allows by default.
"""
_WAIT_S = 10
"""For a connection of the pool, and for a database that does not answer: half of what a host waits for a greeting, so
that it is told why.
"""
_PREPARE_AFTER = 5
"""Psycopg's own: a statement is prepared when it has been executed so often."""


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Let the driver's errors be those of a store."""
    try:
        yield
    except (psycopg.Error, PoolTimeout) as error:
        raise StoreError(str(error).strip() or type(error).__name__) from error


def connect(url: str, *, is_pooled: bool = False) -> Connection:
    """Return a connection outside of a transaction. psycopg.Error when there is none to be had.

    ``is_pooled``: a pooler in transaction mode is between, so nothing is prepared.
    """
    return psycopg.connect(url, **_options(is_pooled=is_pooled))


def _options(*, is_pooled: bool) -> dict[str, Any]:
    """Return how a connection is made. Behind a pooler nothing is prepared: the next transaction may be elsewhere."""
    prepare_after = None if is_pooled else _PREPARE_AFTER
    return {"autocommit": True, "connect_timeout": _WAIT_S, "prepare_threshold": prepare_after}


def execute(connection: Connection, query: str, values: Values = ()) -> "psycopg.Cursor[Row]":
    """Execute a query that is put together of our own texts, with values of anybody's."""
    # In the binary format, bytes come as they are; several statements at once, without values, know no such format.
    return connection.execute(query.encode(), values or None, binary=bool(values))


def value_of(connection: Connection, query: str, values: Values = ()) -> Any:
    """Return the only value of a query that finds one row."""
    ((value,),) = execute(connection, query, values)
    return value


_BEGIN = (
    f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path TO {SCHEMA}; SET LOCAL jit TO off"
).encode()


class Connections:
    """Gives connections for reading. StoreError when the database cannot be asked, also in the middle."""

    def __init__(self, url: str, *, is_pooled: bool = False) -> None:
        self._is_pooled = is_pooled
        self._pool = ConnectionPool(
            url,
            min_size=0,
            max_size=_READERS,
            open=True,
            timeout=_WAIT_S,
            kwargs=_options(is_pooled=is_pooled),
            configure=None if is_pooled else _configure,
            check=_check,  # of one that was lost while nobody used it, another one takes the place
        )

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a transaction, which sees one moment of the database."""
        with translated_errors(), self._pool.connection() as connection:
            connection.execute(_BEGIN, prepare=False)  # the pool ends it
            yield connection

    def ask(self, query: str, values: Values = ()) -> list[Row]:
        """Return the rows of one query. It sees one moment as it is, so it costs one message, and no transaction."""
        if self._is_pooled:  # what was configured is of no connection then, but of a transaction
            with self.reading() as connection:
                return execute(connection, query, values).fetchall()
        with translated_errors(), self._pool.connection() as connection:
            return execute(connection, query, values).fetchall()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


@contextlib.contextmanager
def writing(connection: Connection) -> Iterator[None]:
    """Begin a transaction that writes, and end it."""
    with translated_errors(), connection.transaction():
        # In each transaction: behind a pooler the next one may be on another connection.
        execute(connection, f"SET LOCAL search_path TO {SCHEMA}")
        yield


class Writer:
    """A connection for writing, made when it is needed, and again when it is lost. For one thread at a time."""

    def __init__(self, url: str, *, is_pooled: bool = False) -> None:
        self._url, self._is_pooled = url, is_pooled
        self._connection: Connection | None = None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give the connection in a transaction. StoreError: nothing of it was written."""
        with translated_errors():
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._url, is_pooled=self._is_pooled)
            connection = self._connection
        try:
            with writing(connection):
                yield connection
        finally:
            if connection.broken:
                self.close()

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _configure(connection: Connection) -> None:
    """Set what every query is to find, so that none has to be in a transaction for it."""
    # Compiling takes longer than any page does, and is tried when tables are large.
    connection.execute(f"SET search_path TO {SCHEMA}; SET jit TO off".encode())


def _check(connection: Connection) -> None:
    """Raise psycopg.OperationalError if the connection was closed, as by a database that was started again."""
    # An idle connection has nothing to say but that it ends; to ask the database would be a message for each page.
    # `poll` and not `select`, which takes no descriptor from 1024 on: a server with many listeners has such.
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    if poller.poll(0):
        connection.execute("SELECT 1")
