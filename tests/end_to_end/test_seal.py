"""A sealed session of the real Claude Code: the same to its caller, and any later change of its log is found."""

from __future__ import annotations

import fcntl
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.rig.answers import Reply, says, tool
from tests.rig.environment import Surroundings
from tests.rig.stage import Stage
from tests.rig.wrapping import Wrapped, claude_proxy
from tests.sessions.test_sealing import checked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rig.messages_api import MessagesApi

pytestmark = pytest.mark.anyio


def verdict(data_dir: Path) -> dict[str, Any]:
    """Return what `verify` says of the only session."""
    command = [*claude_proxy(), "verify", "--json", "--data-dir", str(data_dir)]
    ran = subprocess.run(command, check=False, capture_output=True)
    (one,) = json.loads(ran.stdout)["sessions"]
    assert ran.returncode == one["integrity"].startswith("changed")
    return dict(one)


async def test_a_sealed_session(api: MessagesApi, tmp_path: Path, claude: Path) -> None:
    """With tools and two turns, through the Agent SDK; a single changed letter of an answer is found."""
    wrapped = Wrapped(tmp_path, claude, ["--seal", "on"])
    stage = Stage(api, wrapped.command, Surroundings(tmp_path / "home"))
    call = tool("Bash", command="echo on record")
    stage.answer(
        {"first": [Reply((call,), stop_reason="tool_use"), says("Done.")], "second": [says("Rosebud.")]}
    )
    async with stage.sdk(allowed_tools=["Bash"]) as client:
        await client.turn("first")
        await client.turn("second")
    (log,) = wrapped.logs()
    with log.path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # granted when the writer is gone
    (outside,), (inside,) = wrapped.outside(), wrapped.inside()
    assert outside.stdout == inside.stdout
    assert checked(log.path) >= 2
    told = verdict(wrapped.data_dir)
    assert (told["integrity"], told["completeness"]["gaps"]) == ("whole", 0)
    log.path.write_bytes(log.path.read_bytes().replace(b"Rosebud", b"Rosebut", 1))
    assert verdict(wrapped.data_dir)["integrity"].startswith("changed at record ")
