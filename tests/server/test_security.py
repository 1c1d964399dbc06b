"""Who may ask."""

import os
from typing import Any

import pytest

from proxy.server import security
from proxy.server.limits import Limit
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


async def test_too_many_requests(tmp_path: Any) -> None:
    """A client that asks too often is told when to come back; whether the server is well it may always ask."""
    async with serving(tmp_path, security={"rate_limit": "3/hour"}) as rig:
        for status in (200, 200, 200, 429):
            await rig.get("/status", status=status)
        response = await rig.client.get("/status")
        assert 3500 < int(response.headers["Retry-After"]) <= 3600
        await rig.get("/health")


def test_limit_begins_anew() -> None:
    """After its stretch of time a client may ask again, and clients do not count for each other."""
    now = [0.0]
    limit = Limit("2/minute", lambda: now[0])
    assert [limit.wait_s("a") for _ in range(3)] == [0, 0, 60]
    assert limit.wait_s("b") == 0
    now[0] = 59.0
    assert limit.wait_s("a") == 1.0
    now[0] = 60.0
    assert limit.wait_s("a") == 0


async def test_pages_of_allowed_origins(tmp_path: Any) -> None:
    """Where the configuration says so, pages of allowed origins may read answers and ask beforehand; others not."""
    allowed = {"Origin": "https://app.example"}
    ahead = {**allowed, "Access-Control-Request-Method": "POST"}
    cors = {"allowed_origins": ["https://app.example"], "enable_cors": True}
    async with serving(tmp_path, security=cors) as rig:
        response = await rig.client.get("/status", headers=allowed)
        assert response.headers["Access-Control-Allow-Origin"] == allowed["Origin"]
        response = await rig.client.options(VALIDATE, headers=ahead)
        assert (response.status, response.headers["Access-Control-Allow-Methods"]) == (204, "GET, POST")
        response = await rig.client.get("/status", headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in response.headers
    async with serving(tmp_path, security={**cors, "enable_cors": False}) as rig:
        response = await rig.client.get("/status", headers=allowed)
        assert "Access-Control-Allow-Origin" not in response.headers
        assert (await rig.client.options(VALIDATE, headers=ahead)).status == 405
