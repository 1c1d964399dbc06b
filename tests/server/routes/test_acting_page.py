"""Acting from the page: nothing of it without a grant, no more than the grant has, nothing shown that is not so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxy.server.access.tokens import TokenFile
from tests.server.chromium import CHROMIUM, Tab
from tests.server.conftest import serving
from tests.server.routes.test_acting import ASKS, Relay, live
from tests.server.routes.test_dashboard import ABOUT, SETTLED, assistant, base

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH"),
]
BUTTONS = "[...document.querySelectorAll('.acting :is(button, summary)')].map((one) => one.textContent)"
DONES = "document.querySelector('.dones').innerText"
PLACE = "/#/session/live"


def asks(relay: Relay, **about: Any) -> None:
    """Let Claude Code ask something of the session's caller."""
    relay.passes("stdin", {"type": "user", "message": {"role": "user", "content": "go"}})
    relay.passes("stdout", {**ASKS, **about})


@pytest.mark.parametrize("grant", ["off", "restrain"])
async def test_the_page_offers_what_the_grant_has(tmp_path: Path, tab: Tab, grant: str) -> None:
    """Without a grant nothing of it is there, and nothing is asked for; `restrain` has no Allow."""
    async with serving(tmp_path) as rig:
        relay = Relay(rig, grant)
        asks(relay)
        await tab.open(base(rig) + PLACE)
        await tab.sees("waits for permission to use Write")
        if grant == "off":
            await tab.until(SETTLED)
            assert await tab.value("document.querySelector('.acting')") is None
            assert not [url for url in tab.asked if url.endswith("/questions")]
        else:
            await tab.sees("May Write run?")
            buttons = await tab.value(BUTTONS)
            assert buttons[:5] == ["Deny", "Deny, and end the turn", "Interrupt", "Pause", "Stop…"]
        relay.log.close()


async def test_the_whole_input_is_shown_as_it_is(tmp_path: Path, tab: Tab) -> None:
    """Every character of it, nested values too; no markup, no terminal escape and no turn of writing acts."""
    text = "<img src=x onerror=window.hacked=1>\x1b[31m\u202egpj.exe " + "x" * 50_000 + " the end"
    about = {**ASKS["request"], "input": {"command": text, "more": {"deep": [1, None]}}}  # type: ignore[dict-item]
    async with live(tmp_path) as relay:
        asks(relay, request=about)
        await tab.open(base(relay.rig) + PLACE)
        shown = await tab.until("document.querySelector('.question-input')?.textContent")
        assert "<img src=x onerror=window.hacked=1>␛[31m⟨U+202E⟩gpj.exe" in shown
        assert "x the end" in shown
        assert '"deep"' in shown
        assert await tab.value("window.hacked") is None


async def test_an_action_is_sent_until_the_wire_shows_it(tmp_path: Path, tab: Tab) -> None:
    """A question stays until it is answered on the wire, and the page says `sent` until then, then `confirmed`."""
    called = {"type": "tool_use", "id": "t1", "name": "Write", "input": {}}
    async with live(tmp_path) as relay:
        asks(relay)
        relay.passes("stdout", assistant(1, called))
        await tab.open(base(relay.rig) + PLACE)
        await tab.click(".question .deny:not(:disabled)")
        await tab.until(f"{DONES}.includes('deny: sent')")
        await tab.until("document.querySelector('.question .deny').disabled")
        answer = {"subtype": "success", "request_id": "q", "response": {"behavior": "deny", "message": "no"}}
        relay.passes("stdin", {"type": "control_response", "response": answer})
        result = {"type": "tool_result", "tool_use_id": "t1", "content": "no", "is_error": True}
        denied = {"id": "t1", "permission_decision": "reject", "non_execution_kind": "permission-rule"}
        said = {"role": "user", "content": [result]}
        relay.passes("stdout", {"type": "user", "message": said, "tool_result_meta": [denied], **ABOUT})
        await tab.until(f"{DONES}.includes('deny: confirmed the tool did not run')")
        await tab.until("!document.querySelector('.question')")


async def test_a_refusal_is_a_sentence(tmp_path: Path, tab: Tab) -> None:
    """It says why, and the page goes on."""
    async with live(tmp_path) as relay:
        asks(relay)
        relay.refusal = {"error": "already_answered", "message": "the question was answered by the caller"}
        await tab.open(base(relay.rig) + PLACE)
        await tab.click(".question .deny:not(:disabled)")
        await tab.sees("deny: the question was answered by the caller")
        relay.refusal = None
        await tab.click(".acting .interrupt:not(:disabled)")
        await tab.until(f"{DONES}.includes('interrupt: sent')")
        assert len(tab.complaints) == 1  # what a browser itself tells its console of a refusal
        tab.complaints.clear()


async def test_a_token_is_asked_for_and_stored_nowhere(tmp_path: Path, tab: Tab) -> None:
    """Only for what takes one; it goes with the next actions, and is gone with the page."""
    async with live(tmp_path) as relay:
        asks(relay)
        await tab.open(base(relay.rig) + PLACE)
        await tab.click(".question .allow:not(:disabled)")
        await tab.until("document.activeElement.matches('.token input')")
        await tab.type("secret")
        await tab.press("Enter")
        await tab.sees("allow: The token is none of this server's, or has been revoked")
        assert relay.asked == []
        given = TokenFile(str(tmp_path)).create("phone", ["act"])
        await tab.until("document.activeElement.matches('.token input')")
        await tab.type(given)
        await tab.press("Enter")
        await tab.until(f"{DONES}.includes('allow: sent')")
        assert [one["token"] for one in relay.asked] == [given]
        stored = "JSON.stringify([localStorage, sessionStorage, document.cookie])"
        assert given not in await tab.value(stored)
        tab.complaints.clear()
        asks(relay, request_id="other")
        await tab.call("Page.reload")
        await tab.click(".question:nth-child(2) .allow:not(:disabled)")
        await tab.until("document.querySelector('.token input')")


async def test_a_click_that_was_meant_for_another_question_is_none(tmp_path: Path, tab: Tab) -> None:
    """When one question takes the place of another, its buttons rest for a moment."""
    async with live(tmp_path) as relay:
        asks(relay)
        await tab.open(base(relay.rig) + PLACE)
        await tab.until("document.querySelector('.question .deny:not(:disabled)')")
        await tab.value(
            "void (window.rested = false, new MutationObserver(() => {"
            " const questions = [...document.querySelectorAll('.question')];"
            " rested ||= questions.length === 2 && questions.every((one) => one.querySelector('.deny').disabled);"
            " }).observe(document.body, { subtree: true, childList: true, attributes: true }))"
        )
        asks(relay, request_id="other")
        await tab.until("rested && document.querySelectorAll('.question .deny:not(:disabled)').length === 2")
