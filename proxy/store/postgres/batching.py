"""Gathers what many threads ask for, and does it in one: what comes while the last batch is done is the next one."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from proxy.store.protocol import StoreError

_T = TypeVar("_T")
_R = TypeVar("_R")
_AT_ONCE = 500
_AT_ONCE_BYTES = 4 << 20
"""A transaction of these takes a second or two; the answers of all in it wait for it. Sixteen full
pushes (`ship.piece`, 256 KB), or the greetings that 2,500 hosts with live sessions send in a second.
"""


class Batcher(Generic[_T, _R]):
    """A thread that does what it is asked for, in batches."""

    def __init__(
        self,
        name: str,
        handle: Callable[[Sequence[_T]], Sequence[_R]],
        size_of: Callable[[_T], int] = lambda _: 0,
    ) -> None:
        """``handle`` does a batch, all or nothing; ``size_of`` says how many bytes something has."""
        self._handle, self._size_of = handle, size_of
        self._queue: queue.SimpleQueue[tuple[_T, Future[_R]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: _T) -> "Future[_R]":
        """Ask for something; what becomes of it is told once it is done, or has failed."""
        future: Future[_R] = Future()
        self._queue.put((item, future))
        return future

    def close(self) -> None:
        """Do what was asked for, and end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_closed = False
        while not is_closed:
            batch, size = [self._queue.get()], 0
            while batch[-1] is not None and len(batch) < _AT_ONCE and size < _AT_ONCE_BYTES:
                size += self._size_of(batch[-1][0])
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            is_closed = batch[-1] is None
            self._do([one for one in batch if one is not None and one[1].set_running_or_notify_cancel()])

    def _do(self, batch: Sequence[tuple[_T, "Future[_R]"]]) -> None:
        if not batch:
            return
        try:
            results = self._handle([item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1 or isinstance(error, StoreError):
                for _, future in batch:
                    future.set_exception(error)
                return
            for one in batch:  # a fault of ours at one of them is no reason to refuse the others
                self._do([one])
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
