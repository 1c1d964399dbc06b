"""Every call, in both faces."""

import asyncio
import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from proxy.client import (
    AsyncClient,
    Client,
    NotFoundError,
    RefusedError,
    RequestError,
    Run,
    UnreachableError,
    blocking,
    models,
)
from proxy.client import __all__ as exported
from proxy.server.background import announce, take_lock
from proxy.sessions.writer import SessionLog
from tests.client.conftest import Live, announced, end, say, serving

pytestmark = pytest.mark.anyio
FOR_OTHERS = {
    "/",
    "/docs",
    "/sign-in",
    "/static/{name}",
    "/api/v1/fleet/hosts/{host_id}/hello",
    "/api/v1/fleet/hosts/{host_id}/sessions/{session_id}/records",
}
"""Pages, which programs have no use for, and what only hosts of a fleet send."""


def public(kind: type) -> set[str]:
    """Return the names of a class that are for others."""
    return {name for name in dir(kind) if not name.startswith("_")}


async def use_everything(client: AsyncClient, log: SessionLog) -> None:
    """Make every call once."""
    await client.health()
    assert (await client.health_live())["status"] == "alive"
    assert (await client.health_ready()).status == "ready"
    assert "# TYPE" in await client.prometheus()
    assert (await client.overview()).total_sessions == 1
    assert (await client.metrics()).sessions
    assert (await client.analysis(log.session_id)).session_id == log.session_id
    assert (await client.approvals(log.session_id)).total == 0
    assert (await client.seal(log.session_id)).head is None
    assert (await client.drift(log.session_id)).complete
    assert (await client.records(log.session_id)).total >= 1
    assert (await client.record(log.session_id, 0))["seq"] == 0
    assert (await client.conversation(log.session_id, limit=5)).offset == 0
    assert (await client.search("no such words")).sessions == []
    assert (await client.page(log.session_id)).startswith("<!doctype html>")
    assert (await client.log(log.session_id)).startswith(b'{"seq":0,')
    await client.status()
    await client.monitoring_status()
    assert (await client.sessions(limit=5)).total == 1
    assert (await client.session(log.session_id)).name == "mine"
    await client.openapi()
    assert (await client.specifications()).count > 100
    assert (await client.specification("messages/user"))["title"]
    assert (await client.validate("commands", {"action": "interrupt"})).valid
    assert [one.valid async for one in client.validate_many("commands", [{"action": "interrupt"}])] == [True]
    page = await client.events_page(session_id=log.session_id, event_types=["session_started"])
    assert [one.event_type for one in page.events] == ["session_started"]
    assert [one async for one in client.events(session_id=log.session_id, end_time=page.events[0].timestamp)]
    started = await client.start_session("own")
    assert (await client.post_event(started.session_id, "mine.own", {"a": 1})).recorded
    assert (await client.stop_session(started.session_id)).stopped
    assert (await client.questions(log.session_id)).questions == []
    assert (await client.actions(log.session_id)).total == 0
    assert ((await client.hosts()).hosts, (await client.costs()).costs) == ([], [])
    with pytest.raises(RefusedError, match="acting_off"):
        await client.interrupt(log.session_id)
    begun = await client.start_check("/no/such/wrapper", scenarios=["exit-*"])
    failed = await client.check(begun.run_id, wait=30)
    assert (failed.has_ended, failed.state, failed.report) == (True, "failed", None)
    assert "/no/such/wrapper" in str(failed.error)
    assert await client.cancel_check(begun.run_id) == failed
    for over in ("websocket", "sse"):
        listening = client.stream(over=over)
        async with asyncio.timeout(120):
            heard = asyncio.ensure_future(anext(listening))
            while not heard.done():
                say(log)
                await asyncio.wait([heard], timeout=0.05)
        assert isinstance(await heard, models.Event)
        await listening.aclose()


async def test_every_route_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each route of the API's description has a call; a route that is added without one fails here."""
    async with serving(tmp_path, compliance={"enabled": True}) as live:
        log = live.log()
        routes, reached = await _routes(live, log, monkeypatch)
        log.close()
    assert routes - reached == set()


