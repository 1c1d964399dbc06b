"""One session with a little of everything, as a person would have it: what a first look at a log shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_agent_sdk import AgentDefinition, PermissionResultAllow, PermissionResultDeny

from tests.rig.answers import Reply, says, text, thinking, tool, uses
from tests.rig.scenarios.registry import scenario

if TYPE_CHECKING:
    from claude_agent_sdk.types import ToolPermissionContext

    from tests.rig.stage import Stage

SIZES = '''UNITS = {"KB": 1000, "MB": 1000**2}


def parse_size(text):
    """Return the bytes that a size such as "10 MB" stands for."""
    number, unit = text.split()
    return int(number) * UNITS[unit]
'''
CHECK = """from sizes import parse_size

assert parse_size("10 MB") == 10_000_000
assert parse_size("2 GB") == 2_000_000_000, "GB"
print("2 passed")
"""
RUN_CHECK = "python3 check_sizes.py"


@scenario(fixture=False, ordered=False, since="2.0.76")
async def first_look(stage: Stage) -> None:
    """A failing check is looked into and mended: a subagent, permissions that are given and one that is not."""
    (stage.project / "sizes.py").write_text(SIZES)
    (stage.project / "check_sizes.py").write_text(CHECK)
    path = str(stage.project / "sizes.py")
    agent = uses(
        "Agent",
        description="Find the callers",
        prompt="find the callers of parse_size",
        subagent_type="reader",
        run_in_background=False,
    )
    first = (
        thinking("The check fails, they say. I run it first: its message is worth more than a guess."),
        text("I run the check to see how it fails."),
        tool("Bash", command=RUN_CHECK, description="Run the check"),
    )
    edit = {"old_string": '"MB": 1000**2}', "new_string": '"MB": 1000**2, "GB": 1000**3}'}
    stage.answer(
        {
            "callers of parse_size": [
                uses("Grep", pattern="parse_size", path=str(stage.project), output_mode="files_with_matches"),
                says("Two files know parse_size: sizes.py, which defines it, and check_sizes.py."),
            ],
            "check fails": [
                Reply(first, stop_reason="tool_use"),
                uses("Read", file_path=path),
                agent,
                Reply((text("UNITS has no GB. I add it."), tool("Edit", file_path=path, **edit)), "tool_use"),
                uses("Bash", command=RUN_CHECK, description="Run the check again"),
                says("The check passes now: `parse_size` did not know GB. It is one line in `sizes.py`."),
            ],
            "publish": [
                uses("Bash", command="git push --force", description="Publish"),
                says("I did not push, as you said no. The change is in your working copy."),
            ],
        }
    )
    reader = AgentDefinition(description="reads", prompt="You read code.", tools=["Grep", "Read"])

    async def decide(
        name: str, data: dict[str, Any], _: ToolPermissionContext
    ) -> PermissionResultAllow | PermissionResultDeny:
        if "--force" in str(data.get("command")):
            return PermissionResultDeny(message="Not by force, and not today.")
        return PermissionResultAllow()

    async with stage.sdk(can_use_tool=decide, agents={"reader": reader}, max_thinking_tokens=2048) as actor:
        await actor.turn("The check fails for 2 GB. Find out why, and mend it.")
        await actor.turn("Good. Now publish it.")
