"""How often one client may ask: so many requests in each stretch of time, which begins with its first one.

The algorithm is that of ``limits`` (a fixed window for each client); the counts are in a small SQLite file of the
data directory, so that all processes of the server count together, and a restart forgets nothing.
"""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

from limits import parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

__all__ = ["Limit"]

_TABLE = "CREATE TABLE IF NOT EXISTS counts (key TEXT PRIMARY KEY, count INTEGER, expiry REAL) WITHOUT ROWID"
_CLEAN_EVERY = 1000
"""Requests after which the clients are forgotten whose stretch of time is over."""


class Limit:
    """Counts requests by client. Safe to use from several threads and processes."""

    def __init__(self, rate: str, path: str, clock: Callable[[], float] = time.time) -> None:
        """``rate``: as in the configuration, such as ``1000/hour``; ``path``: of the file with the counts."""
        self._item = parse(rate)
        self._counts = _Counts(path, clock)
        self._limiter = FixedWindowRateLimiter(self._counts)
        self._clock = clock

    def wait_s(self, client: str) -> float:
        """Count a request; return 0 when it may pass, else the seconds after which the next one may.

        A count that cannot be kept (a full disk) holds nobody up.
        """
        try:
            if self._limiter.hit(self._item, client):
                return 0.0
            return max(0.001, self._limiter.get_window_stats(self._item, client).reset_time - self._clock())
        except sqlite3.Error:
            return 0.0

    def close(self) -> None:
        """Let go of the file."""
        self._counts.close()


class _Counts(Storage):
    """Where ``limits`` keeps its counts."""

    STORAGE_SCHEME = None

    def __init__(self, path: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._turn = threading.Lock()
        self._since_cleaned = 0
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        try:
            self._connection = self._opened(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            os.unlink(path)  # damaged, and worth nothing: counts begin anew
            self._connection = self._opened(path)

    def _opened(self, path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")  # a loss of power may forget counts
            connection.execute(_TABLE)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._connection.close()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What can go wrong here."""
        return sqlite3.Error

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a stretch of time that begins now if none is open; return the count in it."""
        now = self._clock()
        with self._asking() as connection:
            self._since_cleaned += 1
            if self._since_cleaned >= _CLEAN_EVERY:
                self._since_cleaned = 0
                connection.execute("DELETE FROM counts WHERE expiry <= ?", (now,))
            # An expiry that is too far away was made by a clock that has been set back since.
            return int(
                connection.execute(
                    "INSERT INTO counts VALUES (:key, :amount, :ends) ON CONFLICT DO UPDATE SET"
                    " count = iif(expiry <= :now OR expiry > :ends, 0, count) + :amount,"
                    " expiry = iif(expiry <= :now OR expiry > :ends, :ends, expiry) RETURNING count",
                    {"key": key, "amount": amount, "ends": now + expiry, "now": now},
                ).fetchone()[0]
            )

    def get(self, key: str) -> int:
        """Return the count in the open stretch of time."""
        return int(self._row(key)[0])

    def get_expiry(self, key: str) -> float:
        """Return when the open stretch of time ends."""
        return float(self._row(key)[1])

    def check(self) -> bool:
        """Tell whether counting works."""
        with self._asking() as connection:
            return bool(connection.execute("SELECT 1").fetchone())

    def reset(self) -> int | None:
        """Forget all counts."""
        with self._asking() as connection:
            return connection.execute("DELETE FROM counts").rowcount

    def clear(self, key: str) -> None:
        """Forget one count."""
        with self._asking() as connection:
            connection.execute("DELETE FROM counts WHERE key = ?", (key,))

    def _row(self, key: str) -> tuple[int, float]:
        now = self._clock()
        with self._asking() as connection:
            row = connection.execute(
                "SELECT count, expiry FROM counts WHERE key = ? AND expiry > ?", (key, now)
            ).fetchone()
        return row or (0, now)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[sqlite3.Connection]:
        with self._turn:
            yield self._connection
