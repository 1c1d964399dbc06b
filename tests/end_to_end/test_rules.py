"""Rules about sessions that run away, held to the real Claude Code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from proxy.server.rules.enforcement import Enforcement
from tests.end_to_end.test_acting import ASKS, Acted
from tests.rig.answers import Gate, Reply, says, text, uses
from tests.server.conftest import serving
from tests.tiers import first_in_short

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rig.messages_api import MessagesApi
    from tests.server.conftest import Rig

pytestmark = pytest.mark.anyio
BYPASS = (*ASKS, "--permission-mode", "bypassPermissions")
SANDBOX = {"IS_SANDBOX": "1"}


async def fired(rig: Rig) -> dict[str, Any]:
    """Enforce the rules until one fires, and return what it tells."""
    enforcement = Enforcement(rig.shared, lambda *_: None)
    with anyio.fail_after(120):
        while True:
            await enforcement.look()
            answer = await rig.get("/api/v1/monitoring/events?event_types=rule_fired")
            if answer["events"]:
                data: dict[str, Any] = answer["events"][0]["data"]
                return data
            await anyio.sleep(0.1)


@pytest.mark.parametrize("who", first_in_short(["subagent", "agent"]))
async def test_a_budget_holds_in_the_middle_of_a_turn(
    api: MessagesApi, claude: Path, tmp_path: Path, who: str
) -> None:
    """Claude Code itself is asked for the cost while the turn is open, and the turn is interrupted."""
    acted, gate = Acted(api, claude, tmp_path, "--act", "restrain"), Gate()
    never = Reply((text("Never said."),), "end_turn", gate=gate)
    agent = uses("Agent", description="x", prompt="sub works", subagent_type="general-purpose")
    works = [uses("Bash", command="true"), never]
    acted.stage.answer({"go": works if who == "agent" else [agent, says("Done.")], "sub works": works})
    rules = {"mode": "act", "ask_every": 1, "budget": {"when": {"cost_usd": 1e-9}, "do": "interrupt"}}
    async with (
        serving(acted.wrapped.data_dir, rules=rules) as rig,
        acted.stage.raw(*BYPASS, env=SANDBOX) as client,
    ):
        await client.say("go")
        firing = await fired(rig)  # the turn lasts until then: its last answer stands at the gate
        result = await client.result()
        gate.open()
    assert (firing["rule"], firing["do"], firing["mode"]) == ("budget", "interrupt", "act")
    assert 0 < firing["value"] <= result["total_cost_usd"]
    assert "Never said." not in str(result.get("result"))
    usage = [one for one in acted.wrapped.logs()[0].lines("stdout") if b"claude-proxy-" in one.line]
    assert usage
    assert not any(one.forwarded for one in usage)


async def test_a_dry_run_leaves_the_session_alone(api: MessagesApi, claude: Path, tmp_path: Path) -> None:
    """It tells, without a grant too, and nothing of ours goes to the command."""
    acted, gate = Acted(api, claude, tmp_path), Gate()
    last = Reply((text("Said."),), "end_turn", gate=gate)
    acted.stage.answer({"go": [uses("Bash", command="true"), uses("Bash", command="true"), last]})
    rules = {"calls": {"when": {"calls_in_turn": 2}, "do": "stop"}}
    async with (
        serving(acted.wrapped.data_dir, rules=rules) as rig,
        acted.stage.raw(*BYPASS, env=SANDBOX) as client,
    ):
        await client.say("go")
        firing = await fired(rig)
        gate.open()
        result = await client.result()
    assert (firing["do"], firing["mode"], firing["value"]) == ("stop", "dry_run", 2)
    assert result["result"] == "Said."
    (inside,) = acted.wrapped.inside()
    assert b"claude-proxy-" not in inside.stdin
