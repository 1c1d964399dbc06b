"""Who may ask."""

import asyncio
import base64
import os
from typing import Any

import pytest

from proxy.server.access import guard as security
from proxy.server.access.tokens import TokenFile, hashed
from proxy.server.routes import streams
from proxy.server.routes.table import ROUTES
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


@pytest.mark.parametrize("enabled", [True, False])
async def test_allowed_origin(tmp_path: Any, enabled: bool) -> None:
    """An origin that the configuration allows may ask, post and listen; without `enable_cors` it is as any other."""
    allowed = "https://app.example"
    async with serving(tmp_path, security={"enable_cors": enabled, "allowed_origins": [allowed]}) as rig:
        await rig.post(VALIDATE, BODY, headers={"Origin": allowed}, status=200 if enabled else 403)
        socket = {"Upgrade": "websocket", "Connection": "upgrade", "Origin": allowed}
        await rig.get(
            "/api/v1/monitoring/stream?event_types=!", headers=socket, status=422 if enabled else 403
        )
        response = await rig.client.get("/status", headers={"Origin": allowed})
        assert response.headers.get("Access-Control-Allow-Origin") == (allowed if enabled else None)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all requests seem to come from somebody else."""
    monkeypatch.setattr(security, "is_same_user", lambda _: False)


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.usefixtures("elsewhere")
async def test_others_need_a_token(tmp_path: Any) -> None:
    """Whoever is not the same user on this machine needs a token, but for the health; the answer says so."""
    tokens = ["secret", f"sha256:{hashed('hidden')}"]
    async with serving(tmp_path, security={"tokens": tokens}) as rig:
        await rig.get("/health")
        for header in ({}, bearer("wrong"), {"Authorization": "Basic secret"}, bearer(hashed("hidden"))):
            sentence = await rig.get("/status", status=401, headers=header)
            assert "Bearer" in sentence
            response = await rig.client.get("/status", headers=header)
            assert response.headers["WWW-Authenticate"] == "Bearer"
        for token in ("secret", "hidden"):
            await rig.get("/status", headers=bearer(token))
            await rig.post("/api/v1/monitoring/sessions", {}, headers=bearer(token))


@pytest.mark.usefixtures("elsewhere")
async def test_tokens_come_and_go_without_a_restart(tmp_path: Any) -> None:
    """A token is good as soon as it is made, and worthless as soon as it is revoked; scopes bound what it may do."""
    async with serving(tmp_path) as rig:
        file = TokenFile(str(tmp_path))
        reads, writes = bearer(file.create("r", ["read"])), bearer(file.create("w", ["write"]))
        await rig.get("/status", headers=reads)
        await rig.post(VALIDATE, BODY, headers=reads)
        sentence = await rig.post("/api/v1/monitoring/sessions", {}, headers=reads, status=403)
        assert "--scope write" in sentence
        session = await rig.post("/api/v1/monitoring/sessions", {}, headers=writes)
        await rig.ask("POST", f"/api/v1/monitoring/sessions/{session['session_id']}/stop", headers=writes)
        await rig.get("/status", headers=writes, status=403)
        await rig.client.ws_connect("/api/v1/monitoring/stream", headers=reads)
        for headers, status in ((writes, 403), ({}, 401)):
            await rig.get(
                "/api/v1/monitoring/stream", headers={"Upgrade": "websocket", **headers}, status=status
            )
        file.revoke("r")
        await rig.get("/status", headers=reads, status=401)
        (tmp_path / "tokens.json").write_text("{")
        await rig.get("/status", headers=writes, status=503)


@pytest.mark.usefixtures("elsewhere")
async def test_a_browser_asks_for_the_token_as_a_password(tmp_path: Any) -> None:
    """Who opens the page is asked, by the browser, for a password, which is the token; programs are not."""
    async with serving(tmp_path, security={"tokens": ["secret"]}) as rig:
        response = await rig.client.get("/", headers={"Accept": "text/html,*/*"})
        assert (response.status, response.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        for password, status in (("secret", 200), ("wrong", 401)):
            given = base64.b64encode(f"anybody:{password}".encode()).decode()
            headers = {"Authorization": f"Basic {given}"}
            assert (await rig.client.get("/", headers=headers)).status == status
        for header in ("Basic", "Basic !", "Basic /w==", "Basic c2VjcmV0"):
            await rig.get("/status", headers={"Authorization": header}, status=401)


@pytest.mark.usefixtures("elsewhere")
async def test_a_revoked_token_ends_listening(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener whose token is revoked hears nothing more before long."""
    monkeypatch.setattr(streams, "_QUIET_S", 0.05)
    async with serving(tmp_path) as rig:
        file = TokenFile(str(tmp_path))
        headers = bearer(file.create("r", ["read"]))
        async with rig.client.get("/events", headers=headers) as response, asyncio.timeout(120):
            assert await response.content.readline() == b": listening\n"
            for _ in range(5):
                assert await response.content.readline()
            file.revoke("r")
            await response.content.read()


