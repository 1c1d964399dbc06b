"""A real terminal: its keys reach the command once, and job control sees one job."""

from __future__ import annotations

import os
import shlex
import signal
from typing import TYPE_CHECKING

import pytest

from tests.relay.wrapper import (
    BOUND_S,
    CHILDREN,
    PYTHON,
    Wrapper,
    read_all,
    read_line,
    state_of,
)
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTENER = [*PYTHON, str(CHILDREN / "signals.py")]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal."""
    terminal = Terminal()
    yield terminal
    os.close(terminal.keys)


@pytest.mark.parametrize(
    ("key", "name"), [(b"\x03", b"SIGINT"), (b"\x1c", b"SIGQUIT"), (b"\x1a", b"SIGTSTP")]
)
def test_keys_are_not_doubled(wrapper: Wrapper, terminal: Terminal, key: bytes, name: bytes) -> None:
    """Ctrl-C, Ctrl-\\ and Ctrl-Z go to the whole group; the wrapper does not send them once more."""
    with terminal.start(wrapper.command(*LISTENER), stdin=False, stdout=False) as running:
        assert read_line(running.reader) == b"ready\n"
        for _ in range(3):
            terminal.press(key)
            assert read_line(running.reader) == name + b"\n"
            running.send_signal(signal.SIGRTMIN)  # answered when all that came before has been dealt with
            assert read_line(running.reader) == b"SIGRTMIN\n"
        running.send_signal(signal.SIGRTMAX)
        assert running.end(b"") == 0


def test_changes_of_size_are_not_doubled(wrapper: Wrapper, terminal: Terminal) -> None:
    """The command learns of each change once, also when they come thick and fast, as from a mouse."""
    with terminal.start(wrapper.command(*LISTENER), stdin=False, stdout=False) as running:
        assert read_line(running.reader) == b"ready\n"
        for rows in range(20, 50):
            terminal.resize(rows, 100)
            assert read_line(running.reader) == b"SIGWINCH\n"
        running.send_signal(signal.SIGRTMAX)
        assert running.end(b"") == 0


def test_a_terminal_that_hangs_up(wrapper: Wrapper) -> None:
    """When the window is closed, the command gets SIGHUP, once, and the wrapper ends like it."""
    terminal = Terminal()
    with terminal.start(wrapper.command(*LISTENER), stdin=False, stdout=False) as running:
        assert read_line(running.reader) == b"ready\n"
        os.close(terminal.keys)
        told = {read_line(running.reader), read_line(running.reader)}
        assert told == {b"SIGHUP\n", b"SIGCONT\n"}  # the kernel sends both to the foreground group
        running.send_signal(signal.SIGRTMAX)
        rest = read_all(running.reader)
        # To the leader of a session they are sent twice: to it alone, as its leader, and to it with its group.
        assert rest.count(b"SIGHUP") <= 1
        assert running.wait(BOUND_S) == 0


def test_ctrl_c_ends_the_job(wrapper: Wrapper, terminal: Terminal) -> None:
    """A command that does nothing about Ctrl-C dies of it, and so does the wrapper."""
    command = wrapper.command("sh", "-c", "echo ready; exec sleep 1000")
    with terminal.start(command, stdin=False, stdout=False) as running:
        assert read_line(running.reader) == b"ready\n"
        terminal.press(b"\x03")
        assert running.wait(BOUND_S) == -signal.SIGINT


def test_ctrl_z_under_a_shell(wrapper: Wrapper, terminal: Terminal) -> None:
    """A shell with job control sees one job: it stops with Ctrl-Z and goes on in the foreground with ``fg``."""
    words = shlex.join(wrapper.command(*PYTHON, CHILDREN / "continued.py"))
    script = f"set -m; sleep 1000 | {words} | cat; echo status $?; read -r go; fg >&-"
    with terminal.start(["sh", "-c", script], stdin=True, stdout=True) as running:
        terminal.until(b"ready")
        terminal.press(b"\x1a")
        terminal.until(b"status 148")
        started = wrapper.started()
        assert [state_of(started[who]) for who in ("pid", "wrapper_pid")] == ["stopped", "stopped"]
        terminal.press(b"go\n")
        terminal.until(b"continued")
        terminal.press(b"\x03")
        assert read_all(terminal.keys).startswith(b"^C")
        assert running.wait(BOUND_S) == -signal.SIGINT  # as a shell ends whose job died of Ctrl-C
    assert wrapper.finished_log().ended["signal"] == "SIGINT"


def test_printing_at_a_terminal_is_recorded(wrapper: Wrapper, terminal: Terminal, claude: Path) -> None:
    """``claude -p`` typed at a prompt: the terminal stays the command's input, its output is passed on and recorded."""
    script = "[ -t 0 ] && echo terminal; stty size; read -r line; echo got $line"
    command = wrapper.command(claude, "-c", script, "claude", "-p")
    terminal.resize(33, 77)
    with terminal.start(command, stdin=True, stdout=True) as running:
        terminal.until(b"33 77")
        terminal.press(b"typed\n")
        terminal.until(b"got typed")
        assert running.wait(BOUND_S) == 0
    log = wrapper.finished_log()
    assert log.lines("stdout") == [b"terminal", b"33 77", b"got typed"]
    assert log.event("session_started")["streams"]["stdin"]["relayed"] is False


def test_at_a_terminal_the_wrapper_becomes_the_command(wrapper: Wrapper, terminal: Terminal) -> None:
    """A terminal program has the terminal to itself, in the very process that was started."""
    command = wrapper.command("sh", "-c", "echo $$ is; [ -t 1 ] && read -r line")
    with terminal.start(command, stdin=True, stdout=True) as running:
        terminal.until(b"%d is" % running.pid)
        terminal.press(b"\n")
        assert running.wait(BOUND_S) == 0
    assert not wrapper.data_dir.exists()


def test_output_and_errors_at_a_terminal_keep_their_order(
    wrapper: Wrapper, terminal: Terminal, claude: Path
) -> None:
    """What a person sees is in the order in which it was written, whichever stream it was written to."""
    script = "for n in $(seq 200); do echo out$n; echo err$n >&2; done; echo end"
    command = wrapper.command(claude, "-c", script, "claude", "-p")
    with terminal.start(command, stdin=True, stdout=True, stderr=True) as running:
        shown = terminal.until(b"end\r\n")
        assert running.wait(BOUND_S) == 0
    assert shown == b"".join(b"out%d\r\nerr%d\r\n" % (n, n) for n in range(1, 201)) + b"end\r\n"
