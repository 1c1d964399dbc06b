"""Every recorded scenario, replayed to the very client that it was recorded with: it says and sees the same.

No key, no network: the clients get an address at which nobody answers. A recorder stands between the client and the
stand-in, so what either side said is known byte for byte.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from claude_agent_sdk import SystemMessage

from proxy.replay.launcher import write_stand_in
from tests.recorded import NAMES, SCENARIOS
from tests.replay.causal import causal
from tests.rig.answers import Gate
from tests.rig.environment import Surroundings
from tests.rig.recording import recorded, recordings
from tests.rig.sameness import differences, shape
from tests.rig.scenarios import all_scenarios
from tests.rig.stage import SdkActor, Stage
from tests.tiers import first_in_short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rig.messages_api import MessagesApi
    from tests.rig.recording import Recording
    from tests.rig.scenarios import Scenario

pytestmark = pytest.mark.anyio

WAIT_S = 240
AT_ONCE = 4
KILLED = frozenset(("background_killed", "background_killed_prompted"))
"""Scenarios in which Claude Code is killed by a command that it runs: a replay runs none."""
SCENARIOS_KEPT = [one for one in all_scenarios() if one.fixture and one.name not in KILLED]


class NoApi:
    """Stands where the Messages API's stand-in would: an address at which nobody answers."""

    def play(self, _script: object) -> SimpleNamespace:
        return SimpleNamespace(base_url="http://127.0.0.1:9", requests=[])


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the Agent SDK is mostly used with."""
    return "asyncio"


@pytest.fixture
def nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a scenario arranges with the tools and the model that it runs is arranged already: neither is there."""

    async def reached(_: Gate) -> None:
        return

    async def until_begun(actor: SdkActor) -> None:
        async with aclosing(actor.client.receive_messages()) as messages:  # type: ignore[type-var]
            async for message in messages:
                if isinstance(message, SystemMessage) and message.subtype == "init":
                    return

    # The recording of `interrupt` has no partial messages to wait for.
    monkeypatch.setattr(SdkActor, "until_streaming", until_begun)
    monkeypatch.setattr(Gate, "reached", reached)
    monkeypatch.setattr(os, "mkfifo", lambda path: Path(path).write_bytes(b""))
    for name in [name for name in os.environ if name.startswith(("CLAUDE", "ANTHROPIC"))]:
        monkeypatch.delenv(name)


def runs_of(name: str) -> list[str]:
    """Return the recorded processes of a scenario, in their order: earlier ones are called NAME-1, NAME-2, ..."""
    return [*sorted(one for one in NAMES if re.fullmatch(rf"{name}-\d+", one)), name]


async def replayed(one: Scenario, folder: Path, match: str) -> tuple[list[Recording], list[Any], list[int]]:
    """Play a scenario against its own recording; return what passed, the reports, and the statuses seen."""
    home = folder / "home"
    logs = []
    for run in runs_of(one.name):
        log = folder / f"{run}.jsonl"
        log.parent.mkdir(parents=True, exist_ok=True)
        # The recording takes place where this run does: clients name the folders that they are in.
        log.write_bytes(at_home(causal(run), home))
        logs.append(str(log))
    settings = {"plays": logs, "starts": str(folder / "starts"), "match": match}
    write_stand_in(str(folder / "bare/claude"), {**settings, "report": str(folder / "report")})
    command = recorded(folder / "claude", folder / "seen", [str(folder / "bare/claude")])
    stage = Stage(cast("MessagesApi", NoApi()), command, Surroundings(home))
    stage.surroundings.build()
    (stage.project / "a.txt").write_text("changed\n")  # by a tool, then; a replay runs none
    with anyio.fail_after(WAIT_S):
        await one.play(stage)
    seen = [run for run in recordings(folder / "seen") if run.argv != ["-v"]]
    reports = [json.loads(line) for line in (folder / "report").read_text().splitlines()]
    return seen, reports, stage.exit_statuses


def at_home(data: bytes, home: Path) -> bytes:
    """Return a recording as if it had been made in another home."""
    slug = re.sub(r"[^A-Za-z0-9]", "-", str(home))
    return data.replace(b"/home/dev", os.fsencode(home)).replace(b"-home-dev", slug.encode())


def lines(data: bytes, home: Path) -> list[Any]:
    """Return the lines of a stream, with the ids numbered that differ from run to run."""
    return shape([json.loads(line) for line in data.split(b"\n") if line.strip()], home)


@pytest.mark.parametrize(
    "scenarios", first_in_short([SCENARIOS_KEPT[::6], SCENARIOS_KEPT]), ids=["some", "all"]
)
async def test_each_scenario_is_seen_as_it_was_recorded(
    nothing_to_wait_for: None, tmp_path: Path, scenarios: list[Scenario]
) -> None:
    """The Python Agent SDK and the raw client: same lines in the same order, same exit, no divergence by type."""
    found: list[str] = []
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def check(one: Scenario) -> None:
        async with limit:
            folder = tmp_path / one.name
            try:
                seen, reports, exits = await replayed(one, folder, "type")
            except Exception as error:
                found.append(f"{one.name}: {error!r}")
                return
            found.extend(f"{one.name}: {problem}" for problem in problems(one, folder, seen, reports, exits))

    async with anyio.create_task_group() as tasks:
        for one in scenarios:
            tasks.start_soon(check, one)
    assert found == []
    assert len(SCENARIOS_KEPT) >= 95


def problems(
    one: Scenario, folder: Path, seen: list[Recording], reports: list[Any], exits: list[int]
) -> Iterator[str]:
    """Yield what was otherwise than recorded."""
    for run, recording, report in zip(runs_of(one.name), seen, reports, strict=True):
        fixture = SCENARIOS / run
        yield from (entry["sentence"] for entry in report["divergences"])
        there = at_home((fixture / "stdout.jsonl").read_bytes(), folder / "home")
        one_side, other = lines(there, folder / "home"), lines(recording.stdout, folder / "home")
        yield from differences(one_side, other, ordered=True)
        if recording.exit != int((fixture / "exit").read_text()):
            yield f"exit status {recording.exit}"
    if exits and exits[-1] != int((SCENARIOS / one.name / "exit").read_text()):
        yield f"the client saw the exit status {exits[-1]}"
