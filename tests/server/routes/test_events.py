"""Events and sessions over HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proxy.events import Session
from proxy.events.timestamps import parse_timestamp
from proxy.server.live.hub import Hub
from proxy.server.routes.events import look_until, shortened_event
from proxy.sessions.catalogue import inspect
from proxy.sessions.identity import log_path
from proxy.sessions.record import lifecycle
from proxy.store.encoding import as_json
from tests.recorded import LogMaker, scenario
from tests.server.conftest import Rig, reading_slowly, serving

pytestmark = pytest.mark.anyio
EVENTS = "/api/v1/monitoring/events"
SESSIONS = "/api/v1/monitoring/sessions"


def types(page: dict[str, Any]) -> list[str]:
    """Return the kinds of the events of a page."""
    return [event["event_type"] for event in page["events"]]


async def test_pages_follow_the_rules_of_the_interface(rig: Rig) -> None:
    """Without anything the newest come first; with a session or a start the oldest; offset counts from there."""
    everything = await rig.get(f"{EVENTS}?limit=10000&order=asc&offset=0", schema="api/events_answer")
    stamps = [event["timestamp"] for event in everything["events"]]
    assert stamps == sorted(stamps)
    assert everything["total"] == len(stamps)
    newest = await rig.get(f"{EVENTS}?limit=5")
    assert newest["events"] == everything["events"][:-6:-1]
    mine = [event for event in everything["events"] if event["session_id"] == "past1"]
    page = await rig.get(f"{EVENTS}?session_id=past1&limit=5")
    assert (page["events"], page["total"]) == (mine[-5:], len(mine))
    page = await rig.get(f"{EVENTS}?session_id=past1&limit=5&offset=0")
    assert page["events"] == mine[:5]
    page = await rig.get(EVENTS, params={"start_time": stamps[10], "end_time": stamps[12]})
    assert [event["timestamp"] for event in page["events"]] == stamps[11:13]
    page = await rig.get(f"{EVENTS}?event_types=run_started,run_completed&session_id=past0")
    assert types(page) == ["run_started", "run_completed"] * 2


async def test_derived_events_are_of_the_published_vocabulary(rig: Rig) -> None:
    """The data of an event that comes from a session's messages is valid under the events schema."""
    page = await rig.get(f"{EVENTS}?session_id=past1&offset=0")
    for event in page["events"]:
        body = {"schema_type": "events", "data": event["data"]}
        assert (await rig.post("/api/v1/validation/validate", body))["verdict"] == "valid"
        assert event["data"]["event"] == event["event_type"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=10001",
        "limit=-1",
        "limit=ten",
        "limit=1e3",
        "offset=-1",
        "offset=9999999999999999999999",
        "start_time=yesterday",
        "end_time=99999-01-01T00:00:00Z",
        "order=up",
        "event_types=a/b",
        "wait=61",
    ],
)
async def test_values_out_of_range(rig: Rig, query: str) -> None:
    """A value that cannot be used is a 422 whose sentence names the parameter."""
    sentence = await rig.get(f"{EVENTS}?{query}", status=422)
    assert query.partition("=")[0] in sentence


@pytest.mark.parametrize("session_id", ["nobody", "..%2Fpast0", "past0%00", "%2e%2e", "x" * 300, "latest"])
async def test_sessions_that_are_not_there(rig: Rig, session_id: str) -> None:
    """An unknown id, or one with parts of a path, is a 404 everywhere."""
    await rig.get(f"{SESSIONS}/{session_id}", status=404)
    await rig.get(f"{EVENTS}?session_id={session_id}", status=404)
    await rig.ask("POST", f"{SESSIONS}/{session_id}/stop", status=404)


