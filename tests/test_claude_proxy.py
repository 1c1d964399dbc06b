"""The console script, as an installation has it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = Path(sys.executable).with_name("claude-proxy")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed beside this interpreter")
def test_a_package_of_the_same_name_does_not_get_in_the_way(tmp_path: Path) -> None:
    """A project may have a module `proxy` of its own on its PYTHONPATH: commands are wrapped all the same."""
    (tmp_path / "proxy.py").write_text("raise SystemExit(99)")
    done = subprocess.run(
        [SCRIPT, "--server", "off", "--data-dir", tmp_path / "data", "--", "echo", "passed on"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "passed on\n", "")
    assert len(list((tmp_path / "data/sessions").iterdir())) == 2  # the log and the link to the newest


def test_a_start_imports_what_it_needs(tmp_path: Path) -> None:
    """What a command waits for, and a session of text, comes without the modules that take longest to import."""
    places = os.pathsep.join((str(ROOT), str(Path(msgspec.__file__).parents[1])))
    script = [sys.executable, "-S", "-X", "importtime", str(ROOT / "scripts/claude-proxy")]
    done = subprocess.run(
        [*script, "--server", "off", "--data-dir", str(tmp_path / "data"), "--", "echo", "passed on"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": places},
        check=True,
    )
    assert done.stdout == "passed on\n"
    imported = re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE)
    relay = imported.index("proxy.relay.relay")  # which is named when all that it imports is there
    assert not set(imported[:relay]) & {
        "re",
        "enum",
        "json",
        "typing",
        "signal",
        "msgspec",
        "argparse",
        "subprocess",
    }
    command_waits_for = imported[: imported.index("proxy.relay.supervisor")]
    assert not set(command_waits_for) & {"contextlib", "collections", "functools", "threading", "warnings"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An environment in which another project has put its package over ours."""
    site = tmp_path / "site"
    for name in ("cli/subcommands.py", "cli/shim.py", "relay/execute.py"):
        (site / "proxy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "proxy" / name, site / "proxy" / name)
    shutil.copy(ROOT / "claude_proxy.py", site)
    (site / "proxy/__init__.py").write_text('"""Another proxy."""\nraise SystemExit(99)\n')
    for name, record in (("proxy.py-2.4.10", "proxy/__init__.py,sha256=x,1\n"), ("claude_proxy-0.1.0", "")):
        (site / f"{name}.dist-info").mkdir()
        (site / f"{name}.dist-info/RECORD").write_text(f"a.py,,\n{record}")
    return site


def run_in(site: Path, call: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program of an environment."""
    code = f"import sys; sys.path.insert(0, {str(site)!r}); import claude_proxy; claude_proxy.{call}"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


FOREIGN = (
    "claude-proxy: proxy.py 2.4.10 has its own package `proxy` in place of claude-proxy's ({}/proxy): install"
)


@pytest.mark.parametrize("options", [[], ["--"], ["--server", "off", "--validation=off", "--"]])
def test_a_foreign_package_costs_the_record_and_not_the_command(site: Path, options: list[str]) -> None:
    """One line that names whose package it is; the command has its arguments, its output and its exit status."""
    ran = run_in(site, "main()", *options, "sh", "-c", 'echo "$@"; exit 3', "sh", "--", "two words")
    assert (ran.returncode, ran.stdout) == (3, "-- two words\n")
    assert ran.stderr.startswith(FOREIGN.format(site))
    assert ran.stderr.endswith("; sh runs unrecorded\n")
    assert ran.stderr.count("\n") == 1


def test_with_a_foreign_package_there_are_no_subcommands(site: Path) -> None:
    """They say the same line, and are not taken for commands; what is no command is told as ever."""
    for words in (["show", "latest"], ["--version"], []):
        ran = run_in(site, "main()", *words)
        assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
        assert ran.stderr.startswith(FOREIGN.format(site))
    ran = run_in(site, "main()", "no-such-command")
    assert (ran.returncode, ran.stderr.splitlines()[1:]) == (
        127,
        ["claude-proxy: no-such-command: command not found on PATH"],
    )


def test_a_shim_with_a_foreign_package_is_the_real_claude(site: Path, tmp_path: Path) -> None:
    """A program that was given the shim goes on to work."""
    claude = tmp_path / "bin/claude"
    claude.parent.mkdir()
    claude.write_text('#!/bin/sh\necho "$0 $*"\n')
    claude.chmod(0o755)
    ran = run_in(site, "shim(None)", "-p", "x", PATH=f"{claude.parent}:/usr/bin:/bin")
    assert (ran.returncode, ran.stdout) == (0, f"{claude} -p x\n")
    assert ran.stderr.endswith("; claude runs unrecorded\n")


def test_another_package_that_was_imported_first(tmp_path: Path) -> None:
    """A `sitecustomize` may import a `proxy` before the program begins: it is named by its file."""
    (tmp_path / "proxy.py").write_text("")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import proxy; sys.path[0] = {str(ROOT)!r};"
        "import claude_proxy; claude_proxy.main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "--", "echo", "x"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "x\n")
    assert f"({tmp_path}/proxy.py)" in ran.stderr
