"""Whether a descriptor can be read or written, or its other side is gone: ``poll``, and what it cannot tell.

On macOS ``poll`` knows nothing of devices, terminals among them: it answers POLLNVAL, as for a descriptor that is
closed. A device has no other side that could go: what is written to it is taken, or an error says that it is not.
"""

from __future__ import annotations

import os
import select
import stat


def can_poll(fd: int) -> bool:
    """Tell whether ``poll`` knows when the other side of a descriptor goes."""
    return not any(found & select.POLLNVAL and _is_device(fd) for _, found in _poll(fd, 0, 0))


def is_gone(fd: int) -> bool:
    """Tell whether the other side of a descriptor is gone; of a pipe's reading end there may be something left."""
    return bool(_poll(fd, 0, 0)) and can_poll(fd)


def is_ready(fd: int, events: int) -> bool:
    """Tell whether one of the events is there, or the other side is gone. A device is taken to be ready."""
    return bool(_poll(fd, events, 0))


def wait_until_writable(fd: int) -> None:
    """Wait until something can be written to a descriptor that another program has set to ``O_NONBLOCK``."""
    if any(found & select.POLLNVAL for _, found in _poll(fd, select.POLLOUT, None)):
        select.select([], [fd], [])  # which knows of devices


def _poll(fd: int, events: int, timeout_ms: int | None) -> list[tuple[int, int]]:
    poller = select.poll()
    poller.register(fd, events)
    return poller.poll(timeout_ms)


def _is_device(fd: int) -> bool:
    try:
        return stat.S_ISCHR(os.fstat(fd).st_mode)
    except OSError:
        return False
