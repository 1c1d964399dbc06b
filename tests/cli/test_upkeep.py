"""``claude-proxy prune``, ``backup`` and ``restore``: what they say to people and to programs."""

import json
import os
from pathlib import Path

from tests.command_line import claude_proxy
from tests.recorded import LogMaker, scenario

DAY_S = 86_400
WRITTEN_S = 1_700_000_000


def recorded(data_dir: Path, *names: str) -> int:
    """Fill a data directory with sessions of long ago; return how many bytes they are."""
    (data_dir / "sessions").mkdir(parents=True, mode=0o700)
    data_dir.chmod(0o700)
    size = 0
    for name in names:
        path = data_dir / "sessions" / f"{name}.jsonl"
        size += path.write_bytes(scenario("simple", LogMaker(name)))
        os.utime(path, (WRITTEN_S, WRITTEN_S))
    return size


def test_a_prune_is_told_to_programs(tmp_path: Path) -> None:
    """Which sessions went, why, when each was last written to, and what is left; a dry run removes nothing."""
    size = recorded(tmp_path, "s0", "s1")
    for is_dry in (True, False):
        words = ["prune", "--days", "90", "--json", *(["--dry-run"] if is_dry else [])]
        ran = claude_proxy(*words, "--data-dir", str(tmp_path))
        said = json.loads(ran.stdout)
        assert (ran.status, said["dry_run"], said["removed_bytes"]) == (0, is_dry, size)
        assert {key: said[key] for key in ("failed", "waiting", "left_sessions", "left_bytes", "lost")} == {
            "failed": [],
            "waiting": [],
            "left_sessions": 0,
            "left_bytes": 0,
            "lost": {},
        }
        assert [(one["session_id"], one["reason"]) for one in said["removed"]] == [
            ("s0", "days"),
            ("s1", "days"),
        ]
        assert {one["last_written_at"] for one in said["removed"]} == {"2023-11-14T22:13:20.000000Z"}
        assert len(list((tmp_path / "sessions").glob("s*.jsonl"))) == (2 if is_dry else 0)


def test_a_prune_is_told_to_people(tmp_path: Path) -> None:
    """A line for each session, and one for all; without a rule it says what is missing, and removes nothing."""
    recorded(tmp_path, "s0")
    refused = claude_proxy("prune", "--data-dir", str(tmp_path))
    assert (refused.status, "nothing says what expires" in refused.stderr) == (2, True)
    lines = claude_proxy("prune", "--days", "90", "--data-dir", str(tmp_path)).stdout.splitlines()
    assert lines[0].startswith("s0 ")
    assert lines[0].endswith("past its days")
    assert lines[1].startswith("1 session removed (")


def test_a_backup_is_restored(tmp_path: Path) -> None:
    """Both are told to programs; what is in the way of either is one sentence and status 1."""
    size = recorded(tmp_path / "a", "s0")
    made = json.loads(claude_proxy("backup", "--json", "--data-dir", str(tmp_path / "a")).stdout)
    assert (made["sessions"], made["dropped"]) == (1, [])
    restore = ("restore", made["path"], "--json", "--data-dir", str(tmp_path / "b"))
    assert json.loads(claude_proxy(*restore).stdout) == {"sessions": 1, "bytes": size}
    again = claude_proxy(*restore)
    assert (again.status, again.stderr.count("\n"), "holds sessions already" in again.stderr) == (1, 1, True)
    for words in (("restore", "nowhere.tar.gz"), ("backup",), ("prune", "--days", "1")):
        ran = claude_proxy(*words, "--data-dir", str(tmp_path / "nowhere"))
        assert (ran.status, ran.stderr.startswith("claude-proxy: there is no ")) == (1, True)
