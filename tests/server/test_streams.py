"""Events as they happen."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, WSMsgType

from proxy.server import live
from proxy.sessions.record import StreamRecords
from proxy.sessions.writer import SessionLog
from tests.server.conftest import Rig, event, serving

pytestmark = pytest.mark.anyio
STREAM = "/api/v1/monitoring/stream"
PROMPT = b'{"type":"user","message":{"role":"user","content":"hi"}}'


def say(log: SessionLog, count: int = 1) -> None:
    """Let the client of a wrapped session say something."""
    records = StreamRecords(log.session_id, "stdin")
    log.append([records.message(PROMPT, "valid") for _ in range(count)])


async def sent(response: ClientResponse, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Return the next server-sent events, ids and data."""
    found: list[tuple[str, dict[str, Any]]] = []
    name = ""
    async with asyncio.timeout(30):
        while len(found) < count:
            line = (await response.content.readline()).rstrip(b"\n")
            if line.startswith(b"id: "):
                name = line[4:].decode()
            elif line.startswith(b"data: "):
                found.append((name, event(line[6:])))
            else:
                assert not line or line.startswith(b":")
    return found


async def frames(socket: Any, count: int) -> list[dict[str, Any]]:
    """Return the events of the next frames."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            message = await socket.receive()
            assert message.type == WSMsgType.TEXT
            frame = json.loads(message.data)
            assert frame["type"] == "event"
            found.append(event(json.dumps(frame["data"])))
    return found


async def test_socket_and_events_give_what_happens(rig: Rig) -> None:
    """Both give every event of a session that begins while they listen, as the pages have it; nothing past."""
    async with rig.client.ws_connect(STREAM) as socket, rig.client.get("/events") as response:
        assert response.content_type == "text/event-stream"
        log = rig.live()
        say(log)
        heard = await frames(socket, 3)
        assert [one for _, one in await sent(response, 3)] == heard
    log.close()
    assert [one["event_type"] for one in heard] == ["session_started", "command_received", "run_started"]
    page = await rig.get("/api/v1/monitoring/events?session_id=live&offset=0&limit=3")
    assert page["events"] == heard


async def test_filters(rig: Rig) -> None:
    """A listener hears of its session and its types only."""
    first, second = rig.live("a"), rig.live("b")
    query = "?session_id=b&event_types=run_started"
    async with rig.client.ws_connect(STREAM + query) as socket, rig.client.get("/events" + query) as response:
        say(first)
        say(second)
        heard = await frames(socket, 1)
        assert [one for _, one in await sent(response, 1)] == heard
    assert (heard[0]["session_id"], heard[0]["event_type"]) == ("b", "run_started")
    first.close()
    second.close()


async def test_going_on_behind_an_event(rig: Rig) -> None:
    """`Last-Event-ID` goes on behind that event, without loss or repetition."""
    log = rig.live()
    async with rig.client.get("/events") as response:
        say(log, 5)
        heard = await sent(response, 5)
    say(log, 2)
    async with rig.client.get("/events", headers={"Last-Event-ID": heard[2][0]}) as response:
        again = await sent(response, 4)
    assert again[:2] == heard[3:]
    stamps = [one["timestamp"] for _, one in again]
    assert stamps == sorted(set(stamps))
    log.close()


async def test_ids_survive_a_restart(tmp_path: Any) -> None:
    """An id that was given before the server was restarted leads to the same place."""
    async with serving(tmp_path) as rig:
        log = rig.live()
        async with rig.client.get("/events") as response:
            say(log, 3)
            heard = await sent(response, 4)
    say(log, 1)
    async with (
        serving(tmp_path) as rig,
        rig.client.get("/events", headers={"Last-Event-ID": heard[0][0]}) as response,
    ):
        again = await sent(response, 4)
    assert again[:3] == heard[1:4]
    log.close()


async def test_socket_goes_on_behind_an_event(tmp_path: Path) -> None:
    """A WebSocket that asks for ids is told where it begins, and one that comes back with an id goes on behind it."""
    async with serving(tmp_path) as rig:
        log = rig.live()
        await rig.shared.catch_up()
        async with rig.client.ws_connect(STREAM + "?last_event_id=") as socket, asyncio.timeout(30):
            begins = await socket.receive_json()
            say(log, 3)
            heard = [await socket.receive_json() for _ in range(4)]
        assert begins["type"] == "listening"
        assert [sorted(frame) for frame in heard] == [["data", "id", "type"]] * 4
    say(log, 1)
    async with serving(tmp_path) as rig:
        for place, missed in ((begins["id"], heard), (heard[1]["id"], heard[2:])):
            url = f"{STREAM}?last_event_id={place}"
            async with rig.client.ws_connect(url) as socket, asyncio.timeout(30):
                assert (await socket.receive_json())["type"] == "listening"
                again = [await socket.receive_json() for _ in range(len(missed) + 1)]
            assert again[:-1] == missed
            assert again[-1]["data"]["event_type"] == "command_received"
    log.close()


@pytest.mark.parametrize("name", ["", "x", "a-b-c", "a-1-2-3", "a-" + "9" * 50 + "-1", "-1-1"])
async def test_ids_that_are_none(rig: Rig, name: str) -> None:
    """An id that is none of ours gives what is new, not an error."""
    log = rig.live()
    await rig.shared.catch_up()
    async with rig.client.get("/events", headers={"Last-Event-ID": name}) as response:
        assert response.status == 200
    log.close()


async def test_slow_listener_loses_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that falls behind what is held for all gets the rest from the index, whole and in order."""
    monkeypatch.setattr(live, "_BUFFER_BYTES", 2000)
    log = rig.live()
    async with rig.client.ws_connect(STREAM + "?event_types=command_received") as socket:
        for _ in range(20):
            say(log, 100)
        heard = await frames(socket, 2000)
    seqs = [one["data"]["seq"] for one in heard]
    assert seqs == list(range(seqs[0], seqs[0] + 2000))
    log.close()


async def test_end_of_the_server_ends_the_streams(tmp_path: Any) -> None:
    """A server that stops says good-bye to its listeners, and does not wait for them."""
    async with serving(tmp_path) as rig:
        socket = await rig.client.ws_connect(STREAM)
        await rig.client.server.close()
        message = await socket.receive(timeout=30)
        assert message.type == WSMsgType.CLOSE


async def test_unknown_session(rig: Rig) -> None:
    """Nobody can listen to a session that is not there."""
    await rig.get("/events?session_id=nobody", status=404)
    await rig.get(f"{STREAM}?session_id=nobody", status=404)
