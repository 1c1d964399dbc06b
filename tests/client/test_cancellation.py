"""Cancelled at any await whatever: no task, no connection, no process and no session is left."""

import asyncio
import contextlib
import types
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any, Literal

import pytest

from proxy.client import AsyncClient
from tests.client.conftest import Live, end, leaving_nothing, say
from tests.client.test_monitored import ARGUMENTS, PROMPT, fake

pytestmark = pytest.mark.anyio
Work = Callable[[AsyncClient], Coroutine[Any, Any, None]]


@types.coroutine
def cut(work: Coroutine[Any, Any, None], at: int) -> Generator[Any, Any, None]:
    """Await a work, and cancel the task that does so when it waits for the n-th time."""
    task = asyncio.current_task()
    assert task is not None
    waits = 0
    try:
        waited_for = work.send(None)
        while True:
            waits += 1
            if waits == at:
                task.cancel()  # reaches what is waited for as soon as it is
            try:
                said = yield waited_for
            except BaseException as error:
                waited_for = work.throw(error)
            else:
                waited_for = work.send(said)
    except StopIteration:
        return


async def validating(client: AsyncClient) -> None:
    """Judge one value, and many."""
    await client.validate("commands", PROMPT)
    async with contextlib.aclosing(client.validate_many("commands", [PROMPT] * 2600)) as answers:
        async for _ in answers:
            pass


async def paging(client: AsyncClient) -> None:
    """Page through history, and follow a session to its end."""
    for follow in (False, True):
        events = client.events(session_id="live", page_size=3, follow=follow)
        async with contextlib.aclosing(events):
            async for _ in events:
                pass


async def listening(client: AsyncClient) -> None:
    """Take what there is behind a place before everything, over each kind of connection."""
    overs: tuple[Literal["websocket", "sse"], ...] = ("websocket", "sse")
    for over in overs:
        async with contextlib.aclosing(client.stream(after="x-0-0", over=over)) as stream:
            async for _ in stream:
                break


async def running(client: AsyncClient) -> None:
    """Run a command, and one that fails."""
    async with client.monitored("cut") as run:
        await run.execute(PROMPT, lambda: 7)
        with contextlib.suppress(KeyError):
            async with run.command(PROMPT):
                await asyncio.sleep(0)
                raise KeyError


async def cancelled(work: Work, at: int, live: Live) -> bool:
    """Cancel a work at its n-th await, and hold it to what it leaves; return whether it was done before."""
    async with AsyncClient(live.url, retries=0) as client:
        async with leaving_nothing():
            task = asyncio.ensure_future(_awaited(cut(work(client), at)))
            await asyncio.wait([task], timeout=120)
            assert task.done()
        connector = client._transport._session.connector if client._transport._session else None
        assert connector is None or not connector._acquired
        if not task.cancelled():
            task.result()
    async with AsyncClient(live.url) as client, asyncio.timeout(120):
        while not {one.state for one in (await client.sessions()).sessions} <= {"ended", "failed"}:
            await live.shared.catch_up()
    return not task.cancelled()


async def _awaited(work: Any) -> None:
    await work


async def each(work: Work, live: Live, *, most: int) -> None:
    """Cancel a work at its first await, at its second, and so on to its last."""
    at = 1
    while not await cancelled(work, at, live):
        at += 1
        assert at < most
    assert at > 5


@pytest.mark.parametrize("work", [validating, paging, listening, running], ids=lambda work: work.__name__)
async def test_cancelled_at_every_await(live: Live, work: Work) -> None:
    """Wherever a call waits, it may be cancelled."""
    log = live.log()
    say(log, 3)
    end(log)
    await live.shared.catch_up()
    await each(work, live, most=400)


async def test_a_process_cancelled_at_every_await(live: Live, tmp_path: Path) -> None:
    """Wherever a wrapped process is when its run is cancelled, it is gone afterwards, and its session has ended."""
    program = fake(tmp_path)

    async def wrapping(client: AsyncClient) -> None:
        async with client.monitored("cut") as run:
            events = run.claude(ARGUMENTS, prompt="x", claude=program)
            async with contextlib.aclosing(events):
                async for _ in events:
                    pass

    await each(wrapping, live, most=200)
