"""Delivery by another thread keeps the order, and does not run ahead of its reader."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from proxy.relay.handover import Handover

if TYPE_CHECKING:
    import pytest


def test_order_is_kept_and_all_is_done() -> None:
    """What is handed over first is done first, and everything is done when the handover is finished."""
    done: list[int] = []
    handover = Handover("writer", lambda: None)
    for number in range(100):
        handover.give(lambda number=number: done.append(number))  # type: ignore[misc]
    handover.finish()
    assert done == list(range(100))
    assert not handover.is_busy


def test_two_are_under_way_at_most() -> None:
    """Whoever gives a third one waits: a caller who does not read is felt by the command."""
    gate = threading.Event()
    given: list[int] = []
    handover = Handover("writer", lambda: None)

    def wait() -> None:
        gate.wait(60)

    def give() -> None:
        handover.give(wait)
        given.append(3)

    handover.give(wait)
    handover.give(wait)
    giver = threading.Thread(target=give)
    giver.start()
    assert given == []
    assert handover.is_busy
    gate.set()
    giver.join(60)
    assert given == [3]
    handover.finish()


def test_each_delivery_is_told() -> None:
    """The relay looks again after each delivery, and finds the handover idle after the last."""
    told: list[bool] = []
    handover = Handover("writer", lambda: told.append(handover.is_busy))
    handover.give(lambda: None)
    handover.finish()
    assert told == [False]


def test_nothing_is_held_of_what_was_delivered() -> None:
    """A delivery that is made is let go of before it is told, not when the next one comes."""

    class Job:
        def __call__(self) -> None:
            pass

    job = Job()
    held = weakref.ref(job)
    told: list[object] = []
    handover = Handover("writer", lambda: told.append(held()))
    handover.give(job)
    del job
    handover.finish()
    assert told == [None]


def test_nothing_given_costs_no_thread() -> None:
    """A session of short lines never starts the thread."""
    before = threading.active_count()
    handover = Handover("writer", lambda: None)
    assert threading.active_count() == before
    handover.finish()
    handover.finish()


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses a thread, a delivery is made by who gives it; a later one may have a thread again."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: list[str] = []
    handover = Handover("writer", lambda: None)
    with monkeypatch.context() as refusing:
        refusing.setattr(threading.Thread, "start", refuse)
        handover.give(lambda: done.append(threading.current_thread().name))
        assert done == [threading.current_thread().name]
        assert not handover.is_busy
    handover.give(lambda: done.append(threading.current_thread().name))
    handover.finish()
    assert done[1:] == ["writer"]
