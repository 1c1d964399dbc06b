"""``claude-proxy act``: as somebody at a terminal uses it."""

import asyncio
import getpass
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.cli.act import _asked_token
from proxy.server.access.tokens import TokenFile
from proxy.server.background import announce, take_lock
from tests.command_line import Finished, claude_proxy
from tests.server.conftest import serving
from tests.server.routes.test_acting import ASKS, Relay, listening

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Run tests on asyncio, which aiohttp needs."""
    return "asyncio"


@pytest.fixture
async def relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relay]:
    """A live session with an open question, and a server that is asked by its address."""
    monkeypatch.delenv("CLAUDE_PROXY_TOKEN", raising=False)
    async with serving(tmp_path) as rig:
        monkeypatch.setenv("CLAUDE_PROXY_URL", str(rig.client.make_url("/")))
        relay = Relay(rig)
        relay.passes("stdin", {"type": "user", "message": {"role": "user", "content": "go"}})
        relay.passes("stdout", ASKS)
        with listening(relay):
            yield relay
        relay.log.close()


class Terminal:
    """Standard input at a terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


async def act(*words: str) -> Finished:
    """Run the subcommand while the server goes on."""
    return await asyncio.to_thread(claude_proxy, "act", *words)


async def until_told(words: tuple[str, ...], relay: Relay) -> Finished:
    """Run an action, and let the command exit as soon as it is on record: that is what becomes of it."""
    running = asyncio.create_task(act(*words))
    while not relay.asked and not running.done():  # noqa: ASYNC110 - a relay tells nobody
        await asyncio.sleep(0.01)
    relay.event("command_exited", exit_code=0)
    return await running


async def test_questions_are_listed(relay: Relay) -> None:
    """With the whole input, to be read or to be parsed."""
    ran = await act("live", "questions")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith("q  Write, since ")
    assert "x" * 5000 in ran.stdout
    (question,) = json.loads((await act("live", "questions", "--json")).stdout)["questions"]
    assert question["request_id"] == "q"


async def test_what_became_of_it_is_said(relay: Relay) -> None:
    """Confirmed by what the wire shows."""
    ran = await until_told(("live", "stop", "--how", "drain"), relay)
    assert (ran.status, ran.stdout) == (0, "stop: confirmed (exited)\n")
    (asked,) = relay.asked
    assert (asked["action"], asked["args"]) == ("stop", {"how": "drain"})


async def test_what_failed_has_status_1(relay: Relay) -> None:
    """And says why."""
    ran = await until_told(("live", "deny", "q", "-m", "not now", "--stop-turn"), relay)
    assert (ran.status, ran.stdout) == (1, "deny: failed (the command exited)\n")
    assert relay.asked[0]["args"] == {"request_id": "q", "message": "not now", "stop_turn": True}


async def test_an_empty_text_is_refused(relay: Relay) -> None:
    """It was typed: the model is not told something else in its place."""
    ran = await act("live", "deny", "q", "-m", "")
    assert (ran.status, ran.stderr) == (
        1,
        "claude-proxy: bad_arguments: message of deny is no text (HTTP 422)\n",
    )
    assert relay.asked == []


async def test_a_refusal_is_one_line(relay: Relay) -> None:
    """With its code."""
    relay.refusal = {"error": "already_answered", "message": "answered by the caller", "by": "caller"}
    ran = await act("live", "deny", "q")
    assert (ran.status, ran.stdout) == (1, "")
    assert ran.stderr.startswith("claude-proxy: already_answered: answered by the caller")


async def test_what_enables_takes_a_token(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment or the terminal; without either nothing is asked."""
    ran = await act("live", "allow", "q")
    assert (ran.status, len(ran.stderr.splitlines())) == (2, 1)
    assert "CLAUDE_PROXY_TOKEN" in ran.stderr
    assert relay.asked == []
    token = TokenFile(str(relay.rig.data_dir)).create("phone", ["act"])
    monkeypatch.setenv("CLAUDE_PROXY_TOKEN", token)
    await until_told(("live", "mode", "plan"), relay)
    assert relay.asked[0]["args"] == {"value": "plan"}
    assert relay.asked[0]["token"] == token
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda _: "cp_typed")
    assert _asked_token("allow") == "cp_typed"


async def test_a_server_is_found_by_the_data_directory(
    relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session may be named by the beginning of its id; without a server, or a session, one line says what to do."""
    url = str(relay.rig.client.make_url("/"))
    monkeypatch.delenv("CLAUDE_PROXY_URL")
    ran = await act("--data-dir", str(tmp_path), "liv", "questions")
    assert (ran.status, "claude-proxy serve" in ran.stderr) == (1, True)
    ran = await act("--data-dir", str(tmp_path), "other", "questions")
    assert (ran.status, len(ran.stderr.splitlines())) == (2, 1)
    lock = take_lock(str(tmp_path))
    assert lock is not None
    announce(lock, url, "1")
    ran = await act("--data-dir", str(tmp_path), "liv", "questions")
    os.close(lock)
    assert (ran.status, ran.stdout[:3]) == (0, "q  ")
