"""The recorder beside a command: what it records, when it wakes, and that whatever fails in it reaches nobody."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.following.rig import ClaudeFolder, Interactive, statuses
from tests.relay.wrapper import BOUND_S


def test_a_session_is_recorded_from_its_start_to_its_end(session: Interactive) -> None:
    """States and lines as they come, and how the command ended."""
    command = session.begin()
    session.claude.register(command.pid, "idle")
    session.until_status("idle")
    session.claude.register(command.pid, "busy")
    session.claude.say("hello")
    session.until_recorded("hello")
    session.claude.register(command.pid, "waiting", waitingFor="permission prompt")
    assert session.until_status("waiting")["waiting_for"] == "permission prompt"
    session.claude.unregister(command.pid)
    session.until(lambda log: statuses(log)[-1].get("gone"))
    session.type("3")
    assert command.wait(BOUND_S) == 3
    ended = session.until_ended()
    assert ended["clean"] is True
    assert ended["counts"] == {"transcript": {"unjudged": 1}}
    if "exit_code" in ended:  # Linux 6.15 and later
        assert ended["exit_code"] == 3
    started = session.until_said("session_started")
    assert (started["mode"], started["pid"], started["cwd"]) == (
        "followed",
        command.pid,
        str(session.project),
    )


def test_subagents_are_recorded_with_who_called_them(session: Interactive) -> None:
    """Their transcripts are files of their own, and say beside them whose call they answer."""
    command = session.begin()
    session.claude.register(command.pid, "busy")
    session.claude.say("hello")
    session.until_recorded("hello")
    folder = session.claude.project / "c" / "subagents"
    folder.mkdir(parents=True)
    (folder / "agent-1.meta.json").write_text(
        '{"agentType":"general","description":"look","toolUseId":"toolu_1"}'
    )
    session.claude.write(
        {"type": "user", "timestamp": "2099-01-01T00:00:00Z", "message": {"content": "look"}}, subagent="1"
    )
    log = session.until_recorded("hello", "look")
    opened = [record.data for record in log.records if record.event_type == "transcript_opened"][1]
    assert (opened["why"], opened["agent_type"], opened["description"]) == ("subagent", "general", "look")
    assert opened["parent_tool_use_id"] == "toolu_1"


def test_states_alone_have_no_content(session: Interactive) -> None:
    """With `--interactive status` not a word of a transcript is in the log."""
    command = session.begin(options=["--interactive", "status"])
    session.claude.register(command.pid, "busy")
    session.claude.say("a secret")
    session.until_status("busy")
    session.claude.register(command.pid, "idle")
    session.until_status("idle")
    session.type("0")
    command.wait(BOUND_S)
    session.until_ended()
    assert b"a secret" not in session.logs()[0].read_bytes()
    assert b'"transcript"' not in session.logs()[0].read_bytes()


def test_another_configuration_folder_that_a_script_sets_is_found(
    session: Interactive, tmp_path: Path
) -> None:
    """A launcher may put Claude Code's folder elsewhere, for what it becomes."""
    other = tmp_path / "other"
    command = session.begin(f"export CLAUDE_CONFIG_DIR={other}; exec sh -c 'read -r code; exit $code'")
    session.claude = ClaudeFolder(other, session.project)
    session.claude.register(command.pid, "busy")
    assert session.until_status("busy")["config_dir"] == str(other)
    session.claude.say("hello")
    session.until_recorded("hello")


def test_a_launcher_that_stays_is_followed_to_what_it_has_started(session: Interactive) -> None:
    """The script of the npm package starts the program and waits for it: the child is the one that is registered."""
    command = session.begin("sh -c 'read -r code; exit $code'; exit $?")
    child = int(Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()[0])
    session.claude.register(child, "busy")
    assert session.until_status("busy")["pid"] == child
    session.claude.unregister(child)
    session.type("5")
    assert command.wait(BOUND_S) == 5
    assert session.until_ended().get("exit_code", 5) == 5


def test_what_a_killed_process_of_the_same_number_left_behind_is_not_believed(session: Interactive) -> None:
    """A registration whose process began at another time is of another process."""
    command = session.begin()
    session.claude.register(command.pid, "waiting", procStart="1", waitingFor="permission prompt")
    session.claude.register(command.pid, "idle", conversation="mine")
    log = session.until(statuses)
    assert [one["claude_session_id"] for one in statuses(log)] == ["mine"]


def test_a_killed_command_ends_unclean(session: Interactive) -> None:
    """What a killed process said last stays in the registry for ever; the log says how it ended."""
    command = session.begin()
    session.claude.register(command.pid, "waiting", waitingFor="permission prompt")
    session.until_status("waiting")
    command.kill()
    command.wait(BOUND_S)
    ended = session.until_ended()
    assert ended["clean"] is False
    assert ended.get("signal", "SIGKILL") == "SIGKILL"
    assert "exit_code" not in ended


@pytest.mark.linux("how a process ended can be asked for by others than its parent")
def test_a_command_that_nobody_waits_for_ends_at_once(session: Interactive) -> None:
    """Whoever started it may take its time to learn how it ended, or never do so: the log says it before."""
    command = session.begin()
    session.claude.register(command.pid, "idle")
    session.until_status("idle")
    session.type("3")
    assert session.until_ended()["exit_code"] == 3
    os.waitid(os.P_PID, command.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)  # raises if it was waited for


def test_a_log_that_is_deleted_is_begun_anew(session: Interactive) -> None:
    """What the user deleted stays deleted; what comes after is recorded."""
    command = session.begin()
    session.claude.register(command.pid, "busy")
    session.claude.say("before")
    session.until_recorded("before")
    session.logs()[0].unlink()
    session.claude.say("after")
    session.until_recorded("after")


def test_what_could_not_be_written_is_written_later(session: Interactive) -> None:
    """A transcript waits: when the data directory comes back, not a line is missing, and none is there twice."""
    command = session.begin()
    session.claude.register(command.pid, "busy")
    session.claude.say("first")
    session.until_recorded("first")
    # A file in the way of the folder, with the log gone, is a disk that cannot be written to.
    shutil.rmtree(session.data_dir)
    session.data_dir.write_text("in the way")
    session.claude.say("second")
    session.claude.say("third")
    session.claude.register(command.pid, "idle")
    session.data_dir.unlink()
    session.claude.register(command.pid, "busy")
    session.until_recorded("second", "third")


def test_a_recorder_holds_nothing_of_the_callers(session: Interactive) -> None:
    """No terminal, no pipe, no folder: whoever waits for the command waits for nothing else."""
    session.start()
    recorder = int(session.until_said("session_started")["follower_pid"])
    descriptors = {os.readlink(one) for one in Path(f"/proc/{recorder}/fd").iterdir()}
    assert not {one for one in descriptors if "/dev/pts" in one or "/dev/tty" in one}
    assert os.readlink(f"/proc/{recorder}/cwd") == "/"
    fields = Path(f"/proc/{recorder}/stat").read_text().rpartition(")")[2].split()
    parent, _group, own_session, terminal = (int(field) for field in fields[1:5])
    assert (own_session != os.getsid(session.running[-1].pid), terminal) == (True, 0)
    assert parent != session.running[-1].pid
    assert not Path(f"/proc/{session.running[-1].pid}/task/{session.running[-1].pid}/children").read_text()
