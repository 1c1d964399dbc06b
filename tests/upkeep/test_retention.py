"""What expires goes whole, what lives stays, and nothing goes that nobody said."""

import contextlib
import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from proxy.server.background import take_lock
from proxy.sessions import catalogue
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog
from proxy.store import StoreError
from proxy.store.embedded import indexer as indexer_module
from proxy.store.embedded.database import connect, index_path
from proxy.store.embedded.indexer import Indexer
from proxy.upkeep import retention
from proxy.upkeep.retention import Rules, forget_in_index, prune
from tests.command_line import claude_proxy
from tests.faults import killed_between_lines
from tests.store.embedded.test_indexer import content, fill, index, settle

DAY_S = 86_400
NOW_S = 2_000_000_000.0
NAMES = ["simple", "tool_deny", "interrupt"]


def aged(data_dir: Path, *days: float) -> list[Path]:
    """Fill a data directory with sessions that were last written to so many days ago."""
    fill(data_dir, [NAMES[number % len(NAMES)] for number in range(len(days))])
    paths = []
    for number, age in enumerate(days):
        path = data_dir / "sessions" / f"s{number}.jsonl"
        os.utime(path, (NOW_S - age * DAY_S,) * 2)
        paths.append(path)
    return paths


def left(data_dir: Path) -> list[str]:
    """Return the sessions that are left."""
    return sorted(catalogue.list_logs(str(data_dir)))


def test_nothing_goes_without_a_rule(tmp_path: Path) -> None:
    """What was recorded is kept for ever unless somebody has said otherwise."""
    aged(tmp_path, 10_000, 1)
    assert prune(str(tmp_path), Rules(), NOW_S).removed == []
    assert left(tmp_path) == ["s0", "s1"]


def test_sessions_go_past_their_days(tmp_path: Path) -> None:
    """A session goes when it was last written to longer ago than its days; at exactly its days it stays."""
    aged(tmp_path, 91, 90, 89)
    pruned = prune(str(tmp_path), Rules(days=90), NOW_S)
    assert [(one.session_id, one.reason) for one in pruned.removed] == [("s0", "days")]
    assert (pruned.left_sessions, left(tmp_path)) == (2, ["s1", "s2"])


@pytest.mark.parametrize(("excess", "gone"), [(0, []), (1, ["s0"]), (-1, [])])
def test_the_oldest_go_while_all_are_too_large(tmp_path: Path, excess: int, gone: list[str]) -> None:
    """The cap is what all logs may take together; beyond it by one byte, the oldest goes."""
    total = sum(path.stat().st_size for path in aged(tmp_path, 3, 2, 1))
    pruned = prune(str(tmp_path), Rules(max_bytes=total - excess), NOW_S)
    assert [one.session_id for one in pruned.removed] == gone
    assert pruned.left_bytes == sum(path.stat().st_size for path in (tmp_path / "sessions").glob("s*.jsonl"))


def test_a_dry_run_says_and_does_not(tmp_path: Path) -> None:
    """What a dry run says is what the run does, and it changes nothing."""
    aged(tmp_path, 91, 92, 1)
    said = prune(str(tmp_path), Rules(days=90), NOW_S, dry_run=True)
    assert left(tmp_path) == ["s0", "s1", "s2"]
    assert prune(str(tmp_path), Rules(days=90), NOW_S) == said


@pytest.mark.parametrize("rules", [Rules(days=1), Rules(max_bytes=1)])
def test_a_running_session_stays(tmp_path: Path, rules: Rules) -> None:
    """However old and however large: a session whose writer lives is never removed."""
    path, _ = aged(tmp_path, 1000, 1000)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert [one.session_id for one in prune(str(tmp_path), rules, NOW_S).removed] == ["s1"]
    assert left(tmp_path) == ["s0"]


def test_a_session_without_an_end_is_given_an_hour(tmp_path: Path) -> None:
    """Where a file system has no locks, a fresh log without an end may have a writer: the cap does not take it."""
    path, _ = aged(tmp_path, 0.5 / 24, 0.4 / 24)
    os.truncate(path, path.read_bytes().rindex(b"\n", 0, -1) + 1)
    os.utime(path, (NOW_S - 1800,) * 2)
    assert [one.session_id for one in prune(str(tmp_path), Rules(max_bytes=1), NOW_S).removed] == ["s1"]
    assert [one.session_id for one in prune(str(tmp_path), Rules(max_bytes=1), NOW_S + 3600).removed] == [
        "s0"
    ]


