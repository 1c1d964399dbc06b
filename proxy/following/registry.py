"""What Claude Code's registry says of a process: pure, from the bytes of ``<config>/sessions/<pid>.json``.

Claude Code writes the file for itself (`claude agents --json` prints it); no page documents it. So every field may be
missing, words may be new and are kept as they are, and what is torn or empty, as the file is written in place, says
nothing at all.
"""

import json
import re
from typing import Any

from proxy.sessions.process import Identity

FOLDER = "sessions"
"""Where the registry is, below Claude Code's configuration folder."""
_FILE = re.compile(r"([1-9][0-9]*)\.json", re.ASCII)
_CLOCKS_APART_MS = 10_000
"""As far ``startedAt`` may be before the start of its process: clocks are set, and ticks are rounded.

A process id comes round again after 32,768 others at the earliest, which hardly start in that time."""


class Registration:
    """One process of Claude Code, as it says itself: times are milliseconds since 1970, None stands for nothing."""

    def __init__(self, pid: int, said: dict[str, Any]) -> None:
        """``pid``: of the file's name; ``said``: its content."""
        self.pid = pid
        self.session_id = _text(said, "sessionId")
        self.status = _text(said, "status")
        # It may be left over from an earlier status.
        self.waiting_for = _text(said, "waitingFor") if self.status == "waiting" else None
        self.since_ms = _whole(said, "statusUpdatedAt")
        self.started_ms = _whole(said, "startedAt")
        self.proc_start = _text(said, "procStart")
        self.version = _text(said, "version")
        self.kind = _text(said, "kind")


def pid_of(name: str) -> int | None:
    """Return whose file it is by its name; None for what is no registration, such as the keys beside them."""
    found = _FILE.fullmatch(name)
    return int(found[1]) if found else None


def parse(pid: int, data: bytes) -> Registration | None:
    """Return what a file says, None when it says nothing (yet)."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    registration = Registration(pid, said)
    return registration if registration.session_id else None


def is_of(registration: Registration, process: Identity, started_ms: int) -> bool:
    """Tell whether a registration is of this process, and not what an earlier one of the same id has left behind.

    ``started_ms``: when the process was started.
    """
    if registration.pid != process.pid:
        return False
    # With a boot (Linux) both count ticks since it; a process that is gone has no start any more.
    if None not in (registration.proc_start, process.start, process.boot):
        return registration.proc_start == process.start
    return registration.started_ms is None or registration.started_ms >= started_ms - _CLOCKS_APART_MS


def _text(said: dict[str, Any], key: str) -> str | None:
    value = said.get(key)
    return value if isinstance(value, str) and value else None


def _whole(said: dict[str, Any], key: str) -> int | None:
    value = said.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
