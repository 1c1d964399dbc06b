"""Other tools: files, to-do lists, subagents, background tasks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from claude_agent_sdk import AgentDefinition

from tests.rig.answers import Gate, Reply, says, text, thinking, tool, uses
from tests.rig.scenarios.registry import scenario

if TYPE_CHECKING:
    from pathlib import Path

    from claude_agent_sdk.types import SdkPluginConfig

    from tests.rig.raw_client import Message
    from tests.rig.stage import Stage


@scenario()
async def read(stage: Stage) -> None:
    """A file is read, one that exists and one that does not."""
    (stage.project / "some.txt").write_text("one\ntwo\n")
    calls = [uses("Read", file_path=str(stage.project / name)) for name in ("some.txt", "none.txt")]
    stage.answer({"read them": [*calls, says("Read.")]})
    async with stage.sdk() as actor:
        await actor.turn("Please read them.")


@scenario()
async def edit(stage: Stage) -> None:
    """A file is written, edited and searched."""
    path = str(stage.project / "notes.txt")
    calls = [
        uses("Write", file_path=path, content="one\ntwo\n"),
        uses("Edit", file_path=path, old_string="two", new_string="three"),
        uses("Bash", command="grep -n three notes.txt", description="Search the notes"),
        says("Edited."),
    ]
    stage.answer({"edit them": calls})
    async with stage.sdk(permission_mode="acceptEdits") as actor:
        await actor.turn("Please edit them.")


@scenario(since="2.0.37")
async def todo(stage: Stage) -> None:
    """A list of things to do."""
    calls = [
        uses("TaskCreate", subject="Write it", description="Write the thing", activeForm="Writing it"),
        uses("TaskUpdate", taskId="1", status="in_progress"),
        uses("TaskUpdate", taskId="1", status="completed"),
        uses("TaskList"),
        says("All is done."),
    ]
    stage.answer({"make a list": calls})
    async with stage.sdk(tools=["TaskCreate", "TaskUpdate", "TaskList", "Read"]) as actor:
        await actor.turn("Please make a list.")


@scenario(ordered=False, across=True)
async def subagent(stage: Stage) -> None:
    """A subagent does a part of the work in the foreground, with a tool of its own."""
    agent = uses(
        "Agent",
        description="count",
        prompt="count the files",
        subagent_type="counter",
        run_in_background=False,
    )
    stage.answer(
        {
            "delegate": [agent, says("Three files.")],
            "count the files": [uses("Bash", command="echo 3"), says("3")],
        }
    )
    counter = AgentDefinition(description="Counts things", prompt="You count.", tools=["Bash"])
    async with stage.sdk(agents={"counter": counter}) as actor:
        await actor.turn("Please delegate.")


@scenario(ordered=False)
async def subagent_text(stage: Stage) -> None:
    """A subagent whose text and thinking the client wants to see, with partial messages."""
    agent = uses(
        "Agent",
        description="think",
        prompt="think it over",
        subagent_type="general-purpose",
        run_in_background=False,
    )
    stage.answer(
        {"delegate": [agent, says("Done.")], "think it over": [Reply((thinking("Well."), text("I have.")))]}
    )
    async with stage.sdk(include_partial_messages=True, forward_subagent_text=True) as actor:
        await actor.turn("Please delegate.")


@scenario(ordered=False)
async def subagents_in_parallel(stage: Stage) -> None:
    """Two subagents at the same time."""
    agents = [
        tool(
            "Agent",
            description=n,
            prompt=f"job {n}",
            subagent_type="general-purpose",
            run_in_background=False,
        )
        for n in ("one", "two")
    ]
    stage.answer(
        {
            "delegate": [Reply(tuple(agents), stop_reason="tool_use"), says("Both are done.")],
            "job one": [says("One.")],
            "job two": [says("Two.")],
        }
    )
    async with stage.sdk() as actor:
        await actor.turn("Please delegate.")


@scenario(ordered=False)
async def subagents_nested(stage: Stage) -> None:
    """A subagent's subagent has one too: of the innermost one, only its task is told."""
    about = {"subagent_type": "general-purpose", "run_in_background": False}
    levels = ("outer", "middle", "inner")
    agents = [uses("Agent", description=n, prompt=f"the {n} job", **about) for n in levels]
    stage.answer(
        {
            "nest them": [agents[0], says("All is done.")],
            "the outer job": [agents[1], says("Outer.")],
            "the middle job": [agents[2], says("Middle.")],
            "the inner job": [says("Inner.")],
        }
    )
    async with stage.sdk() as actor:
        await actor.turn("Please nest them.")


@scenario(ordered=False, since="2.1.224")
async def background_agent(stage: Stage) -> None:
    """A subagent in the background: its end starts a turn that nobody asked for."""
    agent = uses(
        "Agent",
        description="count",
        prompt="count slowly",
        subagent_type="general-purpose",
        run_in_background=True,
    )
    gate = Gate()
    stage.answer(
        {
            "delegate": [agent, says("It is under way."), says("It is done.")],
            "count slowly": [says("One, two, three, and that is all there is.", gate=gate)],
        }
    )
    async with stage.raw() as client:
        await client.control("initialize", agentProgressSummaries=True)
        await client.turn("Please delegate.")
        gate.open()
        await client.until(notified)


@scenario(ordered=False, since="2.1.224")
async def background_shell(stage: Stage) -> None:
    """A command in the background, whose output is asked for."""
    command = uses("Bash", command="cat go", run_in_background=True, description="Work")
    go = stage.project / "go"
    os.mkfifo(go)  # the command waits until something is written here
    stage.answer({"work": [command, says("It is under way."), says("It is done.")]})
    async with stage.raw() as client:
        await client.control("initialize")
        await client.say("Please work.")
        task = await client.until(started)
        await client.result()
        await release(go)
        await client.until(notified)
        await client.control("get_task_output", task_id=task["task_id"])
        await client.control("get_task_output", task_id="no-such-task")


