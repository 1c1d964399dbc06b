"""How a server begins, and what it says when it cannot."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from proxy.server.background import server_address
from tests.recorded import LogMaker, scenario
from tests.server.test_background import until

SCRIPT = Path(__file__).parents[3] / "scripts" / "claude-proxy"


def test_what_cannot_be_served_is_said(tmp_path: Path) -> None:
    """A data directory that cannot be used is one sentence and status 1. The server logs as configured."""
    config = tmp_path / "config.yaml"
    config.write_text("logging: {level: WARNING, format: console}\nsecurity: {tokens: []}")
    (tmp_path / "index.sqlite3").mkdir()
    (tmp_path / "tokens.json").write_text("{")
    command = [
        sys.executable,
        "-m",
        "proxy",
        "--config",
        str(config),
        "--data-dir",
        str(tmp_path),
        "--port",
        "0",
    ]
    ran = subprocess.run([*command, "serve"], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 1
    assert re.search(
        rf"^claude-proxy: the data directory {tmp_path} cannot be served: ", ran.stderr, re.MULTILINE
    )
    assert "server.st" not in ran.stderr
    (tmp_path / "index.sqlite3").rmdir()


@pytest.mark.parametrize("start", [["-m", "proxy"], [str(SCRIPT)]], ids=["module", "script"])
def test_a_server_in_the_foreground_does_what_takes_long(tmp_path: Path, start: list[str]) -> None:
    """Regression: processes of the pool ran the installed script anew, as a second server that did not do the work."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "past.jsonl").write_bytes(scenario("simple", LogMaker("past")))
    command = [sys.executable, *start, "--data-dir", str(tmp_path), "--port", "0", "serve"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            address = until(lambda: server_address(str(tmp_path)))
            path = f"{address['url']}/api/v1/monitoring/sessions/past/analysis"
            # Where no kernel tells whose a connection is, the server asks for the owner's token.
            headers = {"Authorization": f"Bearer {address['token']}"} if "token" in address else {}
            with urllib.request.urlopen(
                urllib.request.Request(path, headers=headers), timeout=90
            ) as response:
                assert json.load(response)["data"]["session_id"] == "past"
        finally:
            server.terminate()
        assert server.wait(60) == 0
