"""Whatever is asked: an answer in the one shape, never a fault of ours, never a hang."""

import asyncio
import json
import random
import urllib.parse

import pytest
from blockbuster import blockbuster_ctx
from yarl import URL

from proxy.protocol import full
from proxy.server.routes.table import ROUTES
from tests.server.conftest import Rig

pytestmark = pytest.mark.anyio

WORDS = [
    "",
    "0",
    "-1",
    "1e9",
    "NaN",
    "null",
    "..",
    "../..",
    "%00",
    "\x00",
    "é",
    "\ud83d",
    "a" * 5000,
    "'",
    '"',
    "[]",
]
WORDS += [
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-01-01",
    "🙂",
    "past0",
]
VALUES: list[object] = [
    None,
    True,
    0,
    -1,
    1e308,
    10**30,
    "",
    "x",
    "past0",
    "\x00",
    [],
    {},
    [[]],
    {"": {}},
    "stdin",
    "commands",
    {"a": [1]},
]
KEYS = [
    "schema_type",
    "data",
    "request_id",
    "requests",
    "session_name",
    "capture_options",
    "session_id",
    "event_type",
]
PARAMETERS = ["session_id", "event_types", "start_time", "end_time", "limit", "offset", "order", "x"]


def anything(dice: random.Random, depth: int = 2) -> object:
    """Return a value that looks a little like what is wanted."""
    kind = dice.randrange(4)
    if depth and kind == 0:
        return {dice.choice(KEYS): anything(dice, depth - 1) for _ in range(dice.randrange(5))}
    if depth and kind == 1:
        return [anything(dice, depth - 1) for _ in range(dice.randrange(3))]
    return dice.choice(VALUES)


@pytest.mark.parametrize("seed", range(6))
async def test_anything_is_answered(rig: Rig, seed: int) -> None:
    """Random queries, paths and bodies on every route get an answer below 500, in the one shape."""
    dice = random.Random(seed)
    routes = [route for route in ROUTES if route.path != "/events"]
    for _ in range(120):
        route = dice.choice(routes)
        path = route.path
        for name in ("{name:.+}", "{session_id}"):
            path = path.replace(name, urllib.parse.quote(dice.choice(WORDS), safe="", errors="surrogatepass"))
        pairs = [(dice.choice(PARAMETERS), dice.choice(WORDS)) for _ in range(dice.randrange(4))]
        query = urllib.parse.urlencode(pairs, errors="surrogatepass")
        body = json.dumps(anything(dice) if dice.random() < 0.3 else dict(_body(dice))).encode()
        if dice.random() < 0.1:
            body = body[: dice.randrange(len(body) + 1)] + dice.randbytes(3)
        method = dice.choice([route.method, "POST", "GET", "PUT"])
        headers = {"Content-Type": dice.choice(["application/json"] * 5 + ["text/html", "", "x"])}
        url = f"{path}?{query}"
        async with asyncio.timeout(120):
            response = await rig.client.request(
                method, _raw(url), data=body if method != "GET" else None, headers=headers
            )
            text = await response.read()
        assert response.status < 500, (method, url, body, text)
        if response.content_type == "application/json" and path != "/openapi.json":
            assert full.judgement("api/answer.json", text).verdict == "valid", text


def _body(dice: random.Random) -> list[tuple[str, object]]:
    return [(key, anything(dice)) for key in dice.sample(KEYS, 4)]


def _raw(url: str) -> str:
    return URL(url, encoded=True)  # type: ignore[return-value]


async def test_nothing_blocks_the_loop(rig: Rig) -> None:
    """Asking for anything on disk is done beside the event loop, which has others to serve."""
    paths = [
        "/health",
        "/status",
        "/api/v1/monitoring/sessions",
        "/api/v1/monitoring/events",
        "/api/v1/monitoring/status",
        "/api/v1/monitoring/sessions/past0/records?text=x",
        "/api/v1/monitoring/sessions/past0/records/1?max_text=200",
    ]
    await rig.get("/status")  # who is at the other end is asked of the kernel once, in memory
    with blockbuster_ctx():
        for path in paths:
            await rig.get(path)
        session_id = (await rig.post("/api/v1/monitoring/sessions", {}))["session_id"]
        posted = {"session_id": session_id, "event_type": "a", "data": {}}
        await rig.post("/api/v1/monitoring/events", posted)
        await rig.ask("POST", f"/api/v1/monitoring/sessions/{session_id}/stop")
