"""A server that is run: what it does of its own accord while nobody asks."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.server import background
from proxy.server.process import run as process
from tests.server.conftest import Rig
from tests.server.test_background import ask, until


def test_idle_sessions_are_stopped(tmp_path: Path) -> None:
    """`monitoring.session_timeout` ends a session to which nothing is posted; the others end with the server."""
    (tmp_path / "config.yaml").write_text("monitoring: {session_timeout: 0.1}")
    options = ["--config", str(tmp_path / "config.yaml"), "--data-dir", str(tmp_path), "--port", "0"]
    with subprocess.Popen([sys.executable, "-m", "proxy", *options, "serve"]) as server:
        said = until(lambda: background.server_address(str(tmp_path)))
        session_id = ask(said, "/api/v1/monitoring/sessions", b"{}")["session_id"]
        log = tmp_path / "sessions" / f"{session_id}.jsonl"
        until(lambda: '"reason":"idle"' in log.read_text())
        server.terminate()
        assert server.wait(60) == 0


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path", ["/events", "/api/v1/monitoring/events?wait=60&event_types=none", "the page"]
)
async def test_is_needed_while_somebody_listens(rig: Rig, path: str) -> None:
    """No session lives, and a page or a client listens: the server is needed until they are gone."""
    assert not process._is_needed(rig.shared)

    async def listen() -> None:
        if path == "the page":
            async with rig.client.ws_connect("/api/v1/monitoring/stream") as socket:
                await socket.receive()
        else:
            async with rig.client.get(path) as response:
                await response.read()

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        listening = group.create_task(listen())
        while not process._is_needed(rig.shared):
            await rig.get("/health/live")
        listening.cancel()
        while process._is_needed(rig.shared):
            await rig.get("/health/live")


@pytest.mark.anyio
async def test_is_needed_while_a_session_lives(rig: Rig) -> None:
    """A live session needs it; one that has ended does not."""
    log = rig.live()
    await rig.shared.catch_up()
    assert process._is_needed(rig.shared)
    log.close()
    await rig.shared.catch_up()
    assert not process._is_needed(rig.shared)


def test_a_data_directory_that_is_removed_ends_its_server(tmp_path: Path) -> None:
    """Regression: a server whose data directory was removed stayed, and `status` said that none was running."""
    data_dir = tmp_path / "data"
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), "--port", "0", "serve"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        until(lambda: background.server_address(str(data_dir)))
        os.rename(data_dir, tmp_path / "away")
        _, said = server.communicate(timeout=60)
    assert server.returncode == 1
    assert said.splitlines()[-1] == f"claude-proxy: the data directory {data_dir} was removed or replaced"
    assert background.server_address(str(data_dir)) is None
