"""What a command inherits is the same with the wrapper and without: one probe is run both ways and compared."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.relay.wrapper import CHILDREN, PYTHON, Wrapper, finish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PROBE = [*PYTHON, str(CHILDREN / "surroundings.py"), "an argument", "--", "", "caf\udce9"]


def both(wrapper: Wrapper, **popen: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the bare and the wrapped probe found."""
    bare = finish([*PROBE, "bare"], **popen)
    wrapped = finish(wrapper.command(*PROBE, "wrapped"), **popen)
    assert (bare.status, bare.stderr) == (wrapped.status, wrapped.stderr) == (0, b"")
    return json.loads(bare.stdout), json.loads(wrapped.stdout)


def ignore(*numbers: int) -> Callable[[], None]:
    """Return what makes a child ignore signals."""

    def before_exec() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    return before_exec


def block(*numbers: int) -> Callable[[], None]:
    """Return what makes a child block signals."""

    def before_exec() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    return before_exec


def limit() -> None:
    """Lower limits of a child."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, 20_000_000))
    resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, 8 << 20))


@pytest.mark.parametrize(
    ("before_exec", "popen"),
    [
        (None, {}),
        (ignore(signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM), {}),
        (ignore(signal.SIGCHLD, signal.SIGUSR1, signal.SIGTSTP, signal.SIGTTOU), {}),
        (block(signal.SIGINT, signal.SIGTERM, signal.SIGUSR2, signal.SIGCHLD, signal.SIGRTMIN), {}),
        (lambda: [os.nice(5), None][1], {}),
        (limit, {}),
        (None, {"umask": 0o027, "cwd": "/"}),
        (None, {"process_group": 0}),
        (None, {"start_new_session": True}),
    ],
    ids=["nothing", "ignored", "ignored too", "blocked", "nice", "limits", "umask, cwd", "group", "session"],
)
def test_what_is_inherited(
    wrapper: Wrapper, before_exec: Callable[[], None] | None, popen: dict[str, Any]
) -> None:
    """Signal masks, ignored signals, limits, niceness, umask, directory, group, session, arguments, descriptors."""
    bare, wrapped = both(wrapper, preexec_fn=before_exec, **popen)
    assert wrapped == bare


@pytest.mark.parametrize(
    "environ",
    [
        {"LANG": "C"},
        {},
        {"LC_ALL": "C"},
        {"LC_ALL": "C.UTF-8", "LC_CTYPE": "C.UTF-8"},
        {"LC_CTYPE": "C"},
        {"LC_CTYPE": "C.UTF-8", "LANG": "C"},
        {"LC_CTYPE": "UTF-8"},
        {"PYTHONCOERCECLOCALE": "0", "LANG": "C"},
        {"Z": "last", "A": "", "caf\udce9": "\udcff=\n", "LC_CTYPE": ""},
        {"PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
    ],
    ids=lambda environ: (
        ",".join(f"{k}={v}" for k, v in environ.items()).encode(errors="replace").decode() or "none"
    ),
)
def test_the_environment(wrapper: Wrapper, environ: Mapping[str, str]) -> None:
    """Only the session id is added; what Python does to the locale for itself is undone."""
    bare, wrapped = both(wrapper, env=environ)
    assert sorted(wrapped["environment"]) == sorted(bare["environment"])


def test_the_session_id_in_the_environment(wrapper: Wrapper) -> None:
    """The command can tell others which session it is part of."""
    done = wrapper.run("sh", "-c", "printf %s $CLAUDE_PROXY_SESSION_ID")
    (path,) = wrapper.paths()
    assert done.stdout.decode() == path.stem


def test_dispositions_that_python_changes_for_itself(wrapper: Wrapper) -> None:
    """A command that is no Python finds every signal as it was: SIGPIPE and SIGXFSZ not ignored, none caught."""
    # By its path, as the wrapper is: Python starts what it has to look for in another way, with other dispositions.
    # Not SigQ, which counts what the user's other processes have.
    probe = [shutil.which("grep") or "grep", "^Sig...:", "/proc/self/status"]
    assert wrapper.run(*probe).stdout == finish(probe).stdout


@pytest.mark.parametrize("name", ["relative", "path", "on PATH", "odd"])
def test_the_name_that_a_command_is_called_by(wrapper: Wrapper, tmp_path: Path, name: str) -> None:
    """The program is found as it would have been, and called by the very word that was given."""
    word = {
        "relative": "./probe",
        "path": str(tmp_path / "probe"),
        "on PATH": "probe",
        "odd": "-probe \udcff",
    }[name]
    program = tmp_path / word.removeprefix("./") if name != "path" else tmp_path / "probe"
    program.symlink_to("/bin/cat")
    popen: dict[str, Any] = {"cwd": tmp_path, "env": {"PATH": f"/nowhere:{tmp_path}:/bin"}}
    done = wrapper.run(word, "/proc/self/cmdline", **popen)
    assert done.stdout == os.fsencode(word) + b"\0/proc/self/cmdline\0"
    assert done.stdout == finish([word, "/proc/self/cmdline"], **popen).stdout


def test_the_parent_of_the_command_is_the_wrapper(wrapper: Wrapper) -> None:
    """A command that watches its parent watches the process that the caller started."""
    with wrapper.start("sh", "-c", "echo $PPID; exec cat") as running:
        assert running.reader
        assert int(os.read(running.reader, 20)) == running.pid
        assert running.end() == 0


def test_python_of_the_command_is_its_own(wrapper: Wrapper) -> None:
    """A command in Python is not told by the wrapper's Python where its modules are."""
    code = "import sys; print(sys.path, sys.flags)"
    command = [sys.executable, "-c", code]
    assert wrapper.run(*command).stdout == finish(command).stdout


