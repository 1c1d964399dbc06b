"""What a centre takes of its database while much is asked of it."""

import asyncio
import contextlib

import psycopg
import pytest

from proxy.store.postgres.connections import connect
from tests.recorded import START_US, LogMaker, scenario
from tests.server.conftest import Rig
from tests.server.routes.test_fleet import Teller, stored_tokens

pytestmark = pytest.mark.anyio
_MOST_CONNECTIONS = 10
_PATHS = (
    "/status",
    "/health",
    "/api/v1/fleet/hosts",
    "/api/v1/monitoring/events",
    "/api/v1/monitoring/metrics",
    "/api/v1/monitoring/overview",
    "/api/v1/monitoring/search?text=hello",
    "/api/v1/monitoring/sessions",
    "/api/v1/monitoring/sessions/first/analysis",
    "/api/v1/monitoring/sessions/first/records",
    "/api/v1/monitoring/sessions/first/log",
)


async def _sampled(url: str, found: list[int]) -> None:
    """Note how many connections others have to the database, again and again until cancelled."""

    def count(connection: psycopg.Connection[tuple[int, ...]]) -> int:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
        ).fetchone()
        return 0 if row is None else row[0]

    with connect(url) as connection:
        while True:
            found.append(await asyncio.to_thread(count, connection))
            await asyncio.sleep(0.005)


async def test_connections(centre: Rig, url: str) -> None:
    """At most ten for a server, whatever hosts, listeners and readers do at once."""
    text = scenario("subagent", LogMaker("first"))
    hosts = [Teller(centre, f"{number:032x}") for number in range(10)]
    found: list[int] = []
    sampling = asyncio.create_task(_sampled(url, found))

    async def pushes(number: int) -> None:
        for count in range(4):
            name = f"s{number}n{count}"
            await hosts[number].hello(name=f"host{number}")
            await hosts[number].push(name, scenario("simple", LogMaker(name, START_US + number * 7_301)))

    async def reads(path: str) -> None:
        for _ in range(5):
            response = await centre.client.get(path)
            assert response.status == 200, path
            await response.read()

    async with contextlib.AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(
                centre.client.ws_connect("/api/v1/monitoring/stream?last_event_id=")
            )
        await hosts[0].hello()
        await hosts[0].push("first", text)
        async with asyncio.TaskGroup() as group:
            for number in range(len(hosts)):
                group.create_task(pushes(number))
            for path in _PATHS * 4:
                group.create_task(reads(path))
            for number in range(3):
                group.create_task(asyncio.to_thread(stored_tokens(centre).create, f"token{number}", ["read"]))
    sampling.cancel()
    assert 2 < max(found) <= _MOST_CONNECTIONS
