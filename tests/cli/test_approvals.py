"""``claude-proxy approvals``, as a reviewer uses it."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from tests.command_line import Finished, claude_proxy
from tests.recorded import scenario

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with two sessions: a call that the caller denied, one that a hook allowed."""
    (tmp_path / "sessions").mkdir()
    for number, name in enumerate(("tool_deny", "hook_adds")):
        (tmp_path / "sessions" / f"2026112{number}T100000-aa.jsonl").write_bytes(scenario(name))
    return tmp_path


def run(data_dir: Path, *words: str) -> Finished:
    """Run the subcommand over both."""
    return claude_proxy("approvals", "20261120", "20261121", "--data-dir", str(data_dir), *words)


def test_each_call_has_a_row(data_dir: Path) -> None:
    """For people a line, with a sum at the end; for programs all of it."""
    ran = run(data_dir)
    assert [line.split("Write")[1].strip() for line in ran.stdout.splitlines()] == [
        "denied by caller: not today",
        "allowed by hook",
    ]
    assert ran.stderr == "2 calls: 1 deny by caller, 1 allow by hook\n"
    rows = json.loads(run(data_dir, "--json").stdout)["approvals"]
    assert [(row["tool"], row["approval"]["by"]) for row in rows] == [("Write", "caller"), ("Write", "hook")]
    assert rows[0].keys() == {"session_id", "tool_use_id", "tool", "seq", "approval"}
    table = list(csv.DictReader(io.StringIO(run(data_dir, "--csv").stdout)))
    assert [(row["decision"], row["by"]) for row in table] == [("deny", "caller"), ("allow", "hook")]


def test_some_of_them(data_dir: Path) -> None:
    """By who it was; a wrong word is said."""
    assert run(data_dir, "--by", "caller,nobody").stderr == "1 call: 1 deny by caller\n"
    wrong = run(data_dir, "--by", "me")
    assert (wrong.status, "--by: 'me' is unknown; did you mean" in wrong.stderr) == (2, True)
    missing = claude_proxy("approvals", "none", "--data-dir", str(data_dir))
    assert (missing.status, missing.stdout) == (2, "")
