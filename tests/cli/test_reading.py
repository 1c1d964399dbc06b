"""``show`` and ``tail``: a session for people, and as it was recorded."""

from __future__ import annotations

import fcntl
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
    """Who said what, which tools ran, what it took and cost, and how it ended."""
    shown = read(data_dir, "show", "20260102").stdout
    for words in (
        "2026-01-02 UTC\n",
        "user        Please write it.\n",
        "tool        Write  /home/dev/project/a.txt\n",
        "permission  Write allowed after ",
        "result      Write in ",
        ", by caller: ",
        "claude      Written.\n",
        "turn ended  completed after ",
        "ended       exit status 0 after ",
    ):
        assert words in shown
    assert "\x1b" not in shown, "colours are for terminals"
    assert not [line for line in shown.split("\n") if line != line.rstrip()]


def test_a_command_line_is_told_as_a_shell_takes_it(tmp_path: Path) -> None:
    """An empty word, and one of several words, can be told from what is around them."""
    (tmp_path / "sessions").mkdir()
    command = ["claude", "--system-prompt", "", "-p", "two words"]
    (tmp_path / "sessions" / "s.jsonl").write_bytes(LogMaker("s").started(command))
    assert "claude --system-prompt '' -p 'two words'" in read(tmp_path, "show", "s").stdout


def test_subagents_are_moved_in_and_told_once(tmp_path: Path) -> None:
    """What a subagent does stands under its call; the task that it is too says nothing more."""
    (tmp_path / "sub.jsonl").write_bytes(scenario("subagent"))
    shown = read(tmp_path, "show", str(tmp_path / "sub.jsonl")).stdout
    assert "  tool        Agent  count\n" in shown
    assert "    tool        Bash  echo 3\n" in shown
    assert "    result      Bash in 1 ms: 3\n" in shown
    assert "task" not in [line[10:14] for line in shown.split("\n")]


def test_a_turn_that_failed_says_so_once(tmp_path: Path) -> None:
    """Regression: an error of the API that Claude Code tells as an answer was shown as a success."""
    (tmp_path / "errors.jsonl").write_bytes(scenario("api_errors"))
    shown = read(tmp_path, "show", str(tmp_path / "errors.jsonl")).stdout
    assert shown.count("turn ended  failed after ") == 4
    assert shown.count("turn ended  limited after ") == 1
    assert shown.count("Credit balance is too low") == 1


def test_tail_counts_what_it_shows(tmp_path: Path) -> None:
    """Regression: the last records were counted, of which partial output shows none."""
    path = tmp_path / "partial.jsonl"
    path.write_bytes(scenario("partial"))
    shown = read(tmp_path, "tail", str(path), "-n", "3").stdout.splitlines()
    assert [line[10:20].strip() for line in shown] == ["UTC", "claude", "turn ended", "ended"][-len(shown) :]


def test_of_a_long_log_the_end_is_enough(tmp_path: Path) -> None:
    """What lies far before the end is not read, and the beginning of a record is found."""
    maker = LogMaker()
    filler = {"type": "keep_alive", "filler": "x" * (1 << 20)}
    log = maker.started() + b"".join(maker.lines("stdout", filler) for _ in range(20))
    path = tmp_path / "long.jsonl"
    path.write_bytes(b"not a record\n" + log + maker.lines("stderr", b"the end") + maker.ended())
    shown = read(tmp_path, "tail", str(path))
    assert shown.stdout.splitlines()[1].endswith("stderr      the end")
    assert "not a record" not in shown.stdout
    assert read(tmp_path, "tail", str(path), "-n", "2", "--json").stdout.count("\n") == 2


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


def following(data_dir: Path, *words: str) -> subprocess.Popen[str]:
    """Follow a session."""
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), "tail", "-f", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(followed: subprocess.Popen[str], words: str) -> str:
    """Return the first line with these words."""
    assert followed.stdout is not None
    return next(line for line in followed.stdout if words in line)


def test_following_goes_on_to_the_newest_session(tmp_path: Path) -> None:
    """A line that is written in pieces is told once it is whole; of `latest`, a newer session comes next."""
    folder = tmp_path / "sessions"
    folder.mkdir()
    first, second = LogMaker("a"), LogMaker("b")
    with (
        (folder / "a.jsonl").open("ab", buffering=0) as log,
        (folder / "b.jsonl").open("ab", buffering=0) as newer,
    ):
        fcntl.flock(log, fcntl.LOCK_EX)
        fcntl.flock(newer, fcntl.LOCK_EX)
        log.write(first.started())
        (folder / "latest.jsonl").symlink_to("a.jsonl")
        with following(tmp_path) as followed:
            until(followed, "started")
            line = first.lines("stderr", b"half and half")
            log.write(line[:20])
            log.write(line[20:] + first.lines("stderr", b"more"))
            assert until(followed, "half").endswith("stderr      half and half\n")
            until(followed, "more")
            newer.write(second.started() + second.lines("stderr", b"of the second"))
            (folder / "new").symlink_to("b.jsonl")
            (folder / "new").rename(folder / "latest.jsonl")
            log.write(first.ended())
            fcntl.flock(log, fcntl.LOCK_UN)
            until(followed, "of the second")
            newer.write(second.lines("stdout", {"type": "keep_alive"})[:-9])
            fcntl.flock(newer, fcntl.LOCK_UN)
            until(followed, "The last line has no end")
            until(followed, "its wrapper was killed")
            assert followed.wait(120) == 0


def test_a_log_that_is_taken_away_ends_the_following(tmp_path: Path) -> None:
    """Who follows is told, and not kept for ever."""
    (tmp_path / "sessions").mkdir()
    path = tmp_path / "sessions" / "a.jsonl"
    with path.open("ab", buffering=0) as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.write(LogMaker("a").started())
        with following(tmp_path, "a") as followed:
            until(followed, "started")
            path.unlink()
            assert "was removed or replaced" in followed.communicate(timeout=120)[1]


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


@pytest.mark.parametrize("words", ["show latest", "tail", "sessions", "analyze", "status --json"])
def test_a_closed_pipe_is_the_same_status_everywhere(data_dir: Path, words: str) -> None:
    """Regression: it was 1 where a terminal is written to, and 141 elsewhere."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "wb") as nobody_reads:
        command = f"{sys.executable} -m proxy --data-dir {data_dir} {words}"
        ran = subprocess.run(
            command.split(), stdout=nobody_reads, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (ran.returncode, ran.stderr) == (141, "")


def test_a_closed_pipe_ends_quietly(data_dir: Path) -> None:
    """``claude-proxy show latest | head -1`` prints no traceback."""
    command = f"{sys.executable} -m proxy --data-dir {data_dir} show latest --json | head -c 1"
    ran = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert json.loads(ran.stdout + "}") == {}
