"""A run that its own program watches: what is on record, and what is left when it is cancelled."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from proxy.client import AsyncClient, Client, InvalidCommandError, RequestError, Run, UnreachableError
from proxy.client.monitored import recordable, to_the_end
from tests.client.conftest import Live, leaving_nothing
from tests.recorded import SCENARIOS

pytestmark = pytest.mark.anyio
PROMPT = {"action": "prompt", "prompt": "tidy up"}


async def recorded(client: AsyncClient, run: Run) -> list[tuple[str, dict[str, Any]]]:
    """Return what is on record of a run."""
    return [(one.event_type, one.data) async for one in client.events(session_id=run.session_id)]


async def test_what_becomes_of_commands(client: AsyncClient) -> None:
    """Start, completion with its result and failure with its error are on record, with durations; and the end."""
    async with client.monitored("nightly") as run:
        async with run.command(PROMPT) as step:
            step.result = {"tidied": 3}
        with pytest.raises(KeyError):
            async with run.command({"action": "interrupt"}):
                raise KeyError("lost")
        assert await run.execute(PROMPT, lambda: 7) == 7
    events = await recorded(client, run)
    kinds = ["session_started", "command_started", "command_completed", "command_started", "command_failed"]
    assert [kind for kind, _ in events] == [*kinds, *kinds[1:3], "session_ended"]
    assert events[2][1]["result"] == {"tidied": 3}
    assert events[4][1]["error"] == {"type": "KeyError", "message": "'lost'"}
    assert events[6][1]["result"] == 7
    assert all(data["duration_ms"] >= 0 for kind, data in events if kind in kinds[2::2])
    assert run.lost == 0
    assert (await client.session(run.session_id)).name == "nightly"


async def test_what_is_not_valid_does_not_run(client: AsyncClient) -> None:
    """A command that its schema does not allow is refused before it runs, and that is on record."""
    async with client.monitored() as run:
        with pytest.raises(InvalidCommandError, match="prompt") as caught:
            await run.execute({"action": "prompt"}, lambda: pytest.fail("it ran"))
    assert caught.value.answer.verdict == "invalid"
    assert [kind for kind, _ in await recorded(client, run)][1:-1] == ["command_rejected"]


async def test_the_work_goes_on_without_the_server(live: Live, client: AsyncClient) -> None:
    """A server that is lost in the middle costs the record and not the work; before the start it is an error."""
    async with client.monitored() as run:
        await live.stop()
        assert await run.execute(PROMPT, lambda: 7) == 7
    assert run.lost == 2
    assert isinstance(run.trouble, UnreachableError)
    with pytest.raises(UnreachableError):
        await client.monitored().__aenter__()


async def test_stopped_whatever_happens(client: AsyncClient) -> None:
    """A body that fails leaves a session that is stopped."""
    run = client.monitored()
    with pytest.raises(ZeroDivisionError):
        async with run:
            raise ZeroDivisionError
    assert (await client.session(run.session_id)).state == "ended"


def test_what_is_recorded_of_results() -> None:
    """Any result is on record as far as JSON can hold it."""
    assert recordable({"a": [1, None]}) == {"a": [1, None]}
    assert recordable({"a": object}) == {"a": "<class 'object'>"}
    assert recordable("x" * 100_000)["bytes"] == 100_002
    loop: list[Any] = []
    loop.append(loop)
    assert recordable(loop) == {"unrecordable": "list"}


async def work(client: AsyncClient, sessions: list[Run]) -> None:
    """Do a little of everything."""
    await client.validate("commands", PROMPT)
    async for _ in client.validate_many("commands", [PROMPT] * 1200):
        pass
    run = client.monitored("cut")
    sessions.append(run)
    async with run:
        await run.execute(PROMPT, lambda: 7)
    async for _ in client.events(page_size=3):
        pass


async def cancelled_after(steps: int, live: Live) -> bool:
    """Cancel the work at its n-th turn; return whether it was done before."""
    sessions: list[Run] = []
    async with leaving_nothing():
        async with AsyncClient(live.url, retries=0) as client:
            task = asyncio.create_task(work(client, sessions))
            for _ in range(steps):
                if task.done():
                    break
                await asyncio.sleep(0)
            is_done = not task.cancel()
            await asyncio.wait([task], timeout=20)
            assert task.done()
            connector = client._transport._session.connector if client._transport._session else None
        assert connector is None or connector.closed
    async with AsyncClient(live.url) as client:
        assert {one.state for one in (await client.sessions()).sessions} <= {"ended"}
    return is_done


async def test_cancelled_at_every_step(live: Live) -> None:
    """Cancelled wherever it waits, the client leaves no task, no connection, and no session that goes on."""
    steps = 1
    while not await cancelled_after(steps, live):
        steps += 1 + steps // 12


async def test_to_the_end() -> None:
    """A work that must be done is, though it is cancelled more than once, and the cancellation goes on."""
    gate, done = asyncio.Event(), []

    async def must() -> None:
        await gate.wait()
        done.append(1)

    task = asyncio.create_task(to_the_end(must()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [1]


FAKE = """#!{python}
import sys
said = sys.stdin.read()
for line in open({output!r}):
    if '"type":"control_response"' not in line:
        print(line, end="", flush=True)
