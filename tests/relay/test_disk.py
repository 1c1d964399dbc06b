"""Disks that fail never reach the session: the command goes on, and what is missing in the record is said."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.upkeep.seals import newest_checkpoint, read_seals
from proxy.upkeep.verification import verify
from tests.relay.wrapper import Running, Wrapper, finish, read_exactly, read_line, write_all
from tests.sessions.logs import read_log, read_log_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = b'{"type":"novelty","pad":"' + b"." * 1000 + b'"}\n'


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 64 KB; skips where none can be mounted."""
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def exchange(running: Running, line: bytes = LINE) -> None:
    """Send a line and get it back."""
    write_all(running.writer, line)
    assert read_exactly(running.reader, len(line)) == line


def test_a_disk_that_fills_up_and_is_freed(tmp_path: Path) -> None:
    """The session goes on without a hitch, and when there is room again it is told exactly what is missing."""
    with small_disk(tmp_path / "disk") as disk:
        wrapper = Wrapper(disk / "data")
        with wrapper.start("cat") as running:
            exchange(running)
            ballast = disk / "ballast"
            with contextlib.suppress(OSError):
                ballast.write_bytes(b"." * 65536)
            for _ in range(50):
                exchange(running)
            full = wrapper.log()
            assert full.torn == b""  # what fitted in part was taken back
            ballast.unlink()
            exchange(running)
            assert running.end() == 0
        log = wrapper.finished_log()
    # More than one, where a gap fits on the full disk and a line does not.
    gaps = [record.data for record in log.records if record.event_type == "recording_gap"]
    lost = sum(gap["lost_records"] for gap in gaps)
    recorded = len(log.of("stdin")) + len(log.of("stdout"))
    assert lost == 2 * 52 - recorded > 0
    assert sum(gap["lost_bytes"] for gap in gaps) == lost * (len(LINE) - 1)
    assert all(gap["reason"].startswith("ENOSPC") for gap in gaps)
    assert sum(log.ended["counts"]["stdin"].values()) == 52


def test_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    """Nothing can be recorded, and nothing else is different."""
    with small_disk(tmp_path / "disk") as disk:
        with contextlib.suppress(OSError):
            (disk / "ballast").write_bytes(b"." * 65536)
        done = Wrapper(disk / "data").run("sh", "-c", "cat; echo err >&2; exit 3", given=LINE * 100)
    assert (done.status, done.stdout, done.stderr) == (3, LINE * 100, b"err\n")


def test_a_limit_on_the_size_of_files(wrapper: Wrapper) -> None:
    """A log that may not grow is a full disk like any other: no signal, no word, and the log stays whole."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    with wrapper.start("cat", preexec_fn=limit) as running:
        for _ in range(30):
            exchange(running)
        assert running.end() == 0
    log = wrapper.finished_log()
    assert log.torn == b""
    assert 0 < len(log.of("stdin")) < 30


@pytest.mark.parametrize("missing", ["log", "folder"])
def test_a_log_that_is_removed_in_mid_session(wrapper: Wrapper, missing: str) -> None:
    """The record goes on in a new file at the old place, and has all that came after."""
    with wrapper.start("cat") as running:
        exchange(running)
        (path,) = wrapper.paths()
        if missing == "log":
            path.unlink()
        else:
            shutil.rmtree(wrapper.data_dir)
        lines = [b'{"type":"later","n":%d}\n' % number for number in range(3)]
        for line in lines:
            exchange(running, line)
        assert running.end() == 0
    log = wrapper.finished_log()
    assert sorted(log.events()) == ["recording_gap", "session_ended", "session_started"]
    later = [line.removesuffix(b"\n") for line in lines]
    assert log.lines("stdout")[-3:] == log.lines("stdin")[-3:] == later
    assert wrapper.paths() == [path]


def test_a_folder_that_is_replaced_by_a_file_in_mid_session(wrapper: Wrapper) -> None:
    """The session goes on, and is recorded again as soon as it can be."""
    sessions = wrapper.data_dir / "sessions"
    with wrapper.start("cat") as running:
        exchange(running)
        shutil.rmtree(sessions)
        sessions.touch()
        for _ in range(20):
            exchange(running)
        sessions.unlink()
        exchange(running)
        assert running.end() == 0
    log = wrapper.finished_log()
    recorded = len(log.of("stdin")) + len(log.of("stdout"))
    missing = log.event("recording_gap")["lost_records"]
    # What came right before the deletion may be there as well: one line each.
    assert 2 * 21 <= recorded + missing <= 2 * 22


def test_a_folder_that_becomes_read_only(wrapper: Wrapper) -> None:
    """A folder in which nothing can be made any more does not stop the log that is in it."""
    folder = wrapper.data_dir / "sessions"
    with wrapper.start("cat") as running:
        exchange(running)
        if subprocess.run(["chattr", "+i", folder], check=False, capture_output=True).returncode:
            if os.geteuid() == 0:
                pytest.skip(
                    "as root on a file system without the immutable attribute, a folder is never read-only"
                )
            folder.chmod(0o500)
        try:
            exchange(running)
            assert running.end() == 0
            assert len(wrapper.finished_log().of("stdout")) == 2
        finally:
            subprocess.run(["chattr", "-i", folder], check=False, capture_output=True)
            folder.chmod(0o700)


@pytest.mark.parametrize("kind", ["a file", "under a file", "a loop of links", "a name too long", "in /proc"])
def test_a_data_directory_that_cannot_be_used(tmp_path: Path, kind: str) -> None:
    """The command runs, unrecorded, and neither it nor its caller notices anything."""
    place = tmp_path / "place"
    match kind:
        case "a file":
            place.touch()
        case "under a file":
            place.touch()
            place = place / "data"
        case "a loop of links":
            place.symlink_to(place)
        case "a name too long":
            place = tmp_path / ("x" * 300)
        case "in /proc":
            place = Path("/proc/no/such/place")
    script = "cat; echo err >&2; exit 3"
    done = Wrapper(place).run("sh", "-c", script, given=b"text\n" + LINE)
    assert (done.status, done.stdout, done.stderr) == (3, b"text\n" + LINE, b"err\n")
    assert not (tmp_path / "place" / "sessions").exists()


def test_a_home_that_is_not_there(tmp_path: Path) -> None:
    """Without a data directory of the user's choice, and no home to put the usual one into, the command runs."""
    command = Wrapper(tmp_path).command("sh", "-c", "echo fine")
    del command[command.index("--data-dir") : command.index("--data-dir") + 2]
    for home in ("/proc/nowhere", "", "relative"):
        done = finish(command, env={"PATH": os.environ["PATH"], "HOME": home}, cwd=tmp_path)
        assert (done.status, done.stdout, done.stderr) == (0, b"fine\n", b"")


