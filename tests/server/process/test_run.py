"""How a server begins, and what it says when it cannot."""

import re
import subprocess
import sys
from pathlib import Path


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
