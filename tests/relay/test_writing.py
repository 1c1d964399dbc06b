"""Delivery by another thread keeps the order, and does not run ahead of its reader."""

from __future__ import annotations

import _thread
import threading
import weakref
from typing import TYPE_CHECKING

from proxy.relay.framing import Batch
from proxy.relay.writing import WriterThread

if TYPE_CHECKING:
    import pytest


def nothing() -> None:
    """Do nothing."""


def test_order_is_kept_and_all_is_done() -> None:
    """What is given first is delivered first, and everything is delivered when the thread has finished."""
    delivered: list[bytes] = []
    writer = WriterThread(lambda batch: delivered.append(batch.data), nothing)
    expected = [b"%d" % number for number in range(100)]
    for data in expected:
        writer.give(Batch(data))
    writer.finish()
    assert delivered == expected
    assert not writer.is_busy


def test_two_are_under_way_at_most() -> None:
    """Whoever gives a third one waits: a caller who does not read is felt by the command."""
    gate = threading.Event()
    given: list[int] = []

    def wait(_: Batch) -> None:
        gate.wait(60)

    def give() -> None:
        writer.give(Batch())
        given.append(3)

    writer = WriterThread(wait, nothing)
    writer.give(Batch())
    writer.give(Batch())
    giver = threading.Thread(target=give)
    giver.start()
    assert given == []
    assert writer.is_busy
    gate.set()
    giver.join(60)
    assert given == [3]
    writer.finish()


def test_each_delivery_is_told() -> None:
    """The relay looks again after each delivery, and finds the thread idle after the last."""
    told: list[bool] = []
    writer = WriterThread(lambda _batch: None, lambda: told.append(writer.is_busy))
    writer.give(Batch())
    writer.finish()
    assert told == [False]


def test_nothing_is_held_of_what_was_delivered() -> None:
    """Regression: a batch is let go of before its delivery is told, not when the next one comes."""

    class Watched(Batch):
        pass  # without slots, so that it can be referred to weakly

    batch = Watched(b"x" * 1000)
    held = weakref.ref(batch)
    told: list[object] = []
    writer = WriterThread(lambda _batch: None, lambda: told.append(held()))
    writer.give(batch)
    del batch
    writer.finish()
    assert told == [None]


def test_nothing_given_costs_no_thread() -> None:
    """A session of short lines never starts the thread."""
    writer = WriterThread(lambda _batch: None, nothing)
    assert not writer.thread.is_started
    writer.finish()
    writer.finish()


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses a thread, a delivery is made by who gives it; a later one may have a thread again."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    by: list[int] = []
    writer = WriterThread(lambda _batch: by.append(threading.get_ident()), nothing)
    with monkeypatch.context() as refusing:
        refusing.setattr(_thread, "start_new_thread", refuse)
        writer.give(Batch())
        assert by == [threading.get_ident()]
        assert not writer.is_busy
    writer.give(Batch())
    writer.finish()
    assert by[1:] != [threading.get_ident()]
    assert len(by) == 2