@pytest.mark.usefixtures("elsewhere")
async def test_what_needs_a_token(rig: Rig) -> None:
    """Every route but the health's, and every path that is none, asks for a token before anything else."""
    for route in ROUTES:
        path = route.path.replace("{name:.+}", "x").replace("{session_id}", "x")
        response = await rig.client.request(route.method, path)
        wanted = route.access or security.default_access(route.method, route.path)
        assert (response.status == 401) is (wanted != "open"), route.path
    await rig.get("/nothing", status=401)


@pytest.mark.linux("the kernel tells whose a connection is")
async def test_another_user_on_this_machine(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says whose the other end is: another user's is not trusted."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    await rig.get("/status", status=401)


@pytest.mark.parametrize(
    "header",
    [
        *(
            "X-Forwarded-For",
            "x-forwarded-proto",
            "X-Forwarded",
            "Forwarded",
            "Via",
            "X-Real-IP",
            "Client-IP",
        ),
        *("CF-Ray", "CF-Connecting-IP", "Fly-Client-IP", "X-Envoy-External-Address", "X-Amzn-Trace-Id"),
        *("Tailscale-User-Login", "X-Original-Host", "X-Azure-ClientIP", "X-Auth-Request-Email", "CDN-Loop"),
    ],
)
async def test_what_a_reverse_proxy_hands_on_is_not_local(rig: Rig, header: str) -> None:
    """A proxy on this machine, whoever runs it, asks for somebody else."""
    await rig.get("/status", status=401, headers={header: "127.0.0.1"})
    await rig.get("/health", headers={header: "127.0.0.1"})


async def test_local_access_can_be_switched_off(tmp_path: Any) -> None:
    """Behind a proxy that says nothing of itself, everybody needs a token."""
    async with serving(tmp_path, security={"local_access": False, "tokens": ["secret"]}) as rig:
        await rig.get("/status", status=401)
        await rig.get("/status", headers=bearer("secret"))


async def test_too_many_requests(tmp_path: Any) -> None:
    """A client that asks too often is told when to come back; whether the server is well it may always ask."""
    settings = {"rate_limit": "3/hour", "tokens": ["secret"]}
    async with serving(tmp_path, security=settings) as rig:
        for status in (200, 200, 200, 429):
            await rig.get("/status", status=status)
        response = await rig.client.get("/status")
        assert 3500 < int(response.headers["Retry-After"]) <= 3600
        await rig.get("/health")
        await rig.get("/status", headers=bearer("secret"))
        await rig.get("/status", headers=bearer("guessed"), status=429)


@pytest.mark.parametrize(
    ("address", "client"),
    [("1.2.3.4", "1.2.3.4"), ("::ffff:1.2.3.4", "1.2.3.4"), ("2001:db8::1", "2001:db8::/64"), ("", "")],
)
def test_what_is_one_client(address: str, client: str) -> None:
    """An address, and of IPv6 the network: one machine there has more addresses than can be counted."""
    assert security._network(address) == client


async def test_every_answer_has_security_headers(rig: Rig) -> None:
    """What browsers may do with an answer is said in each, also in errors; pages say what they load."""
    for path in ("/status", "/nothing", "/docs", "/openapi.json"):
        headers = (await rig.client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Server"] == "claude-proxy"
    assert "unsafe" not in headers["Content-Security-Policy"]


async def test_own_pages_behind_a_proxy_that_speaks_https(tmp_path: Any) -> None:
    """The page's origin has the scheme that its browser saw, which is not ours; host and port are its own."""
    async with serving(tmp_path, security={"allowed_hosts": ["Proxy.example"]}) as rig:
        headers = {"Host": "proxy.example", "Origin": "https://proxy.example"}
        await rig.post(VALIDATE, BODY, headers=headers)
        await rig.post(VALIDATE, BODY, headers={**headers, "Origin": "https://other.example"}, status=403)
        await rig.post(VALIDATE, BODY, headers={**headers, "Host": "other.example"}, status=403)


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


@pytest.mark.usefixtures("elsewhere")
async def test_asking_beforehand_needs_no_token(tmp_path: Any) -> None:
    """A browser asks beforehand without the token: an allowed origin is told what it may send, others are not."""
    cors = {"allowed_origins": ["https://app.example"], "enable_cors": True}
    async with serving(tmp_path, security=cors) as rig:
        for origin, status in (("https://app.example", 204), ("https://evil.example", 401)):
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            assert (await rig.client.options(VALIDATE, headers=headers)).status == status
        refused = await rig.client.get("/status", headers={"Origin": "https://app.example"})
        assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (
            401,
            "https://app.example",
        )
