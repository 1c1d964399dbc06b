"""The thread of a server that ships its data directory."""

import asyncio
from pathlib import Path

import pytest

from proxy.ship_settings import Ship
from proxy.shipping.background import Shipping
from tests.server.conftest import Rig, serving
from tests.shipping.hosts import Host, address
from tests.shipping.test_shipper import until, wait_until

pytestmark = pytest.mark.anyio


async def test_a_server_ships_its_data_directory(centre: Rig, host: Host) -> None:
    """Nobody has to start anything: what a machine records is at the centre, and its server's health says so."""
    before = host.record("before")
    async with serving(host.data_dir, ship={"to": address(centre), "gather": 0.01}) as rig:
        await until(centre, "before", before)
        later = host.record("later")
        await until(centre, "later", later)
        assert rig.shared.shipping is not None
        await wait_until(lambda: rig.shared.shipping is not None and not rig.shared.shipping.is_needed)
        checks = (await rig.get("/health"))["checks"]
        assert checks["shipping"] == {"status": "healthy", "set_aside": 0}


async def test_it_lingers_for_a_centre_that_is_away(host: Host) -> None:
    """What waits keeps a background server, for `ship.linger` and no longer; the reason is told once."""
    host.record("a")
    told: list[str | None] = []
    for linger, is_needed in ((3600, True), (0.001, False)):
        shipping = Shipping(
            str(host.data_dir), Ship(to="http://127.0.0.1:1", linger=linger), on_trouble=told.append
        )
        try:
            async with asyncio.timeout(60):
                while shipping.trouble is None or shipping.is_needed is not is_needed:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        finally:
            await asyncio.to_thread(shipping.stop)
    assert [one is None for one in told] == [False, False]  # one of each


async def test_a_data_directory_that_cannot_be_used(tmp_path: Path) -> None:
    """It is told, and the thread ends when it is asked to."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "host.json").mkdir()
    faults: list[Exception] = []
    shipping = Shipping(str(tmp_path), Ship(to="http://127.0.0.1:1"), on_fault=faults.append)
    try:
        await wait_until(lambda: faults)
    finally:
        await asyncio.to_thread(shipping.stop)
