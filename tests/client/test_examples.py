"""The examples do what they say, against a live server and, where it is about Claude Code, the real one."""

import asyncio
import io
import os
import runpy
import sys
from pathlib import Path

import pytest

from proxy.client import AsyncClient
from tests.client.conftest import Live, end, say
from tests.rig.environment import Surroundings, find_claude, surroundings_unset
from tests.rig.messages_api import MessagesApi

pytestmark = pytest.mark.anyio
EXAMPLES = Path(__file__).parent.parent.parent / "examples"


async def started(live: Live, name: str, *words: str, **env: str) -> asyncio.subprocess.Process:
    """Start an example."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / f"{name}.py"),
        *words,
        stdin=pipe,
        stdout=pipe,
        env={**os.environ, "CLAUDE_PROXY_URL": live.url, **env},
    )


async def printed(
    live: Live, name: str, *words: str, stdin: bytes = b"", env: dict[str, str] | None = None
) -> list[str]:
    """Run an example and return the lines that it prints."""
    async with asyncio.timeout(90):
        process = await started(live, name, *words, **(env or {}))
        out, _ = await process.communicate(stdin)
    assert process.returncode == 0
    return out.decode().splitlines()


@pytest.mark.parametrize(
    ("name", "words", "stdin", "said"),
    [
        ("follow", [], "", "No server runs for"),
        ("history", ["live"], "", "No server runs for"),
        ("history", [], "", "history.py SESSION_ID"),
        ("monitored", [], "", "No server runs for"),
        ("monitored_claude", ["hi"], "", "No server runs for"),
        ("monitored_claude", [], "", "monitored_claude.py"),
        ("validate", ["sdout"], "{}", "did you mean 'stdout'?"),
        ("validate", [], "{}\nnonsense", "not JSON"),
    ],
)
def test_what_is_wrong_is_one_sentence(  # noqa: PLR0917 - fixtures
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, words: list[str], stdin: str, said: str
) -> None:
    """Without a server, or without what it needs, an example says so in a line, and not in a traceback."""
    for variable in [key for key in os.environ if key.startswith("CLAUDE_PROXY_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("CLAUDE_PROXY_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert said in ended.value.args[0]  # which the interpreter prints
    assert "\n" not in ended.value.args[0]


async def test_validate(live: Live) -> None:
    """Each line gets its verdict."""
    lines = b'{"type":"user","message":{"role":"user","content":"hi"}}\n\n{"type":"user"}\n'
    out = await printed(live, "validate", "stdin", stdin=lines)
    assert [line.split()[:2] for line in out] == [["valid", "server"], ["invalid", "server"]]


async def test_history(live: Live) -> None:
    """The whole of a session is printed."""
    log = live.log()
    say(log)
    end(log)
    out = await printed(live, "history", "live")
    assert out[0].endswith("session_started")
    assert out[-1].endswith("session_ended")


async def test_follow(live: Live) -> None:
    """What happens is printed as it happens."""
    async with asyncio.timeout(60):
        process = await started(live, "follow", "2")
        while not live.shared.hub.subscribers:  # noqa: ASYNC110 - the server keeps a count, and tells nobody
            await asyncio.sleep(0)
        log = live.log()
        out, _ = await asyncio.gather(process.communicate(), asyncio.to_thread(say, log))
    assert out[0].decode().split()[1:] == ["live", "session_started", "live", "command_received"]
    log.close()


async def test_monitored(live: Live) -> None:
    """The work is on record, and what is not valid did not run."""
    out = await printed(live, "monitored")
    assert out[0].startswith("The command was not run")
    done = ["session_started", "command_started", "command_completed", "command_rejected", "session_ended"]
    assert out[1:] == done


async def test_monitored_claude(live: Live, tmp_path: Path) -> None:
    """The real Claude Code is run, watched, and answers."""
    claude = find_claude()
    if claude is None:
        pytest.skip("Claude Code is neither in the installed Agent SDK nor on PATH")
    surroundings = Surroundings(tmp_path / "home")
    surroundings.build()
    with surroundings_unset(), MessagesApi() as api:
        env = surroundings.variables(api.play({}).base_url)
        out = await printed(
            live, "monitored_claude", "say hello", env={**env, "CLAUDE_PROXY_CLAUDE": str(claude)}
        )
    assert out[0].strip() == "session_started"
    assert out[-1].strip() == "session_ended"
    assert any(line.startswith("answer:") for line in out)
    async with AsyncClient(live.url) as client:
        assert {one.kind for one in (await client.sessions()).sessions} == {"wrapped", "monitoring"}
