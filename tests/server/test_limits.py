"""How often one client may ask, counted over processes."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.server.limits import Limit

Made = Callable[..., Limit]


@pytest.fixture
def limited() -> Iterator[Made]:
    """Makes limits, and closes them."""
    with contextlib.ExitStack() as opened:

        def make(rate: str, path: Path, clock: Callable[[], float] = time.time) -> Limit:
            limit = Limit(rate, str(path), clock)
            opened.callback(limit.close)
            return limit

        yield make


def test_limit_begins_anew(limited: Made, tmp_path: Path) -> None:
    """After its stretch of time a client may ask again, and clients do not count for each other."""
    now = [0.0]
    limit = limited("2/minute", tmp_path / "l", lambda: now[0])
    assert [limit.wait_s("a") for _ in range(3)] == [0, 0, 60]
    assert limit.wait_s("b") == 0
    now[0] = 59.0
    assert limit.wait_s("a") == 1.0
    now[0] = 60.0
    assert limit.wait_s("a") == 0


def test_processes_count_together(limited: Made, tmp_path: Path) -> None:
    """Who counts in the same file counts the same requests; who comes later goes on."""
    limits = [limited("4/hour", tmp_path / "l", lambda: 0.0) for _ in range(2)]
    assert [limit.wait_s("a") for limit in limits * 2] == [0, 0, 0, 0]
    assert all(limit.wait_s("a") == 3600 for limit in limits)
    assert limited("4/hour", tmp_path / "l", lambda: 1.0).wait_s("a") == 3599


def test_clock_that_is_set_back(limited: Made, tmp_path: Path) -> None:
    """A clock that is set back by days keeps nobody out for days."""
    now = [1_000_000.0]
    limit = limited("1/minute", tmp_path / "l", lambda: now[0])
    assert (limit.wait_s("a"), limit.wait_s("a")) == (0, 60)
    now[0] = 0.0
    assert (limit.wait_s("a"), limit.wait_s("a")) == (0, 60)


def test_clients_are_forgotten(limited: Made, tmp_path: Path) -> None:
    """The file does not grow with every client that ever asked."""
    now = [0.0]
    path = tmp_path / "l"
    limit = limited("1/second", path, lambda: now[0])
    for number in range(2500):
        now[0] = number * 1.5
        limit.wait_s(f"client {number}")
    limit.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM counts").fetchone()[0] < 1100


def test_counts_that_cannot_be_kept(limited: Made, tmp_path: Path) -> None:
    """A damaged file is begun anew; one that cannot be written holds nobody up."""
    path = tmp_path / "l"
    path.write_bytes(b"no database at all" * 100)
    limit = limited("1/hour", path)
    assert limit.wait_s("a") == 0
    assert limit.wait_s("a") > 0
    limit.close()
    assert limit.wait_s("a") == 0


@pytest.mark.parametrize("rate", ["1/second", "5000 / hour", "2/minute", "999999999/day"])
def test_every_rate_that_the_configuration_takes(limited: Made, tmp_path: Path, rate: str) -> None:
    """What the configuration takes for a rate is one."""
    assert limited(rate, tmp_path / "l").wait_s("a") == 0
