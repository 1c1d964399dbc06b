"""A run that its own program watches: what is on record, and what is left when it is cancelled."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from proxy.client import (
    AsyncClient,
    Client,
    InvalidCommandError,
    RefusedError,
    RequestError,
    Run,
    UnreachableError,
    monitored,
)
from proxy.client.monitored import recordable, to_the_end
from tests.client.conftest import Live, answering
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


async def test_to_the_end() -> None:
    """A work that must be done is, though it is cancelled more than once, and the cancellation goes on."""
    gate, done = asyncio.Event(), []

    async def must() -> None:
        await gate.wait()
        done.append(1)

    task = asyncio.create_task(to_the_end(must))
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
said = {reads}
for line in list(open({output!r}))[:{lines}]:
    if '"type":"control_response"' not in line:
        print(line, end="", flush=True)
sys.exit({status})
"""


def fake(
    folder: Path,
    status: int = 0,
    *,
    reads: str = "sys.stdin.read()",
    lines: int = 1000,
    scenario: str = "raw_simple",
) -> str:
    """Return the path of a program that stands for claude: it reads, says so many lines, and exits."""
    output = SCENARIOS / scenario / "stdout.jsonl"
    path = folder / "claude"
    path.write_text(
        FAKE.format(python=sys.executable, output=str(output), status=status, reads=reads, lines=lines)
    )
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
        with pytest.raises(InvalidCommandError, match="has no message of its kind"):
            async for _ in run.claude(ARGUMENTS, messages=[{"type": "usr"}], claude=fake(tmp_path)):
                pass
    kinds = [kind for kind, _ in await recorded(client, run)]
    assert kinds.count("command_failed") == 2
    assert kinds.count("command_rejected") == 3


STREAMED = ["-p", "--input-format", "stream-json", *ARGUMENTS[1:]]
USER = {"type": "user", "message": {"role": "user", "content": "say hello"}}


async def test_messages_are_commands_too(client: AsyncClient, tmp_path: Path) -> None:
    """Each prompt of a conversation is on record with its start, and its result or what it failed by."""
    async with asyncio.timeout(60), client.monitored("talk") as run:
        async for _ in run.claude(STREAMED, messages=[USER], claude=fake(tmp_path)):
            pass
        async for _ in run.claude(STREAMED, messages=[USER], claude=fake(tmp_path, lines=2)):
            pass
        with pytest.raises(ValueError, match="one of them"):
            await anext(run.claude(STREAMED, messages=[USER], prompt="x"))
    events = (await recorded(client, run))[1:-1]
    done = ["command_started", "command_completed", "command_started", "command_failed"]
    assert [kind for kind, _ in events] == done
    assert [data["command"]["prompt"] for _, data in events] == ["say hello"] * 4
    assert [data["command_id"] for _, data in events] == [1, 1, 2, 2]
    assert events[1][1]["result"]
    assert events[1][1]["duration_ms"] >= 0
    assert events[3][1]["error"]["type"] == "run_failed"
    names = {one.name for one in (await client.sessions()).sessions}
    assert names == {"talk"}


async def test_the_answer_is_the_prompts(client: AsyncClient, tmp_path: Path) -> None:
    """Regression: the empty result of a notice that Claude Code took first was recorded as the prompt's answer."""
    program = fake(tmp_path, scenario="background_killed")
    async with asyncio.timeout(60), client.monitored() as run:
        async for _ in run.claude(STREAMED, messages=[USER], claude=program):
            pass
        async for _ in run.claude(ARGUMENTS, prompt="say hello", claude=program):
            pass
        async for _ in run.claude(ARGUMENTS, prompt="x", claude=fake(tmp_path, scenario="hook_stops_tool")):
            pass
    told = [data for kind, data in await recorded(client, run) if kind == "command_completed"]
    assert (told[0]["result"], told[0]["outcome"]) == ("42", "ok")
    assert (told[1]["result"]["result"], told[1]["result"]["outcome"]) == ("42", "ok")
    assert (told[2]["result"]["result"], told[2]["result"]["outcome"]) == ("", "blocked")


async def test_a_conversation_that_is_left(client: AsyncClient, tmp_path: Path) -> None:
    """A prompt whose end is not waited for is on record as failed."""
    program = fake(tmp_path, reads="print('{}', flush=True), sys.stdin.readline(), sys.stdin.read()")
    gate = asyncio.Event()

    async def messages() -> AsyncIterator[dict[str, Any]]:
        yield USER
        await gate.wait()

    async with (
        asyncio.timeout(60),
        client.monitored() as run,
        contextlib.aclosing(run.claude(STREAMED, messages=messages(), claude=program)) as events,
    ):
        async for event in events:
            if event.event_type == "run_started":
                break
    kinds = [kind for kind, _ in await recorded(client, run)]
    assert kinds[1:-1] == ["command_started", "command_failed"]


async def test_what_is_no_session(client: AsyncClient, tmp_path: Path) -> None:
    """A command that is no session is not followed for ever, and is told from one that did nothing."""
    async with asyncio.timeout(60), client.monitored() as run:
        with pytest.raises(RequestError, match="-p"):
            async for _ in run.claude(["--version"], prompt="x", claude=fake(tmp_path)):
                pass


@pytest.mark.parametrize("how", ["silent", "refusing", "gone"])
async def test_a_server_that_is_of_no_use_any_more(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the server does once a run has begun: the work is done, its errors are its own, losses are told."""
    never = asyncio.Event()
    started = b'{"success":true,"data":{"session_id":"s"}}'

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/monitoring/sessions"):
            return web.Response(body=started)
        if how == "refusing":
            return web.json_response({"success": False, "error": "No more."}, status=401)
        if how == "gone":
            assert request.transport is not None
            request.transport.abort()
        await never.wait()
        return web.Response()

    async with answering(handle, retries=0, timeout_s=30) as client, asyncio.timeout(60):
        async with client.monitored() as run:
            if how == "silent":  # what is answered is waited for, however busy the machine is
                monkeypatch.setattr(monitored, "_PATIENCE_S", 0.05)
            assert await run.execute(PROMPT, lambda: 7) == 7
            with pytest.raises(KeyError, match="mine"):
                async with run.command(PROMPT):
                    raise KeyError("mine")
            with pytest.raises(InvalidCommandError):
                await run.execute({"action": "prompt"}, lambda: pytest.fail("it ran"))
        assert run.lost == 5
        assert isinstance(run.trouble, RefusedError if how == "refusing" else UnreachableError)
        never.set()


async def test_a_start_that_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that cannot begin is an error by blame, also where the server only keeps silent."""
    monkeypatch.setattr(monitored, "_PATIENCE_S", 0.05)
    never = asyncio.Event()

    async def handle(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    async with answering(handle) as client:
        with pytest.raises(UnreachableError, match="within") as caught:
            await client.monitored().__aenter__()
        never.set()
    assert caught.value.may_have_arrived


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
