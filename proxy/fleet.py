"""What the hosts of a fleet and its centre say to each other, and what a centre tells of hosts and of costs."""

from typing import Annotated, TypedDict

import msgspec

from proxy.events.timestamps import Timestamp

PROTOCOL = 1
"""Version of what is said; a centre that knows another one refuses, and says so."""


class Position(msgspec.Struct, frozen=True):
    """How far a host has sent a session, and whether its writer lives."""

    lines: int
    """Lines of the log that the centre has acknowledged."""
    running: bool = False
    firings: int = 0
    """How much of what rules found the centre has acknowledged."""


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """A host says that it is there: at first, and then every few seconds."""

    protocol: int
    version: str
    """Of claude-proxy."""
    name: str
    """What people call the host."""
    sent_at: Timestamp
    """By the host's clock."""
    epoch: str | None = None
    """The newest one that the host was told."""
    pushes: int = 0
    """How many pushes of the host the centre has counted, as the host was told last."""
    sessions: Annotated[dict[str, Position], msgspec.Meta(max_length=1000)] = {}
    """Those that are not over, or all of them in several pieces, where the centre is to say what it lacks."""


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """The centre's answer to `Hello`."""

    version: str
    epoch: str
    """Another one where the centre has lost what it once had: everything is to be compared then."""
    pushes: int
    """How many pushes of the host the centre has counted. Fewer than before: it was restored to an older state."""
    longest_push: int
    """Bytes of records, not compressed, that the centre takes at once."""
    takes_firings: bool = False
    """Whether it takes what rules found; a centre of an older version does not."""
    differing: dict[str, int] = {}
    """Of the sessions that were named: those that the centre has otherwise, and how many lines of each it has."""
    forgotten: list[str] = []
    """Those that were erased, and are never to be sent again."""


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent is stored."""

    next_line: int
    """Lines of the log that the centre has."""
    epoch: str
    pushes: int


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent is not stored."""

    error: str
    next_line: int | None = None
    """Where to go on instead."""


class Origin(TypedDict):
    """Where a session comes from, as `shown_session` has it."""

    host: str
    team: str
    reachable: bool
    heard_at: str


class Host(msgspec.Struct, frozen=True):
    """A machine, or rather a data directory, whose sessions are sent to this centre."""

    host_id: str
    name: str
    team: str
    version: str
    """Of its claude-proxy."""
    reachable: bool
    """Whether it was heard just now."""
    heard_at: Timestamp
    clock_offset_ms: Annotated[int, msgspec.Meta(extra_json_schema={"minimum": -(2**53)})]
    """Its clock less the centre's, as far as the network lets it be told."""
    sessions: int
    live_sessions: int
    rewritten_lines: int
    """Lines of its logs that came again and were others: the first ones stay."""


class TeamCost(msgspec.Struct, frozen=True):
    """What a team spent on a model in sessions that began on one day."""

    team: str
    day: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})]
    """In UTC."""
    model: str
    """Empty for what results state and name no model for."""
    sessions: int
    cost: float
    """In US dollars."""


class CostPage(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent at a centre, also on sessions that are not there any more; on a single machine nothing is told."""

    costs: list[TeamCost]


class HostPage(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts of a fleet, by name; on a single machine there are none."""

    hosts: list[Host]
