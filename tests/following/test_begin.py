"""What a session begins with, by what the user chose; and that nothing is begun where nothing can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.relay.wrapper import BOUND_S

if TYPE_CHECKING:
    from pathlib import Path

    from tests.following.rig import Interactive


def test_a_command_that_cannot_be_run_leaves_no_session(session: Interactive) -> None:
    """As with any command: what never ran is not on record."""
    session.program.unlink()
    command = session.start()
    session.terminals[-1].until(b"no such file")
    assert command.wait(BOUND_S) == 127
    assert session.logs() == []


def test_a_command_that_ends_at_once_is_recorded(session: Interactive) -> None:
    """However soon it is gone, its log has a beginning and an end, and says that nothing was recorded."""
    command = session.start("exit 4")
    assert command.wait(BOUND_S) == 4
    ended = session.until_ended()
    assert ended.get("exit_code", 4) == 4
    assert session.until_said("not_recorded") == {"why": "no_registry"}


@pytest.mark.parametrize("folder", ["/dev/null/below", "/proc/none"])
def test_a_data_directory_that_cannot_be_used_disturbs_nothing(session: Interactive, folder: str) -> None:
    """The command runs, unrecorded."""
    command = session.start(options=["--interactive", "record", "--data-dir", folder])
    session.type("6")
    assert command.wait(BOUND_S) == 6
    assert session.logs() == []


def test_nothing_is_done_when_it_is_off(session: Interactive) -> None:
    """With `--interactive off` the wrapper becomes the command and leaves nothing behind."""
    command = session.start('echo "[$CLAUDE_PROXY_SESSION_ID]"', options=["--interactive", "off"])
    assert b"[]" in session.terminals[-1].until(b"]")
    assert command.wait(BOUND_S) == 0
    assert not session.data_dir.exists()


def test_the_configuration_says_what_is_recorded(session: Interactive, tmp_path: Path) -> None:
    """What has no option on the command line is as `interactive.mode` says."""
    config = tmp_path / "config.yaml"
    config.write_text("interactive: {mode: status}\n")
    session.begin(options=["--config", str(config)])
    assert session.until_said("session_started")["interactive"] == "status"


def test_the_command_knows_its_session(session: Interactive) -> None:
    """The one change of its environment is the id of its session, which the caller may have chosen."""
    chosen = ["--interactive", "record", "--session-id", "mine", "--session-name", "a name"]
    session.start('echo "[$CLAUDE_PROXY_SESSION_ID]"', options=chosen)
    session.terminals[-1].until(b"[mine]")
    assert session.until_said("session_started")["name"] == "a name"
    assert session.logs()[0].name == "mine.jsonl"
