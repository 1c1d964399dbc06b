"""Keeps other processes of ours out of a folder while something in it is changed."""

import contextlib
import fcntl
import os
from collections.abc import Iterator


@contextlib.contextmanager
def alone_in(folder: str, *, waits: bool = True) -> Iterator[None]:
    """Hold the lock of a folder (``flock``) meanwhile.

    Raises:
        BlockingIOError: somebody else holds it, and ``waits`` is false.
        OSError: the folder cannot be opened, or its file system has no locks.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)
