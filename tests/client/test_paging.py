"""Every event, once, whatever happens meanwhile."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from proxy.client import AsyncClient, NotFoundError, UnreachableError, paging
from proxy.events.timestamps import format_timestamp, parse_timestamp
from proxy.sessions.record import lifecycle
from tests.client.conftest import Live, answering, end, say
from tests.recorded import START_US, LogMaker, scenario

pytestmark = pytest.mark.anyio


def history(folder: Path, sessions: int, step_us: int) -> None:
    """Write logs of past sessions whose events lie among one another."""
    (folder / "sessions").mkdir(exist_ok=True)
    for number in range(sessions):
        maker = LogMaker(f"past{number}", START_US + number * step_us)
        (folder / "sessions" / f"past{number}.jsonl").write_bytes(scenario("subagent", maker))


@pytest.mark.parametrize("step_us", [0, 7])
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("page_size", [1, 7, 1000])
async def test_all_events_of_all_sessions(
    tmp_path: Path, step_us: int, newest_first: bool, page_size: int
) -> None:
    """Pages of any size give each event once and in order, also where sessions share their very moments."""
    history(tmp_path, 3, step_us)
    live = Live(tmp_path)
    await live.start()
    async with AsyncClient(live.url) as client:
        whole = await client.events_page(offset=0, limit=10_000, order="asc")
        wanted = [(one.timestamp, one.session_id) for one in whole.events]
        asked = client.events(newest_first=newest_first, page_size=page_size)
        found = [(one.timestamp, one.session_id) async for one in asked]
    await live.stop()
    assert len(found) == len(set(found)) == whole.total
    if newest_first:
        assert set(found) == set(wanted)
        assert [moment for moment, _ in found] == sorted((moment for moment, _ in found), reverse=True)
    else:
        assert found == wanted


async def test_while_events_arrive(live: Live, client: AsyncClient) -> None:
    """Events that arrive between and during pages are given too, each once, until the session is over."""
    log = live.log()
    say(log, 5)
    await live.shared.catch_up()
    seqs: list[int] = []
    async with asyncio.timeout(240):  # a hundred pages and more: a second alone
        async for event in client.events(session_id="live", follow=True, page_size=4):
            if event.event_type == "command_received":
                seqs.append(event.data["seq"])
                if len(seqs) < 200:
                    say(log, 3)
                elif len(seqs) == 200:
                    end(log)
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) >= 200


async def test_following_what_has_ended(live: Live, client: AsyncClient) -> None:
    """Following ends with the session, also when the filter leaves its end out, and when it was over before."""
    log = live.log()
    say(log)
    end(log)
    await live.shared.catch_up()
    async with asyncio.timeout(120):
        kinds = [one.event_type async for one in client.events(session_id="live", follow=True)]
        few = client.events(session_id="live", event_types=["run_started"], follow=True)
        assert [one.event_type async for one in few] == ["run_started"]
    assert kinds[-1] == "session_ended"


async def test_following_through_a_restart(live: Live, client: AsyncClient) -> None:
    """The server may go and come back meanwhile: what happened is given then."""
    log = live.log()
    say(log)
    await live.shared.catch_up()
    kinds: list[str] = []
    async with asyncio.timeout(60):
        async for event in client.events(session_id="live", follow=True):
            kinds.append(event.event_type)
            if event.event_type == "run_started" and kinds.count("command_received") == 1:
                await live.stop()
                say(log, 2)
                end(log)
                await live.start()
    assert kinds.count("command_received") == 3
    assert kinds[-1] == "session_ended"


async def test_whether_it_is_over_is_asked_again() -> None:
    """Regression: the server may be away at any question while following, also at whether the session is over."""
    failures = 6

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal failures
        if request.path.endswith("/events"):
            return web.json_response({"success": True, "data": {"events": [], "total": 0}})
        failures -= 1
        if failures > 0:
            return web.json_response({"success": False, "error": "Starting."}, status=503)
        return web.json_response({"success": True, "data": {"session_id": "x", "state": "ended"}})

    async with answering(handle, retries=0) as client, asyncio.timeout(120):
        assert [one async for one in client.events(session_id="x", follow=True)] == []
    assert failures == 0


async def test_what_changes_at_a_shared_moment() -> None:
    """Of many events of one moment some may go and others come between pages: none is lost or given twice."""
    held = [(moment, f"s{number}") for moment in (1, 2, 3) for number in range(1, 6)]

    async def handle(request: web.Request) -> web.StreamResponse:
        after = parse_timestamp(request.query["start_time"])
        fits = sorted(one for one in held if one[0] > after)
        first = int(request.query["offset"])
        found = fits[first : first + int(request.query["limit"])]
        if held[-1][0] == 3 and (2, "s2") in found:
            held.remove((2, "s1"))  # expired
            held.insert(0, (2, "s0"))  # of a log that was found late
            held.append((4, "s1"))
        data = [
            {"event_type": "e", "timestamp": format_timestamp(moment), "session_id": name, "data": {}}
            for moment, name in found
        ]
        return web.json_response({"success": True, "data": {"events": data, "total": len(fits)}})

    async with answering(handle) as client, asyncio.timeout(120):
        seen = [(parse_timestamp(one.timestamp), one.session_id) async for one in client.events(page_size=2)]
    assert len(seen) == len(set(seen))
    assert set(seen) == {*held, (2, "s1")}


async def test_a_server_that_stays_away(
    live: Live, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Following gives up when it was told to, at once on a server that never was there; so do wrong questions."""
    log = live.log()
    await live.shared.catch_up()
    events = client.events(session_id="live", follow=True, give_up_s=0.01)
    await anext(events)
    await live.stop()
    with pytest.raises(UnreachableError):
        await anext(events)
    with pytest.raises(UnreachableError):
        await anext(client.events(session_id="live", follow=True, give_up_s=float("inf")))
    await live.start()
    with pytest.raises(NotFoundError):
        await anext(client.events(session_id="nobody", follow=True))
    with pytest.raises(ValueError, match="newest_first"):
        client.events(newest_first=True, follow=True)
    log.append([lifecycle("live", "session_ended", {})])
    log.close()
    assert paging.WAIT_S < 60
