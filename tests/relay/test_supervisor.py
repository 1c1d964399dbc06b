"""A signal reaches the command once, the same one, and the wrapper ends and stops as the command does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from proxy.relay import supervisor
from tests.relay.wrapper import (
    BOUND_S,
    CHILDREN,
    PYTHON,
    Running,
    Wrapper,
    ends,
    read_all,
    read_line,
    read_some,
    state_of,
    write_all,
)
from tests.sessions.logs import read_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

FORWARDED = ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "TSTP", "CONT", "WINCH"]
LISTENER = [*PYTHON, str(CHILDREN / "signals.py")]
LEADER = [*PYTHON, "-c", "import os, sys; os.setpgid(0, 0); os.execv(sys.argv[1], sys.argv[1:])"]
PIPES: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}


@pytest.fixture
def listener(wrapper: Wrapper) -> Iterator[Running]:
    """A wrapped command that tells of the signals it gets, in a process group of its own."""
    with wrapper.start(*LISTENER, process_group=0) as running:
        assert read_line(running.reader) == b"ready\n"
        yield running


def number(name: str) -> signal.Signals:
    """Return the signal of this name."""
    return signal.Signals["SIG" + name]


def to_wrapper(running: Running, sent: int) -> None:
    """Send a signal to the wrapper alone."""
    os.kill(running.pid, sent)


def to_group(running: Running, sent: int) -> None:
    """Send a signal to the whole process group, as a terminal does."""
    os.killpg(running.pid, sent)


@pytest.mark.parametrize("send", [to_wrapper, to_group])
@pytest.mark.parametrize("name", FORWARDED)
def test_each_signal_arrives_once(listener: Running, name: str, send: Callable[[Running, int], None]) -> None:
    """What is sent to the wrapper is sent on; what went to the group has arrived already and is not sent again."""
    send(listener, number(name))
    assert read_line(listener.reader) == b"SIG%b\n" % name.encode()
    # Taken last of all that waits, so that anything else that was sent on would be told before.
    to_wrapper(listener, signal.SIGRTMAX)
    assert listener.end(b"") == 0


@pytest.mark.parametrize("name", FORWARDED)
def test_a_command_in_a_group_of_its_own(wrapper: Wrapper, name: str) -> None:
    """Regression: what goes to the caller's group reaches, once, a command that made a group of its own (`timeout`)."""
    with wrapper.start(*LEADER, *LISTENER, process_group=0) as running:
        assert read_line(running.reader) == b"ready\n"
        for send in (to_group, to_wrapper, to_group):
            send(running, number(name))
            assert read_line(running.reader) == b"SIG%b\n" % name.encode()
            settle(running)
        to_wrapper(running, signal.SIGRTMAX)
        assert running.end(b"") == 0


def test_a_command_that_left_the_callers_own_group(wrapper: Wrapper) -> None:
    """Without the wrapper, too, a command that left the group that its caller is in does not get what goes there."""
    words = wrapper.command(*LEADER, *LISTENER)
    # The shell leads the group, and survives what goes to it.
    with Running(["sh", "-c", 'trap : USR1; "$@"; exit', "sh", *words], **PIPES, process_group=0) as shell:
        assert read_line(shell.reader) == b"ready\n"
        to_group(shell, signal.SIGUSR1)
        os.kill(wrapper.started()["wrapper_pid"], signal.SIGRTMAX)
        assert shell.end(b"") == 0


def test_signals_in_a_row(listener: Running) -> None:
    """Signals to the wrapper and to the group, one after the other: each is told apart from the one before."""
    told = b""
    for name in FORWARDED * 3:
        for send in (to_wrapper, to_group, to_group, to_wrapper):
            send(listener, number(name))
            told += read_line(listener.reader)
            settle(listener)
    to_wrapper(listener, signal.SIGRTMAX)
    assert told + read_all(listener.reader) == b"".join(
        b"SIG%b\n" % name.encode() * 4 for name in FORWARDED * 3
    )


