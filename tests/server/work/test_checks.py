"""Checks that run: bounded, cancelled with all that they started, and gone with the server."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.server.conftest import serving

pytestmark = pytest.mark.anyio

RUNS = "/api/v1/compliance/runs"


def hanging(folder: Path) -> tuple[str, Path]:
    """Return a wrapper that hangs in each session, and the pipe to which it writes its process id."""
    pipe, path = folder / "pids", folder / "wrapper"
    os.mkfifo(pipe)
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec claude "$@"\necho $$ > {pipe}\nexec sleep 600\n'
    )
    path.chmod(0o755)
    return str(path), pipe


def is_alive(pid: int) -> bool:
    """Tell whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


async def test_a_check_is_cancelled_with_all_that_it_started(tmp_path: Path) -> None:
    """A wrapper that hangs is gone when the answer to the cancel has come."""
    wrapper, pipe = hanging(tmp_path)
    async with serving(tmp_path, compliance={"enabled": True}) as rig:
        begun = await rig.post(RUNS, {"wrapper": wrapper, "scenarios": ["exit-status"]})
        pid = int(await asyncio.to_thread(pipe.read_text))
        run = await rig.ask("POST", f"{RUNS}/{begun['run_id']}/cancel", schema="api/compliance_answer")
        assert run["state"] == "cancelled"
        assert not is_alive(pid)


async def test_no_check_outlives_the_server(tmp_path: Path) -> None:
    """A server that stops takes its checks and their processes with it."""
    wrapper, pipe = hanging(tmp_path)
    async with serving(tmp_path, compliance={"enabled": True}) as rig:
        await rig.post(RUNS, {"wrapper": wrapper, "scenarios": ["exit-status"]})
        pid = int(await asyncio.to_thread(pipe.read_text))
    assert not is_alive(pid)


async def test_few_run_at_once_and_few_wait(tmp_path: Path) -> None:
    """As many run as the setting says, eight wait, and the next is asked to come back."""
    wrapper, pipe = hanging(tmp_path)
    async with serving(tmp_path, compliance={"enabled": True, "concurrent_runs": 2}) as rig:
        first = []
        for _ in range(2):
            first.append(await rig.post(RUNS, {"wrapper": wrapper, "scenarios": ["exit-status"]}))
            await asyncio.to_thread(pipe.read_text)  # it has begun
        waiting = [await rig.post(RUNS, {"wrapper": wrapper}) for _ in range(8)]
        for run in first:
            assert (await rig.get(f"{RUNS}/{run['run_id']}"))["state"] == "running"
        assert (await rig.get(f"{RUNS}/{waiting[-1]['run_id']}"))["state"] == "waiting"
        await rig.ask("POST", RUNS, json={"wrapper": wrapper}, status=429)
        cancelled = await rig.ask("POST", f"{RUNS}/{waiting[0]['run_id']}/cancel")
        assert cancelled["state"] == "cancelled"
