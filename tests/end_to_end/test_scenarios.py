"""Every scenario of the rig, played bare and wrapped: the client cannot tell, and the log has it all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from tests.end_to_end.checks import assert_faithful, unexpected_verdicts
from tests.rig.environment import Surroundings, release_of
from tests.rig.sameness import differences, shape
from tests.rig.scenarios import DESERVED, Scenario, all_scenarios
from tests.rig.stage import Stage
from tests.tiers import in_short

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rig.messages_api import MessagesApi
    from tests.rig.wrapping import Wrapped

pytestmark = pytest.mark.anyio


async def played(
    scenario: Scenario, api: MessagesApi, command: Path, home: Path
) -> tuple[list[object], list[int]]:
    """Play a scenario; return what its client saw, and the exit statuses that it saw."""
    stage = Stage(api, command, Surroundings(home))
    stage.surroundings.build()
    await scenario.play(stage)
    return shape(stage.seen, home), stage.exit_statuses


SHORT = {"tool_allow", "interrupt", "subagent"}
"""What goes both ways between Claude Code and its caller; `test_raw_cli` has what only goes out."""


@pytest.mark.parametrize(
    "scenario", in_short(all_scenarios(), names=SHORT), ids=lambda scenario: scenario.name
)
async def test_client_sees_the_same_and_the_log_has_every_line(
    scenario: Scenario, api: MessagesApi, claude: Path, wrapped: Wrapped, tmp_path: Path
) -> None:
    """A client sees what it sees without the wrapper; every line is on record byte for byte, as valid."""
    await assert_same(scenario, api, claude, wrapped, tmp_path)


GRANTED = {"tool_allow", "hooks", "interrupt", "partial", "sdk_mcp", "subagent", "control"}
"""What goes both ways between Claude Code and its caller; all others were tried by hand."""


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", [("--act", "full")], indirect=True, ids=["act"])
@pytest.mark.parametrize(
    "scenario",
    [scenario for scenario in all_scenarios() if scenario.name in GRANTED],
    ids=lambda scenario: scenario.name,
)
async def test_a_grant_that_nobody_uses_changes_nothing(
    scenario: Scenario, api: MessagesApi, claude: Path, wrapped: Wrapped, tmp_path: Path
) -> None:
    """Where others may act, and do not, all is as without a grant."""
    await assert_same(scenario, api, claude, wrapped, tmp_path)


async def assert_same(
    scenario: Scenario, api: MessagesApi, claude: Path, wrapped: Wrapped, tmp_path: Path
) -> None:
    """Play a scenario without the wrapper and with it, and hold one against the other."""
    if not scenario.is_for(release_of(claude)):
        pytest.skip(f"it is for Claude Code {scenario.since} and later")
    runs: dict[str, tuple[list[object], list[int]]] = {}

    async def run(name: str, command: Path) -> None:
        # Homes of one length: Claude Code estimates tokens from texts that hold the path.
        runs[name] = await played(scenario, api, command, tmp_path / name / "home")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, "bare", claude)
        tasks.start_soon(run, "wrap", wrapped.command)

    (bare, bare_exits), (seen, exits) = runs["bare"], runs["wrap"]
    assert differences(bare, seen, ordered=scenario.ordered) == []
    assert exits == bare_exits
    assert_faithful(wrapped)
    unexpected = [line for log in wrapped.logs() for line in unexpected_verdicts(log)]
    if [line[:2] for line in unexpected] != DESERVED.get(scenario.name, []):
        pytest.fail("\n".join(map(str, unexpected)))
