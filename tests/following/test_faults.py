"""Whatever fails around a recorder, the command runs the same, and what can be recorded is."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.following import recorder as recorders
from proxy.following.launch import Command
from proxy.following.recorder import Recorder
from proxy.following.session import FollowedSession
from proxy.redaction import Redactor
from proxy.sessions import process
from proxy.sessions.beginning import log_class
from proxy.sessions.record import lifecycle
from proxy.sessions.watch import Watch
from tests.following.rig import Interactive, recorder_of, statuses
from tests.relay.wrapper import BOUND_S

if TYPE_CHECKING:
    from collections.abc import Iterable

HISTORY_BYTES = 500 << 20
NO_NOTICES = ["unshare", "--user", "--map-root-user", "sh", "-c"]
LIMIT_IT = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'


def bytes_read(pid: int) -> int:
    """Return how much a process has read, from files and all else."""
    return int(Path(f"/proc/{pid}/io").read_text().split()[1])


# -- the disk --------------------------------------------------------------------------------------------------


@pytest.mark.linux("limits of another process, and /proc")
def test_a_full_disk_loses_neither_lines_nor_states(session: Interactive) -> None:
    """While the log cannot grow the command runs; when there is room again all comes, in order, and once."""
    command = session.begin()
    session.claude.register(command.pid, "busy")
    session.claude.say("first")
    log = session.until(lambda log: len(log.of("transcript")) == 1)
    recorder = recorder_of(log)
    size = session.logs()[0].stat().st_size
    resource.prlimit(recorder, resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
    read = bytes_read(recorder)
    session.claude.say("second")
    session.claude.register(command.pid, "waiting", waitingFor="permission prompt")
    while bytes_read(recorder) < read + 150:  # until it has seen them
        time.sleep(0.01)
    resource.prlimit(recorder, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    session.claude.say("third")
    session.until_recorded("first", "second", "third")
    session.until_status("waiting")
    session.type("0")
    assert command.wait(BOUND_S) == 0
    session.until_ended()
    log = session.until(lambda log: True)
    assert [record.fields["seq"] for record in log.records] == list(range(len(log.records)))
    assert "recording_gap" not in log.events()


@pytest.mark.linux("limits of another process, and /proc")
def test_a_disk_that_is_full_at_the_end_leaves_the_rest_to_who_looks_next(session: Interactive) -> None:
    """The log has no end then, and is gone on with: what the transcript holds is not given up."""
    command = session.begin()
    session.claude.register(command.pid, "idle")
    log = session.until(statuses)
    recorder = recorder_of(log)
    size = session.logs()[0].stat().st_size
    resource.prlimit(recorder, resource.RLIMIT_FSIZE, (size, size))
    session.claude.say("last words")
    session.type("5")
    assert command.wait(BOUND_S) == 5
    while process.lives(process.Identity(recorder, None, None)):
        time.sleep(0.01)
    assert session.logs()[0].stat().st_size == size
    shown = [session.wrapper, "--data-dir", str(session.data_dir), "sessions"]
    subprocess.run(shown, check=True, stdout=subprocess.DEVNULL)
    session.until_ended()
    session.until_recorded("last words")


# -- notices ---------------------------------------------------------------------------------------------------


def _may_limit() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*NO_NOTICES, LIMIT_IT, "sh", "true"], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.mark.linux("inotify")
@pytest.mark.skipif(not _may_limit(), reason="nobody may set limits of inotify here")
def test_where_the_limit_of_inotify_is_reached_it_looks_by_itself(session: Interactive) -> None:
    """A user who watches too much already has the session recorded all the same."""
    wrapped = session.command()
    session.command = lambda *_: [*NO_NOTICES, LIMIT_IT, "sh", *wrapped]  # type: ignore[method-assign]
    command = session.begin()
    recorder = recorder_of(session.until(lambda log: True))
    session.claude.register(command.pid, "busy")
    session.until_status("busy")
    session.claude.say("hello")
    session.until_recorded("hello")
    held = [os.readlink(one) for one in Path(f"/proc/{recorder}/fd").iterdir()]
    assert not [one for one in held if "inotify" in one]
    session.type("3")
    assert command.wait(BOUND_S) == 3
    session.until_ended()


class Deaf(Watch):
    """A watch on a file system that tells nothing."""

    is_listening = threading.Event()

    def wait(self, timeout_s: float | None, also: int = -1) -> set[str] | None:
        """Say that somebody listens."""
        self.is_listening.set()
        return super().wait(timeout_s, also)

    def set_paths(self, paths: Iterable[str]) -> None:
        """Hear of nothing."""


class Followed:
    """A command that is followed by a recorder in a thread of this process."""

    def __init__(self, session: Interactive, *, clock_was_ahead_s: float = 0.0) -> None:
        self.process = subprocess.Popen(["sleep", "600"], cwd=session.project)
        pid = self.process.pid
        self.command = Command(
            ["claude"],
            identity=process.identity(pid),
            pidfd=process.open_process(pid),
            started_boot_ns=process.boot_ns(),
            cwd=str(session.project),
        )
        body = lifecycle("s", "session_started", {"mode": "followed", "follower_pid": os.getpid()})
        log = log_class("off")(str(session.data_dir), "s", body, look_s=0.0)
        log.try_append([])
        started_us = int((time.time() + clock_was_ahead_s) * 1e6)
        known = FollowedSession("s", Redactor(), started_us, time.monotonic())
        recorder = Recorder(log, known, self.command, str(session.claude.path))
        self.thread = threading.Thread(target=recorder.run)
        self.thread.start()

    def end(self) -> None:
        """End the command, and wait for the end of its record."""
        self.process.kill()
        self.process.wait()
        self.thread.join(BOUND_S)
        os.close(self.command.pidfd)


@pytest.mark.linux("a descriptor of a process")
def test_where_no_notices_come_it_looks_by_itself(
    session: Interactive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that lets itself be watched and tells nothing is seen through by the first news."""
    monkeypatch.setattr(recorders, "Watch", Deaf)
    session.claude.path.mkdir()
    followed = Followed(session)
    try:
        assert Deaf.is_listening.wait(BOUND_S)
        session.claude.register(followed.process.pid, "idle")
        session.until_status("idle")
        session.claude.say("hello")  # with a session at rest nothing else would wake it
        session.until_recorded("hello")
        session.claude.register(followed.process.pid, "busy")
        session.until_status("busy")
    finally:
        followed.end()
    session.until_ended()


