"""What may befall a call: each failure is blamed on whoever is at fault, and repeated only where that is safe."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from aiohttp import web

from proxy.client import (
    AsyncClient,
    ClientError,
    NotFoundError,
    RefusedError,
    RequestError,
    ServerFaultError,
    UnreachableError,
    retries,
)
from proxy.client.retries import delays, may_repeat
from tests.client.conftest import Live, answering

pytestmark = pytest.mark.anyio
GOOD = b'{"success":true,"data":{"session_id":"s","event_type":"e","recorded":true}}'


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are tested by themselves."""
    monkeypatch.setattr(retries, "FIRST_S", 0.001)
    monkeypatch.setattr(retries, "LONGEST_S", 0.001)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, RefusedError),
        (403, RefusedError),
        (404, NotFoundError),
        (422, RequestError),
        (413, RequestError),
        (500, ServerFaultError),
        (302, ServerFaultError),
    ],
)
async def test_each_status_is_blamed(status: int, kind: type[ClientError]) -> None:
    """An error carries the server's own sentence and the status."""
    asked = 0

    async def handle(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response({"success": False, "error": "Change this."}, status=status)

    async with answering(handle) as client:
        with pytest.raises(kind, match="Change this") as caught:
            await client.health()
    assert (type(caught.value), caught.value.status, asked) == (kind, status, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>gateway</html>",
        b'{"success":true',
        b"[]",
        b'{"success":true,"data":5}',
        b"\xff\xfe",
        b"null",
        b'{"success":true,"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
async def test_answers_that_are_none(body: bytes) -> None:
    """What answers something else than the API is at fault, and its words are in the sentence."""

    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async with answering(handle) as client:
        with pytest.raises(ServerFaultError):
            await client.health()
        if not body.endswith(b"5}"):  # which is a JSON object, as a description is
            with pytest.raises(ServerFaultError):
                await client.openapi()
        if body == b"\xff\xfe":
            with pytest.raises(ServerFaultError, match="none of claude-proxy's"):
                await client.prometheus()


async def test_half_an_answer() -> None:
    """A connection that breaks in the middle of an answer is asked again where that is safe, and only there."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(request.method)
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"success":')
        assert request.transport is not None
        request.transport.close()
        return response

    async with answering(handle) as client:
        with pytest.raises(UnreachableError) as caught:
            await client.health()
        with pytest.raises(UnreachableError):
            await client.post_event("s", "e", {})
    assert caught.value.may_have_arrived
    assert asked == ["GET"] * 4 + ["POST"]


@pytest.mark.parametrize(("status", "times"), [(429, 3), (503, 1)])
async def test_what_may_not_be_repeated(status: int, times: int) -> None:
    """An event is posted again if the server cannot have taken it, else never: it would be on record twice."""
    asked = 0

    async def handle(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked < 3:
            return web.json_response({"success": False, "error": "Later."}, status=status)
        return web.Response(body=GOOD)

    async with answering(handle) as client:
        with contextlib.suppress(ServerFaultError):
            await client.post_event("s", "e", {})
    assert asked == times


async def test_documents_are_asked_for_again() -> None:
    """What is no answer's `data` is repeated as every call is, and refused with the server's sentence."""
    statuses = [503, 502, 200, 401]

    async def handle(_: web.Request) -> web.Response:
        return web.json_response({"success": False, "error": "Not now."}, status=statuses.pop(0))

    async with answering(handle) as client:
        assert (await client.openapi())["error"] == "Not now."
        with pytest.raises(RefusedError, match="Not now"):
            await client.prometheus()
    assert statuses == []


async def test_those_who_wait_hold_nobody_up() -> None:
    """However many calls wait for something to happen, others are answered meanwhile."""
    arrived, go_on = asyncio.Semaphore(0), asyncio.Event()
    empty = web.json_response({"success": True, "data": {"events": [], "total": 0}}).body

    async def handle(request: web.Request) -> web.Response:
        if "wait" in request.query:
            arrived.release()
            await go_on.wait()
        return web.Response(body=empty)

    async with answering(handle) as client, asyncio.timeout(120), asyncio.TaskGroup() as group:
        for _ in range(150):
            group.create_task(client.events_page(wait=60))
        for _ in range(150):
            await arrived.acquire()
        assert (await client.events_page()).total == 0
        go_on.set()


async def test_an_unwell_server_is_an_answer() -> None:
    """Health with status 503 says how the server is; that is what was asked."""

    async def handle(_: web.Request) -> web.Response:
        told = {"success": True, "data": {"status": "unhealthy", "version": "1", "checks": {}}}
        return web.json_response(told, status=503)

    async with answering(handle) as client:
        assert (await client.health()).status == "unhealthy"


async def test_a_server_that_says_nothing() -> None:
    """A call ends at its time limit; the server may have done it."""
    never = asyncio.Event()

    async def handle(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    async with answering(handle) as client:
        hasty = AsyncClient(client._transport.find()[0], timeout_s=0.05, retries=0)
        async with hasty:
            with pytest.raises(UnreachableError, match="within") as caught:
                await hasty.status()
        never.set()
    assert caught.value.may_have_arrived


async def test_no_server(tmp_path: Path) -> None:
    """Without a server the sentence says how to get one."""
    async with AsyncClient(data_dir=str(tmp_path), retries=0) as client:
        with pytest.raises(UnreachableError, match="claude-proxy serve") as caught:
            await client.status()
    assert not caught.value.may_have_arrived
    async with AsyncClient("http://127.0.0.1:1", retries=0) as client:
        with pytest.raises(UnreachableError) as caught:
            await client.status()
    assert str(caught.value) == "No server answers at http://127.0.0.1:1: Connection refused."


async def test_the_server_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that finds nobody succeeds if the server is back within its attempts, also one that is made once."""
    monkeypatch.setattr(retries, "LONGEST_S", 0.2)
    live = Live(tmp_path)
    async with AsyncClient(live.url, retries=50) as client:
        asked = asyncio.create_task(client.start_session("late"))
        await live.start()
        async with asyncio.timeout(120):
            assert (await asked).session_id
        await live.stop()
        with pytest.raises(UnreachableError):
            async with AsyncClient(live.url, retries=1) as other:
                await other.status()
        await live.start()
        assert (await client.sessions()).total == 1
    await live.stop()


async def test_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token goes with every call; a server that is not given one refuses."""
    monkeypatch.setattr("proxy.server.access.guard.is_same_user", lambda request: False)
    live = Live(tmp_path, security={"tokens": ["secret"]})
    await live.start()
    async with AsyncClient(live.url, token="secret") as client:
        await client.status()
    async with AsyncClient(live.url) as client:
        with pytest.raises(RefusedError, match="token"):
            await client.status()
        with pytest.raises(RefusedError, match="token"):
            await anext(client.stream())
    await live.stop()


def test_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses grow to a bound, are never nothing at first, and end with the attempts."""
    monkeypatch.setattr(retries, "FIRST_S", 0.1)
    monkeypatch.setattr(retries, "LONGEST_S", 5.0)
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    assert list(delays(8)) == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    monkeypatch.setattr("random.uniform", lambda low, high: low)
    assert min(delays(8)) > 0


@pytest.mark.parametrize("repeatable", [True, False])
def test_patience(repeatable: bool) -> None:
    """A server that asks for more patience than we have is not asked again."""
    assert not may_repeat(RefusedError("x", 429, 3600.0), repeatable=repeatable)
    assert may_repeat(RefusedError("x", 429, 1.0), repeatable=repeatable)
    assert not may_repeat(RequestError("x", 422), repeatable=repeatable)
