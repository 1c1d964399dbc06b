"""Events as they happen."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, WSMsgType

from proxy.protocol import full
from proxy.server.live import hub as live
from proxy.server.shared import now_us
from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.writer import SessionLog
from proxy.store.model import Arrival, ArrivalFilter
from proxy.upkeep.retention import Rules, prune
from tests.server.conftest import Rig, event, serving

pytestmark = pytest.mark.anyio
STREAM = "/api/v1/monitoring/stream"
PROMPT = b'{"type":"user","message":{"role":"user","content":"hi"}}'


def say(log: SessionLog, count: int = 1) -> None:
    """Let the client of a wrapped session say something."""
    records = StreamRecords(log.session_id, "stdin")
    log.append([records.message(PROMPT, "valid") for _ in range(count)])


@pytest.fixture
def small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hardly anything be held for all: what is not the newest is in the index only."""
    monkeypatch.setattr(live, "_BUFFER_BYTES", 1)


def end(log: SessionLog) -> None:
    """End a wrapped session."""
    log.append([lifecycle(log.session_id, "session_ended", {"exit_code": 0, "duration_ms": 5, "counts": {}})])
    log.close()


async def sent(response: ClientResponse, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Return the next server-sent events, ids and data."""
    found: list[tuple[str, dict[str, Any]]] = []
    name = ""
    async with asyncio.timeout(120):
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
    async with asyncio.timeout(120):
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
        async with rig.client.ws_connect(STREAM + "?last_event_id=") as socket, asyncio.timeout(120):
            begins = await socket.receive_json()
            say(log, 3)
            heard = [await socket.receive_json() for _ in range(4)]
        assert begins["type"] == "listening"
        assert [sorted(frame) for frame in heard] == [["data", "id", "type"]] * 4
    say(log, 1)
    async with serving(tmp_path) as rig:
        for place, missed in ((begins["id"], heard), (heard[1]["id"], heard[2:])):
            url = f"{STREAM}?last_event_id={place}"
            async with rig.client.ws_connect(url) as socket, asyncio.timeout(120):
                assert (await socket.receive_json())["type"] == "listening"
                again = [await socket.receive_json() for _ in range(len(missed) + 1)]
            assert again[:-1] == missed
            assert again[-1]["data"]["event_type"] == "command_received"
    log.close()


@pytest.mark.parametrize("name", ["x", "a-b-c", "a-1-2-3", "a-" + "9" * 50 + "-1", "-1-1"])
async def test_ids_that_are_none(rig: Rig, name: str) -> None:
    """An id that is none of ours is an error: whoever sent it would miss events and not know; an empty one is none."""
    sentence = await rig.get("/events", headers={"Last-Event-ID": name}, status=422)
    assert name in sentence
    upgrade = {"Upgrade": "websocket", "Connection": "upgrade"}
    await rig.get(f"{STREAM}?last_event_id={name}", headers=upgrade, status=422)
    async with rig.client.get("/events", headers={"Last-Event-ID": ""}) as response:
        assert response.status == 200


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


async def removed(rig: Rig, session_id: str) -> None:
    """Let retention remove a session, and the index follow."""
    path = rig.data_dir / "sessions" / f"{session_id}.jsonl"
    os.utime(path, (0, 0))
    gone = prune(str(rig.data_dir), Rules(days=30_000 / 24), 20 * 366 * 86_400)
    assert [one.session_id for one in gone.removed] == [session_id]
    await rig.shared.catch_up()


async def resumed(rig: Rig, place: str, count: int, query: str = "") -> tuple[list[Any], list[Any]]:
    """Return what a listener that comes back is told first, over a WebSocket and as server-sent events."""
    url = f"{STREAM}?last_event_id={place}{query}"
    async with rig.client.ws_connect(url) as socket, asyncio.timeout(120):
        assert (await socket.receive_json())["type"] == "listening"
        over_socket = [await socket.receive_json() for _ in range(count)]
    sse: list[dict[str, str]] = []
    async with (
        rig.client.get(f"/events?{query}", headers={"Last-Event-ID": place}) as response,
        asyncio.timeout(120),
    ):
        await response.content.readuntil(b"\n\n")
        while len(sse) < count:
            block = (await response.content.readuntil(b"\n\n")).decode().strip().split("\n")
            sse.append(dict(line.split(": ", 1) for line in block))
    return over_socket, sse


async def test_what_was_removed_meanwhile_is_told_as_a_gap(rig: Rig, small_buffer: None) -> None:
    """Who comes back and has missed events that were removed is told so, once, and goes on with what is left."""
    staying, going = rig.live("staying"), rig.live("going")
    await rig.shared.catch_up()
    async with rig.client.ws_connect(STREAM + "?last_event_id=") as socket, asyncio.timeout(120):
        begins = (await socket.receive_json())["id"]
    say(going, 2)
    end(going)
    await rig.shared.catch_up()
    say(staying, 2)
    await rig.shared.catch_up()
    await removed(rig, "going")
    over_socket, sse = await resumed(rig, begins, 3)
    notice = {"after": begins, "reason": over_socket[0]["reason"]}
    assert full.judgement("api/gap.json", json.dumps(notice).encode()).verdict == "valid"
    assert over_socket[0] == {"type": "gap", "id": over_socket[0]["id"], **notice}
    assert [one["data"]["event_type"] for one in over_socket[1:]] == ["command_received", "run_started"]
    assert {one["data"]["session_id"] for one in over_socket[1:]} == {"staying"}
    assert (sse[0]["event"], json.loads(sse[0]["data"])) == ("gap", notice)
    assert [one["id"] for one in sse] == [one["id"] for one in over_socket]
    assert [json.loads(one["data"]) for one in sse[1:]] == [one["data"] for one in over_socket[1:]]
    # Behind the gap there is none.
    assert await resumed(rig, over_socket[0]["id"], 2) == (over_socket[1:], sse[1:])
    staying.close()


@pytest.mark.parametrize("query", ["&session_id=staying", "&event_types=run_started"])
async def test_who_has_missed_nothing_is_told_of_no_gap(rig: Rig, small_buffer: None, query: str) -> None:
    """A removal is a gap only for who listens to the session and to types that it had behind the place."""
    staying, going = rig.live("staying"), rig.live("going")
    say(going)
    await rig.shared.catch_up()
    async with rig.client.ws_connect(STREAM + "?last_event_id=") as socket, asyncio.timeout(120):
        begins = (await socket.receive_json())["id"]
    say(going)  # in the same run: none is started
    end(going)
    await rig.shared.catch_up()
    await removed(rig, "going")
    say(staying)
    await rig.shared.catch_up()
    for found in await resumed(rig, begins, 1, query):
        assert "gap" not in (found[0].get("type"), found[0].get("event"))
    staying.close()


async def test_who_had_heard_everything_is_told_of_no_gap(rig: Rig, small_buffer: None) -> None:
    """Events that were given before they were removed are not missing."""
    staying, going = rig.live("staying"), rig.live("going")
    await rig.shared.catch_up()
    async with rig.client.ws_connect(STREAM + "?last_event_id=&session_id=going") as socket:
        say(going)
        end(going)
        async with asyncio.timeout(120):
            while (frame := await socket.receive_json()).get("data", {}).get("event_type") != "session_ended":
                pass
    await removed(rig, "going")
    say(staying)
    await rig.shared.catch_up()
    for found in await resumed(rig, frame["id"], 1):
        assert json.loads(found[0]["data"])["session_id"] == "staying" if "event" in found[0] else True
        assert "gap" not in (found[0].get("type"), found[0].get("event"))
    await rig.get("/events?session_id=going", status=404)
    staying.close()


async def test_a_slow_listener_is_told_of_what_was_removed(rig: Rig, small_buffer: None) -> None:
    """Who is so far behind that events are in the index only, and are removed there, is told so; of its session too."""
    going = rig.live("going")
    await rig.shared.catch_up()
    place = (await asyncio.to_thread(rig.shared.store.cursor)).id
    everything = live.Subscriber(rig.shared.hub, rig.shared.store, after_id=place)
    one = live.Subscriber(rig.shared.hub, rig.shared.store, after_id=place, which=ArrivalFilter("going"))
    other = live.Subscriber(rig.shared.hub, rig.shared.store, after_id=place, which=ArrivalFilter("staying"))
    say(going, 100)
    end(going)
    await rig.shared.catch_up()
    staying = rig.live("staying")
    say(staying, 100)
    await rig.shared.catch_up()
    await removed(rig, "going")
    async with asyncio.timeout(120):
        gap, *rest = await everything.next()
        assert isinstance(gap, live.Gap)
        assert {arrival.session_id for arrival in rest if isinstance(arrival, Arrival)} == {"staying"}
        assert [type(found) for found in await one.next()] == [live.Gap]
        assert live.Gap not in [type(found) for found in await other.next()]
    staying.close()


async def test_an_index_that_was_begun_anew_is_told_as_a_gap(rig: Rig) -> None:
    """An id of an earlier index leads to a gap, and on from its moment."""
    log = rig.live()
    say(log)
    await rig.shared.catch_up()
    place = f"other-7-{now_us() - 60_000_000}"
    for found in await resumed(rig, place, 2):
        assert "gap" in (found[0].get("type"), found[0].get("event"))
        assert "begun anew" in str(found[0])
        assert "session_started" in str(found[1])
    log.close()


def test_events_that_were_removed_before_they_were_published_leave_a_hole() -> None:
    """What is held for all has no hole: behind one it begins anew, and who is before it asks the index."""
    hub = live.Hub()
    hub.publish([Arrival(number, "s", "e", number, b"{}") for number in (1, 2)])
    hub.publish([Arrival(number, "s", "e", number, b"{}") for number in (5, 6)])
    assert hub.behind(2) is None
    assert [one.id for one in hub.behind(4) or []] == [5, 6]


async def test_end_of_the_server_ends_the_streams(tmp_path: Any) -> None:
    """A server that stops says good-bye to its listeners, and does not wait for them."""
    async with serving(tmp_path) as rig:
        socket = await rig.client.ws_connect(STREAM)
        await rig.client.server.close()
        message = await socket.receive(timeout=120)
        assert message.type == WSMsgType.CLOSE


async def test_unknown_session(rig: Rig) -> None:
    """Nobody can listen to a session that is not there."""
    await rig.get("/events?session_id=nobody", status=404)
    await rig.get(f"{STREAM}?session_id=nobody", status=404)
