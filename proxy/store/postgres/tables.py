"""Rows of a centre's tables: read as what they are, and those that all sessions share written in one order."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import NamedTuple

import msgspec

from proxy.events import Session
from proxy.sessions.drift import SearchState
from proxy.store.counting import EventCounts, Mark, by_level
from proxy.store.model import Totals
from proxy.store.pieces import Piece
from proxy.store.postgres.connections import Connection, Values, execute, value_of

_decode_session = msgspec.json.Decoder(Session).decode
_decode_search = msgspec.json.Decoder(SearchState).decode

PARTITIONED = ("events", "pieces", "bodies")
"""Tables with a partition for each week."""
_PARTITION_LOCK = 0x636C_7001
"""Key of an advisory lock: our initials and a number, which no other program is likely to take."""
SESSION_COLUMNS = (
    "id, session_id, host, team, week, started, lines, size, rewritten, over, running, outcome, version, firings,"
    " state, drift"
)
PIECE_COLUMNS = "number, start, line, seq, stop, last_seq, kinds_before, kinds"


class SessionRow(NamedTuple):
    """What is kept of a session."""

    id: int
    session_id: str
    host: int
    team: int
    week: date
    started_us: int
    lines: int
    size: int
    rewritten: int
    over: bool
    running: bool
    outcome: str
    version: int
    firings: list[bytes]
    state: bytes
    drift: bytes

    def session(self) -> Session:
        """Return the session as it stands."""
        return _decode_session(self.state) if self.state else Session(self.session_id)

    def search(self) -> SearchState | None:
        """Return what the search for drift remembers, None where it has found nothing to remember."""
        return _decode_search(self.drift) if self.drift else None


def of_team(team: str | None) -> str:
    """Return the condition that a row is of a team, whose name is the value ``team``; None: of any."""
    return "true" if team is None else "team = (SELECT id FROM teams WHERE name = %(team)s)"


def counts_of(team: str | None) -> str:
    """Return the same for rows of counts, whose index begins with the team: so all teams are named there."""
    return f"team = ANY(ARRAY(SELECT id FROM teams{'' if team is None else ' WHERE name = %(team)s'}))"


def read_sessions(connection: Connection, where: str, values: Values = ()) -> Iterator[SessionRow]:
    """Yield rows of sessions: ``where`` is what follows the table's name."""
    for row in execute(connection, f"SELECT {SESSION_COLUMNS} FROM sessions {where}", values):
        yield SessionRow(*row)


def read_pieces(connection: Connection, where: str, values: Values = ()) -> Iterator[Piece]:
    """Yield pieces: ``where`` is what follows the table's name."""
    for row in execute(connection, f"SELECT {PIECE_COLUMNS} FROM pieces {where}", values):
        yield Piece.of_row(row)


def last_mark(connection: Connection, session: int) -> Mark | None:
    """Return the last marked event of a session, None where it has none."""
    query = "SELECT number, ts, types FROM marks WHERE session = %s ORDER BY number DESC LIMIT 1"
    row = execute(connection, query, (session,)).fetchone()
    return None if row is None else Mark.of_row(row)


def type_numbers(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Return the numbers of event types, made for those that are new.

    Asked for each time: a database that was restored to an older state may number them otherwise.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    query = "SELECT name, id FROM types WHERE name = ANY(%s)"
    found: dict[str, int] = dict(execute(connection, query, (wanted,)).fetchall())
    if missing := [name for name in wanted if name not in found]:
        values = "SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"
        execute(connection, f"INSERT INTO types (name) {values}", (missing,))
        found = dict(execute(connection, query, (wanted,)).fetchall())
    return found


def add_counts(connection: Connection, counted: Mapping[int, EventCounts]) -> None:
    """Add what was counted, by team, to every level."""
    rows = [(team, *row) for team, counts in sorted(counted.items()) for row in by_level(counts)]
    if not rows:
        return
    columns = [list(column) for column in zip(*rows, strict=True)]
    arrays = "%s::smallint[], %s::smallint[], %s::bigint[], %s::smallint[], %s::bigint[]"
    execute(
        connection,
        f"INSERT INTO counts SELECT * FROM unnest({arrays})"
        " ON CONFLICT (team, level, slot, type) DO UPDATE SET count = counts.count + excluded.count",
        columns,
    )
    if any(row[-1] < 0 for row in rows):
        execute(connection, "DELETE FROM counts WHERE count <= 0")


def add_totals(connection: Connection, added: Mapping[int, Totals]) -> None:
    """Add to what sessions add up to, by team."""
    rows = [
        (team, "/".join(key), value)
        for team, totals in sorted(added.items())
        for key, value in sorted(totals.items())
        if value
    ]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        execute(
            connection,
            "INSERT INTO totals SELECT * FROM unnest(%s::smallint[], %s::text[], %s::bigint[])"
            " ON CONFLICT (team, key) DO UPDATE SET value = totals.value + excluded.value",
            columns,
        )


def take_numbers(connection: Connection, count: int) -> int:
    """Return the first of so many numbers for events. Whoever else wants some waits until this transaction is over."""
    query = "UPDATE meta SET next_id = next_id + %s RETURNING next_id"
    return int(value_of(connection, query, (count,))) - count


def week_of(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def ensure_partitions(connection: Connection, week: date) -> None:
    """Make the partitions of a week, if they are not there."""
    name = f"{week:%Y%m%d}"
    query = "SELECT to_regclass(%s) IS NOT NULL"
    found = execute(connection, query, (f"{PARTITIONED[-1]}_{name}",)).fetchone()
    if found == (True,):
        return
    # Somebody else may be making them at this moment.
    execute(connection, "SELECT pg_advisory_xact_lock(%s)", (_PARTITION_LOCK,))
    for table in PARTITIONED:
        if execute(connection, query, (f"{table}_{name}",)).fetchone() != (True,):
            # Attached, not made as a partition: that would wait for whoever reads the table, and a dump reads it long.
            execute(connection, f"CREATE TABLE {table}_{name} (LIKE {table} INCLUDING ALL)")
            values = f"FROM ('{week}') TO ('{week + timedelta(days=7)}')"
            execute(connection, f"ALTER TABLE {table} ATTACH PARTITION {table}_{name} FOR VALUES {values}")