def settle(listener: Running) -> None:
    """Wait until the wrapper and its relay have dealt with all that was sent: the answer to a last question."""
    to_wrapper(listener, signal.SIGRTMIN)
    assert read_line(listener.reader) == b"SIGRTMIN\n"


@pytest.mark.parametrize(
    "statuses",
    [
        pytest.param([0, 1, 2, 77, 126, 127, 128, 130, 137, 143, 255], id="some"),
        *(
            pytest.param(range(start, start + 32), id=f"from {start}", marks=pytest.mark.slow)
            for start in range(0, 256, 32)
        ),
    ],
)
def test_every_exit_status_is_mirrored(wrapper: Wrapper, statuses: Sequence[int]) -> None:
    """The caller gets the very status that the command exits with, and the log has it too."""
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(wrapper.start("sh", "-c", f"exit {status}")) for status in statuses]
        assert [running.wait(BOUND_S) for running in sessions] == list(statuses)
    assert sorted(read_log(path).ended["exit_code"] for path in wrapper.paths()) == sorted(statuses)


DEADLY = [
    "HUP",
    "INT",
    "QUIT",
    "ILL",
    "TRAP",
    "ABRT",
    "BUS",
    "FPE",
    "KILL",
    "USR1",
    "SEGV",
    "PIPE",
    "ALRM",
    "TERM",
]


@pytest.mark.parametrize("name", DEADLY)
def test_death_by_signal_is_mirrored(wrapper: Wrapper, name: str) -> None:
    """A command that is killed by a signal, its own or another's, takes the wrapper along by the same one."""
    done = wrapper.run("sh", "-c", f"kill -{name} $$")
    assert (done.status, done.stdout, done.stderr) == (-number(name), b"", b"")
    assert wrapper.log().ended["signal"] == "SIG" + name


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "USR1"])
def test_a_signal_that_kills_the_command(wrapper: Wrapper, name: str) -> None:
    """A signal to the wrapper ends it by way of the command, which had the last word."""
    with wrapper.start("sh", "-c", "echo ready; exec sleep 1000") as running:
        assert read_line(running.reader) == b"ready\n"
        running.send_signal(number(name))
        assert running.wait(BOUND_S) == -number(name)


def test_a_signal_that_the_command_survives(wrapper: Wrapper) -> None:
    """A command that handles a signal and exits gives the status."""
    script = "trap 'echo caught; exit 9' TERM; echo ready; while :; do read -r line; done"
    with wrapper.start("sh", "-c", script) as running:
        assert read_line(running.reader) == b"ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.end(b"caught\n") == 9


