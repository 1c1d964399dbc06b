"""The programs in docs/clients.md run as they stand there, behind the shim that the page says how to make."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.end_to_end.checks import unexpected_verdicts
from tests.end_to_end.test_typescript_sdk import SDK
from tests.rig.answers import says
from tests.rig.environment import Surroundings
from tests.rig.npm import installed
from tests.rig.wrapping import claude_proxy, read_logs

if TYPE_CHECKING:
    from tests.rig.messages_api import MessagesApi

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs/clients.md"
WAIT_S = 100


async def pasted(language: str, api: MessagesApi, claude: Path, home: Path, folder: Path) -> bytes:
    """Run the page's program in a language; return what it prints. Its sessions are in ``home/data``."""
    (program,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    surroundings = Surroundings(home)
    surroundings.build()
    shim = [*claude_proxy(), "shim", str(home / ".claude-proxy/bin"), "--claude", str(claude)]
    assert (await anyio.run_process(shim)).returncode == 0
    file = folder / ("hello.mjs" if language == "js" else "hello.py")
    file.write_text(program)
    env = {
        **os.environ,
        **surroundings.variables(api.play({"Say hello.": [says("Hello from the script.")]}).base_url),
        "CLAUDE_PROXY_DATA_DIR": str(home / "data"),
        "CLAUDE_PROXY_SERVER": "off",
    }
    with anyio.fail_after(WAIT_S):
        run = "node" if language == "js" else sys.executable
        return (await anyio.run_process([run, str(file)], env=env, cwd=surroundings.project)).stdout


def assert_recorded(home: Path) -> None:
    """Hold the program's one session to being on record, with every message valid."""
    (log,) = read_logs(home / "data")
    assert unexpected_verdicts(log) == []
    assert any(b"Hello from the script." in record.line for record in log.lines("stdout"))


async def test_python(api: MessagesApi, claude: Path, tmp_path: Path) -> None:
    """The Python SDK finds the shim, and prints what Claude Code says."""
    said = await pasted("python", api, claude, tmp_path / "home", tmp_path)
    assert b"Hello from the script." in said
    assert_recorded(tmp_path / "home")


async def test_typescript(api: MessagesApi, claude: Path, tmp_path: Path) -> None:
    """The TypeScript SDK does, too."""
    (tmp_path / "node_modules").symlink_to(installed(SDK) / "node_modules")
    said = await pasted("js", api, claude, tmp_path / "home", tmp_path)
    assert b"result" in said.split()
    assert_recorded(tmp_path / "home")
