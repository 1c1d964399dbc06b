"""The recorder is a witness: it must change nothing, and write down everything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.rig.recording import recorded, recordings

if TYPE_CHECKING:
    from pathlib import Path

ALL_BYTES = bytes(range(256)) * 1000


def test_bytes_pass_unchanged_and_are_written_down(tmp_path: Path) -> None:
    """Whatever bytes pass in either direction reach the other side, and stand in the record."""
    command = recorded(tmp_path / "cat", tmp_path / "runs", ["cat"])

    done = subprocess.run([command, "-u"], input=ALL_BYTES, capture_output=True, check=True)

    assert done.stdout == ALL_BYTES
    (run,) = recordings(tmp_path / "runs")
    assert (run.argv, run.stdin, run.stdout, run.exit) == (["-u"], ALL_BYTES, ALL_BYTES, 0)


@pytest.mark.parametrize(
    ("code", "status"),
    [("exit 3", 3), ("kill -TERM $$", -signal.SIGTERM), ("kill -KILL $$", -signal.SIGKILL)],
)
def test_exit_status_is_mirrored(code: str, status: int, tmp_path: Path) -> None:
    """The recorder ends as its command ended, by status or by signal, though nobody has closed its input."""
    command = recorded(tmp_path / "sh", tmp_path / "runs", ["sh", "-c"])
    reader, writer = os.pipe()
    try:
        done = subprocess.run([command, code], stdin=reader, check=False)
    finally:
        os.close(reader)
        os.close(writer)

    assert done.returncode == status
    assert [run.exit for run in recordings(tmp_path / "runs")] == [status]


def test_signals_are_passed_on(tmp_path: Path) -> None:
    """A signal to the recorder reaches the command, which may outlive it."""
    code = "import signal, sys; signal.signal(15, lambda *_: sys.exit(7)); print('ready', flush=True); signal.pause()"
    command = recorded(tmp_path / "python", tmp_path / "runs", [sys.executable, "-c", code])
    with subprocess.Popen([command], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait() == 7


def test_a_command_does_not_outlive_a_killed_recorder(tmp_path: Path) -> None:
    """Regression: a Claude Code that ignored SIGTERM went on asking the API, when its client had long given up."""
    command = recorded(tmp_path / "sh", tmp_path / "runs", ["sh", "-c"])
    line = [str(command), "trap '' TERM; echo ready; exec sleep 1000"]
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        assert process.stderr.read() == b""  # it ends when nobody holds it any longer


def test_reader_that_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    """What the command writes after its reader has gone is still on record."""
    command = recorded(tmp_path / "sh", tmp_path / "runs", ["sh", "-c"])
    with subprocess.Popen(
        [command, "read x; echo late"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(b"go\n")
        process.stdin.close()
        assert process.wait() == 0

    assert [run.stdout for run in recordings(tmp_path / "runs")] == [b"late\n"]


def test_each_run_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Two runs of one launcher are two recordings, in the order in which they began."""
    command = recorded(tmp_path / "echo", tmp_path / "runs", ["echo"])
    for word in ("one", "two"):
        subprocess.run([command, word], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)

    assert [run.argv for run in recordings(tmp_path / "runs")] == [["one"], ["two"]]
