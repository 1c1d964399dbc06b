"""The calls that tell what sessions did."""

import asyncio
import json
from pathlib import Path

import pytest

from proxy.events.timestamps import parse_timestamp
from proxy.server.shared import now_us
from tests.recorded import LogMaker, scenario
from tests.server.conftest import Rig, serving

pytestmark = pytest.mark.anyio
BASE = "/api/v1/monitoring"


async def test_a_session_is_analysed(rig: Rig) -> None:
    """The analysis says the same as the session itself."""
    one = await rig.get(f"{BASE}/sessions/past1")
    found = await rig.get(f"{BASE}/sessions/past1/analysis", schema="api/analysis")
    assert found["session_id"] == "past1"
    assert found["events"] == one["events"]
    assert found["complete"] is True
    assert found["cost"]["total_usd"] == pytest.approx(one["cost"])
    assert {tool["tool"] for tool in found["tools"]} == {"Agent", "Bash"}
    assert await rig.get(f"{BASE}/sessions/past1/analysis") == found


async def test_a_long_session_is_analysed_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not wait is told what was read by then, and in the end the same as who waits."""
    monkeypatch.setattr("proxy.store.model.MOST_IN_BATCH", 2000)
    maker = LogMaker("long")
    block = {"type": "text", "text": "word"}
    message = {"type": "assistant", "message": {"content": [block]}, "parent_tool_use_id": None}
    log = maker.started(["claude", "--input-format", "x"]) + maker.lines("stdout", *[message] * 5000)
    (tmp_path / "sessions").mkdir()
    for name in ("long", "other"):
        whole = (log + maker.ended()).replace(b'"session_id":"long"', b'"session_id":"%b"' % name.encode())
        (tmp_path / "sessions" / f"{name}.jsonl").write_bytes(whole)
    async with serving(tmp_path) as rig:
        assert await asyncio.to_thread(rig.shared.store.catch_up, 120)
        session = await asyncio.to_thread(rig.shared.store.session, "long")
        assert session is not None
        counts: list[int] = []
        while not counts or counts[-1] < session.figures.events:
            found = json.loads(await rig.shared.analyses.answer(session, now_us(), 0) or b"")
            assert found["complete"] is (found["events"] == session.figures.events)
            counts.append(found["events"])
        assert len(counts) > 2
        assert counts == sorted(counts)
        at_once = await rig.get(f"{BASE}/sessions/other/analysis")
        assert found["sequence"] == at_once["sequence"]
        assert found["state"] == at_once["state"] == "ended"


async def test_an_unknown_session_is_not_found(rig: Rig) -> None:
    """A sentence says where to look."""
    sentence = await rig.get(f"{BASE}/sessions/nobody/analysis", status=404)
    assert "/api/v1/monitoring/sessions" in sentence


async def test_metrics_of_everything(rig: Rig) -> None:
    """Without bounds the metrics are of all that there is."""
    found = await rig.get(f"{BASE}/metrics", schema="api/metrics")
    total = (await rig.get(f"{BASE}/status"))["total_events"]
    assert found["events"]["total"] == sum(found["events"]["by_type"].values()) == total
    assert sum(hour["total"] for hour in found["events"]["by_hour"]) == total
    assert found["sessions"]["total"] == found["sessions"]["started"] == found["sessions"]["ended"] == 3
    assert found["cost"]["total_usd"] > 0


async def test_the_overview(rig: Rig) -> None:
    """It counts everything and measures the last day, in which these sessions were not."""
    found = await rig.get(f"{BASE}/overview", schema="api/overview")
    assert found["total_sessions"] == len(found["sessions"]) == 3
    assert found["last_24_hours"]["events"]["total"] == 0


async def test_a_live_session_goes_on(rig: Rig) -> None:
    """Asked again, the analysis has what came since, as if it had read everything at once."""
    log = rig.live()
    lines = scenario("subagent", LogMaker("live")).splitlines(keepends=True)
    before = await rig.get(f"{BASE}/sessions/live/analysis")
    assert (before["state"], before["ended_at"]) == ("starting", None)
    log.close()
    path = rig.data_dir / "sessions" / "live.jsonl"
    path.write_bytes(b"".join(lines))
    await rig.shared.catch_up("live")
    after = await rig.get(f"{BASE}/sessions/live/analysis", schema="api/analysis")
    fresh = await rig.get(f"{BASE}/sessions/past1/analysis")
    assert after["sequence"] == fresh["sequence"]
    assert after["tools"] == fresh["tools"]


async def test_metrics_of_a_period_count_what_lies_in_it(rig: Rig) -> None:
    """Start exclusive, end inclusive, to the microsecond; the hours add up."""
    events = (await rig.get(f"{BASE}/events", params={"offset": "0", "limit": "1000", "order": "asc"}))[
        "events"
    ]
    low, high = events[5]["timestamp"], events[-5]["timestamp"]
    found = await rig.get(f"{BASE}/metrics", params={"start_time": low, "end_time": high})
    wanted = [
        one
        for one in events
        if parse_timestamp(low) < parse_timestamp(one["timestamp"]) <= parse_timestamp(high)
    ]
    assert found["events"]["total"] == len(wanted)
    assert (found["start_time"], found["end_time"]) == (low, high)
    runs = [one for one in wanted if one["event_type"] == "run_completed"]
    assert found["runs"]["completed"] == len(runs)
    assert found["cost"]["total_usd"] == pytest.approx(sum(one["data"]["cost_usd"] for one in runs))


async def test_a_period_that_ends_before_it_begins(rig: Rig) -> None:
    """It is refused with a sentence."""
    bounds = {"start_time": "2026-02-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z"}
    assert "end_time" in await rig.get(f"{BASE}/metrics", params=bounds, status=422)