@pytest.mark.parametrize("data_dir", ["", "relative"])
def test_a_directory_that_is_gone(wrapper: Wrapper, tmp_path: Path, data_dir: str) -> None:
    """A command runs in a directory that was removed, as it does without the wrapper."""
    gone = tmp_path / "gone"
    gone.mkdir()
    words = wrapper.command("echo", "fine", options=["--data-dir", data_dir] if data_dir else [])
    done = finish(["sh", "-c", f'cd "{gone}" && rmdir "{gone}" && exec "$@"', "sh", *words])
    assert (done.status, done.stdout, done.stderr) == (0, b"fine\n", b"")


@pytest.mark.parametrize("limit", [8, 12, 16, 64])
def test_few_descriptors(wrapper: Wrapper, limit: int) -> None:
    """With too few descriptors to stand between, the wrapper gets out of the way."""
    words = wrapper.command("cat")
    done = finish(["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *words], b"through\n")
    assert (done.status, done.stdout, done.stderr) == (0, b"through\n", b"")


def without(folder: str) -> list[str]:
    """Return the beginning of a command line for a program that finds nothing in a folder of the system."""
    return ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {folder} && exec "$@"', "sh"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take a folder of the system away")
@pytest.mark.parametrize("environ", [{}, {"LC_ALL": "C.UTF-8"}], ids=["no locale", "a locale"])
def test_a_sandbox_without_proc(wrapper: Wrapper, environ: Mapping[str, str]) -> None:
    """Where `/proc` is not to be had, a session is relayed, recorded and ended as everywhere."""
    command = [*without("/proc"), *wrapper.command("sh", "-c", "cat; exit 3")]
    done = finish(command, b"hello\n", env={**environ, "PATH": os.defpath})
    assert (done.status, done.stdout, done.stderr) == (3, b"hello\n", b"")
    log = wrapper.finished_log()
    assert log.lines("stdout") == [b"hello"]
    assert log.ended["exit_code"] == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take a folder of the system away")
def test_a_sandbox_without_dev(wrapper: Wrapper) -> None:
    """Where `/dev/null` is not to be had, the command runs all the same, unrecorded."""
    done = finish([*without("/dev"), *wrapper.command("sh", "-c", "cat; exit 3")], b"hello\n")
    assert (done.status, done.stdout, done.stderr) == (3, b"hello\n", b"")
