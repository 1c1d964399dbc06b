"""What the client adds: many validations beside `requests` in a loop, streaming beside a bare WebSocket.

Server, load and client share this machine's cores. Prints a table; run it on a quiet machine.
"""

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import aclosing
from typing import Any

import aiohttp
import requests

from benchmarks.server import serving, show
from proxy.client import AsyncClient, Event
from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.writer import SessionLog

VALUE: dict[str, Any] = {
    "type": "user",
    "message": {"role": "user", "content": "say hello to the world " * 10},
}
LINE = json.dumps(VALUE).encode()


def singly(url: str, count: int) -> float:
    """Return how many values a second `requests` has judged, one call each, on one connection."""
    with requests.Session() as session:
        began = time.perf_counter()
        for _ in range(count):
            body: dict[str, Any] = {"schema_type": "stdin", "data": VALUE}
            answer = session.post(f"{url}/api/v1/validation/validate", json=body, timeout=30)
            assert answer.json()["data"]["valid"]
    return count / (time.perf_counter() - began)


async def together(url: str, count: int) -> float:
    """Return how many values a second `validate_many` has judged."""
    async with AsyncClient(url) as client:
        began = time.perf_counter()
        async for answer in client.validate_many("stdin", (VALUE for _ in range(count)), fallback=False):
            assert answer.valid
    return count / (time.perf_counter() - began)


async def bare(url: str, log: SessionLog, count: int) -> float:
    """Return how many events a second come through a bare aiohttp WebSocket, decoded."""
    address = f"{url}/api/v1/monitoring/stream?event_types=command_received"
    async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
        began = time.perf_counter()
        await asyncio.to_thread(say, log, count)
        for _ in range(count):
            assert (await socket.receive_json())["type"] == "event"
    return count / (time.perf_counter() - began)


async def streamed(url: str, log: SessionLog, count: int) -> float:
    """Return how many events a second come through `stream`."""
    async with AsyncClient(url) as client, aclosing(client.stream(event_types="command_received")) as stream:
        first = asyncio.ensure_future(anext(stream))
        while not first.done():  # until it listens
            say(log, 1)
            await asyncio.wait([first], timeout=0.2)
        began = time.perf_counter()
        await asyncio.to_thread(say, log, count)
        for _ in range(count):
            assert isinstance(await anext(stream), Event)
    return count / (time.perf_counter() - began)


def say(log: SessionLog, count: int) -> None:
    """Write so many messages to a log."""
    records = StreamRecords(log.session_id, "stdin")
    for _ in range(max(1, count // 500)):
        log.append([records.message(LINE, "valid") for _ in range(min(count, 500))])


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as data_dir, serving(data_dir) as server:
        started = lifecycle("bench", "session_started", {"format": 1, "command": ["claude"]})
        log = SessionLog(data_dir, "bench", started)
        log.append([])
        for _ in range(chosen.rounds):
            one = singly(server.url, max(100, chosen.values // 50))
            many = asyncio.run(together(server.url, chosen.values))
            show(
                "values judged a second, validate_many",
                f"{many:,.0f}",
                f"requests {one:,.0f}, x{many / one:.1f}",
            )
            plain = asyncio.run(bare(server.url, log, chosen.events))
            ours = asyncio.run(streamed(server.url, log, chosen.events))
            show("events streamed a second", f"{ours:,.0f}", f"bare {plain:,.0f}, x{ours / plain:.2f}")
        log.close()


if __name__ == "__main__":
    main()
