"""A command that cannot be run is diagnosed in one line, with the status that a shell gives."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from proxy.relay.execute import CannotRunError
from tests.relay.wrapper import Running, Wrapper, finish, read_all

if TYPE_CHECKING:
    from pathlib import Path


def unusable(folder: Path, kind: str) -> str:
    """Return a command that cannot be run."""
    path = folder / "command"
    match kind:
        case "missing":
            return str(path)
        case "not on PATH":
            return "no-such-command"
        case "under a file":
            path.touch()
            return str(path / "command")
        case "not executable":
            path.write_text("#!/bin/sh\n")
        case "a folder":
            path.mkdir()
        case "no program":
            path.write_bytes(b"\x7fELF but not really")
            path.chmod(0o755)
        case "interpreter missing":
            path.write_text("#!/no/such/interpreter\n")
            path.chmod(0o755)
    return str(path)


KINDS = {
    "missing": (127, "no such file"),
    "not on PATH": (127, "command not found on PATH"),
    "under a file": (127, "no such file"),
    "not executable": (126, "Permission denied"),
    "a folder": (126, "a folder, not a program"),
    "no program": (126, "not a program: neither"),
    "interpreter missing": (127, "it is there, but the interpreter"),
}


@pytest.mark.parametrize("exec_", [False, True], ids=["relayed", "become"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_line_says_what_is_wrong(wrapper: Wrapper, tmp_path: Path, kind: str, exec_: bool) -> None:
    """One sentence on standard error names the command; the status tells "not found" from "cannot be run"."""
    command = unusable(tmp_path, kind)
    words = wrapper.command(command)
    if exec_:  # a terminal for standard input: the wrapper would become the command
        ours, theirs = pty.openpty()
        done = finish(words, stdin=theirs)
        os.close(ours)
        os.close(theirs)
    else:
        done = finish(words)
    status, why = KINDS[kind]
    assert done.status == status
    assert done.stdout == b""
    line = done.stderr.decode()
    assert line.startswith(f"claude-proxy: {command}: {why}")
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert not wrapper.data_dir.exists()


def test_the_status_is_a_shells(tmp_path: Path, wrapper: Wrapper) -> None:
    """The statuses agree with what ``sh`` gives for the same commands."""
    for kind, (status, _) in KINDS.items():
        folder = tmp_path / kind
        folder.mkdir()
        command = unusable(folder, kind)
        if kind != "no program":  # a shell tries to read that as a script
            assert finish(["sh", "-c", '"$0"', command]).status == status


def test_the_error_holds_its_facts() -> None:
    """Who catches the error learns number and status, without reading the sentence."""
    error = CannotRunError("claude", 2)
    assert (error.errno, error.status) == (2, 127)
    assert "PATH" in str(error)
    assert CannotRunError("/bin/claude", 13).status == 126


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option", "--", "true"],
        ["--data-dir"],
        ["--validation", "strict", "--", "true"],
        ["--server", "maybe", "--", "true"],
        ["--port", "70000", "--", "true"],
        ["--config", "/no/such/file", "--", "true"],
    ],
)
def test_wrong_options_stop_everything(wrapper: Wrapper, arguments: list[str]) -> None:
    """A wrapper that cannot be configured says so in one line, names the option, and starts nothing: status 2."""
    done = finish([wrapper.command("x")[0], "--server", "off", *arguments])
    assert (done.status, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"claude-proxy: ")
    assert arguments[0] in done.stderr.decode() or arguments[1] in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("variable", ["CLAUDE_PROXY_PORT", "CLAUDE_PROXY_VALIDATION", "CLAUDE_PROXY_REDACT"])
def test_wrong_variables_stop_everything(wrapper: Wrapper, variable: str) -> None:
    """What is wrong in the environment is named by its variable."""
    done = finish(wrapper.command("true"), env={**os.environ, variable: "nonsense"})
    assert (done.status, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"claude-proxy: {variable} is 'nonsense'; it takes ".encode())


@pytest.mark.parametrize("errors", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(("options", "status"), [([], 127), (["--port", "x"], 2)])
def test_nobody_to_be_told(wrapper: Wrapper, errors: str, options: list[str], status: int) -> None:
    """Regression: where standard error is closed or full, the status says what is wrong all the same."""
    words = wrapper.command("no-such-command", options=options)
    assert finish(["sh", "-c", f'"$@" {errors}', "sh", *words]).status == status


def test_becoming_the_command(wrapper: Wrapper, tmp_path: Path) -> None:
    """A call that is no session has the very process that the caller started, and leaves nothing behind."""
    claude = tmp_path / "claude"
    claude.write_text("#!/bin/sh\necho $$ $* $CLAUDE_PROXY_SESSION_ID\nexit 3\n")
    claude.chmod(0o755)
    command = wrapper.command(claude, "--version")
    with Running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert read_all(running.reader) == b"%d --version\n" % running.pid
        assert running.wait(60) == 3
    assert not wrapper.data_dir.exists()


def test_the_form_that_editors_use(wrapper: Wrapper) -> None:
    """``--`` may be left out: what follows the first word that is no option belongs to the command."""
    words = [word for word in wrapper.command("printf", "%s|", "--server", "--", "-x", "") if word != "--"]
    words[words.index("-x") : words.index("-x")] = ["--"]
    assert finish(words).stdout == b"--server|--|-x||"
