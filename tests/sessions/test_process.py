"""Processes are told apart for ever, and it is known how they ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from proxy.sessions import process
from proxy.sessions.process import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends when its input does."""
    with subprocess.Popen(["/bin/sh", "-c", "read -r code; exit $code"], stdin=subprocess.PIPE) as child:
        yield child
        if child.poll() is None:
            child.send_signal(signal.SIGCONT)
            child.kill()


def end(child: subprocess.Popen[bytes], code: int) -> None:
    """Let it exit, without being waited for."""
    assert child.stdin is not None
    child.stdin.write(b"%d\n" % code)
    child.stdin.flush()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def test_a_process_lives_until_it_ends(child: subprocess.Popen[bytes]) -> None:
    """Also one that nobody has waited for yet is over."""
    identity = process.identity(child.pid)
    assert process.lives(identity)
    end(child, 0)
    assert not process.lives(identity)
    child.wait()
    assert not process.lives(identity)


def test_a_number_that_is_another_process_is_not_this_one(child: subprocess.Popen[bytes]) -> None:
    """The same number with another start, or in another boot, is another process."""
    mine = process.identity(child.pid)
    assert not process.lives(Identity(mine.pid, "1", mine.boot))
    assert not process.lives(Identity(mine.pid, mine.start, "another boot"))
    assert process.lives(Identity(mine.pid, None, None))


def test_a_stopped_process_is_known_to_be(child: subprocess.Popen[bytes]) -> None:
    """Ctrl-Z leaves a process that lives and does nothing."""
    assert not process.is_stopped(child.pid)
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    assert process.is_stopped(child.pid)


@pytest.mark.parametrize("tells", [True, False])
def test_descendants_are_found(monkeypatch: pytest.MonkeyPatch, tells: bool) -> None:
    """Children of children too, whether or not the kernel was built to tell the children of a process."""
    if not tells:
        monkeypatch.setattr(process, "_tells_children", lambda: False)
    script = "sh -c 'echo $$; exec sleep 60' & wait"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        assert grandchild in list(process.descendants(os.getpid()))
        os.kill(grandchild, signal.SIGKILL)


def test_an_environment_is_that_of_the_program() -> None:
    """What a process was given, and nothing for one that is not there."""
    cat = subprocess.Popen(
        ["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"A": "1", "B": "x=y"}
    )
    with cat as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"there\n")
        child.stdin.flush()
        child.stdout.readline()  # it has begun
        assert process.environment(child.pid) == {b"A": b"1", b"B": b"x=y"}
    assert process.environment(child.pid) is None


@pytest.mark.parametrize("ending", [0, 7, signal.SIGKILL])
@pytest.mark.linux("how a process ended can be asked for by others than its parent")
def test_how_a_process_ended_is_known_to_others_than_its_parent(
    child: subprocess.Popen[bytes], ending: int
) -> None:
    """Somebody who is not the parent learns status or signal, whether or not the parent has waited for it."""
    identity, fd = process.identity(child.pid), process.open_process(child.pid)
    if isinstance(ending, signal.Signals):
        child.send_signal(ending)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    else:
        end(child, ending)
    not_waited_for = process.exit_of(identity, fd)
    returned = child.wait()
    waited_for = process.exit_of(identity, fd)
    os.close(fd)
    assert not_waited_for is not None
    assert os.waitstatus_to_exitcode(not_waited_for) == returned
    expected = {"signal": "SIGKILL"} if ending == signal.SIGKILL else {"exit_code": ending}
    assert process.described_exit(not_waited_for) == expected
    assert waited_for in (not_waited_for, None)  # None: Linux before 6.15


@pytest.mark.linux("how a process ended can be asked for by others than its parent")
def test_how_a_process_ended_is_not_what_another_one_says(child: subprocess.Popen[bytes]) -> None:
    """Of one that lives nothing is told, nor by one that has its number at another time or in another boot."""
    identity = process.identity(child.pid)
    assert process.exit_of(identity, -1) is None
    end(child, 7)
    assert process.exit_of(identity, -1) is not None
    assert process.exit_of(Identity(child.pid, "1", identity.boot), -1) is None
    assert process.exit_of(Identity(child.pid, identity.start, "another boot"), -1) is None


def test_an_unknown_signal_has_a_name_too() -> None:
    """Signals without a name of their own are told by their number."""
    assert process.described_exit(40) == {"signal": "SIGRT40"}


@pytest.mark.linux("starts are counted in ticks since the boot; elsewhere by the clock on the wall")
def test_the_start_is_known_on_a_clock_that_nobody_sets() -> None:
    """A process that was just started has not lived longer than this test."""
    before = process.boot_ns()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = process.started_boot_ns(process.identity(child.pid))
        after = process.boot_ns()
        child.kill()
    assert started is not None
    assert before - 20_000_000 <= started <= after
    assert process.started_boot_ns(Identity(1, "1", "another boot")) is None
