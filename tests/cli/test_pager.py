"""The pager: where it is used, and that nothing is lost or left behind with it."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.recorded import scenario

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with one recorded session."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions/20260102-tool.jsonl").write_bytes(scenario("tool_allow"))
    return tmp_path


def at_a_terminal(data_dir: Path, *words: str, **environment: str) -> tuple[int, str]:
    """Run a subcommand whose standard output is a terminal; return its exit status and what the terminal showed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), *words]
    env = {name: value for name, value in os.environ.items() if name not in ("PAGER", "LESS", "NO_COLOR")}
    env |= {"TERM": "xterm", "COLUMNS": "100", **environment}
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, env=env)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal's other end is closed: all has ended
        while chunk := os.read(ours, 65_536):
            shown += chunk
    os.close(ours)
    return child.wait(), shown.decode().replace("\r\n", "\n")


def test_show_is_paged_at_a_terminal(data_dir: Path) -> None:
    """What the pager makes of it is what is seen; it is given colours."""
    status, shown = at_a_terminal(data_dir, "show", PAGER="tr a-z A-Z")
    assert status == 0
    assert "PLEASE WRITE IT." in shown
    assert "\x1b[" in shown


@pytest.mark.parametrize("pager", ["", "cat", "no-such-pager-at-all"])
def test_without_a_pager_it_is_printed(data_dir: Path, pager: str) -> None:
    """`PAGER=cat` and an empty one mean none; one that is not there says so itself, and is no traceback."""
    status, shown = at_a_terminal(data_dir, "show", PAGER=pager)
    assert status == 0
    assert ("Please write it." in shown) == (pager != "no-such-pager-at-all")
    assert "Traceback" not in shown


def test_a_reader_who_has_seen_enough(data_dir: Path) -> None:
    """Leaving the pager before the end is no error."""
    assert at_a_terminal(data_dir, "show", PAGER="true") == (0, "")


def test_lists_are_not_paged(data_dir: Path) -> None:
    """Only what is long by nature is."""
    assert "20260102" in at_a_terminal(data_dir, "sessions", PAGER="false")[1]


def test_what_is_piped_is_not_paged(data_dir: Path) -> None:
    """A program that reads gets it as it is."""
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), "show"]
    env = {**os.environ, "PAGER": "tr a-z A-Z"}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout
    assert "Please write it." in shown
