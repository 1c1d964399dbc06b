"""Hooks: those that the client answers, and those that are commands of the project's settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import HookMatcher

from tests.rig.answers import Failure, says, uses
from tests.rig.scenarios.mcp import mcp_config
from tests.rig.scenarios.permissions import STDIO, write_file
from tests.rig.scenarios.registry import scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claude_agent_sdk.types import HookContext, HookInput, HookJSONOutput

    from tests.rig.raw_client import Answering, Message
    from tests.rig.stage import Stage

# Every kind of hook that Claude Code knows; each comes up in one scenario or another.
KINDS = (
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "PermissionRequest",
    "PermissionDenied",
    "Notification",
    "UserPromptSubmit",
    "UserPromptExpansion",
    "SessionStart",
    "SessionEnd",
    "Stop",
    "StopFailure",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
    "PostCompact",
    "PreModelSwitch",
    "PostModelSwitch",
    "Setup",
    "TeammateIdle",
    "TaskCreated",
    "TaskCompleted",
    "Elicitation",
    "ElicitationResult",
    "ConfigChange",
    "InstructionsLoaded",
    "WorktreeCreate",
    "WorktreeRemove",
    "CwdChanged",
    "FileChanged",
    "DirectoryAdded",
    "MessageDisplay",
)

# What later releases than the one that most recordings are of call too.
NEWER_KINDS = ("PreSkillShellCommand",)


def all_kinds() -> dict[str, Any]:
    """Return a registration of one callback for every kind of hook, as `initialize` takes it."""
    return {kind: [{"hookCallbackIds": [f"hook_{kind}"]}] for kind in KINDS}


async def nothing(data: HookInput, tool_use_id: str | None, context: HookContext) -> HookJSONOutput:
    """Answer a hook with nothing to say."""
    return {}


@scenario(since="2.1.101")
async def hooks(stage: Stage) -> None:
    """PreToolUse, Stop and UserPromptSubmit hooks answered by the client."""
    stage.answer({"write it": [write_file(stage), says("Written.")]})
    callbacks: dict[Any, list[HookMatcher]] = {
        "PreToolUse": [HookMatcher(matcher="Write", hooks=[nothing])],
        "Stop": [HookMatcher(hooks=[nothing])],
        "UserPromptSubmit": [HookMatcher(hooks=[nothing])],
    }
    async with stage.sdk(hooks=callbacks, include_hook_events=True, permission_mode="acceptEdits") as actor:
        await actor.turn("Please write it.")


@scenario(ordered=False, since="2.1.101")
async def hooks_of_every_kind(stage: Stage) -> None:
    """A client that hooks into everything: tools that work, fail and are denied, a subagent, a compaction."""
    agent = uses(
        "Agent",
        description="count",
        prompt="count to one",
        subagent_type="general-purpose",
        run_in_background=False,
    )
    stage.answer(
        {
            "several things": [
                uses("Bash", command="echo one"),
                uses("Bash", command="ls no-such-file"),
                write_file(stage),
                agent,
                says("All of it."),
            ],
            "count to one": [says("One.")],
        }
    )

    def deny(_: Message) -> Message:
        return {"behavior": "deny", "message": "no"}

    async with stage.raw("--include-hook-events", *STDIO, answers={"can_use_tool": deny}) as client:
        await client.control("initialize", hooks=all_kinds())
        await client.turn("Please do several things.")
        await client.control("set_model", model="claude-haiku-4-5")
        await client.turn("/compact")
        await client.turn("/clear")


@scenario()
async def hook_denies(stage: Stage) -> None:
    """A PreToolUse hook that denies, with a reason."""
    stage.answer({"write it": [write_file(stage), says("Not written.")]})

    async def deny(data: HookInput, tool_use_id: str | None, context: HookContext) -> HookJSONOutput:
        return {
            "systemMessage": "a note for the user",
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": "deny",
                "permissionDecisionReason": "against the rules",
            },
        }

    async with stage.sdk(hooks={"PreToolUse": [HookMatcher(hooks=[deny])]}) as actor:
        await actor.turn("Please write it.")


@scenario()
async def hook_adds(stage: Stage) -> None:
    """Hooks that add context to a prompt and a result, and change a tool's arguments."""
    stage.answer({"write it": [write_file(stage), says("Written.")]})

    def answer(request: Message) -> Message:
        event = request["input"]["hook_event_name"]
        output = {"hookEventName": event, "additionalContext": f"seen by {event}"}
        if event == "PreToolUse":
            output |= {
                "permissionDecision": "allow",
                "updatedInput": {**request["input"]["tool_input"], "content": "changed\n"},
            }
        return {"hookSpecificOutput": output}

    kinds = ("UserPromptSubmit", "PreToolUse", "PostToolUse")
    registration = {kind: [{"hookCallbackIds": [kind], "timeout": 20}] for kind in kinds}
    async with stage.raw(answers={"hook_callback": answer}) as client:
        await client.control("initialize", hooks=registration)
        await client.turn("Please write it.")


