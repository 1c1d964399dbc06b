"""``sessions`` and ``status``: what was recorded, and what is running."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from proxy.cli.overview import duration
from tests.recorded import LogMaker, scenario

if TYPE_CHECKING:
    from pathlib import Path


def proxy(data_dir: Path, *words: str) -> str:
    """Run a subcommand and return what it prints."""
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def sessions(data_dir: Path) -> list[dict[str, Any]]:
    """Return the sessions as programs get them."""
    found: list[dict[str, Any]] = json.loads(proxy(data_dir, "sessions", "--json"))["sessions"]
    return found


def test_an_empty_data_directory_says_how_to_begin(tmp_path: Path) -> None:
    """Nothing recorded is no error."""
    assert "No sessions in" in proxy(tmp_path, "sessions")
    assert sessions(tmp_path) == []
    assert proxy(tmp_path, "status") == "No server is running.\nNothing is running.\n"


def test_sessions_are_listed_newest_first_with_turns_and_cost(tmp_path: Path) -> None:
    """State, turns and cost come from the messages; a session without an end has failed."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "a.jsonl").write_bytes(scenario("simple"))
    (tmp_path / "sessions" / "b.jsonl").write_bytes(LogMaker("b").started(["claude", "-p"]))
    newest, older = sessions(tmp_path)
    assert (newest["session_id"], newest["state"], newest["turns"]) == ("b", "failed", 0)
    assert (older["session_id"], older["state"], older["turns"]) == ("a", "ended", 2)
    assert older["cost"] > 0
    table = proxy(tmp_path, "sessions", "-n", "1")
    assert "claude -p" in table
    assert "1 older sessions; -n 0 lists all" in table


def test_status_shows_what_runs(tmp_path: Path) -> None:
    """A session that is under way is active, with its command's process; then it is not."""
    command = [
        sys.executable,
        "-m",
        "proxy",
        "--server",
        "off",
        "--data-dir",
        str(tmp_path),
        "--session-name",
        "night",
    ]
    with subprocess.Popen([*command, "--", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as wrapper:
        assert wrapper.stdin is not None
        assert wrapper.stdout is not None
        wrapper.stdin.write(b"hello\n")
        wrapper.stdin.flush()
        assert wrapper.stdout.readline() == b"hello\n"
        status = json.loads(proxy(tmp_path, "status", "--json"))
        assert status["active_sessions"] == 1
        assert status["sessions"][0]["name"] == "night"
        assert "night" in proxy(tmp_path, "status")
        wrapper.stdin.close()
    assert json.loads(proxy(tmp_path, "status", "--json"))["sessions"] == []


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (59_940, "59.9 s"),
        (60_000, "1 m 00 s"),
        (3_600_000, "1 h 00 m"),
    ],
)
def test_durations_are_for_people(milliseconds: float, text: str) -> None:
    """No duration needs more than two units."""
    assert duration(milliseconds) == text


def test_a_name_cannot_reach_the_terminal_as_control(tmp_path: Path) -> None:
    """Escapes and new lines in a session's name are shown as replacement characters."""
    (tmp_path / "sessions").mkdir()
    evil = b'"name":"\\u001b]0;own\\u0007\\nrow"'
    log = LogMaker("x").started(["claude"]).replace(b'"name":null', evil)
    (tmp_path / "sessions" / "x.jsonl").write_bytes(log)
    shown = proxy(tmp_path, "sessions")
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "]0;own" in shown
