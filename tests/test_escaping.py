"""What comes from outside reaches a terminal as text, and never as a command to it."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.escaping import escape_controls
from tests.command_line import claude_proxy
from tests.recorded import LogMaker

HOSTILE = "\x1b[2J\x9b1m\u202egone"
COMMAND = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")


@given(st.text(st.characters()))
def test_nothing_is_left_that_cannot_be_printed(text: str) -> None:
    """Every text becomes printable; what is printable stays as it is; lines stay where they are wanted."""
    assert escape_controls(text).isprintable()
    assert escape_controls(text, keep_lines=True).replace("\n", "").replace("\t", "").isprintable()
    if text.isprintable():
        assert escape_controls(text) == text


@given(st.text(st.characters(codec="utf-8")))
def test_json_stays_the_same_json(text: str) -> None:
    """The escapes are those of JSON: what a program reads from it is what it would have read without."""
    assert json.loads(escape_controls(json.dumps(text, ensure_ascii=False))) == text


@pytest.mark.parametrize(
    "words",
    [
        ("show", HOSTILE),
        ("analyze", HOSTILE),
        ("tail", f"/{HOSTILE}"),
        ("drift", f"/{HOSTILE}"),
        ("validate", HOSTILE),
        ("validate", "--schema", HOSTILE),
        ("restore", HOSTILE),
        ("token", "revoke", HOSTILE),
        ("check", HOSTILE),
        ("replay", HOSTILE),
        ("shim", f"/proc/{HOSTILE}", "--claude", "/bin/sh"),
        ("sessions", HOSTILE),
        ("sessions", f"--{HOSTILE}"),
        ("--config", f"/{HOSTILE}", "serve"),
        ("--config", f"/{HOSTILE}", "sessions"),
        (f"--{HOSTILE}", "sessions"),
        ("--port", HOSTILE, "status"),
        ("--data-dir", f"/proc/{HOSTILE}", "sessions"),
        ("--data-dir", f"/proc/{HOSTILE}", "prune", "--days", "1"),
        ("--data-dir", f"/proc/{HOSTILE}", "serve"),
        ("--data-dir", f"/proc/{HOSTILE}", "show"),
    ],
    ids=lambda words: words[0] if words[0].startswith("--") else " ".join(words[:-1]),
)
def test_what_is_wrong_is_said_without_commands(tmp_path: Path, words: tuple[str, ...]) -> None:
    """File names, options and ids are quoted in errors as text."""
    data_dir = () if "--data-dir" in words else ("--data-dir", str(tmp_path))
    ran = claude_proxy(*data_dir, *words)
    assert not COMMAND.search(ran.stdout + ran.stderr)
    assert ran.stdout + ran.stderr
    if ran.stderr.startswith("claude-proxy: "):
        assert ran.stderr.count("\n") == 1


def test_a_command_that_cannot_be_run_is_named_without_commands(tmp_path: Path) -> None:
    """The wrapper's own complaint quotes the command as text."""
    words = [sys.executable, "-m", "proxy", "--data-dir", str(tmp_path), "--", f"/proc/{HOSTILE}"]
    ran = subprocess.run(
        words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60
    )
    assert ran.returncode == 127
    assert not COMMAND.search(ran.stderr)


@pytest.mark.parametrize("words", [("show", "s", "--json"), ("tail", "s", "--json"), ("validate", "FILE")])
def test_json_at_a_terminal_and_in_a_pipe(tmp_path: Path, words: tuple[str, ...]) -> None:
    """At a terminal JSON comes with escapes; in a pipe records come byte for byte. Both say the same."""
    message = {"type": HOSTILE, HOSTILE: [HOSTILE]}
    (tmp_path / "sessions").mkdir(mode=0o700)
    log = LogMaker("s").started() + LogMaker("s").lines(
        "stdout", json.dumps(message, ensure_ascii=False).encode()
    )
    (tmp_path / "sessions" / "s.jsonl").write_bytes(log)
    line = json.dumps({"type": "user", "session_id": HOSTILE, HOSTILE: 1}, ensure_ascii=False)
    (tmp_path / "messages").write_text(f"{line}\n")
    words = tuple(str(tmp_path / "messages") if word == "FILE" else word for word in words)
    command = [sys.executable, "-m", "proxy", "--data-dir", str(tmp_path), *words]
    piped = subprocess.run(command, capture_output=True, check=False, timeout=60).stdout
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdout=theirs, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 1 << 16):
                shown += piece
        except OSError:  # the other end is closed
            os.close(ours)
        process.wait(60)
    at_terminal = shown.decode().replace("\r\n", "\n")
    assert not COMMAND.search(at_terminal)
    assert list(map(json.loads, at_terminal.splitlines())) == list(
        map(json.loads, piped.decode().split("\n")[:-1])
    )
    if words[0] != "validate":
        assert piped == log
