"""The tables of the index, and how its file is opened.

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

_JOURNAL_LEFT = 16_000_000
"""Bytes of the write-ahead file that stay after a large transaction, for the next ones."""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value, sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL UNIQUE,
    started INTEGER NOT NULL,       -- microseconds since 1970, 0 where nobody knows
    inode INTEGER NOT NULL,         -- the file that was read
    offset INTEGER NOT NULL,        -- up to where
    mark_at INTEGER NOT NULL,       -- where its last record begins
    mark BLOB NOT NULL,             -- and how: tells whether the file was rewritten
    over INTEGER NOT NULL,          -- whether nothing more is expected
    outcome TEXT NOT NULL,          -- what became of it, empty while it is not over
    state BLOB NOT NULL,            -- events.Session, as JSON
    sum INTEGER NOT NULL            -- the checksum of the row
);
CREATE INDEX by_start ON sessions (started, session_id);
CREATE INDEX live ON sessions (over) WHERE over = 0;
CREATE INDEX by_outcome ON sessions (outcome, started, session_id);
CREATE TABLE types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, sum INTEGER NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,         -- the order of arrival
    ts INTEGER NOT NULL,            -- microseconds since 1970
    session INTEGER NOT NULL,
    type INTEGER NOT NULL,
    data BLOB NOT NULL,             -- JSON
    sum INTEGER NOT NULL
);
CREATE INDEX by_time ON events (ts, session, type);
CREATE INDEX by_session ON events (session, ts, type);
CREATE TABLE counts (               -- of all sessions together: see proxy.store.counting
    level INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    type INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (level, slot, type)
) WITHOUT ROWID;
CREATE TABLE marks (                -- of long sessions: how many events of which types are before an event
    session INTEGER NOT NULL,
    number INTEGER NOT NULL,        -- the event's place in its session
    ts INTEGER NOT NULL,
    types BLOB NOT NULL,            -- JSON
    sum INTEGER NOT NULL,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;
CREATE TABLE pieces (               -- of logs: see proxy.store.pieces
    session INTEGER NOT NULL,
    number INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    line INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    end INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    kinds_before BLOB NOT NULL,     -- JSON
    kinds BLOB NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;
CREATE TABLE drift (session INTEGER PRIMARY KEY, state BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE tombstones (
    session TEXT NOT NULL,          -- by its name, or '' for all that were removed longer ago
    type INTEGER NOT NULL,
    last_id INTEGER NOT NULL,       -- the number of its last event of that type
    removal INTEGER NOT NULL,       -- removals are counted
    PRIMARY KEY (session, type)
) WITHOUT ROWID;
CREATE INDEX by_removal ON tombstones (removal);
"""

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


def index_path(data_dir: str) -> str:
    """Return the path of a data directory's index."""
    return os.path.join(data_dir, "index.sqlite3")


def checksum(*values: int | bytes | str | None) -> int:
    """Return the checksum (CRC-32) of a row's values."""
    found = 0
    for value in values:
        match value:
            case bytes():
                encoded = value
            case str():
                encoded = value.encode()
            case None:
                encoded = b"NULL;"
            case _:
                encoded = b"%d;" % value
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
    for suffix in reversed(FILES):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)
    os.close(open_private(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    with translated_errors():
        connection = connect(path)
        try:
            connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={derivation_version()}; COMMIT;")
            epoch = os.urandom(4).hex()
            rows: list[tuple[str, int | str]]
            rows = [("epoch", epoch), ("next_id", 1), ("totals", "[]"), ("watermark", 0)]
            connection.executemany(
                "INSERT INTO meta VALUES (?, ?, ?)", [(*row, checksum(*row)) for row in rows]
            )
        except sqlite3.Error:
            connection.close()
            raise
    return connection


def connect(path: str, *, read_only: bool = False, immutable: bool = False) -> sqlite3.Connection:
    """Open the index file. Transactions are begun and ended by the caller.

    ``immutable``: nobody writes it meanwhile, so that neither locks nor files beside it are needed to read it.
    """
    mode = ("ro" if read_only else "rw") + ("&immutable=1" if immutable else "")
    uri = f"file:{path.replace('?', '%3f').replace('#', '%23')}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("PRAGMA cache_size=-32000")
            connection.execute(f"PRAGMA journal_size_limit={_JOURNAL_LEFT}")
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
