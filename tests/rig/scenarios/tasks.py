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


@scenario()
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


@scenario(ordered=False)
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


@scenario(ordered=False)
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
        with anyio.fail_after(30):
            await anyio.to_thread.run_sync(go.write_bytes, b"worked\n", abandon_on_cancel=True)
        await client.until(notified)
        await client.control("get_task_output", task_id=task["task_id"])
        await client.control("get_task_output", task_id="no-such-task")


@scenario(ordered=False)
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


def started(message: Message) -> bool:
    """Tell whether a message says that a task has begun."""
    return message.get("subtype") == "task_started"


def notified(message: Message) -> bool:
    """Tell whether a message is the result of the turn that a task's end has started."""
    return (message["type"], message.get("origin", {}).get("kind")) == ("result", "task-notification")
