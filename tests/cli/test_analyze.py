"""``analyze``: a session in a minute, for people and for programs."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from tests.analysis.made import assert_as_published
from tests.recorded import LogMaker, scenario

if TYPE_CHECKING:
    from pathlib import Path

USER = {"type": "user", "message": {"role": "user", "content": "hi"}}


def analyze(data_dir: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the subcommand."""
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), "analyze", *words]
    surroundings = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | environment
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=surroundings)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with recorded sessions."""
    (tmp_path / "sessions").mkdir()
    for name in ("subagent", "api_errors"):
        maker = LogMaker(f"2026-{name}")
        maker.step_us = 500_000
        (tmp_path / "sessions" / f"2026-{name}.jsonl").write_bytes(scenario(name, maker))
    return tmp_path


def test_the_first_lines_answer_what_a_user_asks(data_dir: Path) -> None:
    """What it did, where time and money went, what went wrong with its record, where it waited."""
    first = "\n".join(analyze(data_dir, "2026-api").stdout.splitlines()[:12])
    for words in (
        "5 turns in",
        "Time went into the model",
        "4 turns failed, 1 turn reached a limit",
        "The longest waits",
        "record 4",
    ):
        assert words in first


def test_the_figures_follow(data_dir: Path) -> None:
    """Tables of everything that there is, and none of what there is not."""
    shown = analyze(data_dir, "2026-subagent").stdout
    for heading in ("Time", "Turns", "Tools", "Subagents", "Cost", "Commands", "States"):
        assert f"\n{heading}\n" in shown
    assert "\nPermissions\n" not in shown
    assert "\x1b" not in shown


def test_programs_get_what_the_api_gives(data_dir: Path) -> None:
    """One session is one object, several are a list of them."""
    assert_as_published("api/analysis.json", json.loads(analyze(data_dir, "2026-sub", "--json").stdout))
    several = json.loads(analyze(data_dir, "2026-sub", "2026-api", "--json").stdout)["sessions"]
    assert [one["session_id"] for one in several] == ["2026-subagent", "2026-api_errors"]


def test_several_sessions_are_added_up(data_dir: Path) -> None:
    """A line each, and one for all of them."""
    shown = analyze(data_dir, "2026-sub", "2026-api").stdout
    assert "2026-subagent" in shown
    assert "2 sessions" in shown


def test_of_many_things_of_a_kind_the_gravest_are_shown(tmp_path: Path) -> None:
    """Three of a kind, by their size, and how many more there are; each with its moment and record."""
    maker = LogMaker("late")
    log = maker.started(["claude", "--input-format", "stream-json"]) + maker.lines("stdin", USER)
    for number in range(6):
        request = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {}, "tool_use_id": f"t{number}"}
        log += maker.lines(
            "stdout", {"type": "control_request", "request_id": f"p{number}", "request": request}
        )
        maker.now_us += (400 + 10 * number) * 1_000_000
        answer = {
            "subtype": "success",
            "request_id": f"p{number}",
            "response": {"behavior": "allow", "updatedInput": {}},
        }
        log += maker.lines("stdin", {"type": "control_response", "response": answer})
    (tmp_path / "late.jsonl").write_bytes(log + maker.ended())
    shown = analyze(tmp_path, str(tmp_path / "late.jsonl")).stdout
    late = [line for line in shown.splitlines() if " waited " in line and line.startswith("-")]
    assert [line.partition("waited ")[2][:8] for line in late] == ["7 m 10 s", "7 m 20 s", "7 m 30 s"]
    assert "   and 3 more of the kind: late permission\n" in shown
    assert late[0].startswith("-  03:24:35  record 8: ")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_nothing_is_wider_than_the_window(data_dir: Path, width: int) -> None:
    """Sentences are folded, tables leave out columns, and no line ends in blanks."""
    shown = analyze(data_dir, "2026-api", COLUMNS=str(width)).stdout
    assert max(map(cell_len, shown.splitlines())) <= width
    assert not [line for line in shown.splitlines() if line != line.rstrip()]


def test_what_does_not_exist_is_said(data_dir: Path) -> None:
    """Status 2, and a sentence that says where to look."""
    done = analyze(data_dir, "nobody")
    assert done.returncode == 2
    assert "claude-proxy sessions" in done.stderr


@pytest.mark.parametrize("log", [b"", b'{"seq":0'])
def test_logs_that_hold_nothing(tmp_path: Path, log: bytes) -> None:
    """An empty and a torn log are analysed as far as they go."""
    path = tmp_path / "odd.jsonl"
    path.write_bytes(log)
    done = analyze(tmp_path, str(path))
    assert done.returncode == 0, done.stderr
    assert "Nothing is known of this session yet." in done.stdout or "killed" in done.stdout
    assert "1970" not in done.stdout, "what has no moment has not happened in 1970"


def test_a_log_without_an_end_is_a_crash(tmp_path: Path) -> None:
    """Whose writer is gone has crashed, in the middle of its turn."""
    path = tmp_path / "torn.jsonl"
    path.write_bytes(b"".join(scenario("subagent").splitlines(keepends=True)[:8]))
    shown = analyze(tmp_path, str(path)).stdout
    assert "its wrapper was killed" in shown
    assert "A turn has no result" in shown


def test_a_log_that_is_being_written_goes_on(tmp_path: Path) -> None:
    """What is open has no end yet."""
    path = tmp_path / "live.jsonl"
    path.write_bytes(b"".join(scenario("subagent").splitlines(keepends=True)[:8]))
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        report = json.loads(analyze(tmp_path, str(path), "--json").stdout)
    assert report["state"] == "executing"
    assert report["ended_at"] is None
    assert {bar["kind"] for bar in report["timeline"]["bars"] if bar["end"] is None} >= {
        "turn",
        "tool",
        "subagent",
    }


def test_escapes_do_not_reach_the_terminal(tmp_path: Path) -> None:
    """A prompt may hold anything; what moves a cursor is replaced."""
    maker = LogMaker("odd")
    prompt = {
        "type": "user",
        "message": {"role": "user", "content": "\x1b[2Jgone\x9b1m\u202eback [bold]x[/bold]"},
    }
    log = maker.started(["claude", "--input-format", "stream-json"]) + maker.lines("stdin", prompt)
    (tmp_path / "odd.jsonl").write_bytes(log)
    shown = analyze(tmp_path, str(tmp_path / "odd.jsonl")).stdout
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)
    assert "[bold]x[/bold]" in shown


@pytest.mark.parametrize(("environment", "colours"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals(data_dir: Path, environment: dict[str, str], colours: bool) -> None:
    """There are colours on a terminal, unless NO_COLOR is set, and no line is wider than it."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), "analyze", "2026-api"]
    surroundings = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "60", "LINES": "24", **environment}
    child = subprocess.Popen(command, stdout=theirs, env=surroundings)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        pass  # the terminal's other end is closed
    os.close(ours)
    assert child.wait(120) == 0
    assert (b"\x1b[1;36m" in shown) is colours
    if not colours:
        plain = shown.decode().replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
        assert max(len(line.rstrip("\r")) for line in plain.split("\n")) <= 60
