"""A session of the real Claude Code, analysed: a tool that fails, one that is asked for, a subagent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from claude_agent_sdk import AgentDefinition, PermissionResultAllow

from tests.analysis.made import assert_as_published
from tests.rig.answers import says, uses
from tests.rig.wrapping import claude_proxy

if TYPE_CHECKING:
    from tests.rig.stage import Stage
    from tests.rig.wrapping import Wrapped

pytestmark = pytest.mark.anyio


async def test_a_real_session_is_told_as_it_was(stage: Stage, wrapped: Wrapped) -> None:
    """Tools, their failure, the permission, the subagent and the costs are those of the session."""
    delegate = {"description": "count", "prompt": "count the files", "subagent_type": "counter"}
    stage.answer(
        {
            "do all of it": [
                uses("Read", file_path=str(stage.project / "none.txt")),
                uses("Write", file_path=str(stage.project / "a.txt"), content="hello\n"),
                uses("Agent", **delegate, run_in_background=False),
                says("Done."),
            ],
            "count the files": [uses("Bash", command="echo 3"), says("3")],
        }
    )

    async def allow(*_: Any) -> PermissionResultAllow:
        return PermissionResultAllow()

    counter = AgentDefinition(description="Counts things", prompt="You count.", tools=["Bash"])
    async with stage.sdk(can_use_tool=allow, agents={"counter": counter}) as actor:
        result = await actor.turn("Please do all of it.")

    command = [*claude_proxy(), "--data-dir", str(wrapped.data_dir), "analyze", "latest"]
    with anyio.fail_after(60):
        done = await anyio.run_process([*command, "--json"])
        shown = await anyio.run_process(command)
    report = json.loads(done.stdout)
    assert_as_published("api/analysis.json", report)
    tools = {tool["tool"]: (tool["calls"], tool["failed"]) for tool in report["tools"]}
    assert tools == {"Read": (1, 1), "Write": (1, 0), "Agent": (1, 0), "Bash": (1, 0)}
    assert (report["permissions"]["requested"], report["permissions"]["allowed"]) == (1, 1)
    assert [(agent["kind"], agent["tool_calls"]) for agent in report["subagents"]] == [("counter", 1)]
    assert report["turn_outcomes"] == {"completed": 1}
    assert report["cost"]["total_usd"] == pytest.approx(result.total_cost_usd)  # type: ignore[union-attr]
    activities = {one["activity"]: one["ms"] for one in report["time"]["activities"]}
    assert activities.keys() >= {"model", "tools", "subagents", "permission"}
    assert report["anomalies"] == []
    bars = {bar["id"]: bar for bar in report["timeline"]["bars"]}
    inner = next(bar for bar in bars.values() if bar["label"].startswith("Bash"))
    assert bars[inner["parent"]]["kind"] == "subagent"
    assert b"1 of 4 tool calls failed" in shown.stdout
