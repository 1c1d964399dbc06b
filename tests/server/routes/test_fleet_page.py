"""The page at a centre: hosts, what each team spends, and the sessions of some host or team."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("psycopg")

from proxy.store.postgres.connections import connect
from tests.recorded import LogMaker, scenario
from tests.server.chromium import CHROMIUM, Tab
from tests.server.routes.test_accessibility import axe, is_clean
from tests.server.routes.test_dashboard import base
from tests.server.routes.test_fleet import Teller, centre, stored_tokens

if TYPE_CHECKING:
    from tests.server.conftest import Rig

__all__ = ["axe", "centre"]

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH"),
]
ROWS = "[...document.querySelectorAll('%s tbody tr')].map((one) => one.innerText.split('\\t'))"
NAMES = "[...document.querySelectorAll('a.past')].map((one) => one.hash.split('/')[2]).sort().join(' ')"


async def fill(centre: Rig, url: str) -> None:
    """Let three hosts of two teams push; of one nothing has been heard for an hour, in the middle of a session."""
    made = stored_tokens(centre)
    for number, (name, team) in enumerate([("laptop", "blue"), ("runner", "red"), ("pod", "red")]):
        host = Teller(centre, f"{number:032x}", made.create(name, ["push"], team))
        await host.hello(name=name)
        for kind in ("simple", "subagent")[: number + 1]:
            await host.push(f"{name}-{kind}", scenario(kind, LogMaker(f"{name}-{kind}")))
    began = LogMaker("pod-live")
    await host.push("pod-live", began.started(("claude",)), running=True)
    with connect(url) as connection:
        hour = datetime.now(UTC) - timedelta(hours=1)
        connection.execute("UPDATE claude_proxy.hosts SET heard_at = %s WHERE name = 'pod'", [hour])


async def test_hosts_costs_and_sessions_of_a_fleet(centre: Rig, url: str, tab: Tab, axe: str) -> None:
    """Who is unreachable is marked, what was spent is told by team and model, and host and team narrow the sessions."""
    await fill(centre, url)
    await tab.open(f"{base(centre)}/#/fleet")
    await tab.until("document.querySelectorAll('.hosts tbody tr').length === 3")
    rows = {row[0]: row for row in await tab.value(ROWS % ".hosts")}
    assert rows["laptop"][1:3] == ["blue", "reachable"]
    assert rows["pod"][1:4] == ["red", "unreachable", "1 h 00 m ago"]
    assert [row[-2:] for row in rows.values()] == [["0", "1"], ["1", "3"], ["0", "2"]]
    await tab.sees("1 unreachable")
    sessions = (await centre.get("/api/v1/monitoring/sessions"))["sessions"]
    spent = {
        team: sum(one["cost"] or 0 for one in sessions if one["team"] == team) for team in ("blue", "red")
    }
    await tab.until("document.querySelectorAll('.costs tbody tr').length")
    costs = await tab.value(ROWS % ".costs")
    assert {(row[0], row[1], row[4]) for row in costs} == {
        (team, "claude-opus-5-5", f"${usd:.4f}") for team, usd in spent.items()
    }
    for scheme in ("light", "dark"):
        await tab.look(scheme=scheme)
        await is_clean(tab, axe)
    await tab.click(".hosts a[href='#/?host=runner']")
    await tab.until(f"{NAMES} === 'runner-simple runner-subagent'")
    await tab.value("location.hash = '#/?team=red'")
    await tab.until(f"{NAMES} === 'pod-simple pod-subagent runner-simple runner-subagent'")
    await tab.until("document.querySelector('.card .badge')?.innerText === 'unreachable'")
    await tab.click(".card")
    await tab.sees("The host pod is unreachable")


async def test_a_single_machine_has_no_fleet(rig: Rig, tab: Tab) -> None:
    """Nothing of it is there."""
    await tab.open(f"{base(rig)}/")
    await tab.until("document.querySelector('a.past')")
    assert await tab.value("document.querySelector('.top nav, .choice-host, .choice-team')") is None