async def _routes(live: Live, log: SessionLog, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the routes that are described, and those that all calls together reach."""
    asked: set[tuple[str, str]] = set()
    async with AsyncClient(live.url) as client:
        described = (await client.openapi())["paths"]
        routes = {
            (method.upper(), path)
            for path, methods in described.items()
            if path not in FOR_OTHERS
            for method in methods
        }
        request = type(client._transport.session)._request

        async def noting(self: Any, method: str, url: Any, **options: Any) -> Any:
            asked.add((method, re.sub(r"^https?://[^/]*|\?.*", "", str(url))))
            return await request(self, method, url, **options)

        monkeypatch.setattr(type(client._transport.session), "_request", noting)
        await use_everything(client, log)
    patterns = {route: re.compile(re.sub(r"{\w+}", r"[^?]+?", route[1]) + "/?") for route in routes}
    exact = {route for route in routes if "{" not in route[1]}
    reached = asked & exact
    reached |= {
        route
        for route in routes - exact
        for method, path in asked - exact
        if method == route[0] and patterns[route].fullmatch(path) and path.count("/") >= route[1].count("/")
    }
    return routes, reached


async def test_a_check_is_followed_to_its_report(tmp_path: Path) -> None:
    """A check's progress only grows, its report is typed, and a program without an event loop gets the same."""
    wrapper = str(Path(sys.executable).with_name("claude-proxy"))

    def ask_again(url: str, run_id: str) -> models.Check:
        with Client(url) as client:
            return client.check(run_id)

    async with serving(tmp_path, compliance={"enabled": True}) as live, AsyncClient(live.url) as client:
        check = await client.start_check(wrapper, scenarios=["exit-status", "unknown-fields"], threshold=50)
        assert check.state == "waiting"
        async with asyncio.timeout(60):
            while not check.has_ended:
                seen = check.completed
                check = await client.check(check.run_id, wait=30, seen=seen)
                assert len(check.scenarios) == check.completed >= seen
        assert check == await asyncio.to_thread(ask_again, live.url, check.run_id)
    assert (check.state, check.error, check.total, check.completed) == ("completed", None, 2, 2)
    assert check.report is not None
    assert (check.report.score, check.report.threshold, check.report.passed) == (100, 50, True)


async def test_checks_that_are_off(client: AsyncClient) -> None:
    """A server that lets nobody check says how that is changed."""
    with pytest.raises(RefusedError, match=r"compliance\.enabled"):
        await client.start_check("claude-proxy")


async def test_both_faces_have_the_same_calls() -> None:
    """What one client can do the other can: neither is a part of the other."""
    assert public(AsyncClient) == public(Client)
    assert public(blocking.MonitoredRun) >= {"event", "command", "execute", "claude"}
    for name in public(AsyncClient) - {"close", "monitored"}:
        assert inspect.signature(getattr(AsyncClient, name)) == inspect.signature(getattr(Client, name))


def test_every_name_is_documented() -> None:
    """A name that nobody can find does not exist: all that is exported, and all that can be called."""
    text = (Path(__file__).parent.parent.parent / "docs" / "client.md").read_text()
    names = {*exported, *public(Run), *public(blocking.MonitoredRun)}
    missing = {name for name in names if not re.search(rf"\b{name}\b", text)}
    missing |= {name for name in public(AsyncClient) if not re.search(rf"[`.]{name}\(", text)}
    assert missing == set()


async def test_blocking_face(live: Live) -> None:
    """A program without an event loop gets the same answers, errors and events."""
    log = live.log()
    say(log, 1500)
    end(log)
    await live.shared.catch_up()

    def use() -> list[str]:
        with Client(live.url) as client:
            assert client.health().version
            assert client.session("live").state == "ended"
            with pytest.raises(NotFoundError):
                client.session("nobody")
            many = [{"action": "interrupt"}, {"action": "dance"}] * 700
            verdicts = [answer.verdict for answer in client.validate_many("commands", many)]
            assert verdicts == ["valid", "invalid"] * 700
            with pytest.raises(RequestError, match="nope"):
                list(client.validate_many("nope", [1]))
            partly = client.events(session_id="live", page_size=10)
            assert next(partly).event_type == "session_started"
            del partly
            return [
                event.event_type for event in client.events(session_id="live", follow=True, page_size=100)
            ]

    kinds = await asyncio.to_thread(use)
    assert (kinds[0], kinds[-1]) == ("session_started", "session_ended")
    assert kinds.count("command_received") == 1500


async def test_a_closed_client_says_so(live: Live) -> None:
    """A client that is closed twice, or used after its end, does not hang and does not fail in its depths."""
    client = Client(live.url)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.health()
    async with AsyncClient(live.url) as other:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        await other.health()


async def test_the_server_is_found_through_the_data_directory(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address comes from the argument, else the environment, else from who serves the data directory."""
    monkeypatch.setenv("CLAUDE_PROXY_DATA_DIR", str(tmp_path))
    lock = take_lock(str(tmp_path))
    assert lock is not None
    announce(lock, live.url, "1")
    async with AsyncClient() as client:
        assert (await client.health()).version
    monkeypatch.setenv("CLAUDE_PROXY_URL", live.url)
    async with AsyncClient() as client:
        assert (await client.health()).version
    for nonsense in ("localhost:8000", "http://", "http://[::1", "http://127.0.0.1:99999", "http://x:y"):
        with pytest.raises(ValueError, match="no address"):
            AsyncClient(nonsense)
    os.close(lock)


async def test_a_server_that_comes_back_elsewhere(tmp_path: Path) -> None:
    """The data directory's server is asked wherever it is, and never another one that has its old address."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    async with AsyncClient(data_dir=str(ours), retries=0) as client:
        async with serving(ours) as live:
            log = live.log()
            with announced(live):
                assert (await client.session("live")).name == "mine"
        async with serving(theirs, port=live.port):
            with pytest.raises(UnreachableError, match="No server runs"):
                await client.session("live")
            async with serving(ours) as elsewhere:
                with announced(elsewhere):
                    assert (await client.session("live")).name == "mine"
                assert elsewhere.port != live.port
    log.close()
