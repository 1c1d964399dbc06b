"""What a centre says to its hosts, and to whom it says nothing."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psycopg")

from proxy.events.timestamps import parse_timestamp
from proxy.server.access import tokens
from proxy.server.access.tokens import StoredTokens
from proxy.server.routes import fleet as routes
from proxy.server.routes import streams
from proxy.server.routes.route import Route
from proxy.server.routes.table import ROUTES
from proxy.sessions.firings import encoded
from proxy.store.postgres import centre as centres
from proxy.store.postgres.connections import connect, execute
from tests.recorded import START_US, LogMaker, firing, scenario
from tests.server.conftest import Rig, serving

pytestmark = pytest.mark.anyio

HOST = "0123456789abcdef" * 2


@pytest.fixture
async def centre(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """A centre, which looks for tokens that it does not know as often as it is asked."""
    monkeypatch.setattr(tokens, "_AGAIN_S", 0.0)
    async with serving(tmp_path, storage={"url": url}) as rig:
        yield rig


class Teller:
    """A host that says what a test wants."""

    def __init__(self, centre: Rig, host_id: str = HOST, token: str | None = None) -> None:
        self._centre, self._place = centre, f"/api/v1/fleet/hosts/{host_id}"
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def hello(self, *, status: int = 200, **said: Any) -> Any:
        """Say hello, and return the answer."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        body = {"protocol": 1, "version": "1", "name": "laptop", "sent_at": now, **said}
        schema = "api/fleet_greeting" if status == 200 else None
        place = f"{self._place}/hello"
        return await self._centre.ask(
            "POST", place, json=body, headers=self._headers, status=status, schema=schema
        )

    async def push(
        self,
        session_id: str,
        text: bytes,
        from_line: int = 0,
        *,
        status: int = 200,
        running: bool = False,
        more: str = "more=false",
    ) -> Any:
        """Push lines, and return the answer."""
        schema = "api/fleet_records_answer" if status == 200 else None
        return await self._centre.ask(
            "POST",
            f"{self._place}/sessions/{session_id}/records?from_line={from_line}&running={str(running).lower()}&{more}",
            data=gzip.compress(text),
            headers={
                "Content-Type": "application/x-ndjson",
                "Content-Encoding": "gzip",
                **self._headers,
            },
            status=status,
            schema=schema,
        )


def stored_tokens(centre: Rig) -> StoredTokens:
    """Return the tokens of a centre, as `claude-proxy token` has them."""
    assert centre.shared.fleet is not None
    return StoredTokens(centre.shared.fleet.store)


async def test_what_is_pushed_is_there(centre: Rig) -> None:
    """An answer says what is stored; the next greeting has nothing to correct."""
    host, text = Teller(centre), scenario("simple", LogMaker("a"))
    said = await host.hello(sessions={"a": {"lines": 7}})
    assert (said["differing"], said["pushes"]) == ({"a": 0}, 0)
    stored = await host.push("a", text)
    assert (stored["next_line"], stored["pushes"]) == (text.count(b"\n"), 1)
    lines = {"a": {"lines": stored["next_line"]}}
    assert (await host.hello(sessions=lines))["differing"] == {}


