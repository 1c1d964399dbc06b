"""What the operating system tells of processes: who they are, whether they live, how they ended.

A process id alone says nothing later: it is given to another process one day. Together with the boot and the time of
the process's start it names one process for ever.

Linux tells all of it (proc(5), pidfd_open(2)); where a system does not tell something, it is None. `psutil` would tell
more on other systems, and takes longer to import than a command waits: it is asked where nothing else answers.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # `typing` takes long to import, and a command waits
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, TypeVar

    _T = TypeVar("_T")

_PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, struct pidfd_info) of linux/pidfd.h, which is 64 bytes long
_PIDFD_INFO_EXIT = 8
_EXIT_STATUS_AT = 60
_MOST_DESCRIPTORS = 1 << 16
"""More than programs have: where the limit is "unlimited" (macOS), or the 2**20 of some containers, it says nothing."""
_STATE, _PARENT, _START, _EXIT = 0, 1, 19, 49
"""Fields 3, 4, 22 and 52 of proc_pid_stat(5), counted behind the name."""


class Identity:
    """One process: its id, its start and the boot.

    On Linux the start is in ticks since the boot; elsewhere in seconds since 1970, which tells boots apart by itself.
    """

    __slots__ = ("boot", "pid", "start")

    def __init__(self, pid: int, start: str | None, boot: str | None) -> None:
        self.pid = pid
        self.start = start
        self.boot = boot


def identity(pid: int) -> Identity:
    """Return who a process is now; start and boot are None where the system does not tell, or it is gone."""
    if fields := _stat(pid):
        return Identity(pid, fields[_START], _boot())
    return Identity(pid, _elsewhere(lambda psutil: repr(psutil.Process(pid).create_time())), _boot())


def started_boot_ns(process: Identity) -> int | None:
    """Return when a process of this boot was started, on the clock of `boot_ns`, to a hundredth of a second or so."""
    if process.start is None or process.boot != _boot():
        return None
    if process.boot is None:  # in seconds since 1970
        return boot_ns() - int((time.time() - float(process.start)) * 1e9)
    return int(process.start) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def lives(process: Identity) -> bool:
    """Tell whether a process lives still. One that has exited and was not waited for does not."""
    if process.boot is not None and process.boot != _boot():
        return False
    if fields := _stat(process.pid):
        return not _is_over(fields) and process.start in (None, fields[_START])

    def lives_there(psutil: Any) -> bool:
        one = psutil.Process(process.pid)
        is_same = process.start in (None, repr(one.create_time()))
        return is_same and one.status() != psutil.STATUS_ZOMBIE

    return _elsewhere(lives_there) or False


def is_stopped(pid: int) -> bool:
    """Tell whether a process is stopped, by a signal or by who traces it."""
    if fields := _stat(pid):
        return fields[_STATE] in ("T", "t")
    return _elsewhere(lambda psutil: psutil.Process(pid).status() == psutil.STATUS_STOPPED) or False


def descendants(pid: int) -> Iterator[int]:
    """Yield the children of a process, their children, and so on."""
    found = [pid]
    children = None if _tells_children() else _all_children()
    for one in found:
        found += _children(one) if children is None else children.get(one, ())
    yield from found[1:]
    there = _elsewhere(lambda psutil: psutil.Process(pid).children(recursive=True))
    yield from (child.pid for child in there or ())


def environment(pid: int) -> dict[bytes, bytes] | None:
    """Return the environment that a process was given when its program was started; of two of a name the first."""
    if (content := _content(f"/proc/{pid}/environ")) is None:
        there = _elsewhere(lambda psutil: psutil.Process(pid).environ())
        return there and {os.fsencode(name): os.fsencode(value) for name, value in there.items()}
    entries = [entry.partition(b"=") for entry in content.split(b"\0") if entry]
    return {name: value for name, _, value in reversed(entries)}


def descriptors() -> Sequence[int]:
    """Return the descriptors that this process has open; where nobody tells, all that it may have."""
    try:
        return [int(name) for name in os.listdir("/dev/fd")]  # on Linux a link to /proc/self/fd
    except OSError:  # a sandbox without `/proc`
        most = os.sysconf("SC_OPEN_MAX")
        return range(most if 0 < most < _MOST_DESCRIPTORS else _MOST_DESCRIPTORS)


def close_all_but(kept: set[int], null: int) -> None:
    """Close every descriptor of this process but ``kept``, and put ``null`` (open) on the standard ones."""
    for fd in range(3):
        os.dup2(null, fd, inheritable=False)
    for fd in descriptors():
        if fd > 2 and fd not in kept:
            try:  # noqa: SIM105 - contextlib takes long to import
                os.close(fd)
            except OSError:
                pass  # the one that listed the folder: closed already


def boot_ns() -> int:
    """Return nanoseconds of a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def open_process(pid: int) -> int:
    """Return a descriptor that can be read when a process has ended; -1 where there are none (Linux before 5.3)."""
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return -1


