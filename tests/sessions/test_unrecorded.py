"""A command that could only be run is not passed over in silence."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from proxy.sessions import unrecorded as module
from proxy.sessions.unrecorded import note_unrecorded, unrecorded
from tests.command_line import claude_proxy

if TYPE_CHECKING:
    from pathlib import Path

FULL = OSError(24, "Too many open files")


def test_notes_come_back_in_order(tmp_path: Path) -> None:
    """What was noted is read, oldest first; a line that is torn or strange is left out."""
    assert unrecorded(str(tmp_path)) == []
    for program in ("a", "b"):
        note_unrecorded(str(tmp_path), program, FULL)
    with (tmp_path / "unrecorded.jsonl").open("a") as file:
        file.write('[1]\n{"x":1}\n{"ts":"')
    found = unrecorded(str(tmp_path))
    assert [(one.program, one.reason) for one in found] == [
        ("a", "Too many open files"),
        ("b", "Too many open files"),
    ]
    assert found[0].ts < found[1].ts


def test_notes_are_bounded_and_never_raise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file does not grow for ever, and where none can be written nothing happens."""
    monkeypatch.setattr(module, "_LARGEST_BYTES", 300)
    for _ in range(20):
        note_unrecorded(str(tmp_path), "x", FULL)
    assert (tmp_path / "unrecorded.jsonl").stat().st_size < 500
    note_unrecorded("/proc/nowhere", "x", FULL)
    assert unrecorded("/proc/nowhere") == []


@pytest.mark.parametrize("options", [(), ("--session-id", "mine")])
def test_too_few_descriptors(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Under a limit that a wrapper cannot work with the command runs, and `status` says that it was not recorded."""
    command = [sys.executable, "-m", "proxy", "--data-dir", str(tmp_path), *options, "--", "cat"]
    ran = subprocess.run(
        command,
        input=b'{"type":"x"}\n',
        capture_output=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)),
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b'{"type":"x"}\n', b"")
    assert [one.program for one in unrecorded(str(tmp_path))] == ["cat"]
    assert not list(tmp_path.glob("sessions/*"))
    said = claude_proxy("--data-dir", str(tmp_path), "status").stdout
    assert "1 command ran unrecorded in the last 24 hours: Too many open files (see `ulimit -a`)" in said
