"""How often one client may ask."""

import time
from collections.abc import Iterator

import pytest

from proxy.server.access.rates import Limit

pytestmark = pytest.mark.anyio


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The moment, which the test sets."""
    now = [1_000_000.0]
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now[0])
        yield now


async def test_limit_begins_anew(now: list[float]) -> None:
    """After its stretch of time a client may ask again, and clients do not count for each other."""
    limit = Limit("2/minute")
    assert [await limit.wait_s("a") for _ in range(3)] == [0, 0, 60]
    assert await limit.wait_s("b") == 0
    now[0] += 59.0
    assert await limit.wait_s("a") == 1.0
    now[0] += 1.0
    assert await limit.wait_s("a") == 0


async def test_clock_that_is_set_back(now: list[float]) -> None:
    """A clock that is set back by days keeps nobody out for days."""
    limit = Limit("1/minute")
    assert (await limit.wait_s("a"), await limit.wait_s("a")) == (0, 60)
    now[0] = 0.0
    assert (await limit.wait_s("a"), await limit.wait_s("a")) == (0, 60)


@pytest.mark.parametrize("rate", ["1/second", "5000 / hour", "2/minute", "999999999/day"])
async def test_every_rate_that_the_configuration_takes(rate: str) -> None:
    """What the configuration takes for a rate is one."""
    assert await Limit(rate).wait_s("a") == 0
