"""``show`` and ``tail``: a session for people, and as it was recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.recorded import LogMaker, scenario

if TYPE_CHECKING:
    from pathlib import Path


def read(data_dir: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a reading subcommand."""
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), *words]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100", **environment},
    )


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with one recorded session."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "20260102-tool.jsonl").write_bytes(scenario("tool_allow"))
    return tmp_path


def test_show_reads_like_a_conversation(data_dir: Path) -> None:
    """Who said what, which tools ran, what it took, and how it ended."""
    shown = read(data_dir, "show", "20260102").stdout
    for words in (
        "user                   Please write it.",
        "tool Write",
        "result Write in",
        "assistant              Written.",
    ):
        assert words in shown
    assert "turn ended             success" in shown
    assert "ended                  exit status 0" in shown
    assert "\x1b" not in shown, "colours are for terminals"


def test_json_is_the_log_itself(data_dir: Path) -> None:
    """Programs get the records, byte for byte."""
    log = (data_dir / "sessions" / "20260102-tool.jsonl").read_text()
    assert read(data_dir, "show", "latest", "--json").stdout == log
    assert read(data_dir, "tail", "-n", "2", "--json").stdout == "".join(log.splitlines(keepends=True)[-2:])


def test_tail_follows_to_the_end_of_a_session_that_is_over(data_dir: Path) -> None:
    """Following a session that has ended prints its end and returns."""
    followed = read(data_dir, "tail", "-f", "-n", "1")
    assert followed.returncode == 0
    assert "exit status 0" in followed.stdout


def test_what_was_recorded_cannot_reach_the_terminal_as_control(tmp_path: Path) -> None:
    """Escapes, bells and right-to-left overrides in a message are shown as replacement characters."""
    maker = LogMaker()
    evil = "\x1b]0;owned\x07 \x1b[2J \u202eflip [bold]not markup[/bold]"
    log = maker.started() + maker.lines(
        "stdin", {"type": "user", "message": {"role": "user", "content": evil}}
    )
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "evil.jsonl").write_bytes(log)
    shown = read(tmp_path, "show", "evil", FORCE_COLOR="1").stdout
    assert "\x1b]0" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert "[bold]not markup[/bold]" in shown


def test_a_torn_log_is_read_and_said_to_be_torn(tmp_path: Path) -> None:
    """What is whole is shown; the torn end is reported, and status 0 means it could be read."""
    maker = LogMaker()
    log = maker.started() + maker.lines("stdout", {"type": "keep_alive"})[:-20]
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "torn.jsonl").write_bytes(log)
    shown = read(tmp_path, "show", "torn")
    assert shown.returncode == 0
    assert "started" in shown.stdout
    assert "(byte " in shown.stdout


def test_an_unknown_session_is_an_error_with_a_sentence(data_dir: Path) -> None:
    """Status 2, and what to do."""
    refused = read(data_dir, "show", "nothing-like-it")
    assert refused.returncode == 2
    assert refused.stderr.startswith("claude-proxy: ")


def test_a_closed_pipe_ends_quietly(data_dir: Path) -> None:
    """``claude-proxy show latest | head -1`` prints no traceback."""
    command = f"{sys.executable} -m proxy --data-dir {data_dir} show latest --json | head -c 1"
    ran = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert json.loads(ran.stdout + "}") == {}
