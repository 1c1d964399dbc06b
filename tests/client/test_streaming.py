"""Live events through what befalls a connection."""

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import WSMsgType, web

from proxy.client import (
    AsyncClient,
    Event,
    Gap,
    NotFoundError,
    RefusedError,
    ServerFaultError,
    UnreachableError,
    retries,
)
from proxy.config import settings_of
from proxy.server.watch.jobs import Retention
from proxy.sessions.catalogue import list_logs
from proxy.sessions.record import StreamRecords
from proxy.sessions.writer import SessionLog
from proxy.store.embedded.database import index_path
from tests.client.conftest import Live, announced, end, say, serving

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("over", ["websocket", "sse"])
Over = Literal["websocket", "sse"]
INIT = b'{"type":"system","subtype":"init","session_id":"1","model":"m","tools":[]}'


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are tested by themselves."""
    monkeypatch.setattr(retries, "LONGEST_S", 0.05)
    monkeypatch.setattr(retries, "FIRST_S", 0.01)


async def listening(client: AsyncClient, live: Live, **options: Any) -> Any:
    """Begin to listen, and return when the server knows."""
    stream = client.stream(**options)
    first = asyncio.ensure_future(anext(stream))
    async with asyncio.timeout(120):
        while not live.shared.hub.subscribers:
            await asyncio.wait([first], timeout=0.01)
    return stream, first


@BOTH
async def test_goes_on_where_it_was(live: Live, client: AsyncClient, over: Over) -> None:
    """Through restarts of the server every event is given once, in order, also what happened meanwhile."""
    log = live.log()
    await live.shared.catch_up()
    stream, first = await listening(client, live, over=over, event_types="command_received")
    seqs: list[int] = []
    say(log, 3)
    async with asyncio.timeout(60):
        seqs.append((await first).data["seq"])
        for _ in range(3):
            await live.stop()
            say(log, 4)
            await live.start()
            say(log, 3)
            while len(seqs) < log_count(log):
                event = await anext(stream)
                assert isinstance(event, Event)
                seqs.append(event.data["seq"])
    await stream.aclose()
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) == 24
    log.close()


def log_count(log: Any) -> int:
    """Return how many messages the log holds."""
    return Path(log.path).read_bytes().count(b'"stream":"stdin"')


@BOTH
async def test_goes_on_in_another_run(live: Live, over: Over) -> None:
    """A place that a program has kept leads it on in its next run."""
    log = live.log()
    say(log)
    await live.shared.catch_up()
    async with AsyncClient(live.url) as client:
        stream, first = await listening(client, live, over=over)
        say(log, 5)
        place = (await first).id
    async with AsyncClient(live.url) as client, asyncio.timeout(120):
        stream = client.stream(after=place, over=over, event_types="command_received")
        heard = [await anext(stream) for _ in range(4)]
        missed = [one.data["seq"] for one in heard if isinstance(one, Event)]
        await stream.aclose()
    assert missed == [3, 4, 5, 6]
    log.close()


@BOTH
async def test_the_owner_finds_a_token_where_the_address_is(
    tmp_path: Path, over: Over, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no kernel tells whose a connection is, calls and events have the token that the lock file holds."""
    monkeypatch.setattr("proxy.server.access.guard.is_same_user", lambda _: False)
    (tmp_path / "server.lock").touch(0o644)
    async with serving(tmp_path, owner_token="secret") as live:
        log = live.log()
        with announced(live, "secret"):
            assert stat.S_IMODE((tmp_path / "server.lock").stat().st_mode) == 0o600
            async with AsyncClient(data_dir=str(tmp_path)) as client:
                assert (await client.session("live")).name == "mine"
                stream, first = await listening(client, live, over=over)
                say(log)
                assert (await first).session_id == "live"
                await stream.aclose()
            async with AsyncClient(live.url) as stranger:
                with pytest.raises(RefusedError):
                    await stranger.session("live")
        log.close()


@BOTH
async def test_a_break_before_anything_was_heard(live: Live, client: AsyncClient, over: Over) -> None:
    """Regression: a listener that was given nothing yet goes on where its listening began, and not later."""
    log = live.log()
    await live.shared.catch_up()
    stream, first = await listening(client, live, over=over, event_types="command_received")
    await live.stop()
    say(log, 3)
    await live.start()
    async with asyncio.timeout(120):
        seqs = [(await first).data["seq"], *[(await anext(stream)).data["seq"] for _ in range(2)]]
    await stream.aclose()
    assert seqs == [1, 2, 3]
    log.close()


