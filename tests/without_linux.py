"""Takes from ``proxy`` what macOS lacks: run at the start of every Python process of the tests (`./check --portable`).

Only the project's own code is kept from it. Libraries have another way there, and the tests look at processes as Linux
shows them. Devices in ``poll`` are as on macOS, too: it knows nothing of them.
"""

import _ctypes
import _signal  # type: ignore[import-not-found] # what `signal` is made of
import builtins
import ctypes
import fcntl
import io
import os
import select
import signal
import socket
import stat
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

MISSING: dict[Any, tuple[str, ...]] = {
    os: (
        "pidfd_open",
        "pipe2",
        "posix_fadvise",
        "memfd_create",
        "eventfd",
        "splice",
        "copy_file_range",
        "O_TMPFILE",
    ),
    signal: ("sigwaitinfo", "sigtimedwait", "pidfd_send_signal"),
    _signal: ("sigwaitinfo", "sigtimedwait", "pidfd_send_signal"),
    time: ("CLOCK_BOOTTIME",),
    socket: ("AF_NETLINK", "SOCK_CLOEXEC", "SOCK_NONBLOCK"),
    fcntl: ("F_GETPIPE_SZ", "F_SETPIPE_SZ"),
}
C_FUNCTIONS = ("prctl", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "mallopt", "malloc_trim")
LIBRARIES = {"psutil", "watchfiles"}


def asks_for_us() -> bool:
    """Whether it is the project's own code that asks, be it by way of the standard library."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if name == "proxy":
            return True
        if name in LIBRARIES or name in {"tests", "__main__"}:
            return False
        frame = frame.f_back
    return False


def take(module: Any, names: tuple[str, ...]) -> None:
    """Take names out of a module, for the project's own code."""
    kept = {name: module.__dict__.pop(name) for name in names if name in module.__dict__}

    def __getattr__(name: str) -> Any:
        if name in kept and not asks_for_us():
            return kept[name]
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r} on this system")

    module.__getattr__ = __getattr__


def hide_proc(module: Any, name: str, *nothing: Any) -> None:
    """Let a function find nothing under /proc, for the project's own code: return ``nothing``, or raise."""
    function = getattr(module, name)

    def found(path: Any = ".", *arguments: Any, **options: Any) -> Any:
        text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        if not (text == "/proc" or text.startswith("/proc/")) or not asks_for_us():
            return function(path, *arguments, **options)
        if nothing:
            return nothing[0]
        raise FileNotFoundError(2, "No such file or directory", path)

    setattr(module, name, found)


real_poll = select.poll


class Poll:
    """``poll`` as on macOS: of devices it knows nothing."""

    def __init__(self) -> None:
        self._poll = real_poll()
        self._devices: list[int] = []

    def register(self, fd: Any, events: int = select.POLLIN | select.POLLPRI | select.POLLOUT) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        try:
            is_device = stat.S_ISCHR(os.fstat(number).st_mode)
        except OSError:
            is_device = False
        if is_device and asks_for_us():
            self._devices.append(number)
        else:
            self._poll.register(fd, events)

    def unregister(self, fd: Any) -> None:
        if fd in self._devices:
            self._devices.remove(fd)
        else:
            self._poll.unregister(fd)

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        found = [(fd, select.POLLNVAL) for fd in self._devices]
        return found + self._poll.poll(0 if found else timeout)


class Library(ctypes.CDLL):
    """A library of C, without what Linux or its C library have alone."""

    def __getattr__(self, name: str) -> Any:
        if name in C_FUNCTIONS and asks_for_us():
            raise AttributeError(f"dlsym(RTLD_DEFAULT, {name}): symbol not found")
        return super().__getattr__(name)


real_dlsym = _ctypes.dlsym


def dlsym(library: int, name: str) -> int:
    """Find a function of C, as `Library` does."""
    if name in C_FUNCTIONS and asks_for_us():
        raise OSError(f"dlsym(RTLD_DEFAULT, {name}): symbol not found")
    return real_dlsym(library, name)


def apply() -> None:
    """Take all of it away."""
    setattr(select, "poll", Poll)
    setattr(_ctypes, "dlsym", dlsym)
    setattr(ctypes, "CDLL", Library)
    for module, names in MISSING.items():
        take(module, names)
    hide_proc(builtins, "open")
    io.open = builtins.open
    for name in ("open", "listdir", "readlink"):
        hide_proc(os, name)
    hide_proc(os.path, "exists", False)


if __name__ == "without_linux" and not hasattr(os, "__getattr__"):  # run by `portable`, perhaps twice
    apply()