@scenario(ordered=False, across=True)
async def hooks_of_every_release(stage: Stage) -> None:
    """Hooks that every release knows: of a tool, a subagent called by its old name, a compaction."""
    task = uses("Task", description="count", prompt="count to one", subagent_type="general-purpose")
    answers = [uses("Bash", command="echo one"), task, says("All of it.")]
    stage.answer({"several things": answers, "count to one": [says("One.")]})
    kinds = (
        "PreToolUse",
        "PostToolUse",
        "UserPromptSubmit",
        "SessionEnd",
        "Stop",
        "SubagentStop",
        "PreCompact",
    )
    env = {"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1"}  # later releases start subagents there
    async with stage.raw("--allowedTools", "Bash,Task", env=env) as client:
        await client.control("initialize", hooks={kind: [{"hookCallbackIds": [kind]}] for kind in kinds})
        await client.turn("Please do several things.")
        await client.turn("/compact")


@scenario(across=True)
async def hook_rejects_prompt(stage: Stage) -> None:
    """A UserPromptSubmit hook that turns the prompt away; the next one passes."""
    stage.answer({"question": [says("An answer.")]})

    def answer(request: Message) -> Message:
        if "secret" in request["input"]["prompt"]:
            return {"decision": "block", "reason": "no secrets, please"}
        return {}

    async with stage.raw(answers={"hook_callback": answer}) as client:
        await client.control("initialize", hooks={"UserPromptSubmit": [{"hookCallbackIds": ["submit"]}]})
        await client.turn("A secret question?")
        await client.turn("A question?")


@scenario()
async def hook_stops(stage: Stage) -> None:
    """A Stop hook that sends the model on once, then a hook that ends everything."""
    stage.answer({"question": [says("An answer."), uses("Bash", command="echo more"), says("Never said.")]})
    sent_on = False

    def answer(request: Message) -> Message:
        nonlocal sent_on
        if request["input"]["hook_event_name"] == "PostToolUse":
            return {"continue": False, "stopReason": "enough"}
        if sent_on:
            return {}
        sent_on = True
        return {"decision": "block", "reason": "go on, please"}

    kinds = {kind: [{"hookCallbackIds": [kind]}] for kind in ("Stop", "PostToolUse")}
    async with stage.raw(answers={"hook_callback": answer}) as client:
        await client.control("initialize", hooks=kinds)
        await client.turn("A question?")


def _hook_command(stage: Stage, kind: str, said: dict[str, Any]) -> None:
    """Let a hook of the project's settings print something."""
    settings = {"hooks": {kind: [{"hooks": [{"type": "command", "command": f"echo '{json.dumps(said)}'"}]}]}}
    folder = stage.project / ".claude"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps(settings))


@scenario()
async def hook_stops_tool(stage: Stage) -> None:
    """A PreToolUse hook that is a command ends the turn before the tool runs."""
    _hook_command(stage, "PreToolUse", {"continue": False, "stopReason": "budget is spent"})
    stage.answer({"work": [uses("Bash", command="echo one"), says("Never said.")]})
    async with stage.raw() as client:
        await client.turn("Please work.")


@scenario()
async def hook_ends(stage: Stage) -> None:
    """A Stop hook that is a command does not let the turn end as the model wanted."""
    _hook_command(stage, "Stop", {"continue": False, "stopReason": "enough"})
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw() as client:
        await client.turn("A question?")


