"""Waiting for the lock of an open file (``flock``), by which processes of ours keep each other out."""

import fcntl
import time


def take_turn(fd: int, wait_s: float = 1.0) -> bool:
    """Wait for a lock that others hold for an instant, or for good; return whether it is ours.

    Sessions that start or end at the same time share one, and who just looks at a log or for a server holds that of its
    owner. Not for ever: a process that was stopped with the lock in its hands must not hold up this session's end.
    Without the lock, ``latest.jsonl`` may lead to another of the newest sessions. Where the file system has no locks,
    none is ours.
    """
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.005)
        except OSError:
            return False
        else:
            return True