@pytest.mark.parametrize("name", ["TSTP", "STOP", "TTIN", "TTOU"])
def test_stopping_and_going_on(wrapper: Wrapper, name: str) -> None:
    """A command that stops is seen to stop by the wrapper's caller, by the same signal, and goes on with it."""
    with wrapper.start(
        "sh", "-c", f"kill -{name} $$; echo on; read -r line; exit 5", process_group=0
    ) as running:
        _, status = os.waitpid(running.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert os.WSTOPSIG(status) == number(name)
        os.kill(running.pid, signal.SIGCONT)
        assert read_line(running.reader) == b"on\n"
        assert running.end() == 5


def test_stopping_from_outside(wrapper: Wrapper) -> None:
    """SIGTSTP to the wrapper stops the command and then the wrapper; SIGCONT has both go on. Twice."""
    with wrapper.start("sh", "-c", "echo ready; exec cat", process_group=0) as running:
        assert read_line(running.reader) == b"ready\n"
        pid = wrapper.started()["pid"]
        for _ in range(2):
            os.kill(running.pid, signal.SIGTSTP)
            _, status = os.waitpid(running.pid, os.WUNTRACED)
            assert os.WSTOPSIG(status) == signal.SIGTSTP
            assert state_of(pid) == "stopped"
            os.kill(running.pid, signal.SIGCONT)
            write_all(running.writer, b"x\n")
            assert read_line(running.reader) == b"x\n"
        assert running.end() == 0


def test_going_on_is_the_last_word(wrapper: Wrapper) -> None:
    """SIGCONT that comes before the wrapper has got round to stopping like its command is not lost."""
    with wrapper.start("sh", "-c", "echo ready; exec cat", process_group=0) as running:
        assert read_line(running.reader) == b"ready\n"
        pid = wrapper.started()["pid"]
        os.kill(running.pid, signal.SIGSTOP)  # the wrapper notices nothing of what comes now
        os.waitpid(running.pid, os.WUNTRACED)
        stopped = os.pidfd_open(pid)
        signal.pidfd_send_signal(stopped, signal.SIGTSTP)
        os.close(stopped)
        while state_of(pid) != "stopped":
            os.sched_yield()
        os.kill(running.pid, signal.SIGCONT)
        write_all(running.writer, b"x\n")
        assert read_line(running.reader) == b"x\n"
        assert running.end() == 0


def test_a_command_that_is_stopped_and_continued_by_itself(wrapper: Wrapper) -> None:
    """Regression: the wrapper, which stops like a command that somebody stopped alone, goes on when that does."""
    with wrapper.start("sh", "-c", "echo ready; exec cat", process_group=0) as running:
        assert read_line(running.reader) == b"ready\n"
        command = wrapper.started()["pid"]
        for _ in range(2):
            os.kill(command, signal.SIGSTOP)
            assert os.WIFSTOPPED(os.waitpid(running.pid, os.WUNTRACED)[1])
            os.kill(command, signal.SIGCONT)
            assert os.WIFCONTINUED(os.waitpid(running.pid, os.WCONTINUED)[1])
        assert running.end() == 0


def test_a_command_that_is_stopped_and_killed_by_itself(wrapper: Wrapper) -> None:
    """Regression: a wrapper that has stopped like its command ends like its command."""
    with wrapper.start("sh", "-c", "echo ready; exec cat", process_group=0) as running:
        assert read_line(running.reader) == b"ready\n"
        command = wrapper.started()["pid"]
        os.kill(command, signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(running.pid, os.WUNTRACED)[1])
        os.kill(command, signal.SIGKILL)
        assert running.end() == -signal.SIGKILL


def test_sigkill_of_the_wrapper_leaves_no_command(wrapper: Wrapper) -> None:
    """The command does not live on, what it wrote is on record, and the log says how it ended."""
    with wrapper.start("sh", "-c", "trap '' TERM INT HUP; echo ready; exec sleep 1000") as running:
        assert read_line(running.reader) == b"ready\n"
        started = wrapper.started()
        running.kill()
        assert read_all(running.reader) == b""
        ends(started["pid"])
        ends(started["relay_pid"])
    log = wrapper.finished_log()
    assert log.lines("stdout") == [b"ready"]
    assert log.ended["signal"] == "SIGKILL"
    assert log.ended["reason"] == "wrapper_killed"


@pytest.mark.parametrize("script", ["exec yes", "yes & wait"], ids=["command", "descendant"])
def test_sigkill_of_the_wrapper_by_a_caller_that_reads_no_more(wrapper: Wrapper, script: str) -> None:
    """Regression: the relay goes though the caller keeps its end of the pipe; what was not delivered is on record."""
    with wrapper.start("sh", "-c", script) as running:
        received = read_line(running.reader)
        started = wrapper.started()
        running.kill()
        ends(started["relay_pid"])
        log = wrapper.finished_log()
        received += read_all(running.reader)  # what its own pipe holds, as without the wrapper
    assert log.ended["reason"] == "wrapper_killed"
    recorded = b"\n".join(log.lines("stdout"))
    assert recorded.startswith(received.rpartition(b"\n")[0])
    assert log.ended["undelivered"] == {"stdout": len(recorded) + len(b"\n") - len(received)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_sigkill_of_the_wrapper_of_a_command_that_became_another_user(wrapper: Wrapper) -> None:
    """Regression: the kernel forgets whom to kill when a command changes its user; the relay process does not."""
    becoming = "import os; os.setgroups([]); os.setuid(65534); os.write(1, b'ready\\n'); os.read(0, 1)"
    with wrapper.start(*PYTHON, "-c", becoming) as running:
        assert read_line(running.reader) == b"ready\n"
        started = wrapper.started()
        running.kill()
        ends(started["pid"])
        ends(started["relay_pid"])
    assert wrapper.finished_log().ended["reason"] == "wrapper_killed"


def test_a_signal_that_may_not_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that runs with another user's rights (`sudo`) is not to be signalled; the session goes on."""

    def refuse(_pid: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    supervisor._Supervisor(1, 1, -1, -1)._send(signal.SIGTERM)


@pytest.mark.linux("the kernel kills a process when its parent dies: `PR_SET_PDEATHSIG`")
def test_sigkill_of_the_wrapper_and_the_relay_together(wrapper: Wrapper) -> None:
    """With nobody left to do anything, the kernel sees to it that the command does not live on."""
    with wrapper.start("sh", "-c", "trap '' TERM INT HUP; echo ready; exec sleep 1000") as running:
        assert read_line(running.reader) == b"ready\n"
        started = wrapper.started()
        os.kill(started["relay_pid"], signal.SIGSTOP)  # neither can react to the other's death
        os.kill(running.pid, signal.SIGSTOP)
        os.kill(started["relay_pid"], signal.SIGKILL)
        os.kill(running.pid, signal.SIGKILL)
        ends(started["pid"])
        ends(started["relay_pid"])
        assert running.wait(BOUND_S) == -signal.SIGKILL
    assert wrapper.finished_log().lines("stdout") == [b"ready"]


def test_sigkill_of_the_relay_ends_everything(wrapper: Wrapper) -> None:
    """Without its streams the command is of no use: it ends, and so does the wrapper, in the same way."""
    with wrapper.start("sh", "-c", "trap '' TERM INT HUP; echo ready; exec sleep 1000") as running:
        assert read_line(running.reader) == b"ready\n"
        started = wrapper.started()
        os.kill(started["relay_pid"], signal.SIGKILL)
        assert running.wait(BOUND_S) == -signal.SIGKILL
        ends(started["pid"])
        assert read_some(running.reader) == b""


def test_signals_before_the_command_runs(wrapper: Wrapper, tmp_path: Path) -> None:
    """A wrapper that is interrupted while it starts dies as the command would have, without a word."""
    config = tmp_path / "config.yaml"
    os.mkfifo(config)
    options = ["--config", str(config)]
    with wrapper.start("echo", "too far", options=options, stderr=subprocess.PIPE) as running:
        writer = config.open(
            "wb"
        )  # returns when the wrapper, on its way to the command, reads its configuration
        running.send_signal(signal.SIGINT)
        assert running.wait(BOUND_S) == -signal.SIGINT
        writer.close()
        assert running.stderr
        assert (read_all(running.reader), running.stderr.read()) == (b"", b"")


def test_a_caller_that_ignores_sigchld(wrapper: Wrapper) -> None:
    """Ignored by the caller, SIGCHLD costs no exit status and no hang, however short the command lives."""
    for _ in range(10):
        with wrapper.start(
            "sh", "-c", "exit 7", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        ) as running:
            assert running.wait(BOUND_S) == 7


def test_stopped_with_the_group_and_then_alone(wrapper: Wrapper) -> None:
    """After a stop of the whole group, and going on alone, a stop of the wrapper alone is still passed on."""
    with wrapper.start("sh", "-c", "echo ready; exec cat", process_group=0) as running:
        assert read_line(running.reader) == b"ready\n"
        for send in (to_group, to_wrapper, to_group, to_wrapper, to_wrapper):
            send(running, signal.SIGTSTP)
            _, status = os.waitpid(running.pid, os.WUNTRACED)
            assert os.WSTOPSIG(status) == signal.SIGTSTP
            os.kill(running.pid, signal.SIGCONT)
            write_all(running.writer, b"x\n")
            assert read_line(running.reader) == b"x\n"
        assert running.end() == 0
