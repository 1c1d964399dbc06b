"""The webhook: what it is told, and every way in which it can fail."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from proxy.server.watch.alerts import Alert
from proxy.server.watch.webhook import NotTakenError, RefusedError, Webhook
from tests.command_line import claude_proxy

ALERT = Alert(
    "tool_wait", "t", "Session s1: the tool Bash has been running.", "s1", "2026-01-02T03:04:05.000000Z"
)


@pytest.fixture
def anyio_backend() -> str:
    """Run tests on asyncio, which aiohttp needs."""
    return "asyncio"


class Receiver:
    """A webhook that keeps what it is told and answers as it is told."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.answers: list[int] = []
        """Statuses of the next answers; 0: none, ever. When used up: 200."""
        self.news = asyncio.Event()
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Take an alert."""
        self.bodies.append(await request.json())
        self.news.set()
        status = self.answers.pop(0) if self.answers else 200
        if status == 0:
            await asyncio.Event().wait()
        return web.Response(status=status, headers={"Location": "/elsewhere"} if 300 <= status < 400 else {})

    async def told(self, count: int) -> list[dict[str, Any]]:
        """Wait until it has been told so often."""
        async with asyncio.timeout(120):
            while len(self.bodies) < count:
                self.news.clear()
                await self.news.wait()
        return self.bodies


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a webhook."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{name}", receiver.handle)
    async with TestServer(app, shutdown_timeout=0) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver


@pytest.mark.anyio
async def test_an_alert_is_one_object_with_text_and_timestamp() -> None:
    """What Slack needs is there, and what a program needs beside it."""
    async with receiving() as receiver, Webhook(receiver.url) as webhook:
        await webhook.post(ALERT)
        (body,) = receiver.bodies
    assert body.pop("host")
    assert body == {
        "text": ALERT.text,
        "timestamp": "2026-01-02T03:04:05.000000Z",
        "kind": "tool_wait",
        "session_id": "s1",
    }


@pytest.mark.anyio
@pytest.mark.parametrize("status", [500, 502, 503, 408, 429])
async def test_what_may_pass_is_to_be_tried_again(status: int) -> None:
    """A webhook in trouble may take it later."""
    async with receiving() as receiver, Webhook(receiver.url) as webhook:
        receiver.answers = [status]
        with pytest.raises(NotTakenError, match=str(status)) as raised:
            await webhook.post(ALERT)
    assert not isinstance(raised.value, RefusedError)


@pytest.mark.anyio
@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 410])
async def test_what_will_not_pass_is_refused(status: int) -> None:
    """A wrong address is not tried again, and another address is not followed: alerts are for the one configured."""
    async with receiving() as receiver, Webhook(receiver.url) as webhook:
        receiver.answers = [status]
        with pytest.raises(RefusedError, match=str(status)):
            await webhook.post(ALERT)
        assert len(receiver.bodies) == 1


@pytest.mark.anyio
async def test_one_that_hangs_is_given_up() -> None:
    """An answer that does not come is waited for a while, and no longer."""
    async with receiving() as receiver, Webhook(receiver.url, timeout_s=0.1) as webhook:
        receiver.answers = [0]
        with pytest.raises(NotTakenError, match=r"no answer within 0\.1 s"):
            await webhook.post(ALERT)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/TOKEN", "http://[::bad/TOKEN", "http://a b/TOKEN", "http://h:99999/TOKEN"]
)
async def test_an_address_that_leads_nowhere_is_said_without_its_secret(url: str) -> None:
    """Whoever has the address may post: the path of it is in no sentence."""
    async with Webhook(url, timeout_s=5) as webhook:
        with pytest.raises(NotTakenError) as raised:
            await webhook.post(ALERT)
    assert "TOKEN" not in str(raised.value)


async def while_receiving(use: Callable[[Receiver], Awaitable[None]]) -> None:
    """Use a webhook."""
    async with receiving() as receiver:
        await use(receiver)


def test_the_command_tells_whether_it_was_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`alert test` posts one alert, at once; it says what came of it, with status 0 or 1."""

    async def use(receiver: Receiver) -> None:
        monkeypatch.setenv("CLAUDE_PROXY_ALERTS__WEBHOOK_URL", receiver.url)
        words = ["alert", "test", "--data-dir", str(tmp_path)]
        ran = await asyncio.to_thread(claude_proxy, *words)
        assert ran.status == 0
        assert receiver.bodies[0]["kind"] == "test"
        assert "This is a test" in receiver.bodies[0]["text"]
        assert "took the alert" in ran.stdout
        receiver.answers = [404, 404]
        ran = await asyncio.to_thread(claude_proxy, *words)
        assert ran.status == 1
        assert "the webhook answered 404" in ran.stderr
        ran = await asyncio.to_thread(claude_proxy, *words, "--json")
        assert ran.status == 1
        assert json.loads(ran.stdout)["taken"] is False

    asyncio.run(while_receiving(use))


def test_the_command_needs_a_webhook(tmp_path: Path) -> None:
    """Without one configured, a sentence says which key to set."""
    ran = claude_proxy("alert", "test", "--data-dir", str(tmp_path))
    assert ran.status == 2
    assert "alerts.webhook_url" in ran.stderr
