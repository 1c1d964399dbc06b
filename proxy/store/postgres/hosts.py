"""The hosts that push to a centre: when they were heard, and how far each is ahead of what is here."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from proxy import __version__
from proxy.fleet import Greeting
from proxy.store.fleet import LONGEST_PUSH, Heard, Saying
from proxy.store.postgres.connections import Connection, execute, value_of

NEW_EPOCH = "substr(md5(random()::text || clock_timestamp()::text), 1, 8)"
UNREACHABLE_S = 45
"""A host that was not heard for so long is not reached: it missed three heartbeats, which it sends every 15 s."""


class Host(NamedTuple):
    """Who pushes."""

    id: int
    team: int
    team_name: str


def hear(connection: Connection, said: Saying) -> Heard:
    """Note, in a transaction, that a host was heard just now.

    If it knows of more pushes than are here, the database was restored to an older state: what others were told of it
    is not true any more, so the epoch becomes another one. It does not if it is another one already: somebody else
    has found out.
    """
    hello = said.hello
    # First, as who stores pushes has the numbers of events before it counts them.
    before = execute(connection, "SELECT pushes FROM hosts WHERE host_id = %s", (said.host_id,)).fetchone()
    if hello.pushes > (before[0] if before else 0) and hello.epoch is not None:
        end_epoch(connection, hello.epoch)
    ((counted, team),) = execute(
        connection,
        "INSERT INTO hosts (host_id, name, team, version, clock_offset_ms, pushes, heard_at)"
        " VALUES (%s, %s, %s, %s, %s, 0, now()) ON CONFLICT (host_id) DO UPDATE SET name = excluded.name,"
        " version = excluded.version, clock_offset_ms = excluded.clock_offset_ms, heard_at = excluded.heard_at"
        " RETURNING pushes, (SELECT name FROM teams WHERE id = hosts.team)",
        (said.host_id, hello.name, team_number(connection, said.team), hello.version, said.clock_offset_ms),
    )
    names = list(hello.sessions)
    greeting = Greeting(
        version=__version__,
        epoch=read_epoch(connection),
        pushes=counted,
        longest_push=LONGEST_PUSH,
        takes_firings=True,
        differing=_differing(connection, said) if names else {},
        forgotten=_forgotten(connection, names) if names else [],
    )
    return Heard(team, greeting)


def find(connection: Connection, host_ids: Collection[str]) -> dict[str, Host]:
    """Return those hosts that were heard before, by their ids."""
    query = (
        "SELECT h.host_id, h.id, h.team, t.name FROM hosts h JOIN teams t ON t.id = h.team"
        " WHERE h.host_id = ANY(%s)"
    )
    rows = execute(connection, query, (list(host_ids),))
    return {host_id: Host(*row) for host_id, *row in rows}


def _differing(connection: Connection, said: Saying) -> dict[str, int]:
    """Return of which sessions other lines, another claim, or fewer firings are here than the host thinks.

    With how many lines are here.
    """
    query = (
        "SELECT session_id, lines, running, cardinality(firings) FROM sessions WHERE session_id = ANY(%s)"
        " AND team = (SELECT team FROM hosts WHERE host_id = %s)"
    )
    rows = execute(connection, query, (list(said.hello.sessions), said.host_id))
    here = {name: (lines, running, firings) for name, lines, running, firings in rows}
    found = {}
    for name, thought in said.hello.sessions.items():
        lines_here, running_here, firings_here = here.get(name, (0, thought.running, 0))
        if (lines_here, running_here) != (thought.lines, thought.running) or firings_here < thought.firings:
            found[name] = lines_here
    return found


def _forgotten(connection: Connection, session_ids: Sequence[str]) -> list[str]:
    """Return which sessions were erased."""
    query = "SELECT session_id FROM forgotten WHERE session_id = ANY(%s)"
    return [name for (name,) in execute(connection, query, (list(session_ids),))]


def count_pushes(connection: Connection, counted: Mapping[int, int]) -> dict[int, int]:
    """Count pushes of hosts, in a transaction; return how many there are now."""
    found = {}
    for host, count in sorted(counted.items()):  # in one order, so that nobody waits for each other
        query = "UPDATE hosts SET pushes = pushes + %s, heard_at = now() WHERE id = %s RETURNING pushes"
        row = execute(connection, query, (count, host)).fetchone()
        found[host] = 0 if row is None else int(row[0])
    return found


def team_number(connection: Connection, name: str) -> int:
    """Return the number of a team, made if it is new."""
    query = "SELECT id FROM teams WHERE name = %s"
    if (row := execute(connection, query, (name,)).fetchone()) is not None:
        return int(row[0])
    execute(connection, "INSERT INTO teams (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,))
    return int(value_of(connection, query, (name,)))


def end_epoch(connection: Connection, epoch: str) -> None:
    """Begin another epoch, in a transaction, if it is still this one: what was told in it is not here any more."""
    execute(connection, f"UPDATE meta SET epoch = {NEW_EPOCH} WHERE epoch = %s", (epoch,))


def read_epoch(connection: Connection) -> str:
    """Return the epoch: another one when what was told is not what is here any more."""
    return str(value_of(connection, "SELECT epoch FROM meta"))