@BOTH
async def test_a_break_after_a_long_silence(
    live: Live, client: AsyncClient, over: Over, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: what counts is how long the server is away, and not how long nothing has happened."""
    log = live.log()
    await live.shared.catch_up()
    stream, first = await listening(client, live, over=over, give_up_s=60, event_types="command_received")
    say(log)
    async with asyncio.timeout(120):
        seqs = [(await first).data["seq"]]
    loop = asyncio.get_running_loop()
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + 1000)
    async with asyncio.timeout(120):
        second = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        live.break_off()
        say(log)
        seqs.append((await second).data["seq"])
    await stream.aclose()
    assert seqs == [1, 2]
    log.close()


async def test_an_index_that_was_begun_anew_is_a_gap(live: Live, client: AsyncClient) -> None:
    """Nothing is given twice after the index was thrown away, and it is told that something may be missing."""
    log = live.log()
    await live.shared.catch_up()
    stream, first = await listening(client, live, event_types="command_received")
    say(log, 3)
    async with asyncio.timeout(60):
        seqs = [
            (await first).data["seq"],
            (await anext(stream)).data["seq"],
            (await anext(stream)).data["seq"],
        ]
        await live.stop()
        for path in Path(index_path(str(live.data_dir))).parent.glob(Path(index_path("x")).name + "*"):
            path.unlink()
        await live.start()
        say(log, 2)
        notice = await anext(stream)
        seqs += [(await anext(stream)).data["seq"], (await anext(stream)).data["seq"]]
    await stream.aclose()
    assert isinstance(notice, Gap)
    assert notice.after
    assert seqs == [1, 2, 3, 4, 5]
    log.close()


async def retained(data_dir: Path, log: SessionLog) -> None:
    """Let a session end, and a server that the listener does not reach index it and do its retention."""
    async with serving(data_dir) as elsewhere:
        say(log, 3)
        end(log)
        await elsewhere.shared.catch_up()
        os.utime(log.path, (0, 0))
        settings = settings_of({"monitoring": {"retention_days": 3650}})
        await asyncio.to_thread(Retention(str(data_dir), settings).look, lambda: False)
        assert "going" not in list_logs(str(data_dir))
        await elsewhere.shared.catch_up()


@BOTH
async def test_sessions_that_were_removed_meanwhile_are_a_gap(
    live: Live, client: AsyncClient, over: Over
) -> None:
    """Retention ran while the listener was away: it is told so, once, and goes on with what is left."""
    staying, going = live.log("staying"), live.log("going")
    await live.shared.catch_up()
    stream, first = await listening(client, live, over=over, event_types="command_received")
    say(staying)
    async with asyncio.timeout(60):
        heard = [await first]
        await live.stop()
        await retained(live.data_dir, going)
        say(staying)
        await live.start()
        heard += [await anext(stream) for _ in range(2)]
        live.break_off()
        say(staying)
        heard.append(await anext(stream))
    await stream.aclose()
    assert [one.data["seq"] if isinstance(one, Event) else type(one) for one in heard] == [1, Gap, 2, 3]
    assert isinstance(heard[1], Gap)
    assert heard[1].after == heard[0].id
    assert "removed" in heard[1].reason
    staying.close()


@BOTH
@pytest.mark.parametrize("wanted", [{"session_id": "staying"}, {"event_types": "session_initialized,mine"}])
async def test_a_removal_that_concerns_nobody_is_no_gap(
    live: Live, client: AsyncClient, over: Over, wanted: dict[str, str]
) -> None:
    """Retention that took nothing of what is listened to is not spoken of."""
    staying, going = live.log("staying"), live.log("going")
    await live.shared.catch_up()
    stream, first = await listening(client, live, over=over, **wanted)
    async with asyncio.timeout(60):
        await live.stop()
        await retained(live.data_dir, going)
        staying.append([StreamRecords("staying", "stdout").message(INIT, "valid")])
        await live.start()
        heard = await first
    await stream.aclose()
    assert isinstance(heard, Event)
    assert heard.session_id == "staying"
    staying.close()


@BOTH
async def test_a_session_that_was_removed_meanwhile_is_not_found(
    live: Live, client: AsyncClient, over: Over
) -> None:
    """Who listens to one session is told that it is there no more; so is who follows its pages."""
    going = live.log("going")
    await live.shared.catch_up()
    stream, first = await listening(client, live, over=over, session_id="going")
    pages = client.events(session_id="going", follow=True)
    async with asyncio.timeout(60):
        assert (await anext(pages)).event_type == "session_started"
        await live.stop()
        await retained(live.data_dir, going)
        await live.start()
        with pytest.raises(NotFoundError):
            await first
        with pytest.raises(NotFoundError):
            await anext(pages)
    await stream.aclose()
    await pages.aclose()


@BOTH
async def test_a_slow_listener_loses_nothing(live: Live, client: AsyncClient, over: Over) -> None:
    """Whoever takes slowly is sent slowly: nothing is read ahead without bound, nothing is lost."""
    log = live.log()
    await live.shared.catch_up()
    stream, first = await listening(client, live, over=over, event_types="command_received")
    for _ in range(20):
        say(log, 500)
    await live.shared.catch_up()
    seqs = [(await first).data["seq"]]
    async with asyncio.timeout(90):
        while len(seqs) < 10_000:
            seqs.append((await anext(stream)).data["seq"])
            if len(seqs) % 1000 == 0:
                await asyncio.sleep(0)
    await stream.aclose()
    assert seqs == list(range(1, 10_001))
    log.close()


@pytest.mark.parametrize("over", ["websocket", "sse"])
async def test_who_is_refused_is_told(live: Live, client: AsyncClient, over: Over) -> None:
    """A session that does not exist, and a server that does not come, are errors and no endless waiting."""
    with pytest.raises(NotFoundError):
        await anext(client.stream(session_id="nobody", over=over))
    log = live.log()
    await live.shared.catch_up()
    stream, first = await listening(client, live, over=over, give_up_s=0.05)
    say(log)
    await first
    await live.stop()
    with pytest.raises(UnreachableError):
        await exhausted(stream)
    with pytest.raises(UnreachableError):
        await anext(client.stream(over=over))
    log.close()


async def exhausted(stream: AsyncIterator[Any]) -> None:
    """Take all that a stream gives."""
    async with asyncio.timeout(120):
        async for _ in stream:
            pass


@contextlib.asynccontextmanager
async def saying(*turns: list[bytes]) -> AsyncIterator[tuple[AsyncClient, list[str]]]:
    """A client of a server that says these things, in one connection after the other, and breaks each off."""
    places: list[str] = []
    left = list(turns)

    async def handle(request: web.Request) -> web.StreamResponse:
        places.append(request.query.get("last_event_id", "-"))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for what in left.pop(0) if left else []:
            if what.startswith(b"raw:"):
                assert request.transport is not None
                request.transport.write(what[4:])
            else:
                await socket.send_str(what.decode())
        if left:
            assert request.transport is not None
            request.transport.close()
        else:
            async for message in socket:
                assert message.type is WSMsgType.TEXT
        return socket

    app = web.Application()
    app.router.add_get("/api/v1/monitoring/stream", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with AsyncClient(f"http://127.0.0.1:{runner.addresses[0][1]}", retries=3) as client:
            yield client, places
    finally:
        await runner.cleanup()


def frame(number: int) -> bytes:
    """Return a frame as the server sends it."""
    stamp = f"2026-01-01T00:00:00.{number:06d}Z"
    head = f'{{"type":"event","id":"g-{number}-1","data":{{"event_type":"e","session_id":"s","data":{{}},'
    return (head + f'"timestamp":"{stamp}"}}}}').encode()


async def test_half_a_frame() -> None:
    """A frame that breaks off in the middle is none: it is asked for again."""
    half = b"raw:\x81\x7e\x01\x00" + frame(3)[:20]
    async with saying([frame(1), frame(2), half], [frame(3)], []) as (client, places), asyncio.timeout(120):
        stream = client.stream()
        ids = [item.id for item in [await anext(stream) for _ in range(3)] if isinstance(item, Event)]
        await stream.aclose()
    assert ids == ["g-1-1", "g-2-1", "g-3-1"]
    assert places[:2] == ["", "g-2-1"]


NESTED = frame(3).replace(b'"data":{},', b'"data":{"x":%b},' % (b"[" * 20_000 + b"]" * 20_000))


@pytest.mark.parametrize("nonsense", [b"nonsense", b"[]", b'{"type":"event","data":5}', b"{", NESTED])
async def test_frames_that_are_none(nonsense: bytes) -> None:
    """A server that keeps saying what is no event is at fault; one that did so once is asked again."""
    async with saying([frame(1), nonsense], [frame(2)], []) as (client, _), asyncio.timeout(120):
        stream = client.stream()
        assert [(await anext(stream)).id for _ in range(2)] == ["g-1-1", "g-2-1"]  # type: ignore[union-attr]
        await stream.aclose()
    async with saying(*[[nonsense]] * 9) as (client, _), asyncio.timeout(120):
        with pytest.raises(ServerFaultError):
            await anext(client.stream())
