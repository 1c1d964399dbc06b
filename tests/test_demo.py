"""The session that ``./demo`` plays where there is no key."""

import os
import subprocess
import sys
from pathlib import Path

from tests.rig.wrapping import read_logs
from tools.play_recording import RECORDED


def test_what_is_played_is_what_was_recorded(tmp_path: Path) -> None:
    """The demo's log has every line of the recording, all of them valid."""
    environment = {
        **os.environ,
        "CLAUDE_PROXY_DATA_DIR": str(tmp_path / "demo"),
        "CLAUDE_PROXY_SERVER": "off",
    }
    played = subprocess.run(
        [sys.executable, "-m", "tools.play_recording", "--timing", "none"], env=environment, check=False
    )
    assert played.returncode == 0
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "recorded.jsonl").write_bytes(RECORDED.read_bytes())
    ((log,), (recorded,)) = read_logs(tmp_path / "demo"), read_logs(tmp_path)
    for stream in ("stdin", "stdout"):
        assert [record.line for record in log.lines(stream)] == [r.line for r in recorded.lines(stream)]
        assert {record.verdict for record in log.lines(stream)} == {"valid"}
