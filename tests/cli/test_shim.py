"""``claude-proxy shim``: an executable that stands in for claude."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.cli import agent_sdk
from proxy.cli.shim import MARK, find_claude
from tests.command_line import Finished, claude_proxy

PROXY = [sys.executable, "-m", "proxy"]


def program(path: Path, text: str = '#!/bin/sh\necho "claude $0 $*"\n') -> Path:
    """Make an executable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def make_shim(folder: Path, *options: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the subcommand, with a PATH that begins with a folder."""
    env = os.environ if path is None else {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [*PROXY, "shim", str(folder), *options], capture_output=True, text=True, check=False, env=env
    )


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with additions to the environment, and no input."""
    env = {**os.environ, "CLAUDE_PROXY_SERVER": "off", **environment}
    return subprocess.run(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )


def test_a_shim_wraps_the_claude_that_it_was_given(tmp_path: Path) -> None:
    """The shim says where it is, records its sessions, and its command has the real path as its name."""
    claude = program(tmp_path / "real" / "claude")
    made = make_shim(tmp_path / "bin", "--claude", str(claude))
    shim = tmp_path / "bin" / "claude"
    assert (made.returncode, made.stdout) == (0, f"{shim}\n")
    ran = run(shim, "-p", "two words", CLAUDE_PROXY_DATA_DIR=str(tmp_path / "data"))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"claude {claude} -p two words\n", "")
    first = json.loads((tmp_path / "data" / "sessions" / "latest.jsonl").read_text().splitlines()[0])
    assert first["event"]["data"]["command"] == [str(claude), "-p", "two words"]


def test_a_shim_needs_nothing_of_the_callers_python(tmp_path: Path) -> None:
    """Modules beside the shim and the caller's PYTHONPATH do not get in the way."""
    claude = program(tmp_path / "real" / "claude")
    make_shim(tmp_path / "bin", "--claude", str(claude))
    for name in ("json", "signal", "proxy"):
        (tmp_path / "bin" / f"{name}.py").write_text("raise SystemExit(99)")
    data = str(tmp_path / "data")
    ran = run(
        tmp_path / "bin" / "claude", "-p", "x", PYTHONPATH=str(tmp_path / "bin"), CLAUDE_PROXY_DATA_DIR=data
    )
    assert (ran.returncode, ran.stdout) == (0, f"claude {claude} -p x\n")


@pytest.mark.parametrize("name", ["claude", "claude-2.1.330"])
def test_a_shim_steps_aside_for_what_is_no_session(tmp_path: Path, name: str) -> None:
    """``claude --version`` through a shim is the real one, whatever its name, and nothing is recorded."""
    claude = program(tmp_path / "real" / name)
    make_shim(tmp_path / "bin", "--claude", str(claude))
    ran = run(tmp_path / "bin" / "claude", "--version", CLAUDE_PROXY_DATA_DIR=str(tmp_path / "data"))
    assert ran.stdout == f"claude {claude} --version\n"
    assert not (tmp_path / "data").exists()


def test_without_a_path_the_first_on_path_that_is_no_shim_is_taken(tmp_path: Path) -> None:
    """Shims on PATH are passed over, however many; CLAUDE_PROXY_CLAUDE comes first."""
    claude = program(tmp_path / "real" / "claude")
    made = make_shim(tmp_path / "one", path=claude.parent)
    assert made.stderr == f"It wraps {claude}, at each start the first claude on PATH that is no shim.\n"
    make_shim(tmp_path / "two", path=claude.parent)
    path = os.pathsep.join(str(tmp_path / name) for name in ("one", "two", "missing", "real"))
    assert find_claude({"PATH": path}) == str(claude)
    assert find_claude({"PATH": path, "CLAUDE_PROXY_CLAUDE": "/other"}) == "/other"
    ran = run(
        tmp_path / "one" / "claude",
        "-p",
        "x",
        PATH=f"{path}:/usr/bin:/bin",
        CLAUDE_PROXY_DATA_DIR=str(tmp_path / "data"),
    )
    assert ran.stdout == f"claude {claude} -p x\n"


def test_a_shim_that_finds_no_claude_says_so(tmp_path: Path) -> None:
    """Status 127, as a shell gives, and one line that says what to set."""
    make_shim(tmp_path / "bin", path=program(tmp_path / "real" / "claude").parent)
    ran = run(tmp_path / "bin" / "claude", "-p", "x", PATH=str(tmp_path / "bin"))
    assert ran.returncode == 127
    assert (
        ran.stderr
        == "claude-proxy: no claude on PATH but shims; install it, or set CLAUDE_PROXY_CLAUDE to its path\n"
    )
    with pytest.raises(FileNotFoundError, match="a shim itself"):
        find_claude({"CLAUDE_PROXY_CLAUDE": str(tmp_path / "bin" / "claude")})


