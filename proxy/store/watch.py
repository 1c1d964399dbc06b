"""Learns which files of a folder have changed, from the kernel (inotify), or else by being asked to look at all."""

import contextlib
import ctypes
import os
import select
import struct

__all__ = ["Watch"]

_CLOSE_WRITE, _MODIFY, _MOVED, _CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF = (
    0x8,
    0x2,
    0xC0,
    0x100,
    0x200,
    0x400,
    0x800,
)
_OF_FILES = _CLOSE_WRITE | _MODIFY | _MOVED | _CREATE | _DELETE
_OF_FOLDER = _DELETE_SELF | _MOVE_SELF | 0x2000 | 0x8000 | 0x4000  # unmounted, ignored, queue overflow
_HEAD = struct.Struct("iIII")
_POLL_S = 0.05
"""Without inotify: how often to look."""


class Watch:
    """A watch on one folder. `wait` and `wake` may be called from different threads."""

    def __init__(self, folder: str) -> None:
        """The folder need not be there yet; as long as it is not, `wait` tells nothing in particular."""
        self._folder = folder
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._inotify = -1
        self._renew()

    def close(self) -> None:
        """End the watch."""
        for fd in (self._wake_read, self._wake_write, self._inotify):
            if fd >= 0:
                os.close(fd)
        self._inotify = -1

    def wake(self) -> None:
        """Make `wait` return."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b".")

    def wait(self, timeout_s: float) -> set[str] | None:
        """Wait until something changes. Return the names of the files that did; None: any of them may have."""
        if self._inotify < 0:
            self._renew()
        blind = self._inotify < 0
        poller = select.poll()
        poller.register(self._wake_read, select.POLLIN)
        if not blind:
            poller.register(self._inotify, select.POLLIN)
        ready = dict(poller.poll((min(timeout_s, _POLL_S) if blind else timeout_s) * 1000))
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        if blind:
            return None
        names = self._names() if self._inotify in ready else set()
        if names is None:
            self._renew()
        return names

    def _names(self) -> set[str] | None:
        data = os.read(self._inotify, 1 << 16)
        names: set[str] = set()
        position = 0
        while position < len(data):
            _, mask, _, length = _HEAD.unpack_from(data, position)
            position += _HEAD.size
            if mask & _OF_FOLDER:
                return None
            names.add(os.fsdecode(data[position : position + length].rstrip(b"\0")))
            position += length
        return names

    def _renew(self) -> None:
        if self._inotify >= 0:
            os.close(self._inotify)
            self._inotify = -1
        libc = ctypes.CDLL(None)
        if not hasattr(libc, "inotify_init1"):
            return
        fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if fd < 0:
            return  # the user's limit of watches is used up: poll
        if libc.inotify_add_watch(fd, os.fsencode(self._folder), _OF_FILES | _DELETE_SELF | _MOVE_SELF) < 0:
            os.close(fd)
            return
        self._inotify = fd
