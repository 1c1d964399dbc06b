"""Whatever dies, nothing that is in the transcript is missing from the log, and nothing is there twice."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.events.timestamps import parse_timestamp
from proxy.following.resumption import resume
from proxy.sessions import catalogue
from proxy.upkeep.seals import read_seals
from proxy.upkeep.verification import verify
from tests.following.rig import Interactive, prompts, recorder_of, statuses
from tests.relay.wrapper import BOUND_S, Running, ends
from tests.sessions.logs import read_log
from tests.sessions.test_sealing import checked

if TYPE_CHECKING:
    from tests.sessions.logs import Log


@pytest.fixture
def command(session: Interactive) -> Running:
    """A command at work, of which one prompt is recorded."""
    command = session.begin()
    session.claude.register(command.pid, "busy")
    session.claude.say("first")
    session.until_recorded("first")
    return command


def kill_recorder(session: Interactive) -> None:
    """Kill the recorder."""
    recorder = recorder_of(read_log(session.logs()[-1]))
    os.kill(recorder, signal.SIGKILL)
    ends(recorder)


def resumed(session: Interactive) -> Log:
    """Take the newest log over, and return it as it is when all is read."""
    resume(str(session.logs()[-1]), BOUND_S)
    return read_log(session.logs()[-1])


def test_recording_goes_on_where_it_stopped(session: Interactive, command: Running) -> None:
    """The recorder is killed, the dialogue goes on; the next one reads what was missed and follows to the end."""
    kill_recorder(session)
    session.claude.say("second")
    session.claude.register(command.pid, "idle")
    assert catalogue.inspect(str(session.logs()[0])).state == "running"
    log = resumed(session)
    assert prompts(log) == ["first", "second"]
    assert log.event("recording_resumed")["command_alive"] is True
    assert statuses(log)[-1]["status"] == "idle"
    session.claude.say("third")
    session.until_recorded("first", "second", "third")
    session.claude.unregister(command.pid)
    session.type("0")
    command.wait(BOUND_S)
    ended = session.until_ended()
    assert (ended["clean"], ended["counts"]) == (True, {"transcript": {"unjudged": 3}})


def test_what_was_written_until_both_died_is_read_back(session: Interactive, command: Running) -> None:
    """Recorder and command are killed, the log ends in a torn line: nothing is missing, and the end is said."""
    kill_recorder(session)
    session.claude.say("second")
    session.claude.write(b'{"type":"assis')
    command.kill()
    command.wait(BOUND_S)
    path = session.logs()[0]
    with path.open("ab") as file:
        file.write(b'{"seq":9,"ts":"20')
    assert catalogue.is_unattended(str(path))
    log = resumed(session)
    assert prompts(log) == ["first", "second"]
    assert log.of("transcript")[-1].line == b'{"type":"assis'
    assert log.event("recording_resumed")["command_alive"] is False
    assert log.ended["clean"] is False
    assert not log.ended.keys() & {"exit_code", "signal"}  # which nobody can know any more
    assert not catalogue.is_unattended(str(path))


@pytest.mark.linux("each boot has a name")
def test_a_machine_that_was_started_anew_has_none_of_the_processes(
    session: Interactive, command: Running
) -> None:
    """After a reboot the number of the command may be another's: it is not taken for it."""
    kill_recorder(session)
    path = session.logs()[0]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    path.write_bytes(path.read_bytes().replace(boot.encode(), b"0" * len(boot)))
    assert catalogue.inspect(str(path)).state == "crashed"
    first, *_, last = (parse_timestamp(one.fields["ts"]) for one in read_log(path).records)
    log = resumed(session)
    assert log.event("recording_resumed")["command_alive"] is False
    assert log.ended["clean"] is False
    # Regression: what had been recorded before did not count, and it was 0.
    assert log.ended["duration_ms"] >= (last - first) // 1000
    assert command.poll() is None


def test_a_log_that_is_held_is_left_alone(session: Interactive, command: Running) -> None:
    """While a recorder lives, no other one begins."""
    assert not catalogue.is_unattended(str(session.logs()[0]))
    assert resumed(session).events().count("recording_resumed") == 0
    assert command.poll() is None


def test_a_log_with_an_end_is_left_alone(session: Interactive, command: Running) -> None:
    """What is over stays as it is."""
    session.type("0")
    command.wait(BOUND_S)
    session.until_ended()
    before = session.logs()[0].read_bytes()
    assert resumed(session).ended
    assert session.logs()[0].read_bytes() == before


