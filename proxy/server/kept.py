"""Things that are kept by name, a bounded number: those that were asked for last."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Kept"]

_T = TypeVar("_T")


class Kept(Generic[_T]):
    """Makes a thing when it is asked for first, and forgets the one whose name was not heard for longest."""

    def __init__(self, make: Callable[[], _T], most: int) -> None:
        self._make = make
        self._most = most
        self._things: OrderedDict[str, _T] = OrderedDict()
        self._turn = threading.Lock()

    def of(self, name: str) -> _T:
        """Return the thing of that name. May be asked from several threads: all get the same."""
        with self._turn:
            if name not in self._things:
                self._things[name] = self._make()
            self._things.move_to_end(name)
            if len(self._things) > self._most:
                self._things.popitem(last=False)
            return self._things[name]
