"""The processes of a scenario: started in a session of their own, found by a mark, and gone at the end for certain.

A process that has a session of its own and has emptied its environment is found all the same where orphans are
adopted; only which scenario it is from cannot be told then, unless one ran alone.
"""

import contextlib
import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Container
from typing import NamedTuple

import msgspec
import psutil

MARK = "CLAUDE_PROXY_CHECK"
"""A variable that all processes of a scenario inherit, with a value that no other scenario has."""
starting = threading.Lock()
"""Held while a process is started, and while an executable is written.

A process that is started meanwhile would hold the file open for writing until its own program runs, and whoever
runs the file in that moment is told "Text file busy".
"""
CAN_ADOPT = hasattr(ctypes.CDLL(None), "prctl")
"""Whether this system lets a process adopt orphans, as Linux does."""
_POLL_S = 0.01  # short beside the start of a process
_LONGEST_POLL_S = 0.1  # a look at all processes takes 10 ms of processor time
_KILLS = 200  # attempts: what is killed may have forked just before
_SET_CHILD_SUBREAPER = 36


class _Stat(NamedTuple):
    dead: bool
    """It has ended, and nobody has asked for its status yet."""
    parent: int
    group: int
    session: int


class Found(msgspec.Struct, frozen=True):
    """A living process."""

    pid: int
    command: str
    group: int
    """It is never ours: whatever is started here has a session of its own."""


def find(mark: str, session: int) -> list[Found]:
    """Return the living processes that carry the mark, or belong to the session of a process that we started."""
    return [
        Found(pid, _command(pid), stat.group)
        for pid in psutil.pids()
        if pid != os.getpid()
        and (stat := _stat(pid))
        and not stat.dead
        and (stat.session == session or _mark_of(pid) == mark)
    ]


class Orphans:
    """Adopts what is orphaned below this process, which from now on has no other children than scenarios'.

    One that goes on forking and ending is no process for long enough to be seen alive. Those that have ended are seen,
    since they stay until we ask for their status, and from them the process group, which lives on.
    """

    def __init__(self) -> None:
        if CAN_ADOPT:
            ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1)
        self._others = frozenset(_below(os.getpid()))  # an `exec` may have brought some

    def find(self, started: int | None = None) -> list[Found]:
        """Return those that live, and their descendants, while nothing runs or only the child ``started``."""
        adopted = _below(os.getpid(), besides=self._others | {started})
        for pid in adopted:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        alive = [Found(pid, _command(pid), stat.group) for pid, stat in adopted.items() if not stat.dead]
        found = [one for one in alive if one.command]  # without one it has just ended
        unseen = {stat.group for stat in adopted.values()} - {one.group for one in found} - {started}
        return found + [Found(group, "goes on forking", group) for group in unseen if _lives(group)]

    def end(self) -> bool:
        """Kill them, while nothing runs; return whether there were any."""
        return _kill(self.find)


def end_all(mark: str, session: int) -> None:
    """Kill what `find` finds until it finds nothing. It is killed, not asked: a scenario is over."""
    _kill(lambda: find(mark, session))


def _kill(left: Callable[[], list[Found]]) -> bool:
    """Kill until nothing is left; return whether anything was."""
    for attempt in range(_KILLS):
        found = left()
        if not found:
            return attempt > 0
        for process in found:
            # The group first: what forks meanwhile cannot get away from that.
            for kill, number in ((os.killpg, process.group), (os.kill, process.pid)):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(number, signal.SIGKILL)
        time.sleep(_POLL_S)
    return True


def gone(left: Callable[[], list[Found]], patience_s: float) -> list[Found]:
    """Wait until no process is left, but no longer than that; return those that are."""
    deadline = time.monotonic() + patience_s
    pause_s = _POLL_S
    while (found := left()) and time.monotonic() < deadline:
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_POLL_S)
    return found


def ended(pid: int, patience_s: float) -> None:
    """Wait until a process has ended, but no longer than that."""
    deadline = time.monotonic() + patience_s
    while (stat := _stat(pid)) and not stat.dead and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _below(root: int, besides: Container[int | None] = ()) -> dict[int, _Stat]:
    """Return the descendants of a process, the dead as well, without some and what is below those."""
    stats = {pid: stat for pid in psutil.pids() if (stat := _stat(pid))}
    found: dict[int, _Stat] = {}
    parents: Container[int] = (root,)
    while parents:
        parents = {pid for pid, stat in stats.items() if stat.parent in parents and pid not in besides}
        found |= {pid: stats[pid] for pid in parents}
    return found


def _lives(group: int) -> bool:
    """Tell whether a process group has a member."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _stat(pid: int) -> _Stat | None:
    """Return what the kernel tells of a process; None: it is gone."""
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        dead = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        return _Stat(dead, process.ppid(), os.getpgid(pid), os.getsid(pid))
    return None


def _mark_of(pid: int) -> str | None:
    with contextlib.suppress(psutil.Error, OSError):  # it has ended, or is another user's
        return psutil.Process(pid).environ().get(MARK)
    return None


def _command(pid: int) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        return " ".join(psutil.Process(pid).cmdline())[:200]
    return ""
