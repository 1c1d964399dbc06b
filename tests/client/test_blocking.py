"""The face for programs without an event loop: whatever waits in it, nothing else stands still, and it ends."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.client import AsyncClient, Client
from tests.client.conftest import Live, end, say
from tests.client.test_monitored import ARGUMENTS, fake

pytestmark = pytest.mark.anyio


async def using(live: Live, use: Callable[[Client], Any]) -> Any:
    """Let a program use a client in a thread of its own, beside the server; it must end."""

    def program() -> Any:
        with Client(live.url) as client:
            return use(client)

    async with asyncio.timeout(60):
        return await asyncio.to_thread(program)


async def test_one_call_feeds_another(live: Live) -> None:
    """Regression: what is given to a client may come from that very client."""
    log = live.log()
    say(log, 300)
    end(log)
    await live.shared.catch_up()

    def use(client: Client) -> None:
        data = (event.data for event in client.events(session_id="live", page_size=50))
        verdicts = [answer.verdict for answer in client.validate_many("events", data)]
        assert len(verdicts) == client.session("live").events > 300
        assert set(verdicts) == {"valid"}

    await using(live, use)


async def test_an_iterator_that_fails(live: Live) -> None:
    """An error of the program's own comes back to it as it is."""

    def items() -> Iterator[Any]:
        yield {"action": "interrupt"}
        raise LookupError("mine")

    def use(client: Client) -> None:
        with pytest.raises(LookupError, match="mine"):
            list(client.validate_many("commands", items()))

    await using(live, use)


async def test_leaving_early(live: Live) -> None:
    """Iterators may be left: by ``with``, by `close`, at once, twice; they are at their end then."""
    log = live.log()
    say(log, 1000)
    await live.shared.catch_up()

    def use(client: Client) -> None:
        with client.events(session_id="live", follow=True) as events:
            assert next(events).event_type == "session_started"
        assert list(events) == []
        stream = client.stream()
        stream.close()
        stream.close()
        assert list(stream) == []

    await using(live, use)
    async with asyncio.timeout(120):
        while live.shared.hub.subscribers:  # noqa: ASYNC110 - the server keeps a count, and tells nobody
            await asyncio.sleep(0)
    log.close()


async def test_closing_tells_who_still_waits(live: Live) -> None:
    """A client that is closed in another thread does not let an iteration end as if there were no more."""
    log = live.log()
    await live.shared.catch_up()
    client, begun = Client(live.url), threading.Event()

    def follow() -> None:
        for _ in client.events(session_id="live", follow=True):
            begun.set()

    async with asyncio.timeout(120):
        following = asyncio.create_task(asyncio.to_thread(follow))
        await asyncio.to_thread(begun.wait)
        await asyncio.to_thread(client.close)
        with pytest.raises(RuntimeError, match="closed"):
            await following
    log.close()


async def test_an_iterator_that_never_comes_to_its_end(live: Live, tmp_path: Path) -> None:
    """Messages may be waited for longer than the process lives: nobody is kept from ending."""
    never = threading.Event()

    def messages() -> Iterator[dict[str, Any]]:
        yield {"type": "user", "message": {"role": "user", "content": "hi"}}
        never.wait()

    def use(client: Client) -> list[str]:
        with client.monitored("x") as run:
            options = ["-p", "--input-format", "stream-json", *ARGUMENTS[1:]]
            program = fake(tmp_path, reads="sys.stdin.readline()")
            kinds = [one.event_type for one in run.claude(options, messages=messages(), claude=program)]
            assert (run.name, run.lost, run.trouble) == ("x", 0, None)
            return kinds

    kinds = await using(live, use)
    never.set()
    assert (kinds[0], kinds[-1]) == ("session_started", "session_ended")
    async with AsyncClient(live.url) as client:
        assert {one.state for one in (await client.sessions()).sessions} == {"ended"}
