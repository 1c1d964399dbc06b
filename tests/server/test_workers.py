"""Several processes on one port: any of them answers, and whichever dies, nothing that was answered is lost."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.server import background
from proxy.sessions.reader import Entry, read_log
from proxy.store.onlooker import standing
from tests.server.test_background import until

pytestmark = pytest.mark.anyio
EVENTS = "/api/v1/monitoring/events"
SESSIONS = "/api/v1/monitoring/sessions"


@dataclass
class Crew:
    """A running server of several processes."""

    process: "subprocess.Popen[bytes]"
    data_dir: Path
    url: str

    def workers(self) -> list[int]:
        """Return the processes that serve now."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def leader(self) -> int:
        """Return the process that indexes."""
        return standing(str(self.data_dir)).pid

    def log(self) -> str:
        """Return what the server has said."""
        return (self.data_dir / "said").read_text()


@contextlib.contextmanager
def crew(data_dir: Path, workers: int = 3, *more: str, killed: bool = False) -> Iterator[Crew]:
    """Run a server of several processes; ``killed``: it is not expected to end well."""
    config = data_dir / "config.yaml"
    config.write_text("\n".join([f"api: {{workers: {workers}}}", *more]))
    command = [
        sys.executable,
        "-m",
        "proxy",
        "--config",
        str(config),
        "--data-dir",
        str(data_dir),
        "--port",
        "0",
    ]
    with (data_dir / "said").open("wb") as said:
        process = subprocess.Popen([*command, "serve"], stderr=said)
    try:
        url = until(lambda: background.server_address(str(data_dir)))["url"]
        until(lambda: standing(str(data_dir)).caught_up)
        yield Crew(process, data_dir, url)
        process.terminate()
        assert killed or process.wait(30) == 0
    finally:
        process.kill()
        process.wait(30)


