"""The page of a server that asks for a token, opened by its owner."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from proxy.cli import opening
from tests.server.chromium import CHROMIUM, browser
from tests.server.conftest import serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Run tests on asyncio, which aiohttp needs."""
    return "asyncio"


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
async def test_the_owner_sees_the_page_without_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel cannot tell who asks, a file leads to the page with the owner's token, live events too."""
    monkeypatch.setattr("proxy.server.access.guard.is_same_user", lambda _: False)
    async with serving(tmp_path, owner_token="secret") as rig, browser() as tab:
        rig.live("mine").close()
        await rig.get("/status", status=401)
        url = str(rig.client.make_url("/")).rstrip("/")
        leading = opening._signed_in(str(tmp_path), url, "#/session/mine/records", "secret")
        assert stat.S_IMODE((tmp_path / "open.html").stat().st_mode) == 0o600
        assert unquote(urlsplit(leading).path) == str(tmp_path / "open.html")
        await tab.open(leading)
        await tab.sees("session_started")
        assert tab.complaints == []
        assert any(address.startswith("ws:") for address in tab.asked)
