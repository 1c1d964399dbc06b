"""A real server on a free port, over a data directory of its own."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from proxy.config import settings_of
from proxy.protocol import full
from proxy.server import shared
from proxy.server.process.app import create_app
from proxy.server.shared import SHARED, Shared
from proxy.sessions import reader
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog
from proxy.store.embedded import indexer
from proxy.store.model import Arrival
from tests.recorded import START_US, LogMaker, scenario
from tests.server.chromium import Tab, browser


@pytest.fixture
def anyio_backend() -> str:
    """Run tests on asyncio, which aiohttp needs."""
    return "asyncio"


@dataclass
class Rig:
    """A running server and how to ask it."""

    client: TestClient[Any, Any]
    data_dir: Path
    shared: Shared

    async def ask(
        self, method: str, path: str, *, status: int = 200, schema: str | None = None, **options: Any
    ) -> Any:
        """Return an answer's data, or the sentence of a failure; both are held to the one shape."""
        async with asyncio.timeout(120):
            response = await self.client.request(method, path, **options)
            body = await response.json()
        assert response.status == status, body
        assert response.content_type == "application/json"
        assert full.judgement("api/answer.json", json.dumps(body).encode()).verdict == "valid"
        assert body["success"] is (status < 400)
        if schema is not None:
            assert full.judgement(f"{schema}.json", json.dumps(body["data"]).encode()).verdict == "valid"
        return body["data"] if status < 400 else body["error"]

    async def get(self, path: str, **options: Any) -> Any:
        """Ask for something."""
        return await self.ask("GET", path, **options)

    async def post(self, path: str, value: object, **options: Any) -> Any:
        """Send something."""
        return await self.ask("POST", path, json=value, **options)

    def live(self, session_id: str = "live") -> SessionLog:
        """Begin a wrapped session that goes on."""
        data = {"format": 1, "command": ["claude"], "pid": 7, "name": "mine"}
        log = SessionLog(str(self.data_dir), session_id, lifecycle(session_id, "session_started", data))
        log.append([])
        return log


@contextlib.asynccontextmanager
async def serving(
    data_dir: Path, owner_token: str | None = None, **sections: dict[str, Any]
) -> AsyncIterator[Rig]:
    """Serve a data directory, with sections of a configuration."""
    app = create_app(str(data_dir), settings_of(sections), owner_token=owner_token)
    async with TestClient(TestServer(app)) as client:
        await app[SHARED].ready()
        yield Rig(client, data_dir, app[SHARED])


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A server over three past sessions."""
    (tmp_path / "sessions").mkdir()
    for number, name in enumerate(["simple", "subagent", "tool_deny"]):
        maker = LogMaker(f"past{number}", START_US + number * 7_300)
        (tmp_path / "sessions" / f"past{number}.jsonl").write_bytes(scenario(name, maker))
    async with serving(tmp_path) as rig:
        yield rig


@pytest.fixture
async def tab() -> AsyncIterator[Tab]:
    """A browser's tab, which must have had nothing to complain about."""
    async with browser() as tab:
        yield tab
        # A test's server goes before its browser does: that nobody answers any more is no fault of the page.
        assert [one for one in tab.complaints if "ERR_CONNECTION" not in one] == []


@contextlib.contextmanager
def reading_slowly(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let a server stop reading behind the first piece of the first log, until the event is set or the context left."""
    go_on = threading.Event()
    step = indexer.Indexer.step

    def step_once(self: indexer.Indexer, *, quiet: bool = False) -> list[Arrival]:
        arrivals = step(self, quiet=quiet)
        go_on.wait(60)
        return arrivals

    with monkeypatch.context() as patch:
        patch.setattr(indexer, "_STEP_BYTES", 4096)
        patch.setattr(reader, "_CHUNK", 4096)
        patch.setattr(indexer.Indexer, "step", step_once)
        patch.setattr(shared, "_CATCH_UP_S", 0.01)
        try:
            yield go_on
        finally:
            go_on.set()


def event(line: bytes | str) -> dict[str, Any]:
    """Return an event that was given as JSON."""
    value: dict[str, Any] = json.loads(line)
    assert full.judgement("api/event.json", json.dumps(value).encode()).verdict == "valid"
    return value