# -- the clock -------------------------------------------------------------------------------------------------


@pytest.mark.linux("a descriptor of a process")
def test_a_clock_that_is_set_back_makes_no_history(session: Interactive) -> None:
    """Lines that look older than the session's start, by a clock that was set back since, are its lines."""
    followed = Followed(session, clock_was_ahead_s=3600)
    try:
        session.claude.register(followed.process.pid, "busy")
        session.claude.say("hello")
        log = session.until_recorded("hello")
        assert [one.data["why"] for one in log.records if one.event_type == "transcript_opened"] == ["new"]
    finally:
        followed.end()
    assert session.until_ended()["duration_ms"] < 3_600_000


# -- large files -----------------------------------------------------------------------------------------------


@pytest.mark.linux("/proc")
@pytest.mark.parametrize("resumed", [False, True])
def test_a_transcript_of_500_mb_that_is_continued_is_not_read_again(
    session: Interactive, resumed: bool
) -> None:
    """Only what is new is read, by the first recorder and by one that takes over."""
    path = session.claude.write(b'{"type":"user","timestamp":"2020-01-01T00:00:00Z"}\n')
    with path.open("r+b") as file:
        file.truncate(HISTORY_BYTES)  # takes no room
        file.seek(0, os.SEEK_END)
        file.write(b"\n")
    os.utime(path, (1, 1))
    command = session.begin()
    session.claude.register(command.pid, "busy")
    session.claude.say("hello")
    log = session.until_recorded("hello")
    if resumed:
        os.kill(recorder_of(log), signal.SIGKILL)
        while process.lives(process.Identity(recorder_of(log), None, None)):
            time.sleep(0.01)
        session.claude.say("more")
        shown = [session.wrapper, "--data-dir", str(session.data_dir), "sessions"]
        subprocess.run(shown, check=True, stdout=subprocess.DEVNULL)
        log = session.until_recorded("hello", "more")
    assert bytes_read(recorder_of(log)) < 20 << 20
    (opened,) = [one.data for one in log.records if one.event_type == "transcript_opened"]
    assert (opened["why"], opened["offset"]) == ("continued", HISTORY_BYTES + 1)
