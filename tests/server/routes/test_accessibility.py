"""Everybody can use the page: axe-core, the rules that the field's audits apply, finds nothing to complain about."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.recorded import LogMaker, scenario
from tests.rig.npm import installed
from tests.server.chromium import CHROMIUM, Tab
from tests.server.conftest import Rig, serving
from tests.server.routes.test_acting import ASKS, live
from tests.server.routes.test_dashboard import SETTLED, VIEWS, base, written
from tests.server.routes.test_streams import say

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH"),
]
AXE = "axe-core@4.14.1"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# The bars of the timeline are as long as what they stand for; keys and the list below lead to each as well.
RULES = {"target-size": {"enabled": False}}
FOUND = """axe.run(document, %s).then(
  (found) => found.violations.map((one) => [one.id, one.nodes[0].html, one.nodes[0].failureSummary]))"""


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    script = installed(AXE) / "node_modules" / "axe-core" / "axe.min.js"
    return script.read_text(encoding="utf-8")


async def is_clean(tab: Tab, axe: str, *, width: int = 1280, **rules: Any) -> None:
    """Hold what the page shows now to the rules, in both colour schemes."""
    await tab.value(f"void (window.axe || (() => {{ {axe} }})())")
    everything = {"runOnly": TAGS, "rules": rules}
    # What a scheme changes is colours.
    for scheme, what in (("light", everything), ("dark", {"runOnly": ["color-contrast"]})):
        await tab.look(scheme=scheme, width=width)
        found = await tab.value(FOUND % json.dumps({"resultTypes": ["violations"], **what}))
        assert found == [], scheme


async def test_sessions_can_be_used_by_everybody(rig: Rig, tab: Tab, axe: str) -> None:
    """The board of what runs, the activity and the list of what is over."""
    log = rig.live()
    say(log)
    await tab.open(f"{base(rig)}/")
    await tab.until(
        "document.querySelector('.card') && document.querySelector('a.past') && document.querySelector('.chart')"
    )
    await is_clean(tab, axe)
    await tab.value("location.hash = '#/?said=hello'")
    await tab.until("document.querySelector('.hit mark')")
    await is_clean(tab, axe)
    await tab.press("?")
    await tab.until("document.querySelector('dialog[open]')")
    await is_clean(tab, axe)
    log.close()


@pytest.mark.parametrize("view", VIEWS)
async def test_a_session_can_be_used_by_everybody(tmp_path: Path, tab: Tab, axe: str, view: str) -> None:
    """Each view of a session in which all kinds of things happened, with everything that can be opened open."""
    written(tmp_path, "one", scenario("hooks_of_every_kind", LogMaker("one")))
    async with serving(tmp_path) as rig:
        await tab.open(f"{base(rig)}/#/session/one/{view}")
        await tab.until(f"{SETTLED} && document.querySelector('.view :is(.event, .bar, .record, .panel)')")
        if view == "conversation":
            await tab.press("e")
            await tab.until("document.querySelector('.call-input')")
        if view == "records":
            await tab.click(".record")
            await tab.until("document.querySelector('.detail .json')")
        await tab.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        for width in (1280, 380):
            await is_clean(tab, axe, width=width, **(RULES if view == "timeline" else {}))


async def test_every_other_place_can_be_used_by_everybody(
    rig: Rig, tab: Tab, axe: str, tmp_path: Path
) -> None:
    """The API's description, the page to share, what is said where there is nothing, and where the server is gone."""
    shared = tmp_path / "page.html"
    shared.write_bytes(await (await rig.client.get("/api/v1/monitoring/sessions/past1/page")).read())
    for place, ready in {
        f"{base(rig)}/docs": "section",
        f"file://{shared}": "h1",
        f"{base(rig)}/#/?outcome=ok&text=nothing": ".past-sessions .empty",
        f"{base(rig)}/#/session/nobody": ".empty",
        f"{base(rig)}/#/session/past1/conversation?filter=problems": ".empty",
        f"{base(rig)}/#/session/past1/records?seq=3": ".record.chosen",
    }.items():
        await tab.open(place)
        await tab.until(f"document.querySelector({json.dumps(ready)})")
        await is_clean(tab, axe, width=600)
    await rig.client.close()
    await tab.until("document.querySelector('.lost')")
    await is_clean(tab, axe, width=600)
    tab.complaints.clear()  # what a browser itself tells its console of a 404, and of a server that is gone


async def test_questions_can_be_answered_by_everybody(tmp_path: Path, tab: Tab, axe: str) -> None:
    """A question, what has become of an action, the ways to stop, and the field for a token."""
    async with live(tmp_path) as relay:
        relay.passes("stdout", ASKS)
        await tab.open(f"{base(relay.rig)}/#/session/live")
        await tab.click(".acting .interrupt:not(:disabled)")
        await tab.until("document.querySelector('.done-sent')")
        await tab.click(".acting .stop summary")
        await tab.click(".question .allow:not(:disabled)")
        await tab.until("document.querySelector('.token input')")
        await is_clean(tab, axe)