sys.exit({status})
"""


def fake(folder: Path, status: int = 0) -> str:
    """Return the path of a program that stands for claude."""
    output = SCENARIOS / "raw_simple" / "stdout.jsonl"
    path = folder / "claude"
    path.write_text(FAKE.format(python=sys.executable, output=str(output), status=status))
    path.chmod(0o755)
    return str(path)


ARGUMENTS = ["-p", "--output-format", "stream-json", "--verbose"]


async def test_a_wrapped_process(client: AsyncClient, tmp_path: Path) -> None:
    """Its events come from start to end, and what it was asked and how it ended is on record."""
    async with asyncio.timeout(60), client.monitored("it") as run:
        kinds = [
            one.event_type async for one in run.claude(ARGUMENTS, prompt="say hello", claude=fake(tmp_path))
        ]
    assert (kinds[0], kinds[-1]) == ("session_started", "session_ended")
    assert "run_completed" in kinds
    events = await recorded(client, run)
    assert events[1][1]["command"]["prompt"] == "say hello"
    assert events[2][0] == "command_completed"
    wrapped = await client.session(events[2][1]["result"]["session_id"])
    assert wrapped.kind == "wrapped"


async def test_processes_that_fail(client: AsyncClient, tmp_path: Path) -> None:
    """A status other than 0, a program that is not there and a prompt that is none are errors that say so."""
    async with asyncio.timeout(60), client.monitored() as run:
        with pytest.raises(RequestError, match="status 3"):
            async for _ in run.claude(ARGUMENTS, prompt="x", claude=fake(tmp_path, 3)):
                pass
        with pytest.raises(RequestError, match="127"):
            async for _ in run.claude(ARGUMENTS, prompt="x", claude="/nonexistent/claude"):
                pass
        with pytest.raises(InvalidCommandError):
            async for _ in run.claude(ARGUMENTS, claude="/nonexistent/claude"):
                pass
        with pytest.raises(InvalidCommandError):
            async for _ in run.claude(ARGUMENTS, messages=[{"type": 5}], claude=fake(tmp_path)):
                pass
    kinds = [kind for kind, _ in await recorded(client, run)]
    assert kinds.count("command_failed") == 2
    assert kinds.count("command_rejected") == 1


async def test_a_process_that_is_left(client: AsyncClient, tmp_path: Path) -> None:
    """Who leaves in the middle ends the process with the run."""
    path = tmp_path / "claude"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nprint('{{}}', flush=True)\nsys.stdin.read()\nimport time; time.sleep(99)"
    )
    path.chmod(0o755)
    async with asyncio.timeout(60):
        async with client.monitored() as run:
            async for _ in run.claude(ARGUMENTS, prompt="x", claude=str(path)):
                break
        sessions = (await client.sessions()).sessions
        while any(one.state not in ("ended", "failed") for one in sessions):
            await client.events_page(wait=1)
            sessions = (await client.sessions()).sessions


async def test_blocking_run(live: Live, tmp_path: Path) -> None:
    """The blocking face monitors too, and runs operations in the program's own thread."""
    program = fake(tmp_path)

    def use() -> tuple[str, list[str]]:
        with Client(live.url) as client, client.monitored("b") as run:
            with run.command(PROMPT) as step:
                step.result = 1
            assert run.execute(PROMPT, lambda: 2) == 2
            with pytest.raises(InvalidCommandError), run.command({"action": "dance"}):
                pytest.fail("it ran")
            assert run.event("mine", {})
            return run.session_id, [
                one.event_type for one in run.claude(ARGUMENTS, prompt="x", claude=program)
            ]

    session_id, kinds = await asyncio.to_thread(use)
    assert kinds[-1] == "session_ended"
    async with AsyncClient(live.url) as client:
        assert (await client.session(session_id)).state == "ended"