@scenario()
async def hook_defers(stage: Stage) -> None:
    """A PreToolUse hook defers a tool: the turn ends, and waits to be resumed."""
    deferred = {"hookEventName": "PreToolUse", "permissionDecision": "defer"}
    _hook_command(stage, "PreToolUse", {"hookSpecificOutput": deferred})
    stage.answer({"work": [uses("Bash", command="echo one"), says("Never said.")]})
    async with stage.raw() as client:
        await client.turn("Please work.")


@scenario(ordered=False, since="2.1.101")
async def hook_commands(stage: Stage) -> None:
    """Hooks that are commands of the project's settings: one that works, one that fails, one that blocks."""
    stage.answer({"run it": [uses("Bash", command="echo one"), write_file(stage), says("Half of it.")]})

    def command(line: str) -> list[dict[str, Any]]:
        return [{"hooks": [{"type": "command", "command": line}]}]

    settings = {
        "hooks": {
            "SessionStart": command("echo welcome"),
            "UserPromptSubmit": command("echo context for the model"),
            "PostToolUse": command("echo this hook fails >&2; exit 1"),
            "PreToolUse": [{"matcher": "Write", **command("echo no writing >&2; exit 2")[0]}],
        }
    }
    (stage.project / ".claude").mkdir()
    (stage.project / ".claude/settings.json").write_text(json.dumps(settings))
    async with stage.sdk(include_hook_events=True, setting_sources=["project"]) as actor:
        await actor.turn("Please run it.")


@scenario()
async def hook_stop_failure(stage: Stage) -> None:
    """A StopFailure hook, called when the API does not answer."""
    stage.answer({"question": [Failure(400, "invalid_request_error", "no such thing")]})
    async with stage.raw() as client:
        await client.control("initialize", hooks={"StopFailure": [{"hookCallbackIds": ["failure"]}]})
        await client.turn("A question?")


@scenario(ordered=False, since="2.1.101")
async def hooks_of_rare_kinds(stage: Stage) -> None:
    """Hooks for what happens seldom: tasks, elicitations, worktrees, settings, instructions, expansions."""
    calls = [
        uses("TaskCreate", subject="Write it", description="Write the thing"),
        uses("TaskUpdate", taskId="1", status="completed"),
        uses("mcp__sums__ask"),
        uses("Read", file_path=str(stage.project / "sub/some.txt")),
        uses("EnterWorktree", name="side"),
        uses("ExitWorktree", action="remove", discard_changes=True),
        says("All of it."),
    ]
    stage.answer({"Do rare things": calls})
    worktree = stage.surroundings.home / "worktree"
    worktree.mkdir()
    (stage.project / "sub/.git").mkdir(parents=True)
    # Read when a file beside it is: what is read at the start comes before or after the hooks are known.
    (stage.project / "sub/CLAUDE.md").write_text("Be brief.\n")
    (stage.project / "sub/some.txt").write_text("one\n")
    (stage.project / ".claude/commands").mkdir(parents=True)
    (stage.project / ".claude/commands/rare.md").write_text("Do rare things.\n")

    def answer(request: Message) -> Message:
        if request["input"]["hook_event_name"] != "WorktreeCreate":
            return {}
        return {"hookSpecificOutput": {"hookEventName": "WorktreeCreate", "worktreePath": str(worktree)}}

    answers: dict[str, Answering] = {
        "hook_callback": answer,
        "elicitation": lambda _: {"action": "accept", "content": {"name": "Ada"}},
    }
    tools = "Read,TaskCreate,TaskUpdate,EnterWorktree,ExitWorktree"
    options = (*mcp_config(stage), "--tools", tools, "--allowedTools", f"{tools},mcp__sums")
    # Whether Claude Code takes the settings that it writes below for somebody else's is a matter of time.
    kinds = {kind: hook for kind, hook in all_kinds().items() if kind != "ConfigChange"}
    async with stage.raw(*options, answers=answers) as client:
        await client.control("initialize", hooks=kinds)
        await client.turn("/rare")
        await client.control("register_repo_root", directory=str(stage.project / "sub"))
        await client.control("update_settings", source="localSettings", settings={"outputStyle": "Concise"})
        await client.turn("Never mind.")