def test_a_clock_that_was_set_back_removes_nothing(tmp_path: Path) -> None:
    """A session that is stamped in the future has no age, and none of the others gets older by it."""
    aged(tmp_path, -1000, 89)
    assert prune(str(tmp_path), Rules(days=90), NOW_S).removed == []
    assert prune(str(tmp_path), Rules(days=90), NOW_S - 5000 * DAY_S).removed == []


def test_one_that_cannot_be_removed_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that the system does not let go is named, and stays whole; the others go."""
    aged(tmp_path, 91, 92, 93)
    unlink = os.unlink

    def stubborn(path: str) -> None:
        if path.endswith("s1.jsonl"):
            raise PermissionError(13, "Permission denied")
        unlink(path)

    monkeypatch.setattr(os, "unlink", stubborn)
    pruned = prune(str(tmp_path), Rules(days=90), NOW_S)
    assert [one.session_id for one in pruned.failed] == ["s1"]
    assert left(tmp_path) == ["s1"]


def test_the_link_to_the_newest_leads_somewhere(tmp_path: Path) -> None:
    """When the newest session goes, `latest.jsonl` leads to the newest of those that are left, or is gone too."""
    aged(tmp_path, 50, 99)
    link = tmp_path / "sessions" / "latest.jsonl"
    link.symlink_to("s1.jsonl")
    prune(str(tmp_path), Rules(days=90), NOW_S)
    assert link.readlink() == Path("s0.jsonl")
    prune(str(tmp_path), Rules(days=1), NOW_S)
    assert not link.is_symlink()


def test_the_index_forgets_what_has_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that has forgotten sessions, in however many transactions, says what one made anew says."""
    monkeypatch.setattr(indexer_module, "_FORGOTTEN_AT_ONCE", 1)
    aged(tmp_path / "one", 91, 92, 93, 1)
    index(tmp_path / "one")
    indexer = Indexer(str(tmp_path / "one"))
    prune(str(tmp_path / "one"), Rules(days=90), NOW_S)
    settle(indexer)
    indexer.close()
    shutil.copytree(tmp_path / "one" / "sessions", tmp_path / "two" / "sessions")
    index(tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_what_was_removed_and_begun_anew_is_indexed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that comes back under its name while others wait to be forgotten disturbs nothing."""
    monkeypatch.setattr(indexer_module, "_FORGOTTEN_AT_ONCE", 1)
    paths = aged(tmp_path, 91, 92, 93)
    indexer = Indexer(str(tmp_path))
    settle(indexer)
    kept = paths[0].read_bytes()
    for path in paths:
        path.unlink()
    indexer.look()
    paths[0].write_bytes(kept)
    settle(indexer)
    indexer.close()
    assert [one["session_id"] for one in content(tmp_path)[1]] == ["s0"]


def test_what_was_forgotten_is_no_longer_in_the_file(tmp_path: Path) -> None:
    """Gone means gone: no piece of a removed session's events can be found in the index's file."""
    secret = b"velvet-hammer-4711"
    (tmp_path / "sessions").mkdir()
    line = {"event_type": "mine", "data": {"text": secret.decode() * 500}}
    log = b"".join(
        json.dumps(
            {
                "seq": n,
                "ts": f"2026-01-02T03:04:05.{n:06d}Z",
                "session_id": "a",
                "stream": "api",
                "event": line,
            }
        ).encode()
        + b"\n"
        for n in range(50)
    )
    (tmp_path / "sessions" / "a.jsonl").write_bytes(log)
    index(tmp_path)
    assert secret in Path(index_path(str(tmp_path))).read_bytes()
    (tmp_path / "sessions" / "a.jsonl").unlink()
    forget_in_index(str(tmp_path))
    assert secret not in Path(index_path(str(tmp_path))).read_bytes()


def test_what_is_forgotten_takes_no_room_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: to overwrite the rows of a large session took as much room as its log had given back, for ever."""
    data = {"format": 1, "kind": "monitoring", "name": "x" * 3_000_000}
    log = SessionLog(str(tmp_path), "a", lifecycle("a", "session_started", data))
    log.append([])
    log.close()
    index(tmp_path)
    os.unlink(log.path)
    monkeypatch.setattr(indexer_module, "free_bytes", lambda _: 5_000_000)
    with contextlib.closing(connect(index_path(str(tmp_path)), read_only=True)) as reading:
        reading.execute("SELECT count(*) FROM events").fetchone()
        forget_in_index(str(tmp_path))
        assert os.stat(f"{index_path(str(tmp_path))}-wal").st_size < 1_000_000
    assert content(tmp_path) == ([], [])


def test_a_full_disk_keeps_the_index_as_it_was(tmp_path: Path) -> None:
    """Logs go also when the disk is full, which makes room; the index says so, stays whole, and follows later."""
    aged(tmp_path, 91, 92, 1)
    index(tmp_path)
    before = content(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        assert len(prune(str(tmp_path), Rules(days=90), NOW_S).removed) == 2
        with pytest.raises(StoreError):
            forget_in_index(str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert content(tmp_path) == before
    forget_in_index(str(tmp_path))
    assert [one["session_id"] for one in content(tmp_path)[1]] == ["s2"]


@pytest.mark.parametrize("every", [51, pytest.param(3, marks=pytest.mark.slow)])
def test_killed_at_every_step(tmp_path: Path, every: int) -> None:
    """Whatever line it is killed at: each log is there whole or gone, and the index follows to the same content."""
    source, data_dir = tmp_path / "source", tmp_path / "data"
    aged(source, 91, 92, 1)
    index(source)
    (source / "sessions" / "latest.jsonl").symlink_to("s1.jsonl")
    whole = {path.name: path.read_bytes() for path in (source / "sessions").glob("s*.jsonl")}

    def again() -> None:
        shutil.rmtree(data_dir, ignore_errors=True)
        shutil.copytree(source, data_dir, symlinks=True)

    def work() -> None:
        prune(str(data_dir), Rules(days=90), NOW_S)
        forget_in_index(str(data_dir))

    again()
    deaths = 0
    for _ in killed_between_lines(work, [retention, indexer_module], every=every):
        deaths += 1
        assert "s2" in left(data_dir)
        for name in left(data_dir):
            assert (data_dir / "sessions" / f"{name}.jsonl").read_bytes() == whole[f"{name}.jsonl"]
        work()
        events, sessions = content(data_dir)
        assert [one["session_id"] for one in sessions] == ["s2"]
        assert len(events) == sessions[0]["figures"]["events"]
        assert (data_dir / "sessions" / "latest.jsonl").readlink() == Path("s2.jsonl")
        again()
    assert deaths > (20 if every == 3 else 1)
    assert left(data_dir) == ["s2"]


def command(data_dir: Path, *words: str) -> Any:
    """Run `claude-proxy prune` and return its JSON."""
    ran = claude_proxy("prune", "--data-dir", str(data_dir), "--json", *words)
    assert ran.status == 0
    return json.loads(ran.stdout)


def test_the_command_works_without_a_server(tmp_path: Path) -> None:
    """`prune` removes logs and their rows where no server runs, and says what it did."""
    fill(tmp_path)
    index(tmp_path)
    os.utime(tmp_path / "sessions" / "s1.jsonl", (0, 0))
    said = command(tmp_path, "--days", "9", "--dry-run")
    assert [one["session_id"] for one in said["removed"]] == ["s1"]
    said = command(tmp_path, "--days", "9")
    assert [one["session_id"] for one in said["removed"]] == ["s1"]
    assert said["left_sessions"] == len(content(tmp_path)[1]) == 5


def test_the_command_leaves_the_index_to_a_server(tmp_path: Path) -> None:
    """Where a server runs, it alone writes the index."""
    fill(tmp_path)
    index(tmp_path)
    before = Path(index_path(str(tmp_path))).read_bytes()
    lock = take_lock(str(tmp_path))
    assert lock is not None
    os.utime(tmp_path / "sessions" / "s1.jsonl", (0, 0))
    assert command(tmp_path, "--max-size", "1B")["removed"]
    os.close(lock)
    assert Path(index_path(str(tmp_path))).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing says what expires"),
        (["--days", "0"], "--days is '0'; it takes days, above 0 and at most 36500"),
        (["--max-size", "much"], "--max-size is 'much'; it takes bytes: a number"),
    ],
)
def test_the_command_says_what_it_lacks(tmp_path: Path, words: list[str], said: str) -> None:
    """Without a rule, or with a wrong one, nothing happens but a sentence with status 2."""
    fill(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "proxy", "prune", "--data-dir", str(tmp_path), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert len(left(tmp_path)) == 6
