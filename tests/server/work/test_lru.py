"""What was asked for last is kept, and nothing beyond the bound."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

from proxy.server.work.lru import LruCache


def test_the_one_not_heard_of_for_longest_is_forgotten() -> None:
    """At the bound everything is kept; beyond it the name goes that was asked for longest ago."""
    kept = LruCache(itertools.count().__next__, 2)
    assert [kept.of(name) for name in "abab"] == [0, 1, 0, 1]
    kept.of("a")
    assert kept.of("c") == 2
    assert [kept.of(name) for name in "aca"] == [0, 2, 0]
    assert kept.of("b") == 3


def test_all_threads_get_the_same() -> None:
    """Of those who ask for a name at once, one makes the thing."""
    together = threading.Barrier(8, timeout=120)
    kept = LruCache(object, 1)

    def ask(_: int) -> object:
        together.wait()
        return kept.of("a")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
