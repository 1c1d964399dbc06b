"""An LRU cache that makes what it does not hold."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class LruCache(Generic[_T]):
    """Holds what was asked for last, by key: so many at most. Safe to use from several threads."""

    def __init__(self, make: Callable[[], _T], most: int) -> None:
        self._make = make
        self._most = most
        self._things: OrderedDict[Hashable, _T] = OrderedDict()
        self._turn = threading.Lock()

    def of(self, key: Hashable) -> _T:
        """Return what is held under a key, made if it is not there."""
        with self._turn:
            if key not in self._things:
                self._things[key] = self._make()
            self._things.move_to_end(key)
            if len(self._things) > self._most:
                self._things.popitem(last=False)
            return self._things[key]
