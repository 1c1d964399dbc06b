"""A centre that is restored to an older state is made whole by its hosts, also by those that record nothing."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from proxy.fleet import Acknowledged, Greeting, Hello
from proxy.shipping import shipper
from proxy.shipping.backlog import Piece
from proxy.shipping.centre import Centre as Requests
from tests.server.conftest import Rig, serving
from tests.shipping.hosts import Host, address
from tests.shipping.test_shipper import shipping, until, wait_for
from tests.store.postgres.cluster import Cluster, binaries

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed")]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster that may be stopped, and restored."""
    cluster = Cluster()
    yield cluster
    cluster.close()


class _Listener:
    """Listens to a centre, and comes back where it was."""

    def __init__(self, centre: Rig) -> None:
        self._centre, self._place = centre, ""
        self.events: list[str] = []
        self.gaps: list[str] = []

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            query = {"last_event_id": self._place}
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with self._centre.client.ws_connect(
                    "/api/v1/monitoring/stream", params=query
                ) as socket:
                    async for message in socket:
                        self._take(json.loads(message.data))
            await asyncio.sleep(0.02)

    def _take(self, frame: dict[str, object]) -> None:
        self._place = str(frame.get("id", self._place))
        if frame["type"] == "gap":
            self.gaps.append(str(frame["reason"]))
        elif frame["type"] == "event":
            self.events.append(json.dumps(frame["data"], sort_keys=True))


@contextlib.asynccontextmanager
async def _listening(centre: Rig) -> AsyncIterator[_Listener]:
    listener = _Listener(centre)
    task = asyncio.create_task(listener.run())
    try:
        await wait_for(_holds(lambda: listener._place))
        yield listener
    finally:
        task.cancel()


async def test_an_older_backup(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within two heartbeats all that hosts still have is there again, once; who listens is told of one gap."""
    monkeypatch.setattr(shipper, "_HEARTBEAT_S", 0.5)
    hosts = [Host(tmp_path / f"host{number}") for number in range(3)]
    (tmp_path / "centre").mkdir(mode=0o700)
    with cluster.database() as url:
        async with serving(tmp_path / "centre", storage={"url": url}) as centre, _idle(hosts, centre):
            logs = await _recorded(centre, hosts, "first", "simple")
            await asyncio.to_thread(cluster.back_up)
            logs |= await _recorded(centre, hosts[:2], "later", "subagent")
            async with _listening(centre) as listener:
                with _heartbeats(monkeypatch) as before_the_first_push:
                    await asyncio.to_thread(cluster.restore)
                    for name, text in logs.items():
                        await until(centre, name, text)
                # One that finds out, and one that compares.
                assert len(before_the_first_push) == 2
                assert max(before_the_first_push.values()) <= 2
                # What came again before this server knew of the restore is behind the gap.
                logs |= await _recorded(centre, hosts[:1], "afterwards", "simple")
                afterwards = await _events(centre, "afterwards0")
                await wait_for(_holds(lambda: set(afterwards) <= set(listener.events)))
                again = await _events(centre, "later0") + await _events(centre, "later1")
                assert set(listener.events) <= {*again, *afterwards}
                assert len(set(listener.events)) == len(listener.events)
                assert len(listener.gaps) == 1
            for name, text in logs.items():
                other = Host(tmp_path / name)
                other.log(name).write_bytes(text)
                async with serving(other.data_dir) as rig:
                    await rig.shared.catch_up()
                    assert await _events(centre, name) == await _events(rig, name)


async def _recorded(centre: Rig, hosts: list[Host], name: str, what: str) -> dict[str, bytes]:
    """Record a session on each of some hosts, and wait until they are at the centre."""
    logs = {f"{name}{n}": host.record(f"{name}{n}", what) for n, host in enumerate(hosts)}
    for one, text in logs.items():
        await until(centre, one, text)
    return logs


async def _events(rig: Rig, session_id: str) -> list[str]:
    found = await rig.get(f"/api/v1/monitoring/events?session_id={session_id}&limit=10000&order=asc")
    return [json.dumps(event, sort_keys=True) for event in found["events"]]


@contextlib.contextmanager
def _heartbeats(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Count how many greetings of each host were answered before it sent anything, of those that send something."""
    greet, push = Requests.greet, Requests.push
    greeted, found = Counter[str](), dict[str, int]()

    async def greets(self: Requests, hello: Hello) -> Greeting:
        greeting = await greet(self, hello)
        greeted[self._url] += 1
        return greeting

    async def pushes(self: Requests, piece: Piece, text: bytes) -> tuple[int, Acknowledged | None]:
        found.setdefault(self._url, greeted[self._url])
        return await push(self, piece, text)

    with monkeypatch.context() as patch:
        patch.setattr(Requests, "greet", greets)
        patch.setattr(Requests, "push", pushes)
        yield found


def _holds(is_so: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    async def holds() -> object:
        return is_so()

    return holds


@contextlib.asynccontextmanager
async def _idle(hosts: list[Host], centre: Rig) -> AsyncIterator[None]:
    """Ship hosts as long as the context lasts."""
    async with contextlib.AsyncExitStack() as stack:
        for host in hosts:
            await stack.enter_async_context(shipping(host, address(centre), gather=0.01))
        yield
