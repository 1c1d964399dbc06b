"""``sessions`` and ``status``: what was recorded, and what is running."""

from __future__ import annotations

import contextlib
import fcntl
import json
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from proxy.cli import overview
from proxy.cli.subcommands import LOCAL
from proxy.events import Interpreter
from proxy.store.embedded.database import checksum, index_path
from proxy.store.embedded.indexer import Indexer
from proxy.store.embedded.rows import SESSIONS
from tests.command_line import claude_proxy
from tests.recorded import NAMES, LogMaker, scenario

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.events import Event
    from proxy.sessions.reader import Record


def proxy(data_dir: Path, *words: str) -> str:
    """Run a subcommand and return what it prints."""
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def sessions(data_dir: Path, *words: str) -> list[dict[str, Any]]:
    """Return the sessions as programs get them."""
    found: list[dict[str, Any]] = json.loads(proxy(data_dir, "sessions", "--json", *words))["sessions"]
    return found


def test_an_empty_data_directory_says_how_to_begin(tmp_path: Path) -> None:
    """Nothing recorded is no error."""
    assert "No sessions in" in proxy(tmp_path, "sessions")
    assert sessions(tmp_path) == []
    assert (
        proxy(tmp_path, "status")
        == "No server is running; `claude-proxy serve` starts one.\nNothing is running.\n"
    )


def test_sessions_are_listed_newest_first_with_turns_and_cost(tmp_path: Path) -> None:
    """State, turns and cost come from the messages; a session without an end has failed."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "a.jsonl").write_bytes(scenario("simple"))
    (tmp_path / "sessions" / "b.jsonl").write_bytes(LogMaker("b").started(["claude", "-p"]))
    newest, older = sessions(tmp_path)
    assert (newest["session_id"], newest["state"], newest["turns"]) == ("b", "failed", 0)
    assert (older["session_id"], older["state"], older["turns"]) == ("a", "ended", 2)
    assert older["cost"] > 0
    assert older["log"] == str(tmp_path / "sessions" / "a.jsonl")
    table = proxy(tmp_path, "sessions", "-n", "1")
    assert "claude -p" in table
    assert "1 older session; -n 0 lists all" in table


def test_a_cost_of_nothing_is_told_and_an_unknown_one_is_not(tmp_path: Path) -> None:
    """A session that Claude Code says cost nothing has $0.00 in the table, as on the page."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "a.jsonl").write_bytes(scenario("api_error"))
    assert "$0.00" in proxy(tmp_path, "sessions")
    (tmp_path / "sessions" / "a.jsonl").write_bytes(LogMaker("a").started(["claude"]))
    assert "$" not in proxy(tmp_path, "sessions")


