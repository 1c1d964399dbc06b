"""A session as people read it, over the API."""

import pytest

from proxy.telling.filters import FILTERS
from tests.recorded import LogMaker, scenario
from tests.server.conftest import Rig

pytestmark = pytest.mark.anyio
PATH = "/api/v1/monitoring/sessions/past1/conversation"
SCHEMA = "api/conversation_answer"


async def test_pages_are_the_whole(rig: Rig) -> None:
    """Whatever the size of the pages, together they are the conversation, in order."""
    whole = await rig.get(PATH, schema=SCHEMA)
    assert whole["total"] == len(whole["entries"]) > 5
    assert whole["entries"][0]["parts"][0]["label"] == "started"
    pages = []
    for offset in range(0, whole["total"], 3):
        found = await rig.get(PATH, params={"offset": offset, "limit": 3}, schema=SCHEMA)
        assert (found["offset"], found["total"]) == (offset, whole["total"])
        pages += found["entries"]
    assert pages == whole["entries"]


async def test_a_filter_leaves_what_was_chosen(rig: Rig) -> None:
    """Of one kind or of several; everything that is shown is under one of them."""
    whole = (await rig.get(PATH))["entries"]
    calls = await rig.get(PATH, params={"filter": "tools"}, schema=SCHEMA)
    assert {entry["event"] for entry in calls["entries"]} == {"tool_started", "tool_completed"}
    several = await rig.get(PATH, params={"filter": ",".join(FILTERS)})
    assert several["entries"] == whole
    refused = "/api/v1/monitoring/sessions/past2/conversation"
    assert (await rig.get(refused, params={"filter": "failures"}))["entries"] == []  # as it was wanted
    *_, denied = (await rig.get(refused, params={"filter": "permissions"}))["entries"]
    assert denied["parts"][0]["label"] == "denied"
    assert "did you mean" in await rig.get(PATH, params={"filter": "tool"}, status=422)


async def test_a_record_is_found(rig: Rig) -> None:
    """Where it, or the next one, says something; behind the last one is the last."""
    whole = (await rig.get(PATH))["entries"]
    for seq in (0, 7, whole[-1]["seq"]):
        found = await rig.get(PATH, params={"from_seq": seq, "limit": 1})
        assert found["entries"][0]["seq"] >= seq
        assert found["entries"][0]["parts"]
        assert all(entry["seq"] < seq or not entry["parts"] for entry in whole[: found["offset"]])
    behind = await rig.get(PATH, params={"from_seq": 10_000})
    assert behind["entries"] == whole[-1:]


async def test_long_texts_are_shortened_unless_asked_for(rig: Rig) -> None:
    """Both ends of a text are there, and all of it for who asks."""
    maker = LogMaker("long")
    prompt = {"type": "user", "message": {"role": "user", "content": "a" * 50_000 + "the end"}}
    log = maker.started(["claude", "--input-format", "x"]) + maker.lines("stdin", prompt) + maker.ended()
    (rig.data_dir / "sessions" / "long.jsonl").write_bytes(log)
    await rig.shared.catch_up("long")
    path = "/api/v1/monitoring/sessions/long/conversation"
    asked = {"filter": "prompts"}
    (entry,) = (await rig.get(path, params=asked))["entries"]
    assert entry["shortened"] is True
    assert len(entry["parts"][0]["text"]) < 5000
    assert entry["parts"][0]["text"].endswith("the end")
    (whole,) = (await rig.get(path, params={**asked, "max_text": 100_000}))["entries"]
    assert len(whole["parts"][0]["text"]) == 50_007


async def test_a_clients_own_events_are_told(rig: Rig) -> None:
    """A session of a client's own has events of any names, each with its time."""
    started = await rig.post("/api/v1/monitoring/sessions", {"session_name": "mine"})
    event = {"event_type": "built", "data": {"ok": True}, "session_id": started["session_id"]}
    await rig.post("/api/v1/monitoring/events", event)
    found = await rig.get(f"/api/v1/monitoring/sessions/{started['session_id']}/conversation", schema=SCHEMA)
    last = found["entries"][-1]
    assert (last["parts"][0]["title"], last["parts"][0]["fields"]) == ("built", {"ok": True})
    assert last["timestamp"].startswith("20")


async def test_an_unknown_session_is_not_found(rig: Rig) -> None:
    """A sentence says where to look."""
    path = "/api/v1/monitoring/sessions/nobody/conversation"
    assert "/api/v1/monitoring/sessions" in await rig.get(path, status=404)


async def test_a_live_session_grows(rig: Rig) -> None:
    """What happens is at the end, and what was there before stays where it was."""
    log = rig.live()
    await rig.shared.catch_up("live")
    path = "/api/v1/monitoring/sessions/live/conversation"
    before = await rig.get(path)
    log.close()
    (rig.data_dir / "sessions" / "live.jsonl").write_bytes(scenario("simple", LogMaker("live")))
    await rig.shared.catch_up("live")
    assert (await rig.get(path))["total"] > before["total"]
