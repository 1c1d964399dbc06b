"""The relay's threads."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from typing import Any

import pytest

from proxy.relay.threads import WAKE, Thread

BOUND_S = 60


def test_a_thread_runs_once_and_is_waited_for() -> None:
    """Whoever waits for a thread finds all done that it had to do."""
    gate, done = threading.Event(), list[int]()

    def run() -> None:
        assert gate.wait(BOUND_S)
        done.append(threading.get_ident())

    thread = Thread(run)
    assert not thread.is_started
    thread.join()  # nothing to wait for
    thread.start()
    assert thread.is_started
    assert thread.is_alive
    thread.join(0)
    assert thread.is_alive
    gate.set()
    thread.join(BOUND_S)
    assert not thread.is_alive
    assert thread.is_started
    assert done != [threading.get_ident()]
    assert len(done) == 1


def test_a_thread_can_be_woken_from_its_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs before whoever starts it knows its number, and may be blocked by then."""
    start_new_thread = _thread.start_new_thread
    begun, started = threading.Event(), list[bool]()

    def run() -> None:
        started.append(thread.is_started)
        begun.set()

    def start(*arguments: Any) -> int:
        number = start_new_thread(*arguments)
        assert begun.wait(BOUND_S)
        return number

    monkeypatch.setattr(_thread, "start_new_thread", start)
    thread = Thread(run)
    thread.start()
    assert started == [True]


def test_a_thread_that_fails_has_ended() -> None:
    """Nobody waits for ever for a thread that a fault of ours has ended."""

    def run() -> None:
        raise SystemExit  # the one exception of which `_thread` says nothing on stderr

    thread = Thread(run)
    thread.start()
    thread.join(BOUND_S)
    assert not thread.is_alive


def test_where_there_are_no_more_threads_it_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that the system has refused can be started later."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    done = threading.Event()
    thread = Thread(done.set)
    with monkeypatch.context() as refusing:
        refusing.setattr(_thread, "start_new_thread", refuse)
        with pytest.raises(RuntimeError):
            thread.start()
    assert not thread.is_alive
    assert not thread.is_started
    thread.wake()  # which nobody hears
    thread.start()
    assert done.wait(BOUND_S)


def test_a_blocked_write_is_woken() -> None:
    """A write to a pipe that nobody reads ends with what was written, for whoever calls it to look again."""
    before = signal.signal(WAKE, lambda _number, _frame: None)
    reader, writer = os.pipe()
    began, wrote = threading.Event(), list[int]()
    size = 1 << 20

    def run() -> None:
        began.set()
        wrote.append(os.write(writer, b"." * size))

    thread = Thread(run)
    try:
        thread.start()
        assert began.wait(BOUND_S)
        while thread.is_alive:  # until it is in the write
            thread.wake()
            thread.join(0.01)
        assert 0 < wrote[0] < size
    finally:
        signal.signal(WAKE, before)
        os.close(reader)
        os.close(writer)
