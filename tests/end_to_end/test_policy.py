"""Rules mean to a check what they mean to the real Claude Code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from proxy.policy.matching import Call, decide
from proxy.policy.rules import Policy, Rule
from tests.policy.cases import BASH, BASH_BEYOND, FILES, PATHS, UNKNOWN
from tests.rig.answers import Reply, says, tool
from tests.tiers import in_short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.rig.answers import Block
    from tests.rig.stage import Stage

pytestmark = pytest.mark.anyio


async def denied(stage: Stage, rules: Sequence[str], calls: Sequence[Block]) -> list[bool]:
    """Return for each call whether Claude Code denies it by these rules, in the mode that asks nobody."""
    stage.answer({"go": [Reply(tuple(calls), stop_reason="tool_use"), says("Done.")]})
    settings = json.dumps({"permissions": {"deny": list(rules)}})
    bypass = ("--permission-mode", "bypassPermissions", "--settings", settings)
    async with stage.raw(*bypass, env={"IS_SANDBOX": "1"}) as client:
        await client.turn("go")
    asked: list[str] = []
    decisions: dict[str, str] = {}
    for message in stage.seen:
        if message["type"] not in ("assistant", "user"):
            continue
        content = message["message"]["content"]
        blocks = content if isinstance(content, list) else []
        asked += [block["id"] for block in blocks if block.get("type") == "tool_use"]
        for meta in message.get("tool_result_meta", ()):
            decisions[meta["id"]] = meta["permission_decision"]["decision"]
    assert len(asked) == len(calls)
    return [decisions[call] == "reject" for call in asked]


def said(rules: Sequence[str], call: Block, cwd: str, home: str) -> bool:
    """Return whether a check says that a call is denied."""
    policy = Policy(deny=tuple(map(Rule.parse, rules)))
    return decide(policy, Call(call["name"], call["input"], cwd, home)).verdict == "deny"


async def test_commands_are_denied_alike(stage: Stage) -> None:
    """All forms that a command can have; and what Claude Code does not look into, so that we notice when it does."""
    rules = [rule for rule, _, _ in BASH]
    known = [command for _, forbidden, others in BASH for command in (*forbidden, *others)]
    calls = [tool("Bash", command=command) for command in (*known, *BASH_BEYOND)]
    real = await denied(stage, rules, calls)
    for call, is_denied in zip(calls[: len(known)], real, strict=False):
        assert said(rules, call, str(stage.project), "/h") == is_denied, call
    assert not any(real[len(known) :])
    assert UNKNOWN  # what is unknown to a check may be denied by Claude Code: it knows no better


@pytest.mark.parametrize("rule", in_short((rule for rule, _ in PATHS), names={PATHS[-1][0]}))
async def test_files_are_denied_alike(stage: Stage, rule: str) -> None:
    """Reading tools, and the shell's."""
    stage.surroundings.build()
    (stage.project / "src").mkdir()
    for file in FILES[:3]:
        (stage.project / file).write_text("x\n")
    paths = [file if file.startswith("/") else str(stage.project / file) for file in FILES]
    calls = [tool("Read", file_path=path) for path in paths] + [
        tool("Bash", command=f"cat {path}") for path in paths
    ]
    calls.append(tool("Write", file_path=str(stage.project / "src" / "new"), content="x"))
    real = await denied(stage, [rule], calls)
    assert real == [said([rule], call, str(stage.project), str(stage.surroundings.home)) for call in calls]
