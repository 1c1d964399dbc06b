"""``claude-proxy completion``: what the shells make of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.cli.subcommands import SUBCOMMANDS
from tests.command_line import Finished, claude_proxy
from tests.recorded import LogMaker

BIN = Path(sys.executable).parent
ASK_BASH = """
source "$1"
function="$(complete -p claude-proxy | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
shift
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
$function
printf '%s\\n' "${COMPREPLY[@]}"
"""


needs_the_command = pytest.mark.skipif(
    not (BIN / "claude-proxy").exists(), reason="the package is not installed beside this interpreter"
)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with a session, which the environment names."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions/20260102T030405.000000Z-aa.jsonl").write_bytes(LogMaker("x").started())
    monkeypatch.setenv("CLAUDE_PROXY_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_one_that_the_shell_takes(shell: str, tmp_path: Path) -> None:
    """It names every subcommand, and nothing in it is a mistake to the shell."""
    made = claude_proxy("completion", shell)
    assert (made.status, made.stderr) == (0, "")
    assert all(name in made.stdout for name in SUBCOMMANDS)
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    script = tmp_path / "script"
    script.write_text(made.stdout)
    subprocess.run([shell, "-n", script], check=True)


def completed_by_bash(folder: Path, *words: str) -> list[str]:
    """Return what bash offers for the last of some words."""
    script = folder / "completion.bash"
    script.write_text(claude_proxy("completion", "bash").stdout)
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    said = subprocess.run(
        ["bash", "-c", ASK_BASH, "bash", script, "claude-proxy", *words],
        capture_output=True,
        text=True,
        check=True,
        env=env,
    )
    return said.stdout.split()


@needs_the_command
def test_bash_completes_all_kinds_of_words(data_dir: Path) -> None:
    """Subcommands, options, their values, and sessions as they are recorded."""
    assert completed_by_bash(data_dir, "ses") == ["sessions"]
    assert completed_by_bash(data_dir, "--validation", "") == ["observe", "enforce", "off"]
    assert completed_by_bash(data_dir, "sessions", "--out") == ["--outcome"]
    assert completed_by_bash(data_dir, "show", "") == ["latest", "20260102T030405.000000Z-aa"]
    assert completed_by_bash(data_dir, "token", "re") == ["revoke"]
    assert completed_by_bash(data_dir, "completion", "") == ["bash", "zsh", "fish"]


@needs_the_command
def test_bash_completes_what_it_cuts_at_the_sign_and_a_command(data_dir: Path) -> None:
    """A value behind `=` is that option's, and behind `--` no word is a subcommand."""
    assert completed_by_bash(data_dir, "--validation", "=") == ["observe", "enforce", "off"]
    assert completed_by_bash(data_dir, "--validation", "=", "o") == ["observe", "off"]
    assert completed_by_bash(data_dir, "sessions", "--state", "=", "ended", "--out") == ["--outcome"]
    assert "claude-proxy" in completed_by_bash(data_dir, "--", "claude-pro")
    assert completed_by_bash(data_dir, "--", "claude", "ses") == []


@needs_the_command
@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not on this machine")
def test_fish_completes_all_kinds_of_words(data_dir: Path) -> None:
    """Values, sessions, newest first, and files: where a log may be named, behind `=` and behind `--`."""
    script = data_dir / "completion.fish"
    script.write_text(claude_proxy("completion", "fish").stdout)
    lines = [
        "show ",
        "--validation=o",
        "completion ",
        "show ./comp",
        "--config=./comp",
        "--data-dir=ses",
        "-- ./comp",
    ]
    asks = "; ".join(f"echo; complete -C 'claude-proxy {line}'" for line in lines)
    said = subprocess.run(
        ["fish", "--no-config", "-c", f"source $argv; {asks}", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=data_dir,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
    )
    words = [
        [line.partition("\t")[0] for line in part.splitlines()] for part in said.stdout[1:].split("\n\n")
    ]
    assert dict(zip(lines, words, strict=True)) == {
        "show ": ["latest", "20260102T030405.000000Z-aa"],
        "--validation=o": ["--validation=observe", "--validation=off"],
        "completion ": ["bash", "zsh", "fish"],
        "show ./comp": ["./completion.fish"],
        "--config=./comp": ["--config=./completion.fish"],
        "--data-dir=ses": ["--data-dir=sessions/"],
        "-- ./comp": ["./completion.fish"],
    }


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not on this machine")
def test_zsh_asks_for_sessions_only_when_they_are_wanted(tmp_path: Path) -> None:
    """Zsh runs the script at every Tab: to ask for the sessions there, once for each place of one, takes seconds.

    Behind `--` it completes a command. Both hold where the script is evaluated at the start of a shell, too.
    """
    (tmp_path / "script").write_text(claude_proxy("completion", "zsh").stdout)
    asked = tmp_path / "asked"
    wanted = f"""
        compdef() {{ }}; compadd() {{ print -r -- "$@" $ids }}; claude-proxy() {{ : >> {asked}; print "latest\nx" }}
        eval "$(<script)"; [[ -e {asked} ]] && exit 1
        _claude_proxy_sessions; [[ -e {asked} ]] || exit 1
        _normal() {{ print -r -- $CURRENT $words }}
        words=(claude-proxy --redact on -- claude sh); CURRENT=6; _shtab_claude_proxy"""
    said = subprocess.run(
        ["zsh", "-f", "-c", wanted], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert (said.stdout, said.stderr) == ("-V sessions -a ids latest x\n2 claude sh\n", "")


def test_zsh_takes_several_sessions_and_values_behind_the_sign() -> None:
    """What `shtab` writes of both takes only the first, and no sign."""
    script = claude_proxy("completion", "zsh").stdout
    assert '"(*):' not in script
    assert '"*:' in script
    assert '"--validation=[' in script
    assert '"--json[' in script


def test_sessions_for_a_script(data_dir: Path) -> None:
    """What the script asks for is quick to say, and is no error where nothing was recorded."""
    assert claude_proxy("completion", "sessions") == Finished(0, "latest\n20260102T030405.000000Z-aa\n", "")
    assert claude_proxy("completion", "sessions", "--data-dir", str(data_dir / "none")).stdout == "latest\n"
