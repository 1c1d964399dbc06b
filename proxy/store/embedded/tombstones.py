"""What has been taken out of the index: enough to tell who was away whether events are gone that he has not seen.

Numbers of events are never used again, so for each type of a removed session its last number says it all. The newest
removals are kept by session; of the older ones it is remembered only how far they went, all together.
"""

import sqlite3
from collections.abc import Mapping, Sequence

from proxy.store.embedded.counts import of_types
from proxy.store.embedded.rows import find_session

_MOST_SESSIONS = 1000
"""Removals that are kept by session, at least; at most twice as many."""
_ANY = ""
"""Stands for the sessions of the older ones: no session has that id."""


def bury(connection: sqlite3.Connection, session_id: str, last_ids: Mapping[int, int]) -> None:
    """Remember that a session is taken out, whose last event of each type had that number."""
    if not last_ids:
        return
    removal = _newest(connection) + 1
    connection.executemany(
        "INSERT OR REPLACE INTO tombstones VALUES (?, ?, ?, ?)",
        [(session_id, type_id, last_id, removal) for type_id, last_id in last_ids.items()],
    )
    if removal % _MOST_SESSIONS == 0:
        _put_together(connection, removal - _MOST_SESSIONS)


def missing(
    connection: sqlite3.Connection,
    after_id: int,
    session_id: str | None,
    types: Sequence[int] | None,
    *,
    told: int,
) -> tuple[bool, int]:
    """Return whether events behind one were removed, of a session and of some types where they are given.

    And the number of the newest removal. ``told``: the newest one that is known already.
    """
    newest = _newest(connection)
    if newest <= told:
        return False, newest
    where = f"removal > ? AND last_id > ? AND {of_types(types)}"
    rows = connection.execute(
        f"SELECT DISTINCT session FROM tombstones WHERE {where}", (told, after_id, *(types or ()))
    )
    sessions = {name for (name,) in rows}
    if session_id is None:
        return bool(sessions), newest
    if session_id in sessions:
        return True, newest
    # It may be among the older ones, unless it is there.
    return _ANY in sessions and find_session(connection, session_id) is None, newest


def _newest(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(removal), 0) FROM tombstones").fetchone()[0])


def _put_together(connection: sqlite3.Connection, upto: int) -> None:
    """Forget by which sessions the removals up to one were."""
    connection.execute(
        "INSERT OR REPLACE INTO tombstones SELECT ?, type, max(last_id), max(removal) FROM tombstones"
        " WHERE removal <= ? GROUP BY type",
        (_ANY, upto),
    )
    connection.execute("DELETE FROM tombstones WHERE removal <= ? AND session != ?", (upto, _ANY))
