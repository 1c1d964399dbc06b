"""Derives anew what a centre tells of sessions, from their lines: for another version of the code that derives."""

from collections.abc import Iterator

from proxy.store.fleet import Arriving
from proxy.store.model import Totals
from proxy.store.postgres.bodies import Place, decompressed, read_frames
from proxy.store.postgres.connections import (
    Connection,
    connect,
    execute,
    translated_errors,
    value_of,
    writing,
)
from proxy.store.postgres.hosts import NEW_EPOCH, Host
from proxy.store.postgres.intake import Intake
from proxy.store.postgres.removal import empty_sessions
from proxy.store.postgres.tables import SessionRow, add_counts, add_totals, read_pieces, read_sessions
from proxy.store.totals import totals_of
from proxy.store.version import derivation_version

_AT_ONCE_BYTES = 4 << 20
"""As much of a session is derived at once as a batch of pushes holds, see `batching`: so memory does not grow with it.
"""


def rebuild(url: str, *, everything: bool = False, most_events: int | None = None) -> Iterator[str]:
    """Derive anew what was derived by another version; yield each session that was.

    Each is a transaction; servers may run meanwhile. Events get new numbers, so all listeners are told to come back.

    Raises:
        StoreError: the database cannot be used; what was done stays done.
    """
    intake = Intake(url, most_events=most_events)
    with translated_errors(), connect(url) as connection:
        where = "true" if everything else "version != %s"
        values = () if everything else (derivation_version(),)
        with writing(connection):
            rows = list(read_sessions(connection, f"WHERE {where} ORDER BY id", values))
            if rows:
                execute(connection, f"UPDATE meta SET epoch = {NEW_EPOCH}")
        for row in rows:
            with writing(connection):
                for locked in list(read_sessions(connection, "WHERE id = %s FOR UPDATE", (row.id,))):
                    texts = list(_texts(connection, locked))
                    stored_at = value_of(
                        connection, "SELECT stored_at FROM sessions WHERE id = %s", (row.id,)
                    )
                    _empty(connection, locked)
                    line = 0
                    for text in texts:
                        push = Arriving("", None, locked.session_id, line, text, locked.running)
                        push = push._replace(has_more=text is not texts[-1])
                        known = {"": Host(locked.host, locked.team, "")}
                        line = intake.take_within(connection, [push], known)[0].next_line
                    # It expires when it would have without this.
                    query = "UPDATE sessions SET stored_at = %s WHERE id = %s"
                    execute(connection, query, (stored_at, row.id))
            yield row.session_id


def _texts(connection: Connection, row: SessionRow) -> Iterator[bytes]:
    """Yield the lines of a session, some megabytes at a time."""
    where = "WHERE week = %s AND session = %s ORDER BY number"
    parts: list[bytes] = []
    size = 0
    for piece in list(read_pieces(connection, where, (row.week, row.id))):
        parts.append(decompressed(read_frames(connection, Place(row.week, row.id, piece.number))))
        size += len(parts[-1])
        if size > _AT_ONCE_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


def _empty(connection: Connection, row: SessionRow) -> None:
    """Take out all that was derived of a session, and its lines."""
    add_counts(connection, empty_sessions(connection, [row]))
    if row.state:
        added = Totals()
        added.subtract(totals_of(row.session()))
        add_totals(connection, {row.team: added})
    execute(
        connection,
        "UPDATE sessions SET lines = 0, size = 0, state = '', drift = '', version = %s WHERE id = %s",
        (derivation_version(), row.id),
    )
