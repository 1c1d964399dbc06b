"""The wrapper's own options: which words are whose, and which value counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from proxy.cli.errors import UsageError
from proxy.cli.options import resolve, split_options
from proxy.cli.subcommands import SUBCOMMANDS
from tests.command_line import claude_proxy
from tests.recorded import LogMaker, scenario

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("words", "options", "rest", "separated"),
    [
        ([], {}, [], False),
        (["claude", "-p"], {}, ["claude", "-p"], False),
        (["--", "claude", "--"], {}, ["claude", "--"], True),
        (["--data-dir", "d", "claude"], {"data-dir": "d"}, ["claude"], False),
        (["--data-dir=d", "--port", "0", "--", "show"], {"data-dir": "d", "port": "0"}, ["show"], True),
        (["--data-dir", "--", "x"], {"data-dir": "--"}, ["x"], False),
        (["claude", "--data-dir", "mine"], {}, ["claude", "--data-dir", "mine"], False),
        (["--session-name=", "x"], {"session-name": ""}, ["x"], False),
        (["-h"], {"help": ""}, [], False),
        (["--version"], {"version": ""}, [], False),
    ],
)
def test_options_end_at_the_command(
    words: list[str], options: dict[str, str], rest: list[str], separated: bool
) -> None:
    """Everything from COMMAND on belongs to COMMAND, untouched."""
    assert split_options(words) == (options, rest, separated)


@pytest.mark.parametrize("words", [["--data-dri", "x"], ["-x"], ["--data-dir"]])
def test_an_unknown_or_bare_option_is_refused(words: list[str]) -> None:
    """A mistyped option is not taken for a command."""
    with pytest.raises(UsageError):
        split_options(words)


def test_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option beats the environment, that beats the file, and that the default."""
    config = tmp_path / "config.yaml"
    config.write_text("validation: {mode: enforce}\nstorage: {data_directory: /of/the/file}\napi: {port: 1}")
    assert resolve({})["validation"] == "observe"
    monkeypatch.setenv("CLAUDE_PROXY_CONFIG", str(config))
    chosen = resolve({})
    assert (chosen["validation"], chosen["data-dir"], chosen["port"]) == ("enforce", "/of/the/file", "1")
    monkeypatch.setenv("CLAUDE_PROXY_VALIDATION", "off")
    monkeypatch.setenv("CLAUDE_PROXY_DATA_DIR", "/of/the/environment")
    chosen = resolve({"validation": "observe"})
    assert (chosen["validation"], chosen["data-dir"], chosen["port"]) == (
        "observe",
        "/of/the/environment",
        "1",
    )


def test_the_default_data_directory_is_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a choice, sessions are kept where the XDG specification says."""
    monkeypatch.setenv("HOME", "/home/dev")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert resolve({})["data-dir"] == "/home/dev/.local/state/claude-proxy"
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert resolve({})["data-dir"] == "/state/claude-proxy"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    assert resolve({})["data-dir"] == "/home/dev/.local/state/claude-proxy"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"validation": "strict"}, "--validation is 'strict'; it takes observe, enforce, off"),
        ({"server": "yes"}, "--server is 'yes'; it takes auto, off"),
        ({"redact": "no"}, "--redact is 'no'; it takes on, strict, off"),
        ({"port": "http"}, "--port is 'http'; it takes a number from 0 (any free port) to 65535"),
        ({"port": "65536"}, "--port is '65536'"),
        ({"config": "/does/not/exist"}, "cannot read the configuration /does/not/exist"),
        ({"session-id": "../x"}, "--session-id is '../x'; it takes up to 128 of the characters"),
        ({"session-id": "latest"}, "(but is not `latest`)"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(options: dict[str, str], said: str) -> None:
    """The sentence says what to change."""
    with pytest.raises(UsageError) as raised:
        resolve(options)
    assert said in str(raised.value)


def test_a_wrong_value_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says where the wrong value comes from."""
    monkeypatch.setenv("CLAUDE_PROXY_VALIDATION", "strict")
    with pytest.raises(UsageError, match="CLAUDE_PROXY_VALIDATION is 'strict'"):
        resolve({})