def test_a_conversation_that_was_opened_meanwhile_is_recorded_too(
    session: Interactive, command: Running
) -> None:
    """With nobody there, `/clear` began another conversation: the rest of the one and all of the other are read."""
    session.claude.register(command.pid, "idle")
    session.until_status("idle")
    kill_recorder(session)
    session.claude.say("second")
    session.claude.register(command.pid, "busy", conversation="next")
    session.claude.say("third", conversation="next")
    log = resumed(session)
    assert prompts(log) == ["first", "second", "third"]


def test_that_it_is_not_recorded_stays_known(session: Interactive) -> None:
    """What was said before is not said again, and is taken back when it is over."""
    command = session.begin(CLAUDE_CODE_CHILD_SESSION="1")
    session.until_said("not_recorded")
    kill_recorder(session)
    log = resumed(session)
    assert log.event("not_recorded") == {"why": "child_session"}
    session.claude.register(command.pid, "idle")
    assert session.until_said("not_recorded", 2) == {"why": "child_session", "over": True}


def test_states_alone_stay_alone(session: Interactive) -> None:
    """Who goes on with a session that has states alone records no content either."""
    command = session.begin(options=["--interactive", "status"])
    session.claude.register(command.pid, "busy")
    session.until_status("busy")
    kill_recorder(session)
    session.claude.say("a secret")
    session.claude.register(command.pid, "idle")
    log = resumed(session)
    assert statuses(log)[-1]["status"] == "idle"
    assert log.of("transcript") == []


def test_a_command_that_reads_has_what_is_missing_read_first(session: Interactive, command: Running) -> None:
    """Whoever looks next sees the whole session, and that it goes on."""
    kill_recorder(session)
    session.claude.say("second")
    listed = [session.wrapper, "--data-dir", str(session.data_dir), "sessions", "--json"]
    (shown,) = json.loads(subprocess.run(listed, capture_output=True, check=True).stdout)["sessions"]
    assert (shown["state"], shown["prompt"], shown["recording"]["state"]) == (
        "executing",
        "first",
        "recorded",
    )
    session.until_recorded("first", "second")
    assert command.poll() is None


def test_a_server_goes_on_with_what_nobody_records(session: Interactive, command: Running) -> None:
    """While a server runs, a recorder that was killed is missed for moments."""
    serving = [session.wrapper, "--data-dir", str(session.data_dir), "--port", "0", "serve"]
    with Running(serving, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        kill_recorder(session)
        session.claude.say("second")
        session.until_recorded("first", "second")
        kill_recorder(session)
        command.kill()
        command.wait(BOUND_S)
        assert session.until_ended()["clean"] is False


def test_a_log_at_which_a_recorder_has_failed_is_not_tried_for_ever(
    session: Interactive, command: Running
) -> None:
    """A fault of ours at one log would come again."""
    kill_recorder(session)
    path = session.logs()[0]
    last = read_log(path).records[-1].fields
    fault = {"seq": last["seq"] + 1, "ts": "2099-01-01T00:00:00.000000Z", "session_id": last["session_id"]}
    event = {"event_type": "wrapper_error", "data": {"where": "recorder", "error": "x"}}
    with path.open("ab") as file:
        file.write(
            json.dumps({**fault, "stream": "proxy", "event": event}, separators=(",", ":")).encode() + b"\n"
        )
    assert not catalogue.is_unattended(str(path))
    assert catalogue.is_running(str(path))
    assert command.poll() is None


@pytest.mark.parametrize(
    "content", [b"", b"torn", b"{}\n", b'{"seq":0,"ts":"2026","session_id":"x","stream":"stdin"}\n']
)
def test_what_is_no_followed_log_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """Whatever is given, nothing fails, and nothing is changed."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    resume(str(path), BOUND_S)
    assert path.read_bytes() == content
    resume(str(tmp_path / "missing.jsonl"), BOUND_S)


def test_a_sealed_log_is_gone_on_with(session: Interactive) -> None:
    """An interactive session is sealed like any other, and so is what its next recorder adds."""
    command = session.begin(options=["--interactive", "record", "--seal", "on"])
    session.claude.register(command.pid, "busy")
    session.claude.say("first")
    session.until_recorded("first")
    kill_recorder(session)
    path = session.logs()[0]
    with path.open("ab") as file:
        file.write(b'{"seq":9,"ts":"20')
    session.claude.say("second")
    assert prompts(resumed(session)) == ["first", "second"]
    command.kill()
    command.wait(BOUND_S)
    session.until_ended()
    with path.open("rb") as log:
        fcntl.flock(log, fcntl.LOCK_SH)  # granted when the recorder is gone
    assert checked(path) >= 3
    verdict = verify(path.stem, str(path), [seal for _, seal in read_seals(seals_of(path)).lines])
    assert verdict.integrity == "whole"


def seals_of(log: Path) -> bytes:
    """Return the content of ``seals.jsonl``."""
    return (log.parents[1] / "seals.jsonl").read_bytes()
