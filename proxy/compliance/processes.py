"""The processes of a scenario: started in a session of their own, found by a mark, and gone at the end for certain."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["MARK", "Found", "end_all", "ended", "find", "gone", "starting"]

MARK = "CLAUDE_PROXY_CHECK"
"""A variable that all processes of a scenario inherit, with a value that no other scenario has."""
starting = threading.Lock()
"""Held while a process is started, and while an executable is written.

A process that is started meanwhile would hold the file open for writing until its own program runs, and whoever
runs the file in that moment is told "Text file busy".
"""
_POLL_S = 0.01
_KILLS = 200


@dataclass(frozen=True, slots=True)
class Found:
    """A living process."""

    pid: int
    command: str


def find(mark: str, session: int) -> list[Found]:
    """Return the living processes that carry the mark, or belong to the session of a process that we started."""
    wanted = f"{MARK}={mark}".encode()
    return [
        Found(pid, _command(pid))
        for pid in _pids()
        if pid != os.getpid() and (_session_if_alive(pid) == session or wanted in _environment(pid))
    ]


def end_all(mark: str, session: int) -> None:
    """Kill what `find` finds until it finds nothing. It is killed, not asked: a scenario is over."""
    for _ in range(_KILLS):
        found = find(mark, session)
        if not found:
            return
        for process in found:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        time.sleep(_POLL_S)


def gone(mark: str, session: int, patience_s: float) -> list[Found]:
    """Wait until no process is left, but no longer than that; return those that are."""
    deadline = time.monotonic() + patience_s
    while (found := find(mark, session)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return found


def ended(pid: int, patience_s: float) -> None:
    """Wait until a process has ended, but no longer than that."""
    deadline = time.monotonic() + patience_s
    while _session_if_alive(pid) is not None and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _session_if_alive(pid: int) -> int | None:
    """Return the session of a process, None if it has ended (and nobody has asked for its status yet)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[3])


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return []


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()[:200]
    except OSError:
        return ""
