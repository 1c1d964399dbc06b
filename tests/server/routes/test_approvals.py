"""Who allowed each call, over HTTP and in the page."""

from pathlib import Path

import pytest

from proxy.events.approved_calls import BY
from tests.recorded import LogMaker, scenario
from tests.server.chromium import CHROMIUM, Tab
from tests.server.conftest import Rig, serving
from tests.server.routes.test_dashboard import SETTLED, base, written

pytestmark = pytest.mark.anyio
APPROVALS = "/api/v1/monitoring/sessions/{}/approvals"


async def test_a_page_of_calls(tmp_path: Path) -> None:
    """In the order of their results, some at a time, with the counts of all; each with records that show it."""
    written(tmp_path, "one", scenario("hooks_of_every_kind", LogMaker("one")))
    async with serving(tmp_path) as rig:
        path = APPROVALS.format("one")
        whole = await rig.get(path, schema="api/approvals_answer")
        calls = whole["approvals"]
        assert whole["total"] == len(calls) == sum(n for of in whole["counts"].values() for n in of.values())
        assert [one["seq"] for one in calls] == sorted(one["seq"] for one in calls)
        assert {one["approval"]["by"] for one in calls} == whole["counts"].keys() <= BY.keys()
        parts = [await rig.get(f"{path}?limit=1&offset={number}") for number in range(len(calls) + 1)]
        assert [one for part in parts for one in part["approvals"]] == calls
        first = calls[0]
        for seq in first["approval"]["evidence"]:
            assert (await rig.get(f"/api/v1/monitoring/sessions/one/records/{seq}"))["seq"] == seq


async def test_what_cannot_be_asked(rig: Rig) -> None:
    """An unknown session is not found; a number out of range is told."""
    assert "no session" in await rig.get(APPROVALS.format("nobody"), status=404)
    assert "limit" in await rig.get(APPROVALS.format("past2") + "?limit=0", status=422)


async def test_what_a_client_posts_is_no_approval(rig: Rig) -> None:
    """An event of a client's own may have the name of ours; it says nothing of who allowed what."""
    session = (await rig.post("/api/v1/monitoring/sessions", {}))["session_id"]
    event = {"event_type": "tool_denied", "data": {"approval": {"by": "me"}, "seq": 1}, "session_id": session}
    await rig.post("/api/v1/monitoring/events", event)
    page = await rig.get(APPROVALS.format(session))
    assert (page["approvals"], page["counts"]) == ([], {})


@pytest.mark.skipif(CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH")
async def test_the_page_says_who_decided(rig: Rig, tab: Tab) -> None:
    """Beside each call, and counted in the analysis; from a denial it is one step to what was denied."""
    await tab.open(f"{base(rig)}/#/session/past2")
    await tab.until("document.querySelector('.call .decided')?.innerText === 'by caller'")
    await tab.open(f"{base(rig)}/#/session/past2/analysis")
    row = await tab.until("document.querySelector('.approvals tbody tr')?.innerText")
    assert row.split() == ["caller", "0", "1", "0"]
    await tab.click(".approvals a")
    await tab.until(f"location.hash.includes('filter=permissions') && {SETTLED}")
    await tab.sees("denied", "not today")
