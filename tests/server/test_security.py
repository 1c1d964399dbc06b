"""Who may ask."""

import os
from typing import Any

import pytest

from proxy.server import security
from tests.server.conftest import Rig, serving

pytestmark = pytest.mark.anyio
VALIDATE = "/api/v1/validation/validate"
BODY = {"schema_type": "stdin", "data": {}}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "", "[", "a@localhost:1@x"]
)
async def test_foreign_host(rig: Rig, host: str) -> None:
    """A name that is not ours, which resolves to us, is refused: so do pages reach local servers."""
    await rig.get("/status", status=403, headers={"Host": host})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8000", "10.1.2.3", "LOCALHOST"])
async def test_own_host(rig: Rig, host: str) -> None:
    """Addresses and localhost are answered."""
    await rig.get("/status", headers={"Host": host})


async def test_configured_host(tmp_path: Any) -> None:
    """The name in the configuration is answered."""
    async with serving(tmp_path, api={"host": "proxy.example"}) as rig:
        await rig.get("/status", headers={"Host": "proxy.example:80"})


async def test_foreign_origin(rig: Rig) -> None:
    """Posts and WebSockets of pages of another origin are refused, our own pages' are not."""
    foreign = {"Origin": "https://evil.example"}
    await rig.post(VALIDATE, BODY, status=403, headers=foreign)
    await rig.post(VALIDATE, BODY, status=403, headers={"Origin": "null"})
    socket = {"Upgrade": "websocket", "Connection": "upgrade", **foreign}
    await rig.get("/api/v1/monitoring/stream", status=403, headers=socket)
    own = str(rig.client.make_url("/")).rstrip("/")
    await rig.post(VALIDATE, BODY, headers={"Origin": own})


async def test_allowed_origin(tmp_path: Any) -> None:
    """An origin that the configuration allows may post."""
    allowed = "https://app.example"
    async with serving(tmp_path, security={"allowed_origins": [allowed]}) as rig:
        await rig.post(VALIDATE, BODY, headers={"Origin": allowed})


async def test_others_need_a_token(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not the same user on this machine needs a token, but for the health."""
    monkeypatch.setattr(security, "_owner_is_us", lambda *_: False)
    async with serving(tmp_path, security={"tokens": ["secret"]}) as rig:
        await rig.get("/health")
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
            sentence = await rig.get("/status", status=401, headers=header)
            assert "Bearer" in sentence
        await rig.get("/status", headers={"Authorization": "Bearer secret"})


async def test_another_user_on_this_machine(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says whose the other end is: another user's is not trusted."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    await rig.get("/status", status=401)
