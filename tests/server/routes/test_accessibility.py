"""Everybody can use the page: axe-core, the rules that the field's audits apply, finds nothing to complain about."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.recorded import LogMaker, scenario
from tests.server.chromium import CHROMIUM, Tab
from tests.server.conftest import Rig, serving
from tests.server.routes.test_dashboard import SETTLED, VIEWS, base, written
from tests.server.routes.test_streams import say

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH"),
]
AXE = "axe-core@4.14.1"
INSTALL_WAIT_S = 120
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# The bars of the timeline are as long as what they stand for; keys and the list below lead to each as well.
RULES = {"target-size": {"enabled": False}}
FOUND = """axe.run(document, %s).then(
  (found) => found.violations.map((one) => [one.id, one.nodes[0].html, one.nodes[0].failureSummary]))"""


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, kept between test runs outside the project."""
    if shutil.which("npm") is None:
        pytest.skip("axe-core comes with npm")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "claude-proxy-tests" / AXE
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        options = ("--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund")
        try:
            done = subprocess.run(
                ["npm", "install", "--prefix", folder, *options, AXE],
                capture_output=True,
                text=True,
                timeout=INSTALL_WAIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install {AXE} within {INSTALL_WAIT_S} s")
        if done.returncode != 0:
            pytest.skip(f"npm cannot install {AXE}: {done.stderr.strip()[-500:]}")
    return script.read_text()


async def is_clean(tab: Tab, axe: str, **rules: Any) -> None:
    """Hold what the page shows now to the rules."""
    await tab.value(f"void (window.axe || (() => {{ {axe} }})())")
    options = {"resultTypes": ["violations"], "runOnly": TAGS, "rules": rules}
    assert await tab.value(FOUND % json.dumps(options)) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_sessions_can_be_used_by_everybody(rig: Rig, tab: Tab, axe: str, scheme: str) -> None:
    """The board of what runs, the activity and the list of what is over, in both colour schemes."""
    log = rig.live()
    say(log)
    await tab.look(scheme=scheme)
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
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_session_can_be_used_by_everybody(
    tmp_path: Path, tab: Tab, axe: str, scheme: str, view: str
) -> None:
    """Each view of a session in which all kinds of things happened, with everything that can be opened open."""
    written(tmp_path, "one", scenario("hooks_of_every_kind", LogMaker("one")))
    async with serving(tmp_path) as rig:
        await tab.look(scheme=scheme)
        await tab.open(f"{base(rig)}/#/session/one/{view}")
        await tab.until(f"{SETTLED} && document.querySelector('.view :is(.event, .bar, .record, .panel)')")
        if view == "conversation":
            await tab.press("e")
            await tab.until("document.querySelector('.call-input')")
        if view == "records":
            await tab.click(".record")
            await tab.until("document.querySelector('.detail .json')")
        await tab.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        await is_clean(tab, axe, **(RULES if view == "timeline" else {}))
