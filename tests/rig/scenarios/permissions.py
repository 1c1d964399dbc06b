"""Being asked: permission callbacks, permission modes, plan mode, questions to the user."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import PermissionResultAllow, PermissionResultDeny
from claude_agent_sdk.types import PermissionUpdate, ToolPermissionContext

from tests.rig.answers import says, uses
from tests.rig.scenarios.registry import scenario

if TYPE_CHECKING:
    from tests.rig.raw_client import Message
    from tests.rig.stage import Stage

STDIO = ("--permission-prompt-tool", "stdio")


def write_file(stage: Stage, name: str = "a.txt") -> Any:
    """Return a model's call that writes a small file of the project."""
    return uses("Write", file_path=str(stage.project / name), content="hello\n")


@scenario(across=True)
async def tool_allow(stage: Stage) -> None:
    """A tool that the client is asked about and allows."""
    stage.answer({"write it": [write_file(stage), says("Written.")]})
    asked: list[str] = []

    async def allow(name: str, data: dict[str, Any], _: ToolPermissionContext) -> PermissionResultAllow:
        asked.append(name)
        return PermissionResultAllow()

    async with stage.sdk(can_use_tool=allow) as actor:
        await actor.turn("Please write it.")
        actor.keep("asked", asked)


@scenario(across=True)
async def tool_deny(stage: Stage) -> None:
    """A tool that the client is asked about and denies."""
    stage.answer({"write it": [write_file(stage), says("Not written.")]})

    async def deny(name: str, data: dict[str, Any], _: ToolPermissionContext) -> PermissionResultDeny:
        return PermissionResultDeny(message="not today")

    async with stage.sdk(can_use_tool=deny) as actor:
        await actor.turn("Please write it.")


@scenario()
async def tool_deny_interrupt(stage: Stage) -> None:
    """A denial that also ends the turn."""
    stage.answer({"write it": [write_file(stage)]})

    async def deny(name: str, data: dict[str, Any], _: ToolPermissionContext) -> PermissionResultDeny:
        return PermissionResultDeny(message="stop", interrupt=True)

    async with stage.sdk(can_use_tool=deny) as actor:
        await actor.turn("Please write it.")


@scenario()
async def tool_changed(stage: Stage) -> None:
    """The client changes the tool's arguments and allows the like of it for the session."""
    stage.answer({"write it": [write_file(stage), write_file(stage, "b.txt"), says("Written.")]})

    async def change(name: str, data: dict[str, Any], _: ToolPermissionContext) -> PermissionResultAllow:
        rule = PermissionUpdate(type="setMode", mode="acceptEdits", destination="session")
        return PermissionResultAllow(
            updated_input={**data, "content": "changed\n"}, updated_permissions=[rule]
        )

    async with stage.sdk(can_use_tool=change) as actor:
        await actor.turn("Please write it.")
        actor.keep("file", (stage.project / "a.txt").read_text())


@scenario(ordered=False)
async def tool_asked_then_interrupted(stage: Stage) -> None:
    """An interrupt while the client still thinks about a permission: Claude Code withdraws its question."""
    stage.answer({"write it": [write_file(stage)]})
    async with stage.raw(*STDIO, answers={"can_use_tool": lambda _: None}) as client:
        await client.control("initialize")
        await client.say("Please write it.")
        await client.until(lambda m: m["type"] == "control_request")
        await client.control("interrupt")
        await client.result()


@scenario()
async def permission_modes(stage: Stage) -> None:
    """Each permission mode that a client may set, and one that does not exist."""
    stage.answer({"write it": [write_file(stage), says("Written.")]})
    async with stage.raw(*STDIO, env={"IS_SANDBOX": "1"}) as client:
        await client.control("initialize")
        for mode in (
            "plan",
            "dontAsk",
            "auto",
            "bypassPermissions",
            "acceptEdits",
            "default",
            "no-such-mode",
        ):
            await client.control("set_permission_mode", mode=mode)
        await client.control("set_permission_mode", mode="acceptEdits")
        await client.turn("Please write it.")


@scenario()
async def mode_bypass(stage: Stage) -> None:
    """Nothing is asked."""
    stage.answer({"write it": [write_file(stage), says("Written.")]})
    async with stage.sdk(permission_mode="bypassPermissions", env={"IS_SANDBOX": "1"}) as actor:
        await actor.turn("Please write it.")


@scenario(since="2.0.76")
async def mode_dont_ask(stage: Stage) -> None:
    """What would be asked about is denied at once."""
    stage.answer({"write it": [write_file(stage), says("Not written.")]})
    async with stage.sdk(permission_mode="dontAsk") as actor:
        await actor.turn("Please write it.")


@scenario()
async def rules(stage: Stage) -> None:
    """Rules on the command line allow one tool and deny another."""
    commands = [uses("Bash", command="touch x"), write_file(stage), says("Half of it.")]
    stage.answer({"do both": commands})
    async with stage.sdk(allowed_tools=["Bash(touch:*)"], disallowed_tools=["Write"]) as actor:
        await actor.turn("Please do both.")


@scenario()
async def plan_mode(stage: Stage) -> None:
    """A plan is made, shown to the client and accepted; then the work is done."""
    stage.answer(
        {"plan it": [uses("ExitPlanMode", plan="1. Write the file."), write_file(stage), says("Done.")]}
    )

    def allow(request: Message) -> Message:
        return {"behavior": "allow", "updatedInput": request["input"]}

    async with stage.raw(*STDIO, "--permission-mode", "plan", answers={"can_use_tool": allow}) as client:
        await client.control("initialize")
        await client.turn("Please plan it.")


