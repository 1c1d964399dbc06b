"""What hosts push to the store of a centre, and what becomes of it: plain values.

What a centre tells of hosts and costs is in `proxy.fleet`, as its API gives it.
"""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

from proxy.fleet import Greeting, Hello

LONGEST_PUSH = 128 << 20
"""Bytes of lines, not compressed: more than a line of 100 MB."""


class Saying(NamedTuple):
    """What a host says of itself."""

    host_id: str
    team: str
    """The one that it comes with; a host that is known stays in its first one."""
    clock_offset_ms: int
    """Its clock less ours."""
    hello: Hello


class Heard(NamedTuple):
    """What a host is told when it was heard."""

    team: str
    """Of the host: the one that it came with first."""
    greeting: Greeting


class Arriving(NamedTuple):
    """Some lines of a session's log, as a host sends them."""

    host_id: str
    team: str | None
    """In which the host must be; None: in any."""
    session_id: str
    from_line: int
    """The place of the first of them in the log."""
    text: bytes
    """Whole lines, each with its newline; none of them: only a claim."""
    running: bool = True
    """Whether the host says that the session's writer lives. When not, and the log has no end, it has crashed."""
    firings: Sequence[bytes] = ()
    """What rules found of the session, see `proxy.sessions.firings`: each as JSON."""
    firings_from: int = 0
    """The place of the first of them among all."""
    has_more: bool = False
    """Whether more lines of the log are there already: what rules found later is told behind those."""


class Outcome(Enum):
    """What became of a push."""

    STORED = "stored"
    GAP = "gap"
    """There are fewer lines, or firings, than the push goes on from; nothing was taken."""
    FORGOTTEN = "forgotten"
    """The session was erased, or has expired, and is not taken again."""
    FOREIGN = "foreign"
    """The session is another host's, and these are other lines."""
    FUTURE = "future"
    """The log is of a newer format than this program knows."""
    STRANGER = "stranger"
    """The host is not known, or not in that team."""


class Answer(NamedTuple):
    """What became of a push, and at which line of the log to go on."""

    outcome: Outcome
    next_line: int


class Pushed(NamedTuple):
    """What became of a push, for the host."""

    answer: Answer
    epoch: str
    pushes: int
    """How many pushes of the host are here."""


class Removed(NamedTuple):
    """A session that has expired."""

    session_id: str
    bytes: int
    """Of its log."""


class Token(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a token; not the token."""

    name: str
    scopes: tuple[str, ...]
    sha256: str
    created_at: str = ""
    team: str | None = None
    """Whose sessions alone it sees, and to which it pushes; None: all of them."""