async def test_a_session_that_has_just_begun_is_read(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a session of which the index had not read the first record was given without its name."""
    log = rig.live()
    await rig.shared.catch_up()
    store, unread = rig.shared.store, [Session("live")]
    session = store.session
    monkeypatch.setattr(store, "session", lambda session_id: unread.pop() if unread else session(session_id))
    assert (await rig.get(f"{SESSIONS}/live"))["name"] == "mine"
    log.close()


async def test_own_session_from_start_to_stop(rig: Rig) -> None:
    """A client starts a session, posts, reads back at once, stops; its log is a session log like any other."""
    started = await rig.post(SESSIONS, {"session_name": "deploys"})
    session_id = started["session_id"]
    posted = {"session_id": session_id, "event_type": "deploy.done", "data": {"a": "\ud800"}}
    assert (await rig.post(EVENTS, posted))["recorded"] is True
    page = await rig.get(f"{EVENTS}?session_id={session_id}")
    assert types(page) == ["session_started", "deploy.done"]
    assert (await rig.get(f"{SESSIONS}/{session_id}", schema="api/session"))["state"] == "idle"
    assert (await rig.get("/status", schema="api/status_answer"))["active_sessions"] == 1
    await rig.ask("POST", f"{SESSIONS}/{session_id}/stop")
    assert types(await rig.get(f"{EVENTS}?session_id={session_id}"))[-1] == "session_ended"
    assert inspect(log_path(str(rig.data_dir), session_id)).state == "ended"
    assert (await rig.get("/status"))["active_sessions"] == 0
    await rig.ask("POST", f"{SESSIONS}/{session_id}/stop", status=422)
    await rig.post(EVENTS, posted, status=422)


async def test_capture_options_are_honoured(rig: Rig) -> None:
    """What a client does not want to be captured is not recorded, and the answer says so."""
    options = {"capture_commands": False, "capture_events": True, "capture_states": False}
    session_id = (await rig.post(SESSIONS, {"capture_options": options}))["session_id"]
    recorded = {}
    for name in ("command_sent", "prompt", "state_changed", "idle", "anything"):
        answer = await rig.post(EVENTS, {"session_id": session_id, "event_type": name, "data": {}})
        recorded[name] = answer["recorded"]
    assert [name for name, is_recorded in recorded.items() if is_recorded] == ["anything"]
    assert types(await rig.get(f"{EVENTS}?session_id={session_id}")) == ["session_started", "anything"]


@pytest.mark.parametrize(
    "change",
    [
        {"event_type": "a b"},
        {"event_type": ""},
        {"event_type": 1},
        {"data": []},
        {"data": None},
        {"session_id": "past0"},
    ],
)
async def test_events_that_cannot_be_posted(rig: Rig, change: dict[str, object]) -> None:
    """A bad name, data that is no object, and a wrapped session are refused."""
    session_id = (await rig.post(SESSIONS, {}))["session_id"]
    await rig.post(EVENTS, {"session_id": session_id, "event_type": "a", "data": {}, **change}, status=422)


async def test_most_events_of_a_session(tmp_path: Any) -> None:
    """A session takes as many events as the configuration allows, and says so for the next."""
    async with serving(tmp_path, monitoring={"max_events_per_session": 2}) as rig:
        session_id = (await rig.post(SESSIONS, {}))["session_id"]
        posted = {"session_id": session_id, "event_type": "a", "data": {}}
        for status in (200, 200, 422):
            await rig.post(EVENTS, posted, status=status)


async def test_status_says_what_a_session_does(rig: Rig) -> None:
    """A live session is in the status with its state, evidence and counts; when it dies it has failed."""
    log = rig.live()
    await rig.shared.catch_up()
    answer = await rig.get("/status", schema="api/status_answer")
    (session,) = answer["sessions"]
    assert (answer["active_sessions"], session["session_id"], session["pid"]) == (1, "live", 7)
    assert (session["state"], session["evidence"]["message"]) == ("starting", "session_started")
    log.close()
    await rig.shared.catch_up()
    assert (await rig.get("/status"))["active_sessions"] == 0
    assert (await rig.get(f"{SESSIONS}/live"))["state"] == "failed"


async def test_what_is_not_read_to_its_end_is_not_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A past session that is still being read counts as running nowhere, and its description says why it seems to."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "past.jsonl").write_bytes(scenario("subagent", LogMaker("past")))
    with reading_slowly(monkeypatch) as go_on:
        async with serving(tmp_path) as rig:
            try:
                half = await rig.get(f"{SESSIONS}/past", schema="api/session")
                assert (half["state"], half["catching_up"]) == ("executing", True)
                for path in ("/status", "/api/v1/monitoring/status", "/api/v1/monitoring/overview"):
                    assert (await rig.get(path))["active_sessions"] == 0
            finally:
                go_on.set()
            while not await asyncio.to_thread(rig.shared.store.catch_up, 30, "past"):
                pass
            whole = await rig.get(f"{SESSIONS}/past")
            assert (whole["state"], whole["catching_up"]) == ("ended", False)


async def test_polling_over_all_sessions_skips_nothing(rig: Rig) -> None:
    """While a wrapped session lives, its newest events are held back from polling, never passed over."""
    log = rig.live()
    await rig.shared.catch_up()
    before = await rig.get(EVENTS, params={"start_time": "2026-02-01T00:00:00Z"})
    assert before["events"] == []
    assert types(await rig.get(f"{EVENTS}?session_id=live")) == ["session_started"]
    log.append([lifecycle("live", "session_ended", {"exit_code": 0})])
    log.close()
    after = await rig.get(EVENTS, params={"start_time": "2026-02-01T00:00:00Z", "wait": "20"})
    assert types(after) == ["session_started", "session_ended"]


async def test_going_on_in_the_order_of_arrival(rig: Rig) -> None:
    """With the `after` of the answer before, each event comes once, also those that are stamped earlier than others."""
    page = await rig.get(f"{EVENTS}?limit=1", schema="api/events_answer")
    early = LogMaker("early", 1_000_000_000_000_000)
    (rig.data_dir / "sessions" / "early.jsonl").write_bytes(scenario("simple", early))
    await rig.shared.catch_up()
    after, seen = page["after"], []
    while True:
        page = await rig.get(f"{EVENTS}?after={after}&limit=3", schema="api/events_answer")
        assert "gap" not in page
        if not page["events"]:
            break
        after = page["after"]
        seen += page["events"]
    assert seen == (await rig.get(f"{EVENTS}?session_id=early&offset=0"))["events"]
    only = await rig.get(f"{EVENTS}?after={after[:9]}0-0&session_id=past1&event_types=run_started&limit=9")
    assert types(only) == ["run_started"] * len(only["events"]) != []
    (rig.data_dir / "sessions" / "early.jsonl").unlink()
    await rig.shared.catch_up()
    page = await rig.get(f"{EVENTS}?after={after[:9]}0-0&limit=1000", schema="api/events_answer")
    assert "removed" in page["gap"]
    assert "gap" not in await rig.get(f"{EVENTS}?after={page['after']}")
    for wrong in (
        "after=",
        "after=x",
        f"after={after}&start_time=2026-01-01T00:00:00Z",
        f"after={after}&offset=1",
    ):
        await rig.get(f"{EVENTS}?{wrong}", status=422)


async def test_waiting_for_what_arrives(rig: Rig) -> None:
    """With `wait` a question for what comes behind a place is answered when it does."""
    after = (await rig.get(EVENTS))["after"]
    asked = asyncio.create_task(rig.get(f"{EVENTS}?after={after}&wait=30"))
    log = rig.live()
    assert types(await asked) == ["session_started"]
    log.close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The places behind which something was waited for; nothing is."""
    found: list[int] = []

    async def wait(_: Hub, after_id: int) -> None:
        found.append(after_id)

    monkeypatch.setattr(Hub, "wait", wait)
    return found


async def test_what_is_there_is_not_waited_for(rig: Rig, waits: list[int]) -> None:
    """Regression: a question with `wait` was answered half a second late, though events were there."""
    after = (await rig.get(EVENTS))["after"]
    for place in ("start_time=2026-01-01T00:00:00Z", f"after={after[:9]}0-0"):
        assert (await rig.get(f"{EVENTS}?{place}&wait=30"))["events"]
    assert waits == []


async def test_what_comes_during_a_look_is_looked_for_at_once(rig: Rig, waits: list[int]) -> None:
    """Regression: an event that came while the store was read woke nobody, and was found half a second later."""
    before = rig.shared.hub.newest_id

    def look() -> None:
        rig.shared.hub.newest_id += 1

    await look_until(rig.shared, 30, look, lambda _: waits)
    assert waits == [before]


async def test_up_to_where_polling_is_whole(rig: Rig) -> None:
    """Across sessions, with a start, an answer says up to where nothing earlier will come; nobody else needs it."""
    log = rig.live()
    await rig.shared.catch_up()
    page = await rig.get(EVENTS, params={"start_time": "2026-02-01"}, schema="api/events_answer")
    newest = (await rig.get(f"{EVENTS}?session_id=live"))["events"][-1]["timestamp"]
    assert page["settled_until"] < newest
    assert "settled_until" not in await rig.get(EVENTS)
    assert "settled_until" not in await rig.get(f"{EVENTS}?session_id=live&start_time=2026-02-01")
    log.close()


async def test_long_polling_ends_with_the_first_event(rig: Rig) -> None:
    """A request that waits is answered when something comes."""
    session_id = (await rig.post(SESSIONS, {}))["session_id"]
    (started,) = (await rig.get(f"{EVENTS}?session_id={session_id}"))["events"]
    query = {"session_id": session_id, "start_time": started["timestamp"], "wait": "20"}
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(rig.get(EVENTS, params=query))
        await rig.post(EVENTS, {"session_id": session_id, "event_type": "ping", "data": {}})
    assert types(waiting.result()) == ["ping"]
    assert parse_timestamp(waiting.result()["events"][0]["timestamp"]) > parse_timestamp(started["timestamp"])


async def test_sessions_are_listed_newest_first(rig: Rig) -> None:
    """All sessions, live and past, are listed; totals agree."""
    listed = await rig.get(SESSIONS)
    assert [session["session_id"] for session in listed["sessions"]] == ["past2", "past1", "past0"]
    status = await rig.get("/api/v1/monitoring/status")
    assert (status["total_sessions"], status["active_sessions"]) == (3, 0)


async def test_sessions_are_asked_for_by_outcome(tmp_path: Any) -> None:
    """Only those of the wanted outcomes are given, page by page, and counted; an unknown one is refused."""
    (tmp_path / "sessions").mkdir()
    for name in ("api_error", "budget", "simple"):
        (tmp_path / "sessions" / f"{name}.jsonl").write_bytes(scenario(name, LogMaker(name)))
    async with serving(tmp_path) as rig:
        await rig.shared.catch_up()
        path = "/api/v1/monitoring/sessions?outcome=failed,limited"
        found = await rig.get(path)
        assert [one["session_id"] for one in found["sessions"]] == ["budget", "api_error"]
        assert found["total"] == 2
        assert [one["session_id"] for one in (await rig.get(f"{path}&limit=1&offset=1"))["sessions"]] == [
            "api_error"
        ]
        refused = await rig.ask("GET", "/api/v1/monitoring/sessions?outcome=fail", status=422)
        assert refused == "outcome has 'fail'; did you mean failed?"


async def test_sessions_end_with_the_server(tmp_path: Any) -> None:
    """A server that stops ends the sessions that were started with it."""
    async with serving(tmp_path) as rig:
        session_id = (await rig.post(SESSIONS, {}))["session_id"]
    assert inspect(log_path(str(tmp_path), session_id)).state == "ended"


async def test_polling_after_a_restart(tmp_path: Any) -> None:
    """Regression: a server that starts over an index which is up to date answers polling over all sessions."""
    async with serving(tmp_path) as rig:
        log = rig.live()
        log.append([lifecycle("live", "session_ended", {"exit_code": 0})])
        log.close()
    async with serving(tmp_path) as rig:
        page = await rig.get(EVENTS, params={"start_time": "2026-02-01T00:00:00Z"})
        assert types(page) == ["session_started", "session_ended"]


async def test_newest_events_are_not_held_back_for_long(rig: Rig) -> None:
    """Without a wrapped session that lives, polling over all sessions gives the newest event at once or soon."""
    session_id = (await rig.post(SESSIONS, {}))["session_id"]
    await rig.post(EVENTS, {"session_id": session_id, "event_type": "ping", "data": {}})
    query = {"start_time": "2026-02-01T00:00:00Z", "event_types": "ping", "wait": "20"}
    assert types(await rig.get(EVENTS, params=query)) == ["ping"]


async def test_an_event_that_was_shortened_says_so() -> None:
    """Events that are short enough pass untouched; others are marked."""
    event = as_json({"event_type": "a", "data": {"text": "x" * 5000}})
    assert shortened_event(event, None) is event
    assert shortened_event(event, 6000) is event
    short = shortened_event(event, 100)
    assert len(short) < 250
    assert short.endswith(b'"shortened":true}')
