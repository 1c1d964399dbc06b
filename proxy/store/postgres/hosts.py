"""The hosts that push to a centre, and when they were heard."""

from proxy.store.postgres.connections import Connection, execute
from proxy.store.postgres.intake import Host

__all__ = ["hear", "team_number"]


def hear(
    connection: Connection, host_id: str, name: str, team: str, *, version: str = "", clock_offset_ms: int = 0
) -> Host:
    """Note, in a transaction, that a host was heard just now; return its numbers. It keeps the team it came with."""
    row = execute(
        connection,
        "INSERT INTO hosts (host_id, name, team, version, clock_offset_ms, heard_at)"
        " VALUES (%s, %s, %s, %s, %s, now()) ON CONFLICT (host_id) DO UPDATE SET name = excluded.name,"
        " version = excluded.version, clock_offset_ms = excluded.clock_offset_ms, heard_at = excluded.heard_at"
        " RETURNING id, team",
        (host_id, name, team_number(connection, team), version, clock_offset_ms),
    ).fetchone()
    assert row is not None
    return Host(*row)


def team_number(connection: Connection, name: str) -> int:
    """Return the number of a team, made if it is new."""
    query = "SELECT id FROM teams WHERE name = %s"
    row = execute(connection, query, (name,)).fetchone()
    if row is None:
        execute(connection, "INSERT INTO teams (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,))
        row = execute(connection, query, (name,)).fetchone()
    assert row is not None
    return int(row[0])
