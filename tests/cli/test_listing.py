"""The list of sessions as the window allows, and what it makes of folders and models."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from proxy.cli.listing import _folder, _model
from tests.command_line import claude_proxy
from tests.recorded import LogMaker, scenario

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with a session of every column."""
    (tmp_path / "sessions").mkdir()
    log = scenario("tool_allow", LogMaker("20260102T030405.000000Z-aa"))
    (tmp_path / "sessions/20260102T030405.000000Z-aa.jsonl").write_bytes(log)
    monkeypatch.setenv("CLAUDE_PROXY_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (200, "session state duration turns cost model folder about"),
        (100, "session state duration turns cost folder about"),
        (78, "session state duration turns cost about"),
        (40, "session state about"),
    ],
)
def test_columns_give_way_to_what_a_session_is_about(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, width: int, headings: str
) -> None:
    """Model and folder go first; no line is wider than the window, and the prompt can be read in all."""
    monkeypatch.setenv("COLUMNS", str(width))
    lines = claude_proxy("sessions").stdout.splitlines()
    assert lines[0].split() == headings.split()
    assert all(len(line) <= width for line in lines)
    assert "Please" in lines[1]


def test_what_became_of_a_session_stands_for_its_state(data_dir: Path) -> None:
    """A session that is over shows its outcome, which says more than that it is over."""
    assert claude_proxy("sessions").stdout.splitlines()[1].split()[1] == "ok"


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("claude-sonnet-4-5-20250929", "sonnet-4-5"),
        ("claude-opus-5-5", "opus-5-5"),
        ("gateway/model", "gateway/model"),
        ("", ""),
    ],
)
def test_a_models_name_is_short(model: str, shown: str) -> None:
    """Without what all of them have in common, and the date of a release."""
    assert _model(model) == shown


def test_a_folder_is_told_by_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The home is ``~``, and of a long path the end is what tells it from others."""
    monkeypatch.setenv("HOME", "/home/dev")
    assert os.path.expanduser("~") == "/home/dev"
    assert _folder("/home/dev/project") == "~/project"
    assert _folder("/home/developer") == "/home/developer"
    assert _folder("/home/dev") == "~"
    assert _folder("/srv/builds/2026/november/nightly/project") == "…/november/nightly/project"
    assert _folder("/" + "x" * 60) == "…/" + "x" * 60
    assert _folder("") == ""
