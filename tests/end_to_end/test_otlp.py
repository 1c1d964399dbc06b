"""Sessions of the real Claude Code, exported while they go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.rig.answers import says, uses
from tests.rig.environment import Surroundings
from tests.rig.stage import Stage
from tests.rig.wrapping import Wrapped
from tests.server.conftest import serving
from tests.telemetry.receiver import Receiver, receiver

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rig.messages_api import MessagesApi

pytestmark = pytest.mark.anyio
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def arrived(given: Receiver, count: int) -> None:
    """Wait until so many spans have arrived."""
    with given.arrived:
        assert given.arrived.wait_for(lambda: len(given.spans) >= count, 120)


async def test_turns_arrive_while_the_session_goes_on(api: MessagesApi, claude: Path, tmp_path: Path) -> None:
    """Each turn is in the caller's trace as soon as it has ended, with its tools, once, also over a restart."""
    wrapped = Wrapped(tmp_path, claude)
    stage = Stage(api, wrapped.command, Surroundings(tmp_path / "home"))
    stage.answer(
        {
            "one": [uses("Bash", command="echo hi"), says("It said hi.")],
            "two": [says("Nothing more.")],
        }
    )
    wrapped.data_dir.mkdir(mode=0o700)
    (wrapped.data_dir / "sessions").mkdir(mode=0o700)
    variables = {"IS_SANDBOX": "1", "TRACEPARENT": f"00-{TRACE}-{SPAN}-01"}
    with receiver() as given:
        options: dict[str, Any] = {"otlp": {"endpoint": given.url, "content": True}}
        async with (
            serving(wrapped.data_dir, **options) as rig,
            stage.raw("--permission-mode", "bypassPermissions", env=variables) as client,
        ):
            await client.say("one")
            await client.result()
            await anyio.to_thread.run_sync(arrived, given, 4)
            assert (await rig.get("/health"))["checks"]["otlp"] == {"status": "healthy"}
            await client.say("two")
            await client.result()
            await anyio.to_thread.run_sync(arrived, given, 6)
        async with serving(wrapped.data_dir, **options):
            pass
    names = sorted(span["name"].partition(" ")[0] for span in given.spans)
    assert names == ["chat"] * 3 + ["execute_tool"] + ["invoke_agent"] * 2
    assert len(given.by_id()) == len(given.spans)
    assert {span["trace_id"] for span in given.spans} == {TRACE}
    turns = [span for span in given.spans if span["name"] == "invoke_agent claude-code"]
    assert [span["parent_id"] for span in turns] == [SPAN, SPAN]
    assert "It said hi." in str(turns[0]["attributes"]["gen_ai.output.messages"])
    assert "claude_proxy.cost" in given.metrics