def test_forty_sessions_at_once(wrapper: Wrapper) -> None:
    """Sessions do not get in each other's way: every log is whole, and the link leads to the newest."""
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(wrapper.start("cat")) for _ in range(40)]
        for number, running in enumerate(sessions):
            write_all(running.writer, b"session %d\n" % number)
        for number, running in enumerate(sessions):
            assert read_line(running.reader) == b"session %d\n" % number
        assert len(wrapper.paths()) == 40
        for running in sessions:
            assert running.end() == 0
    logs = [read_log(path) for path in wrapper.paths()]
    assert sorted(log.lines("stdout")[0] for log in logs) == sorted(b"session %d" % n for n in range(40))
    assert all(log.ended["exit_code"] == 0 for log in logs)
    folder = wrapper.data_dir / "sessions"
    assert (folder / "latest.jsonl").resolve() == wrapper.paths()[-1].resolve()
    assert {path.suffix for path in folder.iterdir()} == {".jsonl"}  # nothing half-made is left
    assert len(list(folder.iterdir())) == 41


def test_nobody_else_may_read_a_log(wrapper: Wrapper) -> None:
    """Folders and logs are the user's alone, whatever the umask."""
    wrapper.run("true", umask=0)
    paths = [wrapper.data_dir, wrapper.data_dir / "sessions", *wrapper.paths()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o700, 0o700, 0o600]


def test_a_slow_disk_keeps_the_order(wrapper: Wrapper) -> None:
    """A log that is copied at any moment is a whole log with at most one torn line at its end."""
    with wrapper.start("cat") as running:
        for _ in range(200):
            exchange(running)
            content = wrapper.paths()[0].read_bytes()
            assert len(read_log_bytes(content).of("stdout")) >= 1
        with wrapper.paths()[0].open("rb") as log, pytest.raises(BlockingIOError):
            fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert running.end() == 0


@pytest.mark.parametrize("what", ["full", "removed", "replaced", "removed at the end"])
def test_no_failure_of_the_disk_is_taken_for_a_change(tmp_path: Path, what: str) -> None:
    """A sealed log that the disk, its owner or an editor interfered with is whole, and says what it lacks."""
    with small_disk(tmp_path / "disk") if what == "full" else contextlib.nullcontext(tmp_path) as disk:
        wrapper = Wrapper(disk / "data")
        with wrapper.start("cat", options=["--seal", "on"]) as running:
            exchange(running)
            (path,) = wrapper.paths()
            seen = newest_checkpoint(str(path))
            match what:
                case "full":
                    with contextlib.suppress(OSError):
                        (disk / "ballast").write_bytes(b"." * 65536)
                    for _ in range(50):
                        exchange(running)
                    (disk / "ballast").unlink()
                case "replaced":
                    subprocess.run(["sed", "-i", "s/nothing like this/at all/", path], check=True)
                case _:
                    path.unlink()
            while what == "removed" and not path.exists():  # a deletion is noticed within a moment
                exchange(running)
            if what != "removed at the end":
                exchange(running)
            assert running.end() == 0
        wrapper.finished_log()
        content = (wrapper.data_dir / "seals.jsonl").read_bytes()
        seals = [seal for _, seal in read_seals(content).lines]
        verdict = verify(path.stem, str(path), seals, [seen] if seen else [])
    assert seen
    assert (len(seals), verdict.integrity.split()[0]) == (1, "whole")
    assert verdict.completeness
    assert verdict.completeness.gaps >= 1
