"""Whatever is killed, at whatever moment: nothing is missing, nothing is there twice, and a listener misses nothing.

``FLEET_KILLS=200 pytest tests/shipping/test_kills.py`` kills more.
"""

import asyncio
import contextlib
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.server.access.tokens import StoredTokens
from proxy.store.postgres.connections import connect
from proxy.store.postgres.store import PostgresStore
from tests.recorded import LogMaker, firing, scenario
from tests.server.conftest import serving
from tests.shipping.hosts import Host
from tests.shipping.processes import Balancer, Program, server, shipper, wait_ready
from tests.store.postgres.cluster import Cluster, binaries

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed")]

_KILLS = int(os.environ.get("FLEET_KILLS", "25"))
_SCENARIOS = ("simple", "subagent", "tool_deny")
_judging = threading.Lock()
"""A judge learns as it goes, and is for one thread at a time."""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster that may be killed."""
    cluster = Cluster()
    yield cluster
    cluster.close()


class _Recorder(threading.Thread):
    """Records one session after the other on a host, line by line, until it is told to stop."""

    def __init__(self, host: Host, number: int) -> None:
        super().__init__(daemon=True)
        self.host, self.number = host, number
        self.stopping = threading.Event()

    def run(self) -> None:
        """Record."""
        count = 0
        while not self.stopping.is_set():
            session_id = f"host{self.number}session{count:04}"
            start_us = time.time_ns() // 1000
            with _judging:
                text = scenario(_SCENARIOS[count % len(_SCENARIOS)], LogMaker(session_id, start_us))
            with self.host.writing(session_id):
                for number, line in enumerate(text.splitlines(keepends=True)):
                    if number in (3, 7):  # a rule has found something before this line
                        self.host.fire(session_id, firing(start_us + number * 1000 - 500))
                    self.host.append(session_id, line)
                    self.stopping.wait(0.01)  # a session is slower than a disk
            count += 1


class _Listener:
    """Listens to everything, at one server after the other, and goes on where it was."""

    def __init__(self, url: str, dice: random.Random) -> None:
        self._url, self._dice = url, dice
        self.heard: list[str] = []
        self.gaps: list[str] = []
        self._place = ""

    async def run(self) -> None:
        """Listen until cancelled."""
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    await self._listen(session)
                await asyncio.sleep(0.05)

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        query = {"last_event_id": self._place}
        leaves_after = self._dice.randrange(1, 200)
        async with session.ws_connect(f"{self._url}/api/v1/monitoring/stream", params=query) as socket:
            async for message in socket:
                frame = json.loads(message.data)
                self._place = frame.get("id", self._place)
                if frame["type"] == "event":
                    self.heard.append(json.dumps(frame["data"], sort_keys=True))
                elif frame["type"] == "gap":
                    self.gaps.append(frame["reason"])
                leaves_after -= 1
                if not leaves_after:
                    return


async def _stormed(programs: list[Program], cluster: Cluster, dice: random.Random, kills: int) -> None:
    """Kill processes, one after the other, each started again."""
    for number in range(kills):
        await asyncio.sleep(dice.uniform(0.05, 0.6))
        if number % 5 == 4:
            await asyncio.to_thread(cluster.kill)
            await asyncio.to_thread(cluster.start)
            for program in programs:
                program.revive()
        else:
            program = dice.choice(programs)
            await asyncio.to_thread(program.kill)
            program.start()


async def _events(session: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    """Return all events that a server has."""
    found: list[dict[str, Any]] = []
    while True:
        query = {"limit": "10000", "order": "asc", "offset": str(len(found))}
        async with session.get(f"{url}/api/v1/monitoring/events", params=query) as answer:
            page = (await answer.json())["data"]
        found += page["events"]
        if len(found) >= page["total"]:
            return found


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_kills(cluster: Cluster, tmp_path: Path) -> None:
    """Shippers, servers of the centre and all of PostgreSQL are killed while three hosts record."""
    dice = random.Random(_KILLS)
    with cluster.database() as url:
        servers = [server(tmp_path / f"centre{number}", url) for number in range(2)]
        hosts = [Host(tmp_path / f"host{number}") for number in range(3)]
        for program, _ in servers:
            program.start()
        for served in servers:
            await asyncio.to_thread(wait_ready, *served)
        async with Balancer([port for _, port in servers], dice) as balancer:
            to = f"http://127.0.0.1:{balancer.port}"
            tokens = _tokens(url, len(hosts))
            _slow_down(url)
            shippers = [shipper(host.data_dir, to, token) for host, token in zip(hosts, tokens, strict=True)]
            listener = _Listener(to, dice)
            listening = asyncio.create_task(listener.run())
            try:
                await _until(lambda: listener._place)
                for one in shippers:
                    one.start()
                with _recorded(hosts):
                    await _stormed([*shippers, *(program for program, _ in servers)], cluster, dice, _KILLS)
                for program, port in servers:
                    await asyncio.to_thread(wait_ready, program, port)
                for host, token in zip(hosts, tokens, strict=True):
                    last = shipper(host.data_dir, to, token, "--once", "--wait", "200")
                    last.start()
                    assert await asyncio.to_thread(last.wait) == 0
                await _check(hosts, to, listener)
            finally:
                listening.cancel()
                for program in (*shippers, *(program for program, _ in servers)):
                    await asyncio.to_thread(program.kill)


def _tokens(url: str, count: int) -> list[str]:
    """Return a token for each host, of a team of its own: transactions of one team wait for each other anyway."""
    with contextlib.closing(PostgresStore(url)) as store:
        made = StoredTokens(store)
        return [made.create(f"host{number}", ["push"], f"team{number}") for number in range(count)]


def _slow_down(url: str) -> None:
    """Let transactions take their time between the numbers of their events and their end, as on a busy disk.

    Whatever numbers events otherwise than in the order of commits is found out by that.
    """
    with connect(url) as connection:
        connection.execute(
            "CREATE FUNCTION claude_proxy.dawdle() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(random() * 0.08); RETURN NULL; END'"
        )
        connection.execute(
            "CREATE TRIGGER dawdle AFTER INSERT ON claude_proxy.events"
            " FOR EACH STATEMENT EXECUTE FUNCTION claude_proxy.dawdle()"
        )


@contextlib.contextmanager
def _recorded(hosts: list[Host]) -> Iterator[None]:
    """Record on hosts as long as the context lasts."""
    recorders = [_Recorder(host, number) for number, host in enumerate(hosts)]
    for recorder in recorders:
        recorder.start()
    try:
        yield
    finally:
        for recorder in recorders:
            recorder.stopping.set()
        for recorder in recorders:
            recorder.join()


async def _check(hosts: list[Host], to: str, listener: _Listener) -> None:
    async with aiohttp.ClientSession() as session:
        events = await _events(session, to)
        expected = []
        for host in hosts:
            async with serving(host.data_dir) as rig:
                await rig.shared.catch_up()
                expected += await _events(session, str(rig.client.make_url("")).rstrip("/"))
            for log in (host.data_dir / "sessions").glob("host*.jsonl"):
                place = f"{to}/api/v1/monitoring/sessions/{log.stem}/log"
                async with session.get(place) as answer:
                    assert await answer.read() == log.read_bytes(), log.stem
    here = sorted(json.dumps(event, sort_keys=True) for event in events)
    assert here == sorted(json.dumps(event, sort_keys=True) for event in expected)
    with contextlib.suppress(TimeoutError):  # what is missing is said below
        await _until(lambda: len(listener.heard) >= len(here))
    missing, twice = Counter(here) - Counter(listener.heard), Counter(listener.heard) - Counter(here)
    assert (missing, twice) == (Counter(), Counter())
    assert listener.gaps == []


async def _until(is_so: Any) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
