"""The real Claude Code as a part of a monitored run: watched while it works, talked with, and ended with the run."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.client import AsyncClient, RequestError, Run
from tests.client.conftest import Live
from tests.client.test_monitored import ARGUMENTS, STREAMED, recorded
from tests.rig.answers import Gate, says
from tests.rig.environment import Surroundings, find_claude, surroundings_unset
from tests.rig.messages_api import MessagesApi, Script

pytestmark = pytest.mark.anyio


@contextlib.contextmanager
def claude(folder: Path, script: Script) -> Iterator[dict[str, Any]]:
    """Yield what a run needs to be told of the real Claude Code, whose model answers by a script."""
    program = find_claude()
    if program is None:
        pytest.skip("Claude Code is neither in the installed Agent SDK nor on PATH")
    surroundings = Surroundings(folder / "home")
    surroundings.build()
    with surroundings_unset(), MessagesApi() as api:
        env = surroundings.variables(api.play(script).base_url)
        yield {"claude": str(program), "cwd": str(surroundings.project), "env": env}


def is_alive(pid: int | None) -> bool:
    """Tell whether there is such a process."""
    assert pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def test_events_come_while_it_works(client: AsyncClient, tmp_path: Path) -> None:
    """What it does is seen before it is done, and its answer is the command's result."""
    gate = Gate()
    with claude(tmp_path, {"story": [says("A very long story. " * 20, gate=gate)]}) as options:
        kinds = []
        async with asyncio.timeout(90), client.monitored("story") as run:
            async for event in run.claude(ARGUMENTS, prompt="tell a story", **options):
                kinds.append(event.event_type)
                if event.event_type == "session_initialized":
                    gate.open()
    assert kinds[0] == "session_started"
    assert kinds.index("session_initialized") < kinds.index("run_completed")
    events = await recorded(client, run)
    assert [kind for kind, _ in events[1:-1]] == ["command_started", "command_completed"]
    assert events[2][1]["result"]["result"].startswith("A very long story.")
    assert events[2][1]["result"]["exit_code"] == 0


async def test_cancelled_in_the_middle(client: AsyncClient, tmp_path: Path) -> None:
    """A run that is cancelled while Claude Code works leaves no process, and says on record what was cut off."""
    gate, runs = Gate(), []
    begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def follow(options: dict[str, Any]) -> None:
        async with client.monitored("cut") as run:
            runs.append(run)
            async for event in run.claude(ARGUMENTS, prompt="tell a story", **options):
                if event.event_type == "session_initialized":
                    begun.set_result(event.session_id)

    with claude(tmp_path, {"story": [says("A very long story. " * 20, gate=gate)]}) as options:
        async with asyncio.timeout(90):
            following = asyncio.create_task(follow(options))
            session = await client.session(await begun)
            await gate.reached()
            assert is_alive(session.pid)
            following.cancel()
            with pytest.raises(asyncio.CancelledError):
                await following
            assert not is_alive(session.pid)
        gate.open()
    events = await recorded(client, runs[0])
    assert [kind for kind, _ in events] == [
        "session_started",
        "command_started",
        "command_failed",
        "session_ended",
    ]
    assert events[2][1]["error"]["type"] == "CancelledError"


async def test_a_conversation(client: AsyncClient, tmp_path: Path) -> None:
    """It is talked with: what is said next may depend on what it answered; each prompt has its own result."""
    answered: asyncio.Queue[None] = asyncio.Queue()

    def user(words: str) -> dict[str, Any]:
        return {"type": "user", "message": {"role": "user", "content": words}}

    async def messages() -> AsyncIterator[dict[str, Any]]:
        yield user("first question")
        await answered.get()
        yield user("second question")

    async def talk(run: Run, options: dict[str, Any]) -> None:
        async for event in run.claude(STREAMED, messages=messages(), **options):
            if event.event_type == "run_completed":
                answered.put_nowait(None)

    with claude(tmp_path, {"first": [says("One.")], "second": [says("Two.")]}) as options:
        async with asyncio.timeout(90), client.monitored("talk") as run:
            await talk(run, options)
    events = (await recorded(client, run))[1:-1]
    assert [kind for kind, _ in events] == ["command_started", "command_completed"] * 2
    assert [data["command"]["prompt"] for _, data in events[::2]] == ["first question", "second question"]
    assert [data["result"] for _, data in events[1::2]] == ["One.", "Two."]


async def test_what_it_says_against_its_arguments(live: Live, client: AsyncClient, tmp_path: Path) -> None:
    """What Claude Code complains of is in the error, and on record."""
    with claude(tmp_path, {}) as options:
        async with asyncio.timeout(90), client.monitored() as run:
            with pytest.raises(RequestError, match="no-such-option"):
                async for _ in run.claude([*ARGUMENTS, "--no-such-option"], prompt="x", **options):
                    pass
    kinds = [kind for kind, _ in await recorded(client, run)]
    assert kinds[1:-1] == ["command_started", "command_failed"]
