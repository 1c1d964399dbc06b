"""Checks through the API: off by default, live progress, bounded, and nothing that outlives them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.protocol.specifications import judge_for
from tests.server.conftest import Rig, serving

pytestmark = pytest.mark.anyio

RUNS = "/api/v1/compliance/runs"
PROXY = str(Path(sys.executable).with_name("claude-proxy"))
ENDED = ("completed", "failed", "cancelled")


@pytest.fixture
async def checking(tmp_path: Path) -> AsyncIterator[Rig]:
    """A server that may check, two at once."""
    async with serving(tmp_path, compliance={"enabled": True, "concurrent_runs": 2}) as rig:
        yield rig


async def ended(rig: Rig, run_id: str) -> Any:
    """Follow a check to its end; the progress only grows."""
    seen = 0
    while True:
        run = await rig.get(f"{RUNS}/{run_id}", params={"wait": "20", "seen": str(seen)})
        assert run["completed"] >= seen
        seen = run["completed"]
        if run["state"] in ENDED:
            return run


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


async def test_checks_are_off_by_default(rig: Rig) -> None:
    """A server runs no programs unless its configuration lets it, and says how that is done."""
    said = await rig.ask("POST", RUNS, json={"wrapper": "/bin/true"}, status=403)
    assert "compliance.enabled" in said
    await rig.ask("GET", f"{RUNS}/check-1", status=403)


async def test_a_check_is_followed_to_its_report(checking: Rig) -> None:
    """From the request over the progress to the same report that the command gives."""
    asked = {"wrapper": PROXY, "scenarios": ["exit-status", "output-*", "unknown-fields"]}
    line = json.dumps(asked).encode()
    assert judge_for("api/compliance_request").judge(line).verdict == "valid"
    begun = await checking.post(RUNS, asked)
    assert begun["state"] == "waiting"
    run = await ended(checking, begun["run_id"])
    assert (run["state"], run["error"], run["report"]["score"]) == ("completed", None, 100)
    assert run["total"] == run["completed"] == len(run["report"]["scenarios"])
    assert {one["name"] for one in run["scenarios"]} == {one["name"] for one in run["report"]["scenarios"]}


async def test_a_wrapper_that_cannot_be_checked_is_told(checking: Rig) -> None:
    """What the command says with status 2 is the run's error."""
    run = await ended(checking, (await checking.post(RUNS, {"wrapper": "/no/such/wrapper"}))["run_id"])
    assert (run["state"], run["report"]) == ("failed", None)
    assert "there is no program /no/such/wrapper" in run["error"]


async def test_a_check_is_cancelled_with_all_that_it_started(checking: Rig, tmp_path: Path) -> None:
    """A wrapper that hangs is gone when the answer to the cancel has come."""
    wrapper, pipe = hanging(tmp_path)
    begun = await checking.post(RUNS, {"wrapper": wrapper, "scenarios": ["exit-status"]})
    pid = int(await asyncio.to_thread(pipe.read_text))
    run = await checking.ask("POST", f"{RUNS}/{begun['run_id']}/cancel")
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
    """One runs, eight wait, and the next is asked to come back."""
    wrapper, pipe = hanging(tmp_path)
    async with serving(tmp_path, compliance={"enabled": True}) as rig:
        first = await rig.post(RUNS, {"wrapper": wrapper, "scenarios": ["exit-status"]})
        await asyncio.to_thread(pipe.read_text)
        waiting = [await rig.post(RUNS, {"wrapper": wrapper}) for _ in range(8)]
        assert (await rig.get(f"{RUNS}/{first['run_id']}"))["state"] == "running"
        assert (await rig.get(f"{RUNS}/{waiting[-1]['run_id']}"))["state"] == "waiting"
        await rig.ask("POST", RUNS, json={"wrapper": wrapper}, status=429)
        cancelled = await rig.ask("POST", f"{RUNS}/{waiting[0]['run_id']}/cancel")
        assert cancelled["state"] == "cancelled"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "wrapper"),
        ({"wrapper": " "}, "path of a program"),
        ({"wrapper": "x", "threshold": 101}, "0 to 100"),
        ({"wrapper": "x", "arguments": ["a\0b"]}, "path of a program"),
        ({"wrapper": "x", "wrappr": 1}, "wrappr"),
    ],
)
async def test_a_wrong_request_is_told(checking: Rig, asked: dict[str, Any], said: str) -> None:
    """422 and a sentence, before anything runs."""
    assert said in await checking.ask("POST", RUNS, json=asked, status=422)


async def test_an_unknown_check_is_not_found(checking: Rig) -> None:
    """Each call for one check says that there is none."""
    await checking.ask("GET", f"{RUNS}/check-1", status=404)
    await checking.ask("POST", f"{RUNS}/check-1/cancel", status=404)
