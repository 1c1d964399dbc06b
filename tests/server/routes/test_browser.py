"""A browser listens: its EventSource and its WebSocket, in a page of the server's own origin and in a foreign one."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from proxy.config import Settings
from proxy.server.process.app import create_app
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog
from tests.server.chromium import CHROMIUM, browser
from tests.server.conftest import event
from tests.server.routes.test_streams import say

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH"),
]
PAGE = """<!doctype html><title>listens</title><script>
const base = "@BASE@";
let said = Promise.resolve();
const say = (what, data) => {
  const body = JSON.stringify([what, data]);
  said = said.then(() => fetch("/said", {method: "POST", body}));
};
const source = new EventSource(base + "/events?session_id=live");
source.onopen = () => say("source open", null);
source.onerror = () => say("source error", source.readyState);
source.onmessage = (message) => say("source", [message.lastEventId, message.data]);
const socket = new WebSocket(base.replace("http", "ws") + "/api/v1/monitoring/stream?session_id=live");
socket.onopen = () => say("socket open", null);
socket.onclose = (event) => say("socket closed", event.code);
socket.onmessage = (message) => say("socket", message.data);
</script>"""


class Page:
    """What the page is, and what it says of what happens to it."""

    def __init__(self) -> None:
        self.base = ""
        self._said: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    def add_to(self, app: web.Application) -> None:
        """Give the page, and hear it, at an application's origin."""
        app.router.add_get("/page", self._give)
        app.router.add_post("/said", self._hear)

    async def said(self, *wanted: str) -> dict[str, Any]:
        """Return what the page says of each of these first; fail when it says anything else before."""
        found: dict[str, Any] = {}
        async with asyncio.timeout(60):
            while set(found) != set(wanted):
                what, data = await self._said.get()
                assert what in wanted, (what, data)
                found.setdefault(what, data)
        return found

    async def _give(self, _: web.Request) -> web.Response:
        # Its script is in it, and it speaks to another server, which no page of ours does.
        policy = {"Content-Security-Policy": "script-src 'unsafe-inline'"}
        return web.Response(text=PAGE.replace("@BASE@", self.base), content_type="text/html", headers=policy)

    async def _hear(self, request: web.Request) -> web.Response:
        what, data = json.loads(await request.text())
        self._said.put_nowait((what, data))
        return web.Response()


@contextlib.asynccontextmanager
async def live(data_dir: Path, page: Page | None) -> AsyncIterator[tuple[str, SessionLog]]:
    """Serve a data directory in which a session lives, with the page when one is given."""
    about = {"format": 1, "command": ["claude"], "pid": 7, "name": "mine"}
    log = SessionLog(str(data_dir), "live", lifecycle("live", "session_started", about))
    log.append([])
    app = create_app(str(data_dir), Settings())
    if page is not None:
        page.add_to(app)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/"), log
    log.close()


async def test_page_of_our_own_origin_hears_a_live_session(tmp_path: Path) -> None:
    """A browser's EventSource and WebSocket open, and both are given the event that happens next."""
    page = Page()
    async with live(tmp_path / "data", page) as (url, log), browser() as tab:
        await tab.open(f"{url}/page")
        await page.said("source open", "socket open")
        say(log)
        heard = await page.said("source", "socket")
    name, data = heard["source"]
    assert name
    assert event(data) == json.loads(heard["socket"])["data"]
    assert event(data)["session_id"] == "live"


async def test_page_of_a_foreign_origin_hears_nothing(tmp_path: Path) -> None:
    """A page of another server on this machine may neither read the events nor open the WebSocket."""
    page, elsewhere = Page(), web.Application()
    page.add_to(elsewhere)
    async with (
        live(tmp_path / "data", None) as (page.base, _),
        TestServer(elsewhere) as foreign,
        browser() as tab,
    ):
        await tab.open(str(foreign.make_url("/page")))
        refused = await page.said("source error", "socket closed")
    # EventSource.CLOSED; and closed without a handshake.
    assert refused == {"source error": 2, "socket closed": 1006}
