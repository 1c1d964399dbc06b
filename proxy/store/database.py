"""The tables of the index, and how its file is opened.

The file is a cache: when it is of another version, or damaged, it is deleted and filled again from the logs. So it
is written without waiting for the disk (``synchronous=OFF``): killing the process loses nothing that was committed,
and what a loss of power may damage can be made again.
"""

import contextlib
import os
import sqlite3

__all__ = ["connect", "index_path", "new_generation", "open_index"]

VERSION = 5
"""Of tables and of what the interpreter makes of a record: another number begins the index anew."""

_KEPT_JOURNAL = 16_000_000
"""Bytes of the write-ahead file that stay after a large transaction, for the next ones."""

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL UNIQUE,
    inode INTEGER NOT NULL,         -- the file that was read
    offset INTEGER NOT NULL,        -- up to where
    mark_at INTEGER NOT NULL,       -- where its last record begins
    mark BLOB NOT NULL,             -- and how: tells whether the file was rewritten
    over INTEGER NOT NULL,          -- whether nothing more is expected
    skipped INTEGER NOT NULL,       -- lines that were no records
    state BLOB NOT NULL             -- events.Session, as JSON
);
CREATE INDEX live ON sessions (over) WHERE over = 0;
CREATE TABLE types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,         -- the order of arrival
    ts INTEGER NOT NULL,            -- microseconds since 1970
    session INTEGER NOT NULL,
    type INTEGER NOT NULL,
    data BLOB NOT NULL              -- JSON
);
CREATE INDEX by_time ON events (ts, session, type);
CREATE INDEX by_session ON events (session, ts, type);
CREATE TABLE chunks (
    scope INTEGER NOT NULL,         -- a session, or 0 for all
    start INTEGER NOT NULL,         -- the first moment of a stretch of time that ends where the next begins
    type INTEGER NOT NULL,
    count INTEGER NOT NULL,         -- events of that type in it
    PRIMARY KEY (scope, start, type)
) WITHOUT ROWID;
CREATE TABLE removed (
    session TEXT NOT NULL,          -- by its name, or '' for all that were removed longer ago
    type INTEGER NOT NULL,
    last_id INTEGER NOT NULL,       -- the number of its last event of that type
    removal INTEGER NOT NULL,       -- removals are counted
    PRIMARY KEY (session, type)
) WITHOUT ROWID;
CREATE INDEX by_removal ON removed (removal);
"""


def index_path(data_dir: str) -> str:
    """Return the path of a data directory's index."""
    return os.path.join(data_dir, "index.sqlite3")


def new_generation() -> str:
    """Return what tells an index from all others: places in one mean nothing in another."""
    return os.urandom(4).hex()


def open_index(data_dir: str) -> sqlite3.Connection:
    """Open the index for writing; begin it anew when it is missing, damaged or of another version.

    Raises:
        sqlite3.Error, OSError: it can be neither used nor made.
    """
    path = index_path(data_dir)
    os.makedirs(data_dir, mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        # 0600: events hold prompts, code and tool output.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        if (connection := _kept(path)) is not None:
            return connection
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise  # the disk is full or the file locked: nothing that deleting would mend
    return _begun_anew(path)


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
            connection.execute(f"PRAGMA journal_size_limit={_KEPT_JOURNAL}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _kept(path: str) -> sqlite3.Connection | None:
    """Return the index as it is, None when it is of another version."""
    connection = connect(path)
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            connection.execute("SELECT value FROM meta").fetchall()
            return connection
    except sqlite3.Error:
        connection.close()
        raise
    connection.close()
    return None


def _begun_anew(path: str) -> sqlite3.Connection:
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    connection = connect(path)
    try:
        connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version={VERSION}; COMMIT;")
        rows = [("generation", new_generation()), ("next_id", 1)]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
