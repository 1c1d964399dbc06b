"""Connections: what a client may keep us waiting for, and the one shape for what is no request."""

import asyncio
import contextlib
import json
import resource
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from proxy.config import settings_of
from proxy.server.process.app import create_app
from proxy.server.process.connections import listen
from proxy.server.shared import SHARED, Shared
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog
from tests.server.routes.test_streams import say

pytestmark = pytest.mark.anyio
HEAD = b"GET /status HTTP/1.1\r\nHost: localhost\r\n"
LAST = b"Connection: close\r\n\r\n"


@dataclass
class Place:
    """Where a server listens."""

    port: int
    shared: Shared

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def said(self, sent: bytes) -> tuple[int, dict[str, Any]]:
        """Send something, and return status and body of what is answered before the connection is closed."""
        reader, writer = await self.connect()
        writer.write(sent)
        async with asyncio.timeout(120):
            answer = await reader.read()
        writer.close()
        return parsed(answer)


def parsed(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Return status and body of an answer, held to the one shape."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/json" in head
    value: dict[str, Any] = json.loads(body)
    assert set(value) == ({"success", "data"} if value["success"] else {"success", "error"})
    return int(head.split()[1]), value


@contextlib.asynccontextmanager
async def listening(data_dir: Path, **sections: dict[str, Any]) -> AsyncIterator[Place]:
    """Serve as `serve` does, on a free port."""
    settings = settings_of(sections)
    app = create_app(str(data_dir), settings)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    place = socket.create_server(("127.0.0.1", 0))
    server = await listen(runner, place, settings.api)
    try:
        yield Place(place.getsockname()[1], app[SHARED])
    finally:
        server.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /status HTTP/9.9\r\n\r\n", 400),
        (b"GET /status HTTP/1.1\r\nHost localhost\r\n\r\n", 400),
        (HEAD + b"Content-Length: x\r\n\r\n", 400),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (HEAD + b"X: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (HEAD + b"Expect: wonders\r\n" + LAST, 417),
        (b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nExpect: wonders\r\n" + LAST, 417),
        (b"GET /status HTTP/1.1\r\n" + LAST, 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n" + LAST, 404),
    ],
)
async def test_what_is_no_request(tmp_path: Path, sent: bytes, status: int) -> None:
    """What is not even HTTP is answered in the one shape, and the connection is closed."""
    async with listening(tmp_path) as place:
        assert (await place.said(sent))[0] == status


@pytest.mark.parametrize(("host", "status"), [(b"", 200), (b"Host: evil.example\r\n", 403)])
async def test_checks_without_a_host(tmp_path: Path, host: bytes, status: int) -> None:
    """Load balancers ask in HTTP/1.0, which has no `Host`; one that there is must be ours all the same."""
    async with listening(tmp_path) as place:
        assert (await place.said(b"GET /health HTTP/1.0\r\n" + host + b"\r\n"))[0] == status


async def test_a_body_that_is_too_large_is_not_waited_for(tmp_path: Path) -> None:
    """Its length alone is enough: with `Expect` it is never sent, without it is not read."""
    post = (
        b"POST /api/v1/validation/validate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    )
    post += b"Content-Length: 101\r\n"
    async with listening(tmp_path, api={"max_request_size": 100}) as place:
        status, body = await place.said(post + b"Expect: 100-continue\r\n\r\n")
        assert (status, "max_request_size" in body["error"]) == (413, True)
        reader, writer = await place.connect()
        writer.write(post + b"\r\n")
        async with asyncio.timeout(120):
            assert parsed(await reader.readuntil(b"}"))[0] == 413
        writer.close()


async def test_slow_heads(tmp_path: Path) -> None:
    """Half a head is 408 when its time is over, a first one or a later one; nothing at all is just closed."""
    async with listening(tmp_path, api={"timeout": 0.2}) as place:
        assert (await place.said(HEAD))[0] == 408
        reader, writer = await place.connect()
        async with asyncio.timeout(120):
            assert await reader.read() == b""
        writer.close()
        reader, writer = await place.connect()
        writer.write(HEAD + b"\r\n")
        async with asyncio.timeout(120):
            answer = await reader.readuntil(b"}}")
        assert parsed(answer)[0] == 200
        writer.write(b"GET")
        async with asyncio.timeout(120):
            assert parsed(await reader.read())[0] == 408
        writer.close()


async def test_an_answer_may_take_longer_than_a_head(tmp_path: Path) -> None:
    """The time for a head does not run while a request is answered."""
    async with listening(tmp_path, api={"timeout": 0.2}) as place:
        asked = b"GET /api/v1/monitoring/events?wait=1 HTTP/1.1\r\nHost: localhost\r\n"
        assert (await place.said(asked + LAST))[0] == 200


async def test_too_many_connections(tmp_path: Path) -> None:
    """One too many is told so; when another one has left there is room again."""
    async with listening(tmp_path, api={"max_connections": 2}) as place:
        others = [await place.connect() for _ in range(2)]
        assert (await place.said(b""))[0] == 503
        others[0][1].close()
        async with asyncio.timeout(120):
            while (await place.said(HEAD + LAST))[0] != 200:
                pass
        others[1][1].close()


async def test_connections_leave_files_for_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a process may open few files, clients get half of them: the rest is for logs, index and tokens."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (3, 3))
    async with listening(tmp_path) as place:
        _, one = await place.connect()
        assert (await place.said(HEAD + LAST))[0] == 503
        one.close()


async def test_a_thousand_idle_connections(tmp_path: Path) -> None:
    """Connections that ask nothing, and such that are slow, keep nobody else from an answer."""
    async with listening(tmp_path) as place:
        idle = [await place.connect() for _ in range(1000)]
        for _, writer in idle[::2]:
            writer.write(b"GET /st")
        for _ in range(5):
            assert (await place.said(HEAD + LAST))[0] == 200
        for _, writer in idle:
            writer.transport.abort()


async def test_a_subscriber_that_never_reads(tmp_path: Path) -> None:
    """It is let go when it has taken nothing for its time, however much there is for it; others are answered."""
    log = SessionLog(str(tmp_path), "s", lifecycle("s", "session_started", {"format": 1}))
    log.append([])
    ask = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    upgrade = b"GET /api/v1/monitoring/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    upgrade += b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    async with listening(tmp_path, api={"timeout": 0.5}) as place:
        never = []
        for sent in (ask, upgrade):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", place.port))
            one.sendall(sent)
            never.append(one)
        async with asyncio.timeout(60):
            while place.shared.hub.subscribers < 2:
                await place.shared.catch_up()
            while place.shared.hub.subscribers:
                say(log, 1000)
                await place.shared.catch_up()
        assert (await place.said(HEAD + LAST))[0] == 200
        for one in never:
            one.close()
    log.close()