@contextlib.asynccontextmanager
async def client(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client that opens a connection for each request: so any process may answer."""
    connector = aiohttp.TCPConnector(force_close=True)
    timeout = aiohttp.ClientTimeout(total=30, sock_read=30)
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session:
        yield session


async def ask(asking: aiohttp.ClientSession, method: str, path: str, value: object = None) -> Any:
    """Return an answer's data."""
    async with asking.request(method, path, json=value) as response:
        body = await response.json()
    assert body["success"], body
    return body["data"]


async def insist(asking: aiohttp.ClientSession, value: dict[str, Any]) -> int:
    """Post until there is an answer; return how often nobody can tell whether it was recorded."""
    lost = 0
    while True:
        try:
            await ask(asking, "POST", EVENTS, value)
        except aiohttp.ClientError:
            lost += 1
        else:
            return lost


async def hear(asking: aiohttp.ClientSession, session_id: str, until_name: str) -> list[str]:
    """Listen, and come back wherever a connection ends, until an event comes; return the names of all."""
    names: list[str] = []
    last = ""
    while True:
        headers = {"Last-Event-ID": last} if last else {}
        with contextlib.suppress(aiohttp.ClientError):
            async with asking.get(f"/events?session_id={session_id}", headers=headers) as response:
                async for line in response.content:
                    if line.startswith(b"id: "):
                        last = line[4:].decode().strip()
                    elif line.startswith(b"data: "):
                        names.append(json.loads(line[6:])["event_type"])
                        if names[-1] == until_name:
                            return names


async def test_killed_in_turn_under_load(tmp_path: Path) -> None:
    """Each worker is killed while clients post and listen: what was answered is recorded once, and heard once."""
    with crew(tmp_path) as place:
        async with client(place.url) as asking, asyncio.timeout(90):
            session_id = (await ask(asking, "POST", SESSIONS, {}))["session_id"]
            listening = asyncio.create_task(hear(asking, session_id, "last"))
            await insist(asking, {"session_id": session_id, "event_type": "first", "data": {}})
            posted, lost, progress = 0, 0, asyncio.Semaphore(0)
            killing = [place.leader(), *place.workers()]

            async def post() -> None:
                nonlocal posted, lost
                while killing:
                    posted += 1
                    name = f"n{posted}"
                    again = await insist(asking, {"session_id": session_id, "event_type": name, "data": {}})
                    lost += again
                    progress.release()

            async def kill() -> None:
                while killing:
                    for _ in range(10):
                        await progress.acquire()
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(killing[-1], signal.SIGKILL)
                    killing.pop()

            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(post())
                group.create_task(kill())
            await insist(asking, {"session_id": session_id, "event_type": "last", "data": {}})
            heard = await listening
            page = await ask(asking, "GET", f"{EVENTS}?session_id={session_id}&offset=0&limit=10000")
    log = tmp_path / "sessions" / f"{session_id}.jsonl"
    records = [item.record for item in read_log(str(log)) if isinstance(item, Entry)]
    assert [record.seq for record in records] == list(range(len(records)))
    recorded = [record.event.event_type for record in records if record.event and record.stream == "api"]
    wanted = {f"n{number}" for number in range(1, posted + 1)} | {"first", "last"}
    assert set(recorded) == wanted
    assert len(recorded) <= len(wanted) + lost
    shown = [one["event_type"] for one in page["events"]]
    assert shown == ["session_started", *recorded]
    assert heard == recorded[recorded.index(heard[0]) :]
    assert place.log().count("worker.died") >= 3


async def test_another_one_leads(tmp_path: Path) -> None:
    """When the process that indexes dies, another one does; the timed jobs are done by that one alone."""
    with crew(tmp_path, 2) as place:
        first = place.leader()
        os.kill(first, signal.SIGKILL)
        until(lambda: place.leader() != first and standing(str(tmp_path)).caught_up)
        until(lambda: len(place.workers()) == 2)
        async with client(place.url) as asking:
            session_id = (await ask(asking, "POST", SESSIONS, {}))["session_id"]
            assert (await ask(asking, "GET", f"{SESSIONS}/{session_id}"))["state"] == "idle"
    said = place.log()
    assert said.count('"worker.leads"') == 2
    # With the end of the server its clients' sessions end, whichever process had begun them.
    log = (tmp_path / "sessions" / f"{session_id}.jsonl").read_text().splitlines()
    assert '"reason":"server_stopped"' in log[-1]


async def test_idle_sessions_are_stopped_by_the_one_that_leads(tmp_path: Path) -> None:
    """`monitoring.session_timeout` ends a session to which nothing is posted, whichever process had begun it."""
    with crew(tmp_path, 2, "monitoring: {session_timeout: 0.1}") as place:
        async with client(place.url) as asking, asyncio.timeout(30):
            session_id = (await ask(asking, "POST", SESSIONS, {}))["session_id"]
            while (await ask(asking, "GET", f"{SESSIONS}/{session_id}"))["state"] != "ended":
                pass
    log = (tmp_path / "sessions" / f"{session_id}.jsonl").read_text()
    assert '"reason":"idle"' in log


async def test_one_count_over_all(tmp_path: Path) -> None:
    """A client's requests are counted together, whichever process answers them."""
    with crew(tmp_path, 3, 'security: {rate_limit: "8/hour"}') as place:
        async with client(place.url) as asking:
            statuses = [(await asking.get("/status")).status for _ in range(12)]
    assert statuses == [200] * 8 + [429] * 4


async def test_figures_are_those_of_all(tmp_path: Path) -> None:
    """Whichever process is asked for its metrics, requests that others have answered are in them, also of dead ones."""
    with crew(tmp_path, 2) as place:
        async with client(place.url) as asking:
            for _ in range(10):
                await ask(asking, "GET", "/status")
            os.kill(place.leader(), signal.SIGKILL)
            until(lambda: len(place.workers()) == 2 and "worker.died" in place.log())
            for _ in range(4):
                async with asking.get("/metrics") as response:
                    text = await response.text()
                    assert response.status == 200, text
                counted = re.search(r'request_duration_seconds_count\{.*route="/status".*\} ([0-9.]+)', text)
                assert counted, text
                assert float(counted[1]) == 10


def test_workers_do_not_outlive_who_has_started_them(tmp_path: Path) -> None:
    """When that process is killed, its workers stop by themselves, and the data directory is free again."""
    with crew(tmp_path, 2, killed=True) as place:
        workers = place.workers()
        place.process.kill()
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))
        assert not background.is_served(str(tmp_path))
    with crew(tmp_path, 2):
        pass


def test_what_cannot_be_served_is_said(tmp_path: Path) -> None:
    """A server whose workers cannot begin exits with a sentence, and does not try for ever. It logs as configured."""
    (tmp_path / "config.yaml").write_text("api: {workers: 2}\nlogging: {level: ERROR, format: console}")
    (tmp_path / "index.sqlite3").mkdir()
    command = [
        sys.executable,
        "-m",
        "proxy",
        "--config",
        str(tmp_path / "config.yaml"),
        "--data-dir",
        str(tmp_path),
    ]
    ran = subprocess.run(
        [*command, "--port", "0", "serve"], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 1
    assert re.search(r"^claude-proxy: .*worker", ran.stderr, re.MULTILINE)
    assert re.search(r"^\S+ \[error +\] worker\.cannot_serve +error=", ran.stderr, re.MULTILINE)
    assert "server.started" not in ran.stderr