@scenario(ordered=False, since="2.1.20")
async def teammate(stage: Stage) -> None:
    """A session that is a member of a team: it is sent on once when it would be idle, and its task is done."""
    member = ("--agent-id", "counter@crew", "--agent-name", "counter", "--team-name", "crew")
    stage.answer(
        {
            "count to one": [
                uses("TaskCreate", subject="Count", description="Count to one"),
                uses("TaskUpdate", taskId="1", status="in_progress", owner="counter"),
                uses("SendMessage", to="team-lead", summary="Counting", message="I am counting."),
                says("One."),
                says("One, as I said."),
            ]
        }
    )
    sent_on = False

    def answer(request: Message) -> Message:
        nonlocal sent_on
        if request["input"]["hook_event_name"] != "TeammateIdle" or sent_on:
            return {}
        sent_on = True
        return {"decision": "block", "reason": "count again, please"}

    # Without its experimental teams Claude Code ignores the options of a member.
    env = {"CLAUDE_CODE_EXPERIMENTAL_AGENT_TEAMS": "1"}
    options = (*member, "--tools", "TaskCreate,TaskUpdate,SendMessage")
    async with stage.raw(*options, answers={"hook_callback": answer}, env=env) as client:
        await client.control("initialize", hooks=all_kinds())
        await client.turn("Please count to one.")


@scenario(ordered=False, since="2.1.101")
async def hooks_of_surroundings(stage: Stage) -> None:
    """Hooks for what happens round a session: its setup, another folder, a watched file, changed settings."""
    stage.answer(
        {"go there": [uses("Bash", command="cd sub"), says("There.")], "say hello": [says("Hello.")]}
    )
    (stage.project / "sub").mkdir()
    watched = stage.project / "watched.txt"
    watched.write_text("one\n")
    # Claude Code watches folders and files only when its settings name such hooks, and the setup comes before any
    # client can register one.
    command = {"hooks": [{"type": "command", "command": "true"}]}
    hooks = {
        "Setup": [command],
        "CwdChanged": [command],
        "FileChanged": [{"matcher": watched.name, **command}],
    }
    settings = stage.project / ".claude/settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"hooks": hooks}))
    kinds = {kind: [{"hookCallbackIds": [kind]}] for kind in ("CwdChanged", "FileChanged", "ConfigChange")}
    async with stage.raw("--init", "--allowedTools", "Bash") as client:
        await client.control("initialize", hooks=kinds)
        await client.turn("Please say hello.")
        watched.write_text("two\n")
        await client.until(lambda message: _is_hook(message, "FileChanged"))
        settings.write_text(json.dumps({"hooks": hooks, "outputStyle": "Concise"}))
        await client.until(lambda message: _is_hook(message, "ConfigChange"))
        await client.turn("Please go there.")


def _is_hook(message: Message, kind: str) -> bool:
    """Tell whether a message calls a hook of that kind."""
    request = message.get("request", {})
    return bool(request.get("subtype") == "hook_callback" and request["input"]["hook_event_name"] == kind)


@scenario(since="2.1.101")
async def mode_auto(stage: Stage) -> None:
    """In auto mode a model decides about tools; one that it does not let pass is denied, and a hook is told."""
    stage.answer({"fetch it": [uses("Bash", command="curl http://127.0.0.1:9/ | sh"), says("Not fetched.")]})
    async with stage.raw(*STDIO, "--permission-mode", "auto") as client:
        await client.control("initialize", hooks={"PermissionDenied": [{"hookCallbackIds": ["denied"]}]})
        await client.turn("Please fetch it.")


@scenario(since="2.1.332")
async def skill_shell_command(stage: Stage) -> None:
    """A skill whose text holds a shell command: a hook lets it run, then keeps it from running."""
    stage.answer({"the time": [says("Noon.")]})
    skill = stage.project / ".claude/skills/clock/SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text(
        "---\nname: clock\ndescription: Tells the time.\n---\nSay the time, which is !`echo noon`\n"
    )
    refused = {"hookEventName": "PreSkillShellCommand", "permissionDecision": "deny"}
    outputs: Iterator[Message] = iter([{}, {"hookSpecificOutput": refused}])
    async with stage.raw(*STDIO, answers={"hook_callback": lambda _: next(outputs)}) as client:
        await client.control("initialize", hooks={"PreSkillShellCommand": [{"hookCallbackIds": ["skill"]}]})
        await client.turn("/clock")
        await client.turn("/clock")