def test_status_shows_what_runs(tmp_path: Path) -> None:
    """A session that is under way is active, with its command's process; then it is not."""
    command = [
        sys.executable,
        "-m",
        "proxy",
        "--server",
        "off",
        "--data-dir",
        str(tmp_path),
        "--session-name",
        "night",
    ]
    with subprocess.Popen([*command, "--", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as wrapper:
        assert wrapper.stdin is not None
        assert wrapper.stdout is not None
        wrapper.stdin.write(b"hello\n")
        wrapper.stdin.flush()
        assert wrapper.stdout.readline() == b"hello\n"
        status = json.loads(proxy(tmp_path, "status", "--json"))
        assert status["active_sessions"] == 1
        assert status["sessions"][0]["name"] == "night"
        assert "night" in proxy(tmp_path, "status")
        wrapper.stdin.close()
    assert json.loads(proxy(tmp_path, "status", "--json"))["sessions"] == []


def test_what_the_index_knows_is_not_read_again(tmp_path: Path) -> None:
    """The answers are the same with an index as without; of a log that has grown since, the rest is read."""
    logs = tmp_path / "sessions"
    logs.mkdir()
    for name in NAMES:
        (logs / f"{name}.jsonl").write_bytes(scenario(name))
    expected = sessions(tmp_path, "-n", "0")
    indexer = Indexer(str(tmp_path))
    indexer.look()
    while indexer.is_behind:
        indexer.step()
    indexer.close()
    assert sessions(tmp_path, "-n", "0") == expected
    with contextlib.closing(sqlite3.connect(index_path(str(tmp_path)))) as connection, connection:
        (row,) = SESSIONS.read(connection, "WHERE session_id = 'simple'")
        row = row._replace(state=row.state.replace(b'"turns":2', b'"turns":77'))
        connection.execute(
            "UPDATE sessions SET state = ?, sum = ? WHERE id = ?", (row.state, checksum(*row), row.id)
        )
    told = {one["session_id"]: one["turns"] for one in sessions(tmp_path, "-n", "0")}
    assert told["simple"] == 77
    with (logs / "simple.jsonl").open("ab") as log:
        log.write(scenario("simple"))
    told = {one["session_id"]: one["turns"] for one in sessions(tmp_path, "-n", "0")}
    assert told["simple"] == 79


def test_a_log_that_takes_long_to_read_is_told_by_its_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: `sessions` took minutes while the index was filled. What needs the whole log is left open."""
    maker = LogMaker("long")
    parts = scenario("simple", maker).splitlines(keepends=True)
    padding = maker.lines("stdout", *[{"type": "keep_alive", "x": "x" * 1000}] * 200)
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "long.jsonl").write_bytes(b"".join([*parts[:-1], padding, parts[-1]]))
    (tmp_path / "sessions" / "short.jsonl").write_bytes(scenario("simple", LogMaker("short")))
    monkeypatch.setattr(overview, "_READ_BYTES", 100_000)
    monkeypatch.setattr(overview, "_END_BYTES", 10_000)

    def told(data_dir: Path) -> list[dict[str, Any]]:
        ran = claude_proxy("sessions", "--json", "--data-dir", str(data_dir))
        found: list[dict[str, Any]] = json.loads(ran.stdout)["sessions"]
        return found

    long, short = sorted(told(tmp_path), key=lambda one: one["session_id"])
    assert (long["complete"], long["turns"], long["cost"]) == (False, None, None)
    for key in ("state", "prompt", "model", "outcome"):
        assert long[key] == short[key] is not None
    assert "complete" not in short
    table = claude_proxy("sessions", "--data-dir", str(tmp_path)).stdout
    assert "…" in next(line for line in table.splitlines() if line.startswith("long"))


def test_sessions_are_called_by_their_prompt_and_found_by_what_is_shown(tmp_path: Path) -> None:
    """All commands of a client look alike; the first prompt does not. The id is as short as finds it."""
    (tmp_path / "sessions").mkdir()
    for session_id in (
        "20260102T030405.000000Z-aa",
        "20260102T030405.000000Z-ab",
        "20260103T030405.000000Z-aa",
    ):
        log = scenario("tool_allow", LogMaker(session_id))
        (tmp_path / "sessions" / f"{session_id}.jsonl").write_bytes(log)
    lines = proxy(tmp_path, "sessions").splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        "20260103T030405",
        "20260102T030405.000000Z-ab",
        "20260102T030405.000000Z-aa",
    ]
    assert lines[1].endswith("  Please write it.")
    assert "claude-proxy" not in proxy(tmp_path, "show", "20260103T030405")


def test_status_says_what_a_session_waits_for(tmp_path: Path) -> None:
    """What, since when, and that it may be hanging."""
    (tmp_path / "sessions").mkdir()
    log = b"".join(scenario("tool_allow").splitlines(keepends=True)[:10])
    asked = log[: log.index(b"can_use_tool")].count(b"\n") + 1
    path = tmp_path / "sessions" / "20260102T030405-a.jsonl"
    path.write_bytes(b"".join(log.splitlines(keepends=True)[:asked]))
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        shown = proxy(tmp_path, "status")
    assert "20260102T030405  waiting for " in shown
    assert "\n  Please write it.\n" in shown
    assert "\n  waits for permission to use Write, for " in shown
    assert "has not answered" in shown


def test_a_name_cannot_reach_the_terminal_as_control(tmp_path: Path) -> None:
    """Escapes and new lines in a session's name are shown as replacement characters."""
    (tmp_path / "sessions").mkdir()
    evil = b'"name":"\\u001b]0;own\\u0007\\nrow"'
    log = LogMaker("x").started(["claude"]).replace(b'"name":null', evil)
    (tmp_path / "sessions" / "x.jsonl").write_bytes(log)
    shown = proxy(tmp_path, "sessions")
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "]0;own" in shown


def test_status_says_that_nobody_watches_the_rules(tmp_path: Path) -> None:
    """Where rules are configured and no server runs; without rules nothing is said."""
    assert "Nobody watches" not in proxy(tmp_path, "status")
    config = tmp_path / "config.yaml"
    config.write_text("rules: {calls: {when: {calls_in_turn: 2}}}")
    shown = proxy(tmp_path, "--config", str(config), "status")
    assert "Nobody watches the 1 rule of the configuration: no server is running." in shown


@pytest.mark.parametrize("name", sorted(LOCAL))
def test_what_knows_one_machine_alone_refuses_a_centre(name: str, tmp_path: Path) -> None:
    """With a centre's configuration nobody is told that nothing was recorded, or gets an empty backup."""
    words = {"restore": ["b"], "policy": ["suggest", "s"], "redact": ["s"], "seal": ["s"]}.get(name, [])
    path = tmp_path / "centre.yaml"
    path.write_text("storage: {url: 'postgresql://127.0.0.1:1/none'}")
    ran = claude_proxy("--data-dir", str(tmp_path), "--config", str(path), name, *words)
    assert (ran.status, ran.stdout) == (2, "")
    assert f"{name}: this configuration is a centre's" in ran.stderr


def test_a_fault_of_ours_at_one_log_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What could not be read to its end says so, and why."""
    (tmp_path / "sessions").mkdir()
    for name in ("bad", "good"):
        (tmp_path / "sessions" / f"{name}.jsonl").write_bytes(scenario("simple", LogMaker(name)))
    take = Interpreter.take

    def faulty(self: Interpreter, record: Record) -> list[Event]:
        if self.session.session_id == "bad" and record.seq == 3:
            raise RuntimeError("a fault")
        return take(self, record)

    monkeypatch.setattr(Interpreter, "take", faulty)
    bad, good = sorted(
        overview._described(str(tmp_path), [*overview._inspected(str(tmp_path), ["bad", "good"])]),
        key=lambda one: str(one["session_id"]),
    )
    assert (bad["complete"], bad["turns"], good["turns"], "complete" in good) == (False, None, 2, False)
    assert "bad.jsonl cannot be read to its end: RuntimeError('a fault')" in capsys.readouterr().err
