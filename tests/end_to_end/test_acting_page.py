"""Acting on the real Claude Code from the page: what a person clicks, and what the wire then shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from proxy.server.access.tokens import TokenFile
from tests.end_to_end.test_acting import ASKS, TOKEN, Acted
from tests.rig.answers import Gate, Reply, says, text, uses
from tests.server.chromium import CHROMIUM, Tab, browser
from tests.server.conftest import serving
from tests.server.routes.test_dashboard import base

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rig.messages_api import MessagesApi

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH"),
]
READY = ".question .{}:not(:disabled)"
"""A button of a question, once a click on it counts."""


async def asked(tab: Tab, path: Path) -> None:
    """Wait until the page asks whether a file may be written, with the whole of what is to be written."""
    shown = await tab.until(
        f"document.querySelector('.question-input')?.innerText.includes({json.dumps(str(path))})"
        " && document.querySelector('.question-input').innerText"
    )
    assert "line 999 of it" in shown


async def gives(tab: Tab, token: str) -> None:
    """Give the page a token, as it asks for it."""
    await tab.until("document.activeElement.matches('.token input')")
    await tab.type(token)
    await tab.press("Enter")


async def test_a_session_is_acted_on_from_the_page(api: MessagesApi, claude: Path, tmp_path: Path) -> None:
    """Questions are answered, the turn is interrupted and the session stopped, each shown as done when it was."""
    acted = Acted(api, claude, tmp_path, "--act", "full")
    stage, gate = acted.stage, Gate()
    first, second = stage.project / "a", stage.project / "b"
    content = "\n".join(f"line {number} of it" for number in range(1000))
    stage.answer(
        {
            "one": [uses("Write", file_path=str(first), content=content), says("One.")],
            "two": [uses("Write", file_path=str(second), content=content), says("Two.")],
            "three": [Reply((text("Once upon a time there was a story."),), gate=gate)],
        }
    )
    async with (
        browser() as tab,
        serving(acted.wrapped.data_dir) as rig,
        stage.raw(*ASKS, answers={"can_use_tool": lambda _: None}) as client,
    ):
        await client.say("one")
        await client.until(lambda message: message["type"] == "control_request")
        (log,) = acted.wrapped.logs()
        await tab.open(f"{base(rig)}/#/session/{log.path.stem}")
        await asked(tab, first)
        await tab.click(READY.format("allow"))
        await gives(tab, TokenFile(str(acted.wrapped.data_dir)).create("late", ["act"]))
        await tab.sees("the token is none of those with the scope `act` when the session began")
        assert not first.exists()
        await gives(tab, TOKEN)
        await client.result()
        await tab.sees("allow: confirmed the tool ran by phone")
        assert first.read_text() == content

        await client.say("two")
        await asked(tab, second)
        await tab.click(".answers input")
        await tab.type("not now")
        await tab.click(READY.format("deny"))
        await client.result()
        await tab.sees("deny: confirmed the tool did not run")
        assert not second.exists()
        assert "not now" in json.dumps(stage.requests[-1])

        await client.say("three")
        await gate.reached()
        await tab.click(".acting .interrupt:not(:disabled)")
        assert (await client.result())["subtype"] == "error_during_execution"
        gate.open()
        await tab.sees("interrupt: confirmed")
        await tab.click(".acting .pause:not(:disabled)")
        await tab.until("document.querySelector('.acting .state')?.innerText === 'paused'")
        await tab.click(".acting .resume:not(:disabled)")
        await tab.until(
            "!document.querySelector('.acting .state') && document.querySelector('.acting .pause')"
        )

        await tab.click(".acting .stop summary")
        await tab.click(".acting .stop-end:not(:disabled)")
        while await client.read() is not None:
            pass
        await tab.until("!document.querySelector('.acting')")
        await tab.sees("stop confirmed: exited")
        tab.complaints.clear()  # what a browser itself tells its console of a refusal
