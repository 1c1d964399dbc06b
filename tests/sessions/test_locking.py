"""Waiting for a lock; two open files of one process keep each other out as two processes do."""

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from proxy.sessions.locking import take_turn


def opened(path: Path) -> int:
    """Open a file of its own."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def test_a_lock_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    """It is ours once it comes free; where it does not, that is said."""
    holder, waiting = opened(tmp_path / "lock"), opened(tmp_path / "lock")
    assert take_turn(holder)
    assert not take_turn(waiting, 0.0)
    timer = threading.Timer(0.05, os.close, (holder,))
    timer.start()
    assert take_turn(waiting, 60.0)
    timer.join()
    os.close(waiting)


def test_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has one, and nobody waits for it."""

    def none(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    fd = opened(tmp_path / "lock")
    assert not take_turn(fd, 3600.0)
    os.close(fd)