@scenario(ordered=False, since="2.1.101")
async def background_stopped(stage: Stage) -> None:
    """A command in the background that the client stops."""
    command = uses("Bash", command="sleep 60", run_in_background=True, description="Wait")
    stage.answer({"wait": [command, says("I am waiting."), says("It was stopped.")]})
    async with stage.raw() as client:
        await client.control("initialize")
        await client.say("Please wait.")
        task = await client.until(started)
        await client.result()
        await client.control("background_tasks")
        await client.control("stop_task", task_id=task["task_id"])
        await client.control("stop_task", task_id="no-such-task")


async def _killed_in_the_background(stage: Stage) -> str:
    """Have a session in which Claude Code is killed, by its own command in the background; return its id."""
    command = uses("Bash", command="cat go; kill -9 $PPID", run_in_background=True, description="Wait")
    go = stage.project / "go"
    os.mkfifo(go)  # the command waits until something is written here
    stage.answer({"Please wait": [command, says("I am waiting.")], "What is the sum": [says("42")]})
    # A command with a variable is one that Claude Code asks about, or is told not to.
    async with stage.raw("--permission-mode", "bypassPermissions", env={"IS_SANDBOX": "1"}) as client:
        result = await client.turn("Please wait.")
        await release(go)
        while await client.read() is not None:
            pass
    session_id: str = result["session_id"]
    return session_id


@scenario(since="2.1.224")
async def background_killed(stage: Stage) -> None:
    """Claude Code is killed with a command in the background; resumed, it takes that notice before the prompt."""
    session_id = await _killed_in_the_background(stage)
    async with stage.raw("--resume", session_id) as client:
        await client.say("What is the sum?")
        await client.result()
        await client.result()


@scenario(since="2.1.224")
async def background_killed_prompted(stage: Stage) -> None:
    """The same with the prompt on the command line."""
    session_id = await _killed_in_the_background(stage)
    arguments = ("--print", "--output-format", "stream-json", "--verbose", "--resume", session_id)
    async with stage.raw(*arguments, "What is the sum?", streaming=False) as client:
        await client.close()


@scenario()
async def server_tools(stage: Stage) -> None:
    """Tools that run at the API: a web search with its result, and text that cites it."""
    result = {
        "type": "web_search_result",
        "title": "Tides",
        "url": "https://example.org/tides",
        "encrypted_content": "b3BhcXVl",
        "page_age": None,
    }
    citation = {
        "type": "web_search_result_location",
        "url": "https://example.org/tides",
        "title": "Tides",
        "encrypted_index": "b3BhcXVl",
        "cited_text": "Twice a day.",
    }
    found = Reply(
        (
            {
                "type": "server_tool_use",
                "id": "srvtoolu_1",
                "name": "web_search",
                "input": {"query": "tides"},
            },
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [result]},
            {"type": "text", "text": "Twice a day.", "citations": [citation]},
        )
    )
    stage.answer({"tides": [found]})
    async with stage.raw("--include-partial-messages") as client:
        await client.turn("How often are there tides?")


@scenario()
async def skill(stage: Stage) -> None:
    """A skill of the project's own, called by the model."""
    folder = stage.project / ".claude/skills/count"
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text("---\nname: count\ndescription: Counts\n---\nCount to three.\n")
    stage.answer({"use it": [uses("Skill", skill="count"), says("One, two, three.")]})
    async with stage.sdk(skills=["count"], setting_sources=["project"]) as actor:
        await actor.turn("Please use it.")


@scenario(ordered=False, since="2.0.37")
async def plugin(stage: Stage) -> None:
    """A plugin from a folder, with a command and a hook; and one that is broken."""
    good, broken = stage.surroundings.home / "plugins/good", stage.surroundings.home / "plugins/broken"
    for folder, manifest in ((good, '{"name": "good", "version": "1.0.0"}'), (broken, '{"name": 7}')):
        (folder / ".claude-plugin").mkdir(parents=True)
        (folder / ".claude-plugin/plugin.json").write_text(manifest)
    (good / "commands").mkdir()
    (good / "commands/greet.md").write_text("Greet politely.\n")
    stage.answer({"Greet politely": [says("Good day.")]})
    plugins: list[SdkPluginConfig] = [{"type": "local", "path": str(path)} for path in (good, broken)]
    async with stage.sdk(plugins=plugins) as actor:
        await actor.turn("/good:greet")


@scenario(ordered=False, since="2.1.330")
async def slow_tool(stage: Stage) -> None:
    """A command that takes so long that Claude Code reports on it."""
    go = stage.project / "go"
    os.mkfifo(go)  # the command waits for the report, however late a loaded machine makes it
    stage.answer({"take your time": [uses("Bash", command="cat go"), says("Done.")]})
    async with stage.raw("--allowedTools", "Bash") as client:
        await client.say("Please take your time.")
        await client.until(started)
        await release(go)
        await client.result()


async def release(fifo: Path) -> None:
    """Let a command end that reads from a pipe."""
    with anyio.fail_after(30):
        await anyio.to_thread.run_sync(fifo.write_bytes, b"done\n", abandon_on_cancel=True)


def started(message: Message) -> bool:
    """Tell whether a message says that a task has begun."""
    return message.get("subtype") == "task_started"


def notified(message: Message) -> bool:
    """Tell whether a message is the result of the turn that a task's end has started."""
    return (message["type"], message.get("origin", {}).get("kind")) == ("result", "task-notification")
