"""Copies: whole and verified or not there at all, of logs that are written meanwhile, on disks that are full."""

import fcntl
import hashlib
import json
import os
import resource
import shutil
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proxy.upkeep import backup
from proxy.upkeep.backup import Backup, BackupError, list_backups, make_backup
from tests.command_line import claude_proxy
from tests.faults import killed_between_lines
from tests.store.embedded.test_indexer import content, fill, index

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with some sessions and their index."""
    fill(tmp_path / "data", ["simple", "tool_deny"])
    index(tmp_path / "data")
    (tmp_path / "data" / "sessions" / "latest.jsonl").symlink_to("s1.jsonl")
    return tmp_path / "data"


def made(data_dir: Path, now: datetime = NOW, keep: int = 7, **options: Any) -> Backup:
    """Make a copy."""
    return make_backup(str(data_dir), now, keep=keep, **options)


def files(archive: str) -> dict[str, bytes]:
    """Return what is in an archive, read by the standard library alone."""
    with tarfile.open(archive) as members:
        found = {}
        for member in members:
            file = members.extractfile(member) if member.isreg() else None
            found[member.name] = file.read() if file else member.linkname.encode()
        return found


def test_unpacked_it_is_a_data_directory(data_dir: Path, tmp_path: Path) -> None:
    """`tar xzf` of a copy gives a data directory with the very same logs, and times, that any reader can use."""
    result = made(data_dir)
    assert result.path == str(data_dir / "backups" / "20260102T030405Z.tar.gz")
    assert result.sessions == 2
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "xzf", result.path, "-C", str(tmp_path / "out")], check=True)
    for log in (data_dir / "sessions").glob("s*.jsonl"):
        unpacked = tmp_path / "out" / "sessions" / log.name
        assert unpacked.read_bytes() == log.read_bytes()
        assert unpacked.stat().st_mtime == pytest.approx(log.stat().st_mtime)
        assert unpacked.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "out" / "sessions" / "latest.jsonl").resolve().name == "s1.jsonl"
    before = content(data_dir)
    index(tmp_path / "out")
    assert content(tmp_path / "out") == before


def test_nobody_else_may_read_it(data_dir: Path) -> None:
    """Copies hold prompts, code and tool output: folder 0700, files 0600, whatever the umask is."""
    before = os.umask(0)
    try:
        path = made(data_dir).path
    finally:
        os.umask(before)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700


def test_the_list_of_files_is_true(data_dir: Path) -> None:
    """A copy says what it holds, with sizes and checksums."""
    held = files(made(data_dir).path)
    said = json.loads(held.pop("backup.json"))["files"]
    del held["sessions/latest.jsonl"]
    assert said == {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in held.items()
    }


@pytest.mark.parametrize("torn", [b"", b'{"seq":', b'{"seq":' + b"x" * 3_000_000])
def test_a_log_that_is_written_is_copied_to_a_whole_line(data_dir: Path, torn: bytes) -> None:
    """What a writer has not finished stays out of the copy; what a dead one left behind is evidence, and stays in."""
    log = data_dir / "sessions" / "s0.jsonl"
    whole = log.read_bytes()
    with log.open("ab") as writer:
        writer.write(torn)
        writer.flush()
        assert files(made(data_dir).path)["sessions/s0.jsonl"] == whole + torn
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert files(made(data_dir).path)["sessions/s0.jsonl"] == whole


def test_a_log_of_a_single_unfinished_line_is_empty_in_the_copy(data_dir: Path) -> None:
    """A writer's first line may be on its way."""
    log = data_dir / "sessions" / "s9.jsonl"
    with log.open("wb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        writer.write(b'{"seq":0')
        writer.flush()
        assert files(made(data_dir).path)["sessions/s9.jsonl"] == b""


def test_the_index_is_left_out(data_dir: Path) -> None:
    """It is a cache, as large as the logs, and is made again from them."""
    held = files(made(data_dir).path)
    assert set(held) == {
        "backup.json",
        "sessions/latest.jsonl",
        *(f"sessions/s{number}.jsonl" for number in range(2)),
    }


def test_the_oldest_go_beyond_what_is_kept(data_dir: Path) -> None:
    """After a new copy is there, the oldest go; foreign files stay."""
    (data_dir / "backups").mkdir()
    (data_dir / "backups" / "20250101.tar.gz.mine").touch()
    for hour in range(4):
        result = made(data_dir, NOW + timedelta(hours=hour), keep=2)
    assert list_backups(str(data_dir)) == ["20260102T050405Z.tar.gz", "20260102T060405Z.tar.gz"]
    assert result.dropped == ["20260102T040405Z.tar.gz"]
    assert (data_dir / "backups" / "20250101.tar.gz.mine").exists()


def test_after_a_clock_was_set_back_the_new_copy_is_the_newest(data_dir: Path) -> None:
    """Names go on behind the newest one, so the copy just made is never the one that goes."""
    made(data_dir)
    for _ in range(3):
        result = made(data_dir, NOW - timedelta(days=4000), keep=2)
        assert os.path.exists(result.path)
    assert list_backups(str(data_dir)) == ["20260102T030407Z.tar.gz", "20260102T030408Z.tar.gz"]


def test_what_is_read_back_is_compared(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that gives back something else than was written is found out: no copy is better than a false one."""
    add = backup._add

    def and_remember_wrongly(*arguments: Any) -> tuple[int, str]:
        size, sha256 = add(*arguments)
        return size, sha256[::-1]

    monkeypatch.setattr(backup, "_add", and_remember_wrongly)
    with pytest.raises(BackupError, match="the disk is not to be trusted"):
        made(data_dir)
    assert os.listdir(data_dir / "backups") == []


def test_a_log_that_becomes_shorter_ends_the_copy(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that would not be what the log was is not made."""
    monkeypatch.setattr(backup, "_whole_lines", lambda _fd, size: size + 1)
    with (data_dir / "sessions" / "s0.jsonl").open("ab") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="shorter"):
            made(data_dir)
    assert os.listdir(data_dir / "backups") == []


@pytest.mark.parametrize("limit", [0, 10, 5000])
def test_a_full_disk_leaves_nothing_behind(data_dir: Path, limit: int) -> None:
    """Where the copy does not fit, there is a sentence, no half copy, and the copies of before are untouched."""
    first = made(data_dir)
    before = Path(first.path).read_bytes()
    assert len(before) > 15_000
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(BackupError, match="no copy was made"):
            made(data_dir, keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(data_dir / "backups") == [os.path.basename(first.path)]
    assert Path(first.path).read_bytes() == before


def test_a_copy_leaves_room_for_recording(data_dir: Path) -> None:
    """When the disk has less than is kept free, no copy is made, and it is said which setting says so."""
    with pytest.raises(BackupError, match=r"storage\.min_free_space keeps 1000000000000000"):
        made(data_dir, min_free_bytes=10**15)
    assert os.listdir(data_dir / "backups") == []


def test_a_server_that_stops_does_not_wait(data_dir: Path) -> None:
    """A copy is given up at the next piece when it is to stop."""
    asked = 0

    def is_stopping() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    with pytest.raises(BackupError, match="the server stops"):
        made(data_dir, is_stopping=is_stopping)
    assert os.listdir(data_dir / "backups") == []


def test_one_at_a_time(data_dir: Path) -> None:
    """A copy that is being made is left alone by another one."""
    (data_dir / "backups").mkdir()
    (data_dir / "backups" / ".archive.partial").touch()
    fd = os.open(data_dir / "backups", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(BackupError, match="another copy is being made"):
        made(data_dir)
    assert os.listdir(data_dir / "backups") == [".archive.partial"]
    os.close(fd)
    made(data_dir)
    assert os.listdir(data_dir / "backups") == ["20260102T030405Z.tar.gz"]


@pytest.mark.parametrize("every", [102, pytest.param(6, marks=pytest.mark.slow)])
def test_killed_at_every_step(data_dir: Path, every: int) -> None:
    """Whatever line it is killed at: what has a copy's name is whole, the newest is there, and the next one mends."""
    folder = data_dir / "backups"
    first = made(data_dir)
    kept = Path(first.path).read_bytes()
    deaths = 0
    for _ in killed_between_lines(lambda: made(data_dir, keep=1), [backup], every=every):
        deaths += 1
        names = list_backups(str(data_dir))
        assert names
        for name in names:
            assert {"backup.json", "sessions/s0.jsonl", "sessions/s1.jsonl"} <= files(
                str(folder / name)
            ).keys()
        shutil.rmtree(folder)
        folder.mkdir()
        Path(first.path).write_bytes(kept)
        (folder / ".archive.partial").write_bytes(b"half")
    assert deaths > (20 if every == 6 else 1)
    assert os.listdir(folder) == ["20260102T030406Z.tar.gz"]


@pytest.mark.parametrize("unreadable", [True, False])
def test_a_copy_of_nothing_takes_no_place(data_dir: Path, *, unreadable: bool) -> None:
    """Regression: sessions that were gone, or could not be read, were copied as none, and older copies went for it."""
    good = made(data_dir, keep=1)
    shutil.rmtree(data_dir / "sessions")
    if unreadable:
        (data_dir / "sessions").touch()  # permissions do not stop root
    with pytest.raises(
        BackupError, match=r"sessions: Not a directory" if unreadable else "there are no sessions"
    ):
        made(data_dir, NOW + timedelta(days=1), keep=1)
    assert list_backups(str(data_dir)) == [os.path.basename(good.path)]
    assert os.listdir(data_dir / "backups") == [os.path.basename(good.path)]


def test_the_command_says_what_it_made(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`backup --json` names the file; one that cannot be made is a sentence and status 1."""
    words = ["backup", "--data-dir", str(data_dir), "--json"]
    monkeypatch.setenv("CLAUDE_PROXY_STORAGE__MIN_FREE_SPACE", "1KB")
    ran = claude_proxy(*words)
    assert ran.status == 0
    said = json.loads(ran.stdout)
    assert os.path.exists(said["path"])
    assert (said["sessions"], said["dropped"]) == (2, [])
    monkeypatch.setenv("CLAUDE_PROXY_STORAGE__MIN_FREE_SPACE", "1000000GB")
    ran = claude_proxy(*words)
    assert ran.status == 1
    assert "storage.min_free_space" in ran.stderr
    ran = claude_proxy("backup", "--data-dir", str(data_dir / "none"))
    assert ran.status == 1
    assert "there is no data directory" in ran.stderr
