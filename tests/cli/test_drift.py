"""``claude-proxy drift`` over recorded sessions."""

import contextlib
import json
import pathlib
from typing import Any

import pytest

from proxy.cli import drift
from proxy.store.embedded.indexer import Indexer
from tests.command_line import Finished, claude_proxy

FIRST, SECOND = "20261122T100000-aaaa", "20261122T110000-bbbb"
INIT = {"type": "system", "subtype": "init", "claude_code_version": "2.1.999"}
NEW = {"type": "keep_alive", "new": 1}


def run(data_dir: pathlib.Path, *argv: str) -> Finished:
    """Run the subcommand."""
    return claude_proxy("drift", "--data-dir", str(data_dir), *argv)


def record(
    data_dir: pathlib.Path, session_id: str, *messages: Any, stream: str = "stdout", end: str = "\n"
) -> None:
    """Write a session log with these messages."""
    folder = data_dir / "sessions"
    folder.mkdir(exist_ok=True)
    lines = []
    for seq, message in enumerate(messages):
        ts = f"2026-11-22T10:00:00.{seq:06}Z"
        head = {"seq": seq, "ts": ts, "session_id": session_id, "stream": stream, "verdict": "valid"}
        lines.append(json.dumps({**head, "message": message}))
    (folder / f"{session_id}.jsonl").write_text("\n".join(lines) + end)


def test_drift_of_all_sessions_is_counted_from_the_oldest_on(tmp_path: pathlib.Path) -> None:
    """One entry for each thing: when and where it was first seen, by which version, and how often in all."""
    record(tmp_path, SECOND, NEW, NEW)
    record(tmp_path, FIRST, NEW, INIT, {"type": "dream"})
    ran = run(tmp_path, "--json")
    assert ran.status == 0
    (field, dream) = json.loads(ran.stdout)["drift"]
    assert field == {
        "kind": "field",
        "stream": "stdout",
        "type": "keep_alive",
        "subtype": None,
        "path": "/new",
        "first_seen": "2026-11-22T10:00:00.000000Z",
        "session_id": FIRST,
        "seq": 0,
        "claude_code_version": "2.1.999",
        "count": 3,
    }
    assert (dream["kind"], dream["value"], dream["seq"], dream["count"]) == ("type", "dream", 2, 1)


def test_fail_makes_drift_an_exit_status(tmp_path: pathlib.Path) -> None:
    """So that CI can watch for new releases; without drift, and without --fail, the status is 0."""
    record(tmp_path, FIRST, NEW)
    record(tmp_path, SECOND, {"type": "keep_alive"})
    ran = run(tmp_path, "--fail")
    assert ran.status == 1
    assert "/new" in ran.stdout
    ran = run(tmp_path)
    assert ran.status == 0
    ran = run(tmp_path, "--fail", "--json", "2026", "latest")
    assert ran.status == 2
    ran = run(tmp_path, "--fail", "--json", SECOND[:12])
    assert ran.status == 0
    assert json.loads(ran.stdout) == {"drift": []}


def test_an_unknown_session_is_said_in_a_sentence(tmp_path: pathlib.Path) -> None:
    """Status 2, one line on standard error."""
    ran = run(tmp_path, "nothing")
    assert ran.status == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("claude-proxy: ")
    assert ran.stderr.count("\n") == 1


def test_a_torn_log_is_read_as_far_as_it_goes(tmp_path: pathlib.Path) -> None:
    """What is no record is counted, not fatal."""
    record(tmp_path, FIRST, NEW, end='\n{"seq":1,"ts"')
    ran = run(tmp_path, "--json")
    assert ran.status == 0
    assert len(json.loads(ran.stdout)["drift"]) == 1
    assert "1 line left out, as no record" in ran.stderr


def test_a_file_without_records_is_no_session_without_drift(tmp_path: pathlib.Path) -> None:
    """Bare messages are refused with the command that takes them: CI must not take "none found" for an answer."""
    messages = tmp_path / "messages.jsonl"
    messages.write_text('{"type":"keep_alive"}\n')
    ran = run(tmp_path, str(messages), "--fail")
    assert ran.status == 2
    assert ran.stdout == ""
    assert "validate --schema" in ran.stderr


