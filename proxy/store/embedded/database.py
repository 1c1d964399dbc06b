"""How the file of the index is opened, or begun anew with its tables (``schema.sql``).

The file is a cache: when it is of another version, or damaged, it is deleted and filled again from the logs. So it
is written without waiting for the disk (``synchronous=OFF``): killing the process loses nothing that was committed,
and what a loss of power may damage can be made again.

Rows whose content goes out carry a checksum (`checksum`): SQLite notices a damaged page when its structure is wrong,
and not when a text in it is.
"""

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Iterator

from proxy.sessions.private import open_private
from proxy.store.protocol import StoreDamagedError, StoreError
from proxy.store.version import derivation_version

FILES = ("", "-wal", "-shm")
"""What SQLite keeps beside the index, and the index itself: their endings."""

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=OFF",
    "cache_size=-32000",
    "journal_size_limit=16000000",  # bytes that stay after a large transaction, for the next ones
)

TABLES = ("meta", "sessions", "types", "events", "counts", "marks", "pieces", "drift", "tombstones")

_DAMAGE = frozenset(
    [
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_CONSTRAINT,  # nothing that is written here breaks one, unless what is there is wrong
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_ERROR,  # a table or a column is missing, a text is no UTF-8
        sqlite3.SQLITE_SCHEMA,
    ]
)


def _schema() -> str:
    """Return the statements that make the tables."""
    # Not by `importlib.resources`: its import takes 20 ms, and whoever reads an index would pay for it.
    with open(os.path.join(os.path.dirname(__file__), "schema.sql"), encoding="utf-8") as file:
        return file.read()


def index_path(data_dir: str) -> str:
    """Return the path of a data directory's index."""
    return os.path.join(data_dir, "index.sqlite3")


def checksum(*values: int | bytes | str | None) -> int:
    """Return the checksum (CRC-32) of a row's values."""
    found = 0
    for value in values:
        if isinstance(value, int):
            encoded = b"%d;" % value
        elif isinstance(value, bytes):
            encoded = value
        else:
            encoded = b"NULL;" if value is None else value.encode()
        found = zlib.crc32(encoded, found)
    return found


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Let SQLite's errors be those of a store."""
    try:
        yield
    except sqlite3.Error as error:
        raise (StoreDamagedError if _is_damage(error) else StoreError)(str(error)) from error


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # the module's own: a text that is no UTF-8, or a connection that was closed
        return isinstance(error, sqlite3.OperationalError)
    return code & 0xFF in _DAMAGE or code == sqlite3.SQLITE_IOERR_SHORT_READ


def open_index(data_dir: str) -> sqlite3.Connection:
    """Open the index for writing; begin it anew when it is missing, damaged at first sight or of another version.

    Raises:
        StoreError, OSError: it can be neither used nor made.
    """
    path = index_path(data_dir)
    os.makedirs(data_dir, mode=0o700, exist_ok=True)
    os.close(open_private(path, os.O_CREAT | os.O_WRONLY))
    with contextlib.suppress(StoreDamagedError):
        if (connection := _existing(path)) is not None:
            return connection
    return create_index(data_dir)


def create_index(data_dir: str) -> sqlite3.Connection:
    """Begin the index anew, whatever is there. StoreError, OSError when it cannot be made."""
    path = index_path(data_dir)
    remove_index(data_dir)
    os.close(open_private(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    with translated_errors():
        connection = connect(path)
        try:
            connection.executescript(
                f"BEGIN; {_schema()} PRAGMA user_version={derivation_version()}; COMMIT;"
            )
            meta: dict[str, int | str]
            meta = {"epoch": os.urandom(4).hex(), "next_id": 1, "totals": "[]", "watermark": 0}
            rows = [(*row, checksum(*row)) for row in meta.items()]
            connection.executemany("INSERT INTO meta VALUES (?, ?, ?)", rows)
        except sqlite3.Error:
            connection.close()
            raise
    return connection


def remove_index(data_dir: str) -> None:
    """Remove the index, if it is there. OSError when that cannot be."""
    for suffix in reversed(FILES):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(index_path(data_dir) + suffix)


def shape_of(path: str) -> tuple[int, int, int] | None:
    """Return what tells that a file is as it was: inode, size and time of writing; None when it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def connect(path: str, *, read_only: bool = False, immutable: bool = False) -> sqlite3.Connection:
    """Open the index file. Transactions are begun and ended by the caller.

    ``immutable``: nobody writes it meanwhile, so that neither locks nor files beside it are needed to read it.
    """
    mode = ("ro" if read_only else "rw") + ("&immutable=1" if immutable else "")
    uri = f"file:{path.replace('?', '%3f').replace('#', '%23')}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        if not read_only:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _existing(path: str) -> sqlite3.Connection | None:
    """Return the index as it is, None when it is of another version."""
    with translated_errors():
        connection = connect(path)
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] == derivation_version():
                for table in TABLES:
                    connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
                return connection
        except sqlite3.Error:
            connection.close()
            raise
        connection.close()
        return None
