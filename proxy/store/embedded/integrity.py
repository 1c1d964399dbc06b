"""Looks through a whole index for damage: for what is wrong though no question has come upon it.

Events are held against what was counted of them; what is in each is looked at when it is read.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from itertools import pairwise

from proxy.store.counting import LEVELS_US
from proxy.store.embedded.database import connect, translated_errors
from proxy.store.embedded.rows import DRIFT, MARKS, PIECES, SESSIONS
from proxy.store.embedded.session_queries import check_tables
from proxy.store.protocol import StoreDamagedError, StoreError

DAILY_S = 86_400.0


class Inspector:
    """Looks through an index in a thread of its own: when it was not left as it should be, and once a day."""

    def __init__(self, path: str, on_damage: Callable[[str], None], *, is_due: bool) -> None:
        """``is_due``: whether to look at once, when the index is filled."""
        self._path = path
        self._on_damage = on_damage
        self._is_due = is_due
        self._wake = threading.Event()
        self._stopping = False
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="inspector", daemon=True)

    def start(self, filled: threading.Event) -> None:
        """Begin, as soon as the index is filled."""
        self._filled = filled
        self._thread.start()

    def look_soon(self) -> None:
        """Look through the index now: there is a reason."""
        self._is_due = True
        self._wake.set()

    def stop(self) -> None:
        """End, in the middle if need be."""
        self._stopping = True
        self._wake.set()
        self._filled.set()
        if (connection := self._connection) is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.interrupt()
        self._thread.join()

    def _run(self) -> None:
        self._filled.wait()
        while not self._stopping:
            if self._is_due:
                self._is_due = False
                self._look()
            if not self._wake.wait(DAILY_S):
                self._is_due = True
            self._wake.clear()

    def _look(self) -> None:
        try:
            with (
                translated_errors(),
                contextlib.closing(connect(self._path, read_only=True)) as self._connection,
            ):
                inspect(self._connection)
        except StoreDamagedError as error:
            self._on_damage(str(error))
        except StoreError:
            pass  # interrupted, or not to be read now: whoever asks it something is told
        finally:
            self._connection = None


def inspect(connection: sqlite3.Connection) -> None:
    """Look through an index. StoreDamagedError with what was found, sqlite3.Error when it cannot be read."""
    connection.execute("BEGIN")
    (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if result != "ok":
        raise StoreDamagedError(result)
    check_tables(connection)
    for table in (SESSIONS, PIECES, MARKS, DRIFT):
        for _ in table.read(connection):
            pass
    # Each level is to be what the one below adds up to, and the lowest what the events do.
    by_second = f"SELECT ts / {LEVELS_US[0]}, type, count(*) FROM events INDEXED BY by_time WHERE ts >= 0 GROUP BY 1, 2"
    _compare(connection, "SELECT slot, type, count FROM counts WHERE level = 0 AND slot >= 0", by_second)
    for level, (short_us, long_us) in enumerate(pairwise(LEVELS_US)):
        lower = (
            f"SELECT slot / {long_us // short_us}, type, sum(count) FROM counts"
            f" WHERE level = {level} AND slot >= 0 GROUP BY 1, 2"
        )
        upper = f"SELECT slot, type, count FROM counts WHERE level = {level + 1} AND slot >= 0"
        _compare(connection, upper, lower)


def _compare(connection: sqlite3.Connection, one: str, other: str) -> None:
    for left, right in ((one, other), (other, one)):
        if connection.execute(f"SELECT 1 FROM ({left} EXCEPT {right}) LIMIT 1").fetchone():
            raise StoreDamagedError("the counts of events are not what the events add up to")