def test_nothing_but_a_shim_is_overwritten(tmp_path: Path) -> None:
    """A second call replaces the shim; a real claude in the folder is left alone."""
    claude = program(tmp_path / "real" / "claude")
    assert make_shim(tmp_path / "bin", path=claude.parent).returncode == 0
    assert make_shim(tmp_path / "bin", "--claude", str(claude)).returncode == 0
    assert str(claude).encode() in (tmp_path / "bin" / "claude").read_bytes()
    refused = make_shim(tmp_path / "real")
    assert refused.returncode == 2
    assert "is not a shim; choose another folder" in refused.stderr
    assert MARK not in claude.read_bytes()
    assert make_shim(tmp_path / "bin", "--claude", "/no/such/claude").returncode == 2


def test_a_shim_is_never_given_a_shim(tmp_path: Path) -> None:
    """A shim around itself would start itself for ever."""
    make_shim(tmp_path / "bin", path=program(tmp_path / "real" / "claude").parent)
    refused = make_shim(tmp_path / "bin", "--claude", str(tmp_path / "bin" / "claude"))
    assert (refused.returncode, "is a shim itself" in refused.stderr) == (2, True)
    assert make_shim(tmp_path / "bin", "--claude", str(tmp_path)).returncode == 2


def test_a_stand_in_needs_a_script_that_can_be_played(tmp_path: Path) -> None:
    """Regression: a mistyped script was found out only when the stand-in was started, by somebody else."""
    (tmp_path / "wrong.yaml").write_text("- expct: user\n")
    for name, said in (("none.yaml", "No such file"), ("wrong.yaml", "did you mean expect?")):
        ran = make_shim(tmp_path / "fake", "--script", str(tmp_path / name))
        assert ran.returncode == 2
        assert said in ran.stderr
        assert not (tmp_path / "fake").exists()


def test_a_shim_that_has_nothing_to_wrap_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said at once, with the command that wraps what an Agent SDK carries; not when a program starts the shim."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setattr(agent_sdk, "find_spec", lambda _: None)
    told = "claude-proxy: no claude on PATH but shims; install it, or set CLAUDE_PROXY_CLAUDE to its path"
    assert claude_proxy("shim", "bin") == Finished(1, "", f"{told}\n")
    monkeypatch.setenv("CLAUDE_PROXY_CLAUDE", "/no/such/claude")
    assert "which is no program" in claude_proxy("shim", "bin").stderr
    monkeypatch.delenv("CLAUDE_PROXY_CLAUDE")
    carried = program(tmp_path / ".venv/lib/python3.11/site-packages/claude_agent_sdk/_bundled/claude")
    told += f". An Agent SDK carries one: claude-proxy shim bin --claude {carried}\n"
    assert claude_proxy("shim", "bin") == Finished(1, "", told)
    assert not (tmp_path / "bin").exists()
    assert claude_proxy("shim", "bin", "--claude", str(carried)).status == 0


@pytest.mark.parametrize(
    "place",
    [
        "node_modules/@anthropic-ai/claude-agent-sdk-linux-x64/claude",
        "venv/lib/python3.13/site-packages/claude_agent_sdk/_bundled/claude",
    ],
)
def test_what_an_agent_sdk_carries_is_found_from_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A project's packages serve all its folders, as for `node` and `python`; that of an active environment too."""
    monkeypatch.setattr(agent_sdk, "find_spec", lambda _: None)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    carried = program(tmp_path / "[a] project" / place)
    below = tmp_path / "[a] project/src/deep"
    below.mkdir(parents=True)
    assert agent_sdk.bundled(str(below)) == str(carried)
    assert agent_sdk.bundled(str(tmp_path)) is None
    if place.startswith("venv"):
        monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "[a] project/venv"))
        assert agent_sdk.bundled(str(tmp_path)) == str(carried)
    carried.chmod(0o644)
    assert agent_sdk.bundled(str(below)) is None


def test_the_installed_agent_sdk_is_found() -> None:
    """What the SDK of this environment carries is where it is looked for."""
    sdk = pytest.importorskip("claude_agent_sdk")
    carried = Path(sdk.__file__).with_name("_bundled") / "claude"
    assert agent_sdk.bundled("/") == (str(carried) if carried.exists() else None)
