"""A live server that can go away and come back on the same port, and what must be left of a client: nothing."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from proxy.client import AsyncClient
from proxy.config import settings_of
from proxy.server.background import announce, take_lock
from proxy.server.process.app import create_app
from proxy.server.shared import SHARED, Shared
from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.writer import SessionLog

PROMPT = b'{"type":"user","message":{"role":"user","content":"hi"}}'


@pytest.fixture
def anyio_backend() -> str:
    """Run tests on asyncio, which aiohttp needs."""
    return "asyncio"


class Live:
    """A server over a data directory."""

    def __init__(
        self, data_dir: Path, port: int = 0, owner_token: str | None = None, **sections: dict[str, Any]
    ) -> None:
        self.data_dir = data_dir
        self._owner_token = owner_token
        self._settings = settings_of(sections)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = port or free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._runner: web.AppRunner | None = None
        self.shared: Shared

    async def start(self) -> None:
        """Serve."""
        app = create_app(str(self.data_dir), self._settings, owner_token=self._owner_token)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.shared = app[SHARED]
        await self.shared.ready()

    async def stop(self) -> None:
        """Go away."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def break_off(self) -> None:
        """Cut all connections, without a word; and go on."""
        assert self._runner is not None
        assert self._runner.server is not None
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    def log(self, session_id: str = "live") -> SessionLog:
        """Begin a wrapped session that goes on."""
        data = {"format": 1, "command": ["claude"], "pid": 7, "name": "mine"}
        log = SessionLog(str(self.data_dir), session_id, lifecycle(session_id, "session_started", data))
        log.append([])
        return log


def say(log: SessionLog, count: int = 1) -> None:
    """Let the client of a wrapped session say something: two events the first time, else one."""
    records = StreamRecords(log.session_id, "stdin")
    log.append([records.message(PROMPT, "valid") for _ in range(count)])


def end(log: SessionLog) -> None:
    """End a wrapped session."""
    log.append([lifecycle(log.session_id, "session_ended", {"exit_code": 0, "duration_ms": 5, "counts": {}})])
    log.close()


@contextlib.asynccontextmanager
async def serving(
    data_dir: Path, port: int = 0, owner_token: str | None = None, **sections: dict[str, Any]
) -> AsyncIterator[Live]:
    """A server that runs, configured so."""
    server = Live(data_dir, port, owner_token, **sections)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.contextmanager
def announced(live: Live, token: str | None = None) -> Iterator[None]:
    """Say in the data directory that this server serves it."""
    lock = take_lock(str(live.data_dir))
    assert lock is not None
    announce(lock, live.url, "1", token)
    yield
    os.close(lock)


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    """A server that runs."""
    async with serving(tmp_path) as server:
        yield server


@pytest.fixture
async def client(live: Live) -> AsyncIterator[AsyncClient]:
    """A client of it."""
    async with AsyncClient(live.url, retries=2) as client:
        yield client


@contextlib.asynccontextmanager
async def answering(
    handle: Callable[[web.Request], Awaitable[web.StreamResponse]],
    retries: int = 3,
    timeout_s: float = 5,
) -> AsyncIterator[AsyncClient]:
    """A client of a server that does as it is told."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with AsyncClient(f"http://127.0.0.1:{port}", retries=retries, timeout_s=timeout_s) as client:
            yield client
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def leaving_nothing() -> AsyncIterator[None]:
    """Hold what is done inside to leaving no task behind."""
    before = asyncio.all_tasks()
    yield
    async with asyncio.timeout(120):
        while left := [task for task in asyncio.all_tasks() - before if not _is_servers(task)]:
            await asyncio.wait(left, timeout=0.05)


def _is_servers(task: "asyncio.Task[Any]") -> bool:
    """Whether a task belongs to the server that runs in the same loop."""
    return "RequestHandler" in repr(task.get_coro()) or "aiohttp/web" in repr(task)
