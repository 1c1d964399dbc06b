"""The calls that tell what sessions did."""

import pytest

from tests.server.conftest import Rig

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