def exit_of(process: Identity, pidfd: int) -> int | None:
    """Return how a process that has ended did so, as ``waitpid`` tells it to its parent; None: nobody tells.

    Until the parent has waited for it, which some never do, ``/proc`` tells; after that its descriptor (-1: there is
    none), on Linux 6.15 and later.
    """
    # In this order: a parent that waits for it between the two questions does not make both fail.
    status = _exit_of_zombie(process)
    return _exit_of_reaped(pidfd) if status is None else status


def _exit_of_zombie(process: Identity) -> int | None:
    try:
        os.readlink(f"/proc/{process.pid}/cwd")
    except PermissionError:
        return None  # it is said to be 0 to those who may not know it
    except OSError:
        pass
    fields = _stat(process.pid)
    if fields is None or (fields[_START], _boot()) != (process.start, process.boot) or not _is_over(fields):
        return None
    return int(fields[_EXIT])


def _exit_of_reaped(pidfd: int) -> int | None:
    import fcntl  # noqa: PLC0415 - for the few that ask
    import sys  # noqa: PLC0415

    asked = bytearray(64)
    asked[:8] = _PIDFD_INFO_EXIT.to_bytes(8, sys.byteorder)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, asked)
    except (OSError, ValueError):
        return None
    if not int.from_bytes(asked[:8], sys.byteorder) & _PIDFD_INFO_EXIT:
        return None
    return int.from_bytes(asked[_EXIT_STATUS_AT:], sys.byteorder)


def described_exit(status: int) -> dict[str, Any]:
    """Return how a process ended, told as by ``waitpid``, as records say it: ``exit_code``, or ``signal`` by name."""
    if not os.WIFSIGNALED(status):
        return {"exit_code": os.WEXITSTATUS(status)}
    import signal  # noqa: PLC0415 - as above

    number = os.WTERMSIG(status)
    try:
        return {"signal": signal.Signals(number).name}
    except ValueError:
        return {"signal": f"SIGRT{number}"}


def _elsewhere(ask: Callable[[Any], _T]) -> _T | None:
    """Return what a library tells, on a system without `/proc`; None where that has the answer, or nobody has."""
    if _has_proc():
        return None
    try:
        import psutil  # noqa: PLC0415 - for other systems

        return ask(psutil)
    except Exception:  # whatever is not known there
        return None


def _tells_children() -> bool:
    pid = os.getpid()
    return os.path.exists(f"/proc/{pid}/task/{pid}/children")  # a choice of who builds the kernel


def _children(pid: int) -> list[int]:
    """Return the children of one process, of all of its threads; proc_tid_children(5)."""
    found: list[int] = []
    for thread in names(f"/proc/{pid}/task"):
        found += map(int, (_content(f"/proc/{pid}/task/{thread}/children") or b"").split())
    return found


def _all_children() -> dict[int, list[int]]:
    """Return the children of every process."""
    children: dict[int, list[int]] = {}
    for name in names("/proc"):
        if name.isdigit() and (fields := _stat(int(name))):
            children.setdefault(int(fields[_PARENT]), []).append(int(name))
    return children


def _has_proc() -> bool:
    return os.path.exists("/proc/self/stat")


def _stat(pid: int) -> list[str] | None:
    content = _content(f"/proc/{pid}/stat")
    return None if content is None else content.rpartition(b")")[2].decode().split()


def _is_over(fields: list[str]) -> bool:
    return fields[_STATE] in ("Z", "X")


def _boot() -> str | None:
    content = _content("/proc/sys/kernel/random/boot_id")
    return None if content is None else content.decode().strip()


def _content(path: str) -> bytes | None:
    """Return what a file of `/proc` holds; None: its process has ended, or may not be looked at."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return None


def names(folder: str) -> list[str]:
    """Return what is in a folder; nothing where it cannot be read."""
    try:
        return os.listdir(folder)
    except OSError:
        return []