def test_a_wrapped_session_imports_no_web_database_or_command_line_library() -> None:
    """Whatever a session may import, with enforcement and the full judge, none of the heavy libraries comes along."""
    heavy = [
        "aiohttp",
        "anyio",
        "argparse",
        "asyncio",
        "jsonschema",
        "jsonschema_rs",
        "logging",
        "pydantic",
        "rich",
        "sqlite3",
        "structlog",
        "yaml",
    ]
    program = f"""
import sys
import proxy.cli, proxy.relay.supervisor, proxy.relay.relay, proxy.relay.enforcement, proxy.protocol.full
from proxy.protocol import Judge
assert Judge("stdin").judge(b'{{"type":"user"}}').verdict == "invalid"
print(sorted(set({heavy!r}) & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_nothing_slow_is_imported_before_the_command_starts() -> None:
    """The way to the command does without `typing`, `enum` and what they bring: half of Python's own start."""
    program = """
import sys
before = set(sys.modules)
import proxy.cli, proxy.relay.command, proxy.relay.execute, proxy.relay.supervisor, proxy.sessions.identity
print(sorted({"typing", "enum", "re", "contextlib", "functools", "collections", "json"} & (set(sys.modules) - before)))
"""
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert found.strip() == "[]"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    command = [sys.executable, "-m", "proxy", *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def test_options_may_stand_after_a_subcommand(tmp_path: Path) -> None:
    """``claude-proxy sessions --data-dir DIR`` is what people type."""
    assert str(tmp_path) in claude_proxy("sessions", "--data-dir", str(tmp_path)).stdout.replace("\n", "")
    assert claude_proxy("sessions", f"--data-dir={tmp_path}", "--json").stdout == '{\n  "sessions": []\n}\n'


def test_a_mistyped_subcommand_is_told(tmp_path: Path) -> None:
    """Status 127, as for any command that is not there, and the subcommand that was meant."""
    ran = run("--data-dir", str(tmp_path), "sesions")
    assert (ran.returncode, ran.stderr) == (
        127,
        "claude-proxy: sesions: command not found on PATH; did you mean the subcommand sessions?\n",
    )


def test_an_empty_command_is_not_found(tmp_path: Path) -> None:
    """One line and 127, not silence."""
    ran = run("--server", "off", "--data-dir", str(tmp_path), "--", "")
    assert (ran.returncode, ran.stderr) == (127, "claude-proxy: : command not found on PATH\n")


def test_output_that_cannot_be_written_is_told_in_a_line(tmp_path: Path) -> None:
    """A full disk under a list is no traceback."""
    # Without a buffer, argparse itself keeps still about help that cannot be written.
    for words, unbuffered in (("sessions", ""), ("sessions", "1"), ("sessions --help", "")):
        command = f"{sys.executable} -m proxy --data-dir {tmp_path} {words} > /dev/full"
        environ = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        ran = subprocess.run(command, shell=True, env=environ, capture_output=True, text=True, check=False)
        assert ran.returncode == 1
        assert ran.stderr.startswith("claude-proxy: ")
        assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("word", ["-1", "x"])
def test_a_count_is_a_whole_number(tmp_path: Path, word: str) -> None:
    """Regression: one below 0 was taken for another number."""
    for subcommand in ("sessions", "tail"):
        ran = claude_proxy("--data-dir", str(tmp_path), subcommand, "-n", word)
        assert ran.status == 2
        assert f"{word!r}; it takes a whole number from 0" in ran.stderr


@pytest.mark.parametrize("word", [str(2**63), "9" * 5000])
def test_a_count_beyond_all_counts_is_all(tmp_path: Path, word: str) -> None:
    """Regression: it ended in a traceback."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "one.jsonl").write_bytes(scenario("simple", LogMaker("one")))
    for subcommand in ("sessions", "tail"):
        ran = claude_proxy("--data-dir", str(tmp_path), subcommand, "-n", word)
        assert (ran.status, ran.stdout != "") == (0, True)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_traceback(tmp_path: Path, closed: str) -> None:
    """Regression: with a closed standard output every subcommand ended in a traceback."""
    command = f"{sys.executable} -m proxy --data-dir {tmp_path} status {closed}"
    ran = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_every_subcommand_says_where_more_options_are() -> None:
    """`claude-proxy SUBCOMMAND --help` is where people look for `--data-dir`."""
    for subcommand in SUBCOMMANDS:
        assert "--data-dir" in claude_proxy(subcommand, "--help").stdout, subcommand


WRAP = ("--server", "off", "--session-id")


def test_a_session_has_the_id_that_was_asked_for(tmp_path: Path) -> None:
    """The caller knows the id beforehand; the newest session is the newest whatever its id."""
    for session_id in ("zebra", "apple.1"):
        assert run("--data-dir", str(tmp_path), *WRAP, session_id, "--", "echo", "x").stdout == "x\n"
    listed = json.loads(claude_proxy("--data-dir", str(tmp_path), "sessions", "--json").stdout)
    assert [one["session_id"] for one in listed["sessions"]] == ["apple.1", "zebra"]
    assert (tmp_path / "sessions/latest.jsonl").readlink().name == "apple.1.jsonl"
    told = [json.loads(line) for line in (tmp_path / "sessions/zebra.jsonl").read_text().splitlines()]
    assert {one["session_id"] for one in told} == {"zebra"}
    assert told[0]["event"]["event_type"] == "session_started"


def test_an_id_is_taken_once(tmp_path: Path) -> None:
    """The second session is refused before its command starts, and the first one's log stays as it is."""
    words = (
        "--data-dir",
        str(tmp_path / "d"),
        *WRAP,
        "mine",
        "--",
        "sh",
        "-c",
        f"echo ran >> {tmp_path}/ran",
    )
    assert run(*words).returncode == 0
    log = (tmp_path / "d/sessions/mine.jsonl").read_bytes()
    again = run(*words)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.count("\n") == 1
    assert "--session-id is 'mine', which is the id of a session in" in again.stderr
    assert (tmp_path / "ran").read_text() == "ran\n"
    assert (tmp_path / "d/sessions/mine.jsonl").read_bytes() == log


def test_an_id_is_given_back_when_its_command_cannot_be_run(tmp_path: Path) -> None:
    """What never ran is no session."""
    ran = run("--data-dir", str(tmp_path), *WRAP, "mine", "--", "/no/such/command")
    assert ran.returncode == 127
    assert list((tmp_path / "sessions").iterdir()) == []


def test_an_id_disturbs_nothing_where_nothing_can_be_recorded(tmp_path: Path) -> None:
    """A data directory that cannot be used lets the command run, unrecorded, with an id or without."""
    (tmp_path / "file").touch()
    ran = run("--data-dir", str(tmp_path / "file/d"), *WRAP, "mine", "--", "echo", "x")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "x\n", "")
