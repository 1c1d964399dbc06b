"""A centre that really serves, and hosts that are data directories."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.importorskip("psycopg")

from tests.server.conftest import Rig, serving
from tests.shipping.hosts import Host


@pytest.fixture
def anyio_backend() -> str:
    """Run tests on asyncio, which aiohttp needs."""
    return "asyncio"


@pytest.fixture
async def centre(url: str, tmp_path: Path) -> AsyncIterator[Rig]:
    """A centre."""
    (tmp_path / "centre").mkdir(mode=0o700)
    async with serving(tmp_path / "centre", storage={"url": url}) as rig:
        yield rig


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with nothing recorded."""
    return Host(tmp_path / "host")
