"""Checks through the API: off by default, told what is wrong at once, with live progress and a report."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.protocol.specifications import judge_for
from tests.server.conftest import Rig, serving

pytestmark = pytest.mark.anyio

RUNS = "/api/v1/compliance/runs"
ANSWER = "api/compliance_answer"
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
        run = await rig.get(f"{RUNS}/{run_id}", params={"wait": "20", "seen": str(seen)}, schema=ANSWER)
        assert run["completed"] >= seen
        seen = run["completed"]
        if run["state"] in ENDED:
            return run


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
    begun = await checking.post(RUNS, asked, schema=ANSWER)
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


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "wrapper"),
        ({"wrapper": " "}, "path of a program"),
        ({"wrapper": "x", "threshold": 101}, "0 to 100"),
        ({"wrapper": "x", "arguments": ["a\0b"]}, "path of a program"),
        ({"wrapper": "x", "wrappr": 1}, "wrappr"),
        ({"wrapper": "x", "scenarios": ["exit-statu"]}, "did you mean behaviour/exit-status?"),
        ({"wrapper": "x", "scenarios": ["behaviour/*", "xyzzy"]}, "scenarios: no scenario is named 'xyzzy'"),
    ],
)
async def test_a_wrong_request_is_told(checking: Rig, asked: dict[str, Any], said: str) -> None:
    """422 and a sentence, before anything runs."""
    assert said in await checking.ask("POST", RUNS, json=asked, status=422)


async def test_an_unknown_check_is_not_found(checking: Rig) -> None:
    """Each call for one check says that there is none."""
    await checking.ask("GET", f"{RUNS}/check-1", status=404)
    await checking.ask("POST", f"{RUNS}/check-1/cancel", status=404)