def test_names_from_the_wire_cannot_move_the_cursor(tmp_path: pathlib.Path) -> None:
    """A hostile program must not write to the terminal of whoever looks at its drift."""
    record(tmp_path, FIRST, {"type": "keep_alive", "\x1b[2J": 1}, {"type": "\x1b[31m"})
    ran = run(tmp_path)
    assert ran.status == 0
    assert "\x1b" not in ran.stdout


def test_different_things_have_a_limit(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of made-up names does not fill the memory, and it is said that there is more."""
    monkeypatch.setattr(drift, "_MOST", 3)
    record(tmp_path, FIRST, *({"type": f"t{number}"} for number in range(5)))
    ran = run(tmp_path, "--json")
    assert ran.status == 0
    assert len(json.loads(ran.stdout)["drift"]) == 3
    assert "there is more" in ran.stderr


def test_the_sum_says_what_was_looked_at(tmp_path: pathlib.Path) -> None:
    """Regressions: "0 things" was said of no sessions and of a hundred alike; `drift | tee FILE` kept nothing of it."""
    ran = run(tmp_path)
    assert ran.stdout == f"No sessions in {tmp_path} yet: there is nothing to look at.\n"
    record(tmp_path, FIRST, {"type": "keep_alive"})
    ran = run(tmp_path)
    assert ran.stdout == "nothing in 1 session that the specification does not have\n"
    record(tmp_path, SECOND, NEW)
    ran = run(tmp_path)
    assert ran.stdout.splitlines()[1:] == ["1 thing in 2 sessions that the specification does not have"]
    assert ran.stderr == ""


def test_a_log_without_records_silences_no_other(tmp_path: pathlib.Path) -> None:
    """Regression: one such log among all gave status 2 and nothing on standard output."""
    record(tmp_path, FIRST, NEW)
    (tmp_path / "sessions" / f"{SECOND}.jsonl").write_text("no record\n")
    ran = run(tmp_path, "--json")
    assert (ran.status, len(json.loads(ran.stdout)["drift"])) == (0, 1)
    assert "holds no records" in ran.stderr
    ran = run(tmp_path, "--json", FIRST, SECOND)
    assert (ran.status, len(json.loads(ran.stdout)["drift"])) == (2, 1)


def test_a_session_counts_once(tmp_path: pathlib.Path) -> None:
    """Regression: `drift sessions/*.jsonl` counted the newest one twice, as `latest.jsonl` leads to it."""
    record(tmp_path, FIRST, NEW)
    record(tmp_path, SECOND, NEW)
    (tmp_path / "sessions" / "latest.jsonl").symlink_to(f"{SECOND}.jsonl")
    ran = run(tmp_path, "--json", *map(str, (tmp_path / "sessions").glob("*.jsonl")), "latest", FIRST)
    assert [one["count"] for one in json.loads(ran.stdout)["drift"]] == [2]


@pytest.mark.parametrize("indexed", [0, 1, 3])
def test_whoever_looks_finds_the_same(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, indexed: int
) -> None:
    """What the index knows, and what several processes find in the other logs, is what one would find in all."""
    for number in range(5):
        record(tmp_path, f"{FIRST}{number}", *[NEW, INIT, {"type": f"t{number % 3}"}] * 2)
    expected = json.loads(run(tmp_path, "--json").stdout)
    assert len(expected["drift"]) == 4
    for path in sorted((tmp_path / "sessions").iterdir())[indexed:]:
        path.rename(tmp_path / path.name)
    with contextlib.closing(Indexer(str(tmp_path))) as indexer:
        indexer.look()
        while indexer.is_behind:
            indexer.step()
    for path in tmp_path.glob("*.jsonl"):
        path.rename(tmp_path / "sessions" / path.name)
    monkeypatch.setattr(drift, "_LONG_BYTES", 0)
    monkeypatch.setattr(drift, "_AT_ONCE", 1)
    assert json.loads(run(tmp_path, "--json").stdout) == expected
