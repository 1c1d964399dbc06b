"""What rules found of a session: ``SESSION.rules`` beside its log, one JSON object a line, written by the server.

A session's log has one writer, its relay, and a session without a grant takes nothing from anybody. So this lies
beside it. It is written before a rule acts, and is what the server knows over a restart.
"""

import contextlib
import os
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from proxy.protocol.grammar import REFUSALS
from proxy.sessions.identity import LOG_SUFFIX, log_path, sessions_dir
from proxy.sessions.private import append_line, read_private

SUFFIX = ".rules"


_LATEST_US = 253_402_214_400_000_000
"""The last day that a timestamp of RFC 3339 can name: there is room behind it for what else happens."""


class Firing(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A rule has fired."""

    timestamp_us: Annotated[int, Meta(ge=0, le=_LATEST_US)]
    """Microseconds since 1970."""
    rule: str
    """The name that the user gave it."""
    when: Annotated[dict[str, float], Meta(min_length=1, max_length=1)]
    """The condition and its limit, as in the configuration."""
    do: str
    """What the rule does; ``tell`` of a warning."""
    mode: str
    """``dry_run`` or ``act``."""
    value: float
    """What was reached."""
    occasion: str
    """Tells one time that it applies from the next: on each it fires once."""
    warning: bool = False
    """The limit is near, and not reached."""
    known: str | None = None
    """Where the value is not as good as it could be: why."""
    refused: str | None = None
    """Why it is not done: the session takes no actions."""
    action_id: str | None = None
    request_id: str | None = None
    """The question that is answered."""
    running: list[str] = []
    """The tools that run."""
    evidence: list[int] = []
    """The numbers of records in the session's log."""

    def fields(self) -> dict[str, Any]:
        """Return what an event of it carries."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        del told["timestamp_us"], told["occasion"]
        return told


_decode = msgspec.json.Decoder(Firing).decode


def path_of(data_dir: str, session_id: str) -> str:
    """Return where the firings of a session are."""
    return os.path.join(sessions_dir(data_dir), session_id + SUFFIX)


def append(data_dir: str, session_id: str, firing: Firing) -> None:
    """Write one down. OSError when that cannot be done."""
    append_line(path_of(data_dir, session_id), encoded(firing))


def read(data_dir: str, session_id: str) -> list[Firing]:
    """Return what was written of a session, in order; a line that is torn or foreign is passed over."""
    return beside(log_path(data_dir, session_id))


def beside(log: str) -> list[Firing]:
    """Return what was written of the session of a log."""
    try:
        return decoded(read_private(path_beside(log)).split(b"\n")[:-1])
    except OSError:
        return []


def size_beside(log: str) -> int:
    """Return how many bytes are written of the session of a log."""
    try:
        return os.path.getsize(path_beside(log))
    except OSError:
        return 0


def extent(log: str) -> tuple[int, int, int]:
    """Return what tells that nothing was added: inode and size of a log, and the size of what rules found.

    OSError: there is no log.
    """
    status = os.stat(log)
    return status.st_ino, status.st_size, size_beside(log)


def decoded(lines: Iterable[bytes]) -> list[Firing]:
    """Return what lines say, without those that are torn or foreign."""
    found: list[Firing] = []
    for line in lines:
        with contextlib.suppress(*REFUSALS):
            found.append(_decode(line))
    return found


def encoded(firing: Firing) -> bytes:
    """Return one as a line, with its newline."""
    return msgspec.json.encode(firing) + b"\n"


def path_beside(log: str) -> str:
    """Return where the firings of the session of a log are."""
    return log.removesuffix(LOG_SUFFIX) + SUFFIX


def remove(data_dir: str, session_id: str) -> None:
    """Remove it with the session's log, if it is there."""
    with contextlib.suppress(OSError):
        os.unlink(path_of(data_dir, session_id))
