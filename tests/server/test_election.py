"""Which process indexes."""

import asyncio
import os
from pathlib import Path

import pytest

from proxy.server.election import Seat
from proxy.store.onlooker import standing

pytestmark = pytest.mark.anyio


async def test_one_has_the_seat_and_the_next_one_gets_it(tmp_path: Path) -> None:
    """Who waits gets the seat when it is left, and not before; it is said who has it."""
    first, second = Seat(str(tmp_path)), Seat(str(tmp_path))
    async with asyncio.timeout(30):
        await first.take()
        assert standing(str(tmp_path)).pid == os.getpid()
        waiting = asyncio.create_task(second.take())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.25):
                await asyncio.shield(waiting)
        first.leave()
        await waiting
    second.leave()


def test_nobody_says_nothing(tmp_path: Path) -> None:
    """Without a process that indexes, or with a damaged file, nothing is known, and nothing fails."""
    assert not standing(str(tmp_path)).caught_up
    (tmp_path / "index.lock").write_bytes(b"{")
    assert not standing(str(tmp_path)).caught_up
