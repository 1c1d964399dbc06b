"""Learns which files have changed, from the kernel (inotify), or from a library, or else by being asked to look at all.

What inotify is told of a change is told on one machine: of a change that another machine makes on a network file
system nobody hears. Sessions and their readers are on one machine.
"""

import contextlib
import ctypes
import errno
import os
import select
import struct
import time
from collections.abc import Iterable
from functools import partial

TYPE_CHECKING = False  # `typing` takes long to import, and a recorder has no use for it
if TYPE_CHECKING:
    from proxy.sessions.notices import Notices

# inotify(7)
_MODIFY, _CLOSE_WRITE, _MOVED, _CREATE, _DELETE = 0x2, 0x8, 0xC0, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _UNMOUNT, _OVERFLOW, _IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
_WANTED = _MODIFY | _CLOSE_WRITE | _MOVED | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
_ANYTHING = _DELETE_SELF | _MOVE_SELF | _UNMOUNT | _OVERFLOW | _IGNORED
_HEAD = struct.Struct("iIII")
_WOKEN = b"w"


class Watch:
    """A watch on files and folders. `wait` and `wake` may be called from different threads."""

    def __init__(
        self, *paths: str, blind_s: float = 0.05, settle_s: float = 0.0, by_library: bool = False
    ) -> None:
        """What is not there yet is watched as soon as it is.

        ``blind_s``: where nobody can tell (no inotify, or the user's limit of it is reached), how often to look.
        ``settle_s``: how long to go on listening when the kernel has told of something, for what comes with it.
        ``by_library``: where there is no inotify, ask a library for what is in ``paths``, folders that are there. It
        costs a thread and more memory than a recorder has.
        """
        self._paths: tuple[str, ...] = paths
        self._blind_s = blind_s
        self._settle_s = settle_s
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._inotify = -1
        self._notices: Notices | None = None
        if by_library and not _has_inotify():
            from proxy.sessions import notices  # noqa: PLC0415 - a recorder has no use for its thread

            self._notices = notices.Notices(paths, self._wake_read, partial(_write, self._wake_write))
        self._watched: dict[str, tuple[str, int]] = {}
        """For each path what is not there of it, from above (empty: it is there and watched); and its watch's number.

        As long as something is missing, the folder above it is watched.
        """
        self._unseen = False  # whether something may have changed before its watch began
        self._arm()
        self._unseen = False  # nobody has looked yet

    def close(self) -> None:
        """End the watch."""
        self._forget()
        if self._notices is not None:
            self._notices.end()
        for fd in (self._wake_read, self._wake_write):
            os.close(fd)

    def set_paths(self, paths: Iterable[str]) -> None:
        """Watch these from now on, and no others. What changed up to now is told by the next `wait`, as anything."""
        self._paths = tuple(paths)
        for path in self._watched.keys() - set(self._paths):
            self._release(self._watched.pop(path)[1])
        self._arm()

    def wake(self) -> None:
        """Make `wait` return."""
        _write(self._wake_write, _WOKEN)

    def wait(self, timeout_s: float | None, also: int = -1) -> set[str] | None:
        """Wait until something changes, or a descriptor (``also``) can be read.

        Returns:
            The names of the files that changed; None: any of them may have.
        """
        self._arm()
        if self._unseen:
            self._unseen = False
            return None
        if self._notices is not None and self._notices.is_alive():
            return self._notices.wait(timeout_s)
        blind = self._inotify < 0
        poller = select.poll()
        for fd in (self._wake_read, self._inotify, also):
            if fd >= 0:
                poller.register(fd, select.POLLIN)
        if blind:
            timeout_s = self._blind_s if timeout_s is None else min(timeout_s, self._blind_s)
        ready = dict(poller.poll(None if timeout_s is None else timeout_s * 1000))
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        if blind:
            return None
        if self._inotify not in ready:
            return set()
        if self._settle_s:
            time.sleep(self._settle_s)
        return self._names()

    def _names(self) -> set[str] | None:
        names: set[str] = set()
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._inotify, 1 << 16):
                for number, mask, name in _events(data):
                    paths = [path for path, (_, other) in self._watched.items() if other == number]
                    if not paths and number >= 0:
                        continue  # we have ended that watch ourselves
                    if mask & _ANYTHING:
                        # What was watched is gone from its place, or the kernel has lost count.
                        self._forget()
                        return None
                    # Of a file that is watched itself the kernel gives no name.
                    names |= {name} if name else {os.path.basename(path) for path in paths}
        return names

    def _arm(self) -> None:
        """Watch what is not watched yet, or not all of it. Without the kernel's help: nothing, until the next time."""
        watched = self._watched
        missing = [path for path in self._paths if path not in watched or os.path.lexists(watched[path][0])]
        if (not missing and self._inotify >= 0) or not _has_inotify():
            return
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            if self._inotify < 0:
                self._inotify = _checked(libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
            for path in missing:
                _, former = watched.pop(path, ("", -1))
                watched[path] = self._watch_nearest(libc, path)
                self._release(former)  # a folder above it, where much else may happen
                self._unseen |= not watched[path][0]
        except OSError:  # the user's limit is reached, or the folder may not be read
            self._forget()

    def _watch_nearest(self, libc: ctypes.CDLL, path: str) -> tuple[str, int]:
        while True:
            target, below = path, ""
            while not os.path.lexists(target):
                target, below = os.path.dirname(target), target
            try:
                number = _checked(libc.inotify_add_watch(self._inotify, os.fsencode(target), _WANTED))
            except FileNotFoundError:
                continue  # it went meanwhile
            if not below or not os.path.lexists(below):  # else it came meanwhile
                return below, number

    def _release(self, number: int) -> None:
        """End a watch of the kernel's that is of use to no path any more."""
        if number >= 0 and all(number != other for _, other in self._watched.values()):
            ctypes.CDLL(None).inotify_rm_watch(self._inotify, number)

    def _forget(self) -> None:
        if self._inotify >= 0:
            os.close(self._inotify)
        self._inotify = -1
        self._watched = {}


def _write(fd: int, data: bytes) -> None:
    with contextlib.suppress(BlockingIOError):  # who is to read has enough to read
        os.write(fd, data)


def _has_inotify() -> bool:
    return hasattr(ctypes.CDLL(None), "inotify_init1")


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, errno.errorcode.get(number, "inotify"))
    return result


def _events(data: bytes) -> Iterable[tuple[int, int, str]]:
    """Yield number, mask and file name of each event."""
    position = 0
    while position < len(data):
        number, mask, _, length = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        yield number, mask, os.fsdecode(data[position : position + length].rstrip(b"\0"))
        position += length