async def test_a_gap_says_where_to_go_on(centre: Rig) -> None:
    """Lines behind missing ones are not stored."""
    host, text = Teller(centre), scenario("simple", LogMaker("a"))
    await host.hello()
    first = text.splitlines(keepends=True)[0]
    await host.push("a", first)
    response = await centre.client.post(
        f"/api/v1/fleet/hosts/{HOST}/sessions/a/records?from_line=5",
        data=first,
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert response.status == 409
    assert (await response.json())["next_line"] == 1


async def test_what_rules_found_is_behind_the_lines(centre: Rig) -> None:
    """As many of the last lines as is said; it is not in the log, and not more than there are."""
    host, text = Teller(centre), scenario("simple", LogMaker("a"))
    said = await host.hello()
    assert said["takes_firings"] is True
    fired = b"".join(encoded(firing(START_US, rule)) for rule in ("one", "two"))
    await host.push("a", text + fired, more="firings=2&more=false")
    response = await centre.client.get("/api/v1/monitoring/sessions/a/log")
    assert await response.read() == text
    page = await (await centre.client.get("/api/v1/monitoring/sessions/a/page")).text()
    assert all(f"{rule}: cost_usd is 5.5" in page for rule in ("one", "two"))
    answer = await centre.get("/api/v1/monitoring/events?session_id=a&event_types=rule_fired")
    assert [one["data"]["rule"] for one in answer["events"]] == ["one", "two"]
    await host.push("a", fired, text.count(b"\n"), more="firings=3&firings_from=2", status=422)
    lines = text.count(b"\n")
    for firings, differing in ((2, {}), (1, {}), (3, {"a": lines})):
        said = await host.hello(sessions={"a": {"lines": lines, "firings": firings}})
        assert said["differing"] == differing


async def test_a_restored_centre_tells_of_it(centre: Rig) -> None:
    """Fewer pushes than a host knows of: everybody is told by another epoch that not all is there any more."""
    host = Teller(centre)
    before = (await host.hello())["epoch"]
    assert (await host.hello(epoch=before, pushes=0))["epoch"] == before
    after = (await host.hello(epoch=before, pushes=3))["epoch"]
    assert after != before
    assert (await host.hello(epoch=before, pushes=3))["epoch"] == after  # somebody has found out already


@pytest.mark.parametrize(
    ("session_id", "text", "status"),
    [
        ("a", b"no end", 422),
        ("..", b"\n", 404),
        ("a%20b", b"\n", 422),
        ("a", scenario("simple", LogMaker("a")).replace(b'"format":1', b'"format":2'), 422),
    ],
)
async def test_what_is_not_taken(centre: Rig, session_id: str, text: bytes, status: int) -> None:
    """What is wrong is refused with its status and a sentence, and nothing of it is stored."""
    host = Teller(centre)
    await host.hello()
    await host.push(session_id, text, status=status)
    assert (await centre.get("/api/v1/monitoring/sessions"))["total"] == 0


async def test_strangers(centre: Rig) -> None:
    """A host is greeted first, by an id that is one, in the version of the protocol that the centre speaks."""
    await Teller(centre).push("a", b"\n", status=404)
    await Teller(centre, "x").hello(status=422)
    assert "version 1" in await Teller(centre).hello(protocol=2, status=422)


async def test_more_than_can_be_stored_waits(centre: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory for what is pushed is bounded: beyond, a host is told when to come again."""
    host, text = Teller(centre), scenario("simple", LogMaker("a"))
    await host.hello()
    monkeypatch.setattr(centres, "_MOST_WAITING_BYTES", 10)
    assert "send it again" in await host.push("a", text, status=503)
    monkeypatch.setattr(centres, "_MOST_WAITING_BYTES", 1 << 20)
    monkeypatch.setattr(routes, "LONGEST_PUSH", 10)
    assert "more than 10 bytes" in await host.push("a", text, status=413)
    monkeypatch.setattr(routes, "LONGEST_PUSH", 1 << 20)
    await host.push("a", text)
    assert centre.shared.fleet is not None
    assert centre.shared.fleet.centre._waiting_bytes == 0


async def test_a_single_machine_is_no_centre(rig: Rig) -> None:
    """It has no hosts, and takes nothing; its sessions lack what only those of a fleet have."""
    assert await rig.get("/api/v1/fleet/hosts", schema="api/hosts_answer") == {"hosts": []}
    assert await rig.get("/api/v1/fleet/costs", schema="api/costs_answer") == {"costs": []}
    assert "no centre" in await Teller(rig).hello(status=404)
    (session,) = (await rig.get("/api/v1/monitoring/sessions?limit=1"))["sessions"]
    assert {"host", "team", "reachable", "heard_at"} & session.keys() == set()
    for query in ("host=laptop", "team=everybody"):
        assert (await rig.get(f"/api/v1/monitoring/sessions?{query}"))["total"] == 0
        assert (await rig.get(f"/status?{query}"))["active_sessions"] == 0


async def test_a_centre_records_nothing_itself(centre: Rig) -> None:
    """A session of a client's own is started where it is recorded."""
    assert "records nothing itself" in await centre.post("/api/v1/monitoring/sessions", {}, status=422)


async def test_behind_a_pooler(url: str, tmp_path: Path) -> None:
    """With `storage.listen: false` nobody rings when there are new events; who listens hears them all the same."""
    async with (
        serving(tmp_path, storage={"url": url, "listen": False}) as centre,
        centre.client.ws_connect("/api/v1/monitoring/stream?last_event_id=") as socket,
    ):
        assert json.loads((await socket.receive()).data)["id"]
        host = Teller(centre)
        await host.hello()
        await host.push("a", scenario("simple", LogMaker("a")))
        async with asyncio.timeout(60):
            assert json.loads((await socket.receive()).data)["type"] == "event"


async def test_a_host_that_is_not_heard(centre: Rig, url: str) -> None:
    """Its sessions are out of reach, and stay as they were, for however long: nobody knows that they have failed."""
    host, text = Teller(centre), scenario("simple", LogMaker("a"))
    lines = text.splitlines(keepends=True)
    await host.hello()
    await host.push("a", b"".join(lines[:-1]), running=True)
    before = await centre.get("/api/v1/monitoring/sessions/a")
    events = (await centre.get("/api/v1/monitoring/events?session_id=a&limit=1000"))["events"]
    assert before["reachable"] is True
    for silence in ("1 minute", "8 days"):
        with connect(url) as connection:
            execute(connection, f"UPDATE claude_proxy.hosts SET heard_at = now() - interval '{silence}'")
        session = await centre.get("/api/v1/monitoring/sessions/a", schema="api/session")
        assert (session["reachable"], session["state"]) == (False, before["state"])
        assert session["heard_at"] < before["heard_at"]
        found = await centre.get("/api/v1/monitoring/events?session_id=a&limit=1000")
        assert found["events"] == events
        (known,) = (await centre.get("/api/v1/fleet/hosts"))["hosts"]
        assert (known["reachable"], known["live_sessions"]) == (False, 1)
    await host.hello()
    await host.push("a", lines[-1], len(lines) - 1)
    session = await centre.get("/api/v1/monitoring/sessions/a")
    assert (session["reachable"], session["state"]) == (True, "ended")


@pytest.mark.parametrize("days", [-1, 1])
async def test_a_clock_that_is_wrong(centre: Rig, days: int) -> None:
    """Events keep the time that their host has stamped; how wrong it is, is told, and other hosts are not held up."""
    wrong, right = Teller(centre), Teller(centre, "f" * 32)
    sent_at = (datetime.now(UTC) + timedelta(days=days)).isoformat().replace("+00:00", "Z")
    await wrong.hello(sent_at=sent_at)
    await right.hello(name="right")
    now_us = int(datetime.now(UTC).timestamp()) * 1_000_000
    made = {"wrong": now_us + days * 86_400_000_000, "right": now_us}
    for name, host in (("wrong", wrong), ("right", right)):
        await host.push(name, scenario("simple", LogMaker(name, made[name])))
        found = await centre.get(f"/api/v1/monitoring/events?session_id={name}&limit=1")
        assert abs(parse_timestamp(found["events"][0]["timestamp"]) - made[name]) < 1_000_000
    for _, path, _ in asked("wrong", "GET"):
        if path not in _STREAMS:
            assert (await centre.client.get(path)).status < 500, path
    offsets = {
        one["name"]: one["clock_offset_ms"] for one in (await centre.get("/api/v1/fleet/hosts"))["hosts"]
    }
    assert offsets["laptop"] == pytest.approx(days * 86_400_000, abs=600_000)
    assert abs(offsets["right"]) < 600_000


# -- tokens ----------------------------------------------------------------------------------------------------

_STREAMS = ("/events", "/api/v1/monitoring/stream")
_PARTS = {"seq": "1", "host_id": HOST, "run_id": "x", "action_id": "x"}


def asked(session_id: str, *methods: str) -> list[tuple[str, str, Route]]:
    """Return method and path of every call that is not open to everybody, about a session where it takes one."""
    found = []
    for route in ROUTES:
        path = re.sub(
            r"{(\w+)(?::[^}]*)?}",
            lambda name: {**_PARTS, "session_id": session_id}.get(name[1], "x"),
            route.path,
        )
        if route.path.endswith("/search"):
            path += "?text=the"
        if (not methods or route.method in methods) and not path.startswith("/health"):
            found.append((route.method, path, route))
    return found


async def test_a_token_to_push_reads_nothing(centre: Rig) -> None:
    """Whoever takes it from a laptop learns nothing, by any call; one to read pushes nothing."""
    pushing = stored_tokens(centre).create("laptops", ["push"])
    reading = stored_tokens(centre).create("people", ["read"])
    await Teller(centre, token=pushing).hello()
    await Teller(centre, token=pushing).push("a", scenario("simple", LogMaker("a")))
    assert "may not push" in await Teller(centre, token=reading).hello(status=403)
    for method, path, route in asked("a"):
        for token, status in ((pushing, 403), ("wrong", 401)):
            if route.access != "push" or token == "wrong":
                headers = {"Authorization": f"Bearer {token}"}
                response = await centre.client.request(method, path, headers=headers)
                assert response.status == status, (method, path)


async def _two_teams(centre: Rig) -> dict[str, dict[str, str]]:
    """Let a host of each of two teams push a session, and return what reads each team's."""
    made, headers = stored_tokens(centre), {}
    for number, team in enumerate(("red", "blue")):
        token = made.create(f"push-{team}", ["push"], team)
        host = Teller(centre, f"{number:032x}", token)
        await host.hello(name=f"host-{team}")
        await host.push(f"of-{team}", scenario("subagent", LogMaker(f"of-{team}")))
        headers[team] = {"Authorization": f"Bearer {made.create(f'read-{team}', ['read'], team)}"}
    return headers


@pytest.mark.parametrize(("team", "other"), [("red", "blue"), ("blue", "red")])
async def test_a_team_sees_nothing_of_another(centre: Rig, team: str, other: str) -> None:
    """Neither a list nor a count nor a page has anything of it, and asked for by its id it is not there."""
    headers = (await _two_teams(centre))[team]
    for _, path, route in asked(f"of-{other}", "GET"):
        if path in _STREAMS:
            continue  # see below
        if "{session_id}" in route.path:
            await centre.get(path, headers=headers, status=404)
            mine = path.replace(f"of-{other}", f"of-{team}")
            if not path.endswith("/seal"):  # a host alone knows it
                await _answers(centre, mine, headers)
            continue
        response = await centre.client.get(path, headers=headers)
        assert response.status in ((403, 404) if path.endswith("/x") else (200,)), path
        text = await response.read()
        assert f"of-{other}".encode() not in text, path
        assert f"host-{other}".encode() not in text, path
    said = await centre.get("/api/v1/monitoring/search?text=the", headers=headers)
    assert [one["session_id"] for one in said["sessions"]] == [f"of-{team}"]
    for what in ("events?session_id=", "events?limit=1&session_id="):
        await centre.get(f"/api/v1/monitoring/{what}of-{other}", headers=headers, status=404)
    everybody = await centre.get("/api/v1/monitoring/status")
    mine = await centre.get("/api/v1/monitoring/status", headers=headers)
    for figure in ("total_sessions", "total_events"):
        assert 2 * mine[figure] == everybody[figure]
    both = await centre.get("/api/v1/monitoring/metrics")
    own = await centre.get("/api/v1/monitoring/metrics", headers=headers)
    assert 2 * own["cost"]["total_usd"] == pytest.approx(both["cost"]["total_usd"])


async def test_costs_by_team_day_and_model(centre: Rig) -> None:
    """They add up what the sessions tell that began in a period, and stay when those are removed."""
    headers = await _two_teams(centre)
    host = Teller(centre, f"{0:032x}")
    for day in (1, 2):
        name = f"later-{day}"
        await host.push(name, scenario("simple", LogMaker(name, START_US + day * 24 * 3_600_000_000)))
    sums: dict[tuple[str, str, str], list[float]] = {}
    for one in (await centre.get("/api/v1/monitoring/sessions"))["sessions"]:
        assert sum(one["cost_by_model"].values()) == pytest.approx(one["cost"])
        for model, usd in one["cost_by_model"].items():
            sums.setdefault((one["started_at"][:10], one["team"], model), []).append(usd)
    expected = [(*key, len(sums[key]), round(sum(sums[key]), 6)) for key in sorted(sums)]
    assert [(day, team) for day, team, *_ in expected] == [
        ("2026-01-02", "blue"),
        ("2026-01-02", "red"),
        ("2026-01-03", "red"),
        ("2026-01-04", "red"),
    ]
    for _ in ("there", "removed"):
        assert await _costs(centre) == expected
        assert await _costs(centre, "?start_time=2026-01-03T00:00:00Z") == expected[2:]
        assert await _costs(centre, "?end_time=2026-01-03T23:00:00Z") == expected[:3]
        assert await _costs(centre, headers=headers["blue"]) == expected[:1]
        assert centre.shared.fleet is not None
        list(centre.shared.fleet.store.forget(["of-red", "of-blue", "later-1"], []))


async def _costs(centre: Rig, query: str = "", **options: Any) -> list[tuple[str, str, str, int, float]]:
    found = await centre.get(f"/api/v1/fleet/costs{query}", schema="api/costs_answer", **options)
    return [(one["day"], one["team"], one["model"], one["sessions"], one["cost"]) for one in found["costs"]]


async def _answers(centre: Rig, path: str, headers: dict[str, str]) -> bytes:
    response = await centre.client.get(path, headers=headers)
    assert response.status == 200, path
    return await response.read()


async def test_a_team_does_nothing_to_another(centre: Rig) -> None:
    """Nor does a token that may write and act change anything of it: its session is not there."""
    await _two_teams(centre)
    token = stored_tokens(centre).create("red-acts", ["read", "write", "act"], "red")
    headers = {"Authorization": f"Bearer {token}"}
    before = await centre.get("/api/v1/monitoring/events?session_id=of-blue&limit=1000")
    for method, path, route in asked("of-blue"):
        if method != "GET" and "{session_id}" in route.path and route.access != "push":
            response = await centre.client.request(
                method, path, headers=headers, json={"action": "interrupt"}
            )
            assert 400 <= response.status < 500, (method, path)
    after = await centre.get("/api/v1/monitoring/events?session_id=of-blue&limit=1000")
    assert after["events"] == before["events"]


async def test_a_team_hears_nothing_of_another(centre: Rig) -> None:
    """Nor does who listens, or goes on behind a place."""
    headers = await _two_teams(centre)
    begins = (await centre.get("/api/v1/monitoring/events?limit=1"))["after"]
    async with centre.client.ws_connect(
        "/api/v1/monitoring/stream?last_event_id=", headers=headers["red"]
    ) as socket:
        place = json.loads((await socket.receive()).data)["id"]
        assert place
        made = stored_tokens(centre)
        hosts = {}
        for number, team in enumerate(("red", "blue")):
            hosts[team] = Teller(centre, f"{number:032x}", made.create(f"again-{team}", ["push"], team))
        await hosts["blue"].push("later-blue", scenario("simple", LogMaker("later-blue")))
        await hosts["red"].push("later-red", scenario("simple", LogMaker("later-red")))
        expected = await centre.get("/api/v1/monitoring/events?session_id=later-red&limit=1000")
        for event in expected["events"]:
            async with asyncio.timeout(60):
                assert json.loads((await socket.receive()).data)["data"] == event
    found = await centre.get(f"/api/v1/monitoring/events?after={begins}&limit=1000", headers=headers["red"])
    assert found["events"] == expected["events"]
    stranger = await centre.client.get("/api/v1/monitoring/stream?session_id=of-blue", headers=headers["red"])
    assert stranger.status == 404


async def test_sessions_by_host_and_team(centre: Rig) -> None:
    """Lists take a host's name or id and a team, several of each; nobody gets another team's by asking for it."""
    headers = await _two_teams(centre)
    both = {"of-red", "of-blue"}

    async def found(query: str, team: str | None = None) -> set[str]:
        asked = headers[team] if team else {}
        page = await centre.get(f"/api/v1/monitoring/sessions?{query}", headers=asked)
        assert page["total"] == len(page["sessions"])
        return {one["session_id"] for one in page["sessions"]}

    assert await found("host=host-red") == {"of-red"}
    assert await found(f"host={1:032x}") == {"of-blue"}
    assert await found("host=host-red,host-blue") == await found("team=red,blue") == both
    assert await found("team=blue") == await found("team=blue&host=host-blue&outcome=ok") == {"of-blue"}
    assert await found("team=blue&host=host-red") == await found("host=nobody") == set()
    assert await found("team=red&outcome=crashed") == set()
    assert await found("team=red", "red") == {"of-red"}
    assert await found("team=blue", "red") == await found("host=host-blue", "red") == set()


async def test_what_runs_by_host(centre: Rig) -> None:
    """So does the list of what goes on; each session says whose it is, and when that was heard."""
    for number in range(2):
        host = Teller(centre, f"{number:032x}")
        await host.hello(name=f"host{number}")
        await host.push(f"s{number}", LogMaker(f"s{number}").started(), running=True)
    assert (await centre.get("/status"))["active_sessions"] == 2
    (session,) = (await centre.get("/status?host=host1&team=everybody"))["sessions"]
    assert (session["session_id"], session["host"], session["team"]) == ("s1", "host1", "everybody")
    assert session["reachable"] is True
    assert session["heard_at"].endswith("Z")
    assert (await centre.get("/status?team=other"))["sessions"] == []


async def test_a_host_stays_in_its_team(centre: Rig) -> None:
    """With a token of another team it is refused, and so is what it pushes."""
    made = stored_tokens(centre)
    red, blue = (made.create(team, ["push"], team) for team in ("red", "blue"))
    await Teller(centre, token=red).hello()
    assert "of the team 'red'" in await Teller(centre, token=blue).hello(status=403)
    await Teller(centre, token=blue).push("a", scenario("simple", LogMaker("a")), status=404)


async def test_a_revoked_token_ends(centre: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused once the servers have looked again, and who listens with it is let go."""
    monkeypatch.setattr(tokens, "_FRESH_S", 0.0)
    monkeypatch.setattr(streams, "_QUIET_S", 0.05)
    made = stored_tokens(centre)
    headers = {"Authorization": f"Bearer {made.create('me', ['read'])}"}
    async with centre.client.get("/events", headers=headers) as response:
        assert response.status == 200
        made.revoke("me")
        async with asyncio.timeout(60):
            await response.read()
    await centre.get("/status", headers=headers, status=401)


# -- removal ---------------------------------------------------------------------------------------------------


async def test_what_is_forgotten_stays_so(centre: Rig) -> None:
    """It is nowhere any more, its host is told that it will not be taken again, who listens has a gap, others stay."""
    host, text = Teller(centre), scenario("simple", LogMaker("a"))
    await host.hello()
    await host.push("a", text)
    await host.push("b", scenario("simple", LogMaker("b")))
    assert centre.shared.fleet is not None
    assert list(centre.shared.fleet.store.forget(["a"], [])) == ["a"]
    for _, path, route in asked("a", "GET"):
        if "{session_id}" in route.path:
            await centre.get(path, status=404)
        elif path.startswith("/api/v1/monitoring") and path not in _STREAMS:
            assert b'"session_id":"a"' not in await _answers(centre, path, {}), path
    assert [one["session_id"] for one in (await centre.get("/api/v1/monitoring/sessions"))["sessions"]] == [
        "b"
    ]
    assert "not taken again" in await host.push("a", text, status=410)
    said = {"a": {"lines": text.count(b"\n"), "running": False}}
    assert (await host.hello(sessions=said))["forgotten"] == ["a"]
    await centre.get("/api/v1/monitoring/sessions/a", status=404)
