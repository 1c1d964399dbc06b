"""A server that is run: what it does of its own accord while nobody asks."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from proxy.server import background
from tests.server.test_background import until


def test_idle_sessions_are_stopped(tmp_path: Path) -> None:
    """`monitoring.session_timeout` ends a session to which nothing is posted; the others end with the server."""
    (tmp_path / "config.yaml").write_text("monitoring: {session_timeout: 0.1}")
    options = ["--config", str(tmp_path / "config.yaml"), "--data-dir", str(tmp_path), "--port", "0"]
    with subprocess.Popen([sys.executable, "-m", "proxy", *options, "serve"]) as server:
        url = until(lambda: background.server_address(str(tmp_path)))["url"]
        asked = urllib.request.Request(
            f"{url}/api/v1/monitoring/sessions", b"{}", {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=60) as response:
            session_id = json.load(response)["data"]["session_id"]
        log = tmp_path / "sessions" / f"{session_id}.jsonl"
        until(lambda: '"reason":"idle"' in log.read_text())
        server.terminate()
        assert server.wait(60) == 0