@scenario()
async def plan_rejected(stage: Stage) -> None:
    """A plan that the client turns down."""
    stage.answer({"plan it": [uses("ExitPlanMode", plan="1. Delete everything."), says("Then not.")]})

    async def deny(name: str, data: dict[str, Any], _: ToolPermissionContext) -> PermissionResultDeny:
        return PermissionResultDeny(message="a better plan, please")

    async with stage.sdk(can_use_tool=deny, permission_mode="plan") as actor:
        await actor.turn("Please plan it.")


@scenario()
async def question(stage: Stage) -> None:
    """The model asks the user to choose, and the client answers for the user."""
    options = [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}]
    questions = [{"question": "Which one?", "header": "Colour", "options": options, "multiSelect": False}]
    stage.answer({"ask me": [uses("AskUserQuestion", questions=questions), says("Blue it is.")]})

    def choose(request: Message) -> Message:
        return {"behavior": "allow", "updatedInput": {**request["input"], "answers": {"Which one?": "Blue"}}}

    async with stage.raw(*STDIO, answers={"can_use_tool": choose}) as client:
        await client.control("initialize")
        await client.turn("Please ask me.")


@scenario()
async def early_end(stage: Stage) -> None:
    """A client that closes its end while it is being asked."""
    stage.answer({"write it": [write_file(stage)]})
    async with stage.raw(*STDIO, answers={"can_use_tool": lambda _: None}) as client:
        await client.control("initialize")
        await client.say("Please write it.")
        await client.until(lambda m: m["type"] == "control_request")


@scenario()
async def tool_allow_always(stage: Stage) -> None:
    """A tool that the client allows for good."""
    stage.answer({"write it": [write_file(stage), says("Written.")]})

    def allow(request: Message) -> Message:
        return {
            "behavior": "allow",
            "updatedInput": request["input"],
            "decisionClassification": "user_permanent",
        }

    async with stage.raw(*STDIO, answers={"can_use_tool": allow}) as client:
        await client.control("initialize")
        await client.turn("Please write it.")


@scenario()
async def tool_answer_fails(stage: Stage) -> None:
    """A client that cannot answer whether a tool may run."""
    stage.answer({"write it": [write_file(stage), says("Not written.")]})
    async with stage.raw(*STDIO, answers={"can_use_tool": lambda _: None}) as client:
        await client.control("initialize")
        await client.say("Please write it.")
        asked = await client.until(lambda m: m["type"] == "control_request")
        failed = {"subtype": "error", "request_id": asked["request_id"], "error": "the callback failed"}
        await client.send({"type": "control_response", "response": failed})
        await client.result()


@scenario()
async def rules_of_settings(stage: Stage) -> None:
    """Rules for commands, paths and a whole tool, with nobody to ask; in a subagent too."""
    agent = uses(
        "Agent", description="help", prompt="try it", subagent_type="helper", run_in_background=False
    )
    commands = ("ls", "touch x", "touch y && ls", "rm x", "ls && rm x", "mkdir d")
    stage.answer(
        {
            "do all": [
                *(uses("Bash", command=command) for command in commands),
                write_file(stage, "secret.txt"),
                uses("WebFetch", url="https://example.org", prompt="say what it is"),
                agent,
                says("Some of it."),
            ],
            "try it": [uses("Bash", command="rm x"), says("Not done.")],
        }
    )
    rules = {"allow": ["Bash(touch:*)"], "deny": ["Bash(rm:*)", "Edit(secret.txt)", "WebFetch"]}
    agents = {"helper": {"description": "Helps", "prompt": "You help.", "tools": ["Bash"]}}
    settings = json.dumps({"permissions": rules})
    async with stage.raw("--settings", settings) as client:
        await client.control("initialize", agents=agents)
        await client.turn("Please do all.")


@scenario()
async def mode_accept_edits(stage: Stage) -> None:
    """Edits are accepted, and commands that do such a thing to files."""
    commands = [uses("Bash", command=command) for command in ("mkdir d", "touch d/x && ls d", "rm d/x")]
    stage.answer({"do it": [write_file(stage), *commands, says("Done.")]})
    async with stage.sdk(permission_mode="acceptEdits") as actor:
        await actor.turn("Please do it.")


@scenario()
async def mode_plan(stage: Stage) -> None:
    """A tool that changes something is called in plan mode, with nobody to ask."""
    stage.answer({"write it": [write_file(stage), says("Not written.")]})
    async with stage.sdk(permission_mode="plan") as actor:
        await actor.turn("Please write it.")


@scenario(ordered=False)
async def tool_asked_then_hurried(stage: Stage) -> None:
    """A prompt that cannot wait, while the client still thinks about a permission."""
    stage.answer({"write it": [write_file(stage)], "at once": [says("At once.")]})
    async with stage.raw(*STDIO, answers={"can_use_tool": lambda _: None}) as client:
        await client.control("initialize")
        await client.say("Please write it.")
        await client.until(lambda m: m["type"] == "control_request")
        await client.say(
            "Please answer at once.", priority="now", uuid="00000000-0000-4000-8000-000000000001"
        )
        await client.until(lambda m: m["type"] == "result" and m.get("result") == "At once.")
