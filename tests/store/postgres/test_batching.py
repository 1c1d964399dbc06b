"""What many ask for is done together."""

import threading
from collections.abc import Sequence

import pytest

from proxy.store.postgres.batching import Batcher
from proxy.store.protocol import StoreError


class _Handler:
    """Doubles numbers, and fails at some; the first batch waits until it may go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go = threading.Event()
        self.has_begun = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.has_begun.set()
        assert self.may_go.wait(60)
        if 13 in items:
            raise ValueError("13")
        if 99 in items:
            raise StoreError("away")
        return [2 * one for one in items]


def batches_of(*items: int) -> tuple[_Handler, list[object]]:
    """Ask for 0, and for the rest while that is done; return the handler and what became of the rest."""
    handler = _Handler()
    batcher = Batcher("test", handler)
    first = batcher.submit(0)
    assert handler.has_begun.wait(60)
    futures = [batcher.submit(one) for one in items]
    handler.may_go.set()
    assert first.result(60) == 0
    batcher.close()
    return handler, [one.exception() or one.result() for one in futures]


def test_what_comes_meanwhile_is_the_next_batch() -> None:
    """It is done in one, and each is told its own; what was asked for before the end is done."""
    handler, found = batches_of(1, 2, 3)
    assert handler.batches == [[0], [1, 2, 3]]
    assert found == [2, 4, 6]


def test_a_fault_at_one_is_no_fault_of_the_others() -> None:
    """They are done one by one then."""
    handler, found = batches_of(1, 13, 3)
    assert handler.batches == [[0], [1, 13, 3], [1], [13], [3]]
    assert (found[0], found[2]) == (2, 6)
    assert isinstance(found[1], ValueError)


def test_a_store_that_cannot_be_used_refuses_all() -> None:
    """Asking again for each would only take longer."""
    handler, found = batches_of(1, 99)
    assert handler.batches == [[0], [1, 99]]
    with pytest.raises(StoreError):
        raise found[0]  # type: ignore[misc]
