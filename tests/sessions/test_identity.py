"""Session ids and places."""

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from platformdirs.macos import MacOS

from proxy.sessions import identity


@given(
    st.lists(st.integers(0, 4_000_000_000 * 10**9), min_size=2, max_size=2, unique_by=lambda ns: ns // 1000)
)
def test_ids_sort_by_time_of_start(moments: list[int]) -> None:
    """The newest session is found by its name alone."""
    early, late = sorted(moments)
    assert identity.new_session_id(early) < identity.new_session_id(late)


def test_ids_of_one_instant_differ() -> None:
    """Sessions that start together keep apart, and every id has the promised form."""
    ids = {identity.new_session_id(1_000) for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", id_) for id_ in ids)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_STATE_HOME": "/var/state"}, "/var/state/claude-proxy"),
        ({"XDG_STATE_HOME": "relative"}, "/home/dev/.local/state/claude-proxy"),
        ({}, "/home/dev/.local/state/claude-proxy"),
    ],
)
def test_the_state_directory_follows_xdg(
    environ: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data directory is where the platform keeps state; a relative path is ignored, as XDG says."""
    monkeypatch.setenv("HOME", "/home/dev")
    assert identity.default_data_dir(environ) == expected


def test_on_macos_the_state_directory_is_where_people_expect_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it is where `platformdirs` has it, unless there is one already where older versions put it."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert identity.default_data_dir({}) == MacOS("claude-proxy", appauthor=False).user_state_dir
    assert identity.default_data_dir({"XDG_STATE_HOME": "/var/state"}) == "/var/state/claude-proxy"
    existing = tmp_path / ".local/state/claude-proxy"
    existing.mkdir(parents=True)
    assert identity.default_data_dir({}) == str(existing)


def test_a_log_is_named_after_its_session() -> None:
    """The path of a log is the promised one."""
    assert identity.log_path("/data", "abc") == "/data/sessions/abc.jsonl"
