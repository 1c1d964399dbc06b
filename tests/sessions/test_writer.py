"""The writing end of a log, on disks that fail."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import stat
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.sessions import writer
from proxy.sessions.identity import new_session_id
from proxy.sessions.record import Alike, Body, StreamRecords, lifecycle
from proxy.sessions.writer import SessionLog
from tests.sessions.logs import Log, read_log, read_log_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSION = "20260101T000000.000000Z-00000000"
RECORDS = StreamRecords(SESSION, "stdout")


def line(number: int, size: int = 0) -> bytes:
    """Return a message of at least ``size`` bytes."""
    return b'{"type":"x","n":%d,"pad":"%b"}' % (number, b"." * size)


def body(number: int, size: int = 0) -> Body:
    """Return the body of the record of a message."""
    return RECORDS.message(line(number, size), "valid")


def append(log: SessionLog, number: int, way: str) -> bool:
    """Append the record of a message by one of the two ways."""
    if way == "short":
        return log.append_line(RECORDS.valid, line(number) + b"\n")
    return log.append([body(number)])


def open_log(data_dir: Path, session_id: str = SESSION) -> SessionLog:
    """Return a log of a session that has just started."""
    return SessionLog(str(data_dir), session_id, lifecycle(session_id, "session_started", {"format": 1}))


def path_of(log: SessionLog) -> Path:
    """Return the path of the file."""
    return Path(log.path)


def content(log: SessionLog) -> Log:
    """Return what is in the file."""
    return read_log(path_of(log))


@contextlib.contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size`` bytes: a disk that is full, wherever the tests run."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))  # Python ignores SIGXFSZ
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing can be made in the folder; skips where not even root can arrange that."""
    command = ["chattr", "+i", str(folder)]
    if os.geteuid() != 0:
        folder.chmod(0o500)
    elif subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("as root on a file system without the immutable attribute, a folder is never read-only")
    try:
        yield
    finally:
        if os.geteuid() != 0:
            folder.chmod(0o700)
        else:
            subprocess.run(["chattr", "-i", str(folder)], check=True)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SessionLog]:
    """A log in a data directory of its own."""
    opened = open_log(tmp_path / "data")
    yield opened
    opened.close()


# -- on a good disk ------------------------------------------------------------------------------------------


def test_a_log_begins_with_the_start_of_its_session(log: SessionLog) -> None:
    """The first append, even of nothing, makes the file, and its first record tells of the session."""
    assert log.append([])
    assert content(log).events() == ["session_started"]
    assert log.append([body(1), body(2)])
    assert content(log).lines("stdout") == [line(1), line(2)]


def test_nobody_else_may_look(tmp_path: Path, log: SessionLog) -> None:
    """Logs hold prompts and code: folders are 0700 and files 0600, whatever the umask allows."""
    before = os.umask(0)
    try:
        log.append([])
    finally:
        os.umask(before)
    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "data", tmp_path / "data/sessions", path_of(log))
    ]
    assert modes == [0o700, 0o700, 0o600]


def test_a_running_session_holds_its_file(log: SessionLog) -> None:
    """The file is locked while its writer lives and free afterwards: how readers tell running from crashed."""
    log.append([])
    with path_of(log).open("rb") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        log.close()
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_closing_twice_or_unopened_does_no_harm(tmp_path: Path) -> None:
    """A session that ends before it could be recorded ends like any other."""
    log = open_log(tmp_path)
    log.close()
    log.append([])
    log.close()
    log.close()


@pytest.mark.parametrize(
    "size", [0, 1000, writer._JOIN_LIMIT - 200, writer._JOIN_LIMIT, writer._JOIN_LIMIT + 1]
)
@pytest.mark.parametrize("alike", [False, True])
def test_batches_of_any_size_are_written_whole(log: SessionLog, size: int, alike: bool) -> None:
    """Joined or gathered, few or more buffers than one call takes: the log holds every record in order."""
    count = 3 if size else 3 * writer._IOV_LIMIT
    lines = [line(number, size) for number in range(count)]
    if alike:
        assert log.append(Alike(RECORDS.valid, lines, sum(map(len, lines))))
    else:
        assert log.append([RECORDS.message(one, "valid") for one in lines])
    assert content(log).lines("stdout") == lines


def test_many_long_records_need_many_gathered_writes(log: SessionLog) -> None:
    """A batch of more buffers than one ``writev`` takes, too long to be joined, is in the log whole."""
    lines = [line(number, 400) for number in range(writer._IOV_LIMIT + 200)]
    assert sum(map(len, lines)) > writer._JOIN_LIMIT
    assert log.append([RECORDS.message(one, "valid") for one in lines])
    assert content(log).lines("stdout") == lines


@pytest.mark.parametrize("step", [1, 7, 100])
@pytest.mark.parametrize("size", [10, 300_000])
def test_short_writes_are_continued(
    log: SessionLog, step: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel that takes a few bytes at a time gets the rest in further calls, in order."""
    if size > 1000 and step < 100:
        step = 60_000 + step
    write, writev = os.write, os.writev

    def short_writev(fd: int, parts: list[bytes]) -> int:
        return writev(fd, [memoryview(b"".join(parts))[:step]])

    log.append([])
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, memoryview(data)[:step]))
    monkeypatch.setattr(os, "writev", short_writev)
    lines = [line(number, size) for number in range(4)]
    assert log.append([RECORDS.message(one, "valid") for one in lines])
    assert log.append_line(RECORDS.valid, line(4, size) + b"\n")
    monkeypatch.undo()
    assert content(log).lines("stdout") == [*lines, line(4, size)]


def test_threads_take_turns(log: SessionLog) -> None:
    """Records of several threads are each whole, numbered without gaps, and each thread's are in its order."""

    def append(thread: int) -> None:
        for number in range(200):
            log.append([body(1000 * thread + number), body(1000 * thread + 500 + number)])

    threads = [threading.Thread(target=append, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [record.fields["message"]["n"] for record in content(log).of("stdout")]
    assert len(found) == 1600
    for start in range(4):
        mine = [n for n in found if n // 1000 == start]
        assert mine == [1000 * start + step for number in range(200) for step in (number, 500 + number)]


# -- on a failing one ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["short", "long"])
def test_a_full_disk_is_survived_and_counted(log: SessionLog, way: str) -> None:
    """While the disk is full nothing is raised and the log stays whole; then a gap tells what is missing."""
    append(log, 0, way)
    with files_end_at(path_of(log).stat().st_size + 50):  # a record fits in part
        assert not append(log, 1, way)
        assert not log.append([body(2), body(3)])
        assert log.lost_records == 3
        assert content(log).lines("stdout") == [line(0)]
        assert content(log).torn == b""  # what was written in part is taken back
    assert append(log, 4, way)
    assert log.lost_records == 0
    found = content(log)
    assert found.lines("stdout") == [line(0), line(4)]
    gap = found.event("recording_gap")
    assert gap["lost_records"] == 3
    assert gap["lost_bytes"] == sum(len(line(number)) for number in (1, 2, 3))
    assert gap["reason"].startswith("EFBIG")
    assert gap["since"] < found.records[-1].fields["ts"]
    assert [record.fields["seq"] for record in found.records] == [0, 1, 2, 3]


@pytest.mark.parametrize("way", ["short", "long"])
@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_disk_that_is_full_at_the_start(log: SessionLog, room: int, way: str) -> None:
    """A log whose very first record could not be written begins with it nevertheless, once there is room."""
    with files_end_at(room):
        assert not log.append([])
        assert not append(log, 1, way)
    assert append(log, 2, way)
    found = content(log)
    assert found.events() == ["session_started", "recording_gap"]
    assert found.event("recording_gap")["lost_records"] == 1
    assert found.lines("stdout") == [line(2)]


def test_a_second_gap_counts_anew(log: SessionLog) -> None:
    """Each gap tells of its own losses only."""
    log.append([])
    for lost in (1, 2):
        with files_end_at(path_of(log).stat().st_size):
            for number in range(lost):
                log.append([body(number)])
        assert log.append([body(9)])
    gaps = [
        record.data["lost_records"] for record in content(log).records if record.event_type == "recording_gap"
    ]
    assert gaps == [1, 2]


def test_a_gap_that_cannot_be_written_stays_open(log: SessionLog) -> None:
    """When there is room for nothing but the beginning of the gap's own record, the gap goes on growing."""
    log.append([])
    with files_end_at(path_of(log).stat().st_size):
        log.append([body(1)])
    with files_end_at(path_of(log).stat().st_size + 20):
        assert not log.append([body(2)])
    assert log.append([body(3)])
    assert content(log).event("recording_gap")["lost_records"] == 2


@pytest.mark.parametrize("alike", [False, True])
def test_a_long_batch_is_written_whole_or_not_at_all(log: SessionLog, alike: bool) -> None:
    """A batch of several writes that fails in the middle leaves nothing behind."""
    log.append([])
    lines = [line(number, 1000) for number in range(1000)]
    batch = (
        Alike(RECORDS.valid, lines, sum(map(len, lines))) if alike else [body(n, 1000) for n in range(1000)]
    )
    with files_end_at(700_000):
        assert not log.append(batch)
    assert content(log).events() == ["session_started"]
    assert log.append(batch)
    assert content(log).lines("stdout") == lines


def test_a_torn_record_that_cannot_be_taken_back_is_ended(
    log: SessionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file cannot be cut, what follows a torn record begins on a line of its own."""
    log.append([body(0)])

    def refuse(fd: int, length: int) -> None:
        raise OSError(errno.EPERM, "append-only file")

    write = os.write

    def torn(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", fails)
        return write(fd, memoryview(data)[:30])

    def fails(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", write)
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "ftruncate", refuse)
    monkeypatch.setattr(os, "write", torn)
    assert not log.append([body(1)])
    assert log.append([body(2)])
    lines = path_of(log).read_bytes().split(b"\n")
    assert lines[2].startswith(b'{"seq":2,')
    assert len(lines[2]) == 30
    assert b"recording_gap" in lines[3]
    assert line(2) in lines[4]
    assert lines[5:] == [b""]


@pytest.mark.parametrize("way", ["short", "long"])
def test_an_append_only_log_on_a_full_disk(
    log: SessionLog, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Regression: a torn record that can be neither cut nor ended is ended before anything else is written."""
    append(log, 0, way)

    def refuse(fd: int, length: int) -> None:
        raise OSError(errno.EPERM, "append-only file")

    monkeypatch.setattr(os, "ftruncate", refuse)
    with files_end_at(path_of(log).stat().st_size + 30):
        assert not append(log, 1, way)
        assert not append(log, 2, way)
    assert append(log, 3, way)
    lines = path_of(log).read_bytes().split(b"\n")
    assert len(lines[2]) == 30
    assert b"recording_gap" in lines[3]
    assert line(3) in lines[4]
    assert lines[5:] == [b""]


@pytest.mark.parametrize("way", ["short", "long"])
@pytest.mark.parametrize("room", [0, 30])
def test_a_log_that_somebody_cut_on_a_full_disk(log: SessionLog, way: str, room: int) -> None:
    """Regression: a record is taken back from where it begins, whatever others have done to the file."""
    append(log, 0, way)
    os.truncate(path_of(log), 0)
    append(log, 1, way)
    with files_end_at(path_of(log).stat().st_size + room):
        assert not append(log, 2, way)
        assert content(log).lines("stdout") == [line(1)]
    assert append(log, 3, way)
    assert content(log).lines("stdout") == [line(1), line(3)]
    assert content(log).events() == ["recording_gap"]


@pytest.mark.parametrize("way", ["short", "long"])
@pytest.mark.parametrize("edited", [b"", b"a line of the user's\n", b"a line without an end"])
def test_a_log_that_was_replaced_is_gone_on_with(log: SessionLog, edited: bytes, way: str) -> None:
    """Regression: after `sed -i`, or an editor, the rest of the session is in the file that they left there."""
    log.append([body(1)])
    new = path_of(log).with_suffix(".new")
    new.write_bytes(edited)
    new.replace(path_of(log))
    assert append(log, 2, way)
    text = path_of(log).read_bytes()
    assert text.startswith(edited)
    records = read_log_bytes(text[len(edited) :].lstrip(b"\n"))
    assert records.events() == (["recording_gap"] if edited else ["session_started", "recording_gap"])
    assert records.lines("stdout") == [line(2)]
    with path_of(log).open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_is_not_gone_on_with(log: SessionLog, tmp_path: Path, kind: str) -> None:
    """A link, a folder or a pipe in the place of a log that was deleted costs the record, until it is gone."""
    log.append([body(1)])
    path = path_of(log)
    path.unlink()
    if kind == "link":
        path.symlink_to(tmp_path / "victim")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    assert not log.append([body(2)])
    assert not (tmp_path / "victim").exists()
    path.rmdir() if kind == "folder" else path.unlink()
    assert log.append([body(3)])
    assert content(log).event("recording_gap")["lost_records"] == 1


@pytest.mark.parametrize("way", ["short", "long"])
@pytest.mark.parametrize("missing", ["log", "sessions", "data"])
def test_a_log_that_was_deleted_is_begun_anew(
    log: SessionLog, tmp_path: Path, missing: str, way: str
) -> None:
    """What the user deletes stays deleted; the session is recorded from there on, and says so."""
    log.append([body(1)])
    path = path_of(log)
    os.utime(path, ns=(0, 0))  # it was deleted some time later
    path.unlink()
    if missing != "log":
        path.parent.rmdir()
    if missing == "data":
        (tmp_path / "data").rmdir()
    assert append(log, 2, way)
    found = content(log)
    assert found.events() == ["session_started", "recording_gap"]
    assert found.event("recording_gap")["reason"] == "the log was deleted"
    assert found.lines("stdout") == [line(2)]
    assert found.records[0].fields["seq"] == 2
    with path.open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)


def seldom_looking(tmp_path: Path) -> SessionLog:
    """Return a log that does not look whether it was deleted, but when it is closed."""
    started = lifecycle(SESSION, "session_started", {"format": 1})
    log = SessionLog(str(tmp_path / "data"), SESSION, started, look_s=3600.0)
    log.append([])
    log.append([])
    return log


@pytest.mark.parametrize("way", ["short", "long"])
def test_what_comes_after_a_deletion_is_in_the_new_log_at_the_latest_when_it_is_closed(
    tmp_path: Path, way: str
) -> None:
    """A deletion that is noticed late costs nothing: numbers and times go on, and each record is there once."""
    log = seldom_looking(tmp_path)
    path = path_of(log)
    path.unlink()
    for number in range(3):
        assert append(log, number, way)
    assert not path.exists()
    log.close()
    found = content(log)
    assert found.events() == ["session_started", "recording_gap"]
    assert found.event("recording_gap")["lost_records"] == 0
    assert found.lines("stdout") == [line(number) for number in range(3)]
    assert [record.fields["seq"] for record in found.records] == [0, 1, 2, 3, 4]
    stamps = [record.fields["ts"] for record in found.records]
    assert stamps == sorted(set(stamps))


def test_a_log_that_is_deleted_after_its_last_record_is_not_begun_anew(tmp_path: Path) -> None:
    """What the user deletes stays deleted."""
    log = seldom_looking(tmp_path)
    log.append([body(1)])
    os.utime(path_of(log), ns=(0, 0))  # it was deleted some time later
    path_of(log).unlink()
    log.close()
    assert not path_of(log).exists()


@pytest.mark.parametrize("copied", [0, 1, 2, 3])
def test_what_is_put_in_the_logs_place_has_each_record_once(tmp_path: Path, copied: int) -> None:
    """An editor saves what it has read; what came after that is not lost, and what it has is not there twice."""
    log = seldom_looking(tmp_path)
    path, edited = path_of(log), tmp_path / "edited"
    for number in range(3):
        log.append([body(number)])
    lines = path.read_bytes().splitlines(keepends=True)
    edited.write_bytes(b"".join(lines[: 1 + copied]))
    edited.rename(path)
    log.append([body(3)])
    log.close()
    assert content(log).lines("stdout") == [line(number) for number in range(4)]


def test_what_a_deleted_log_got_is_kept_until_it_can_be_written(tmp_path: Path) -> None:
    """A new log that cannot be made, or not be filled, is tried again, and nothing of the deleted one is missing."""
    log = seldom_looking(tmp_path)
    path = path_of(log)
    path.unlink()
    assert log.append([body(1, 1000)])
    assert log.append([body(2, 1000)])
    log._looked_ns = -(10**18)  # the time to look has come
    path.mkdir()
    assert not log.append([body(3)])
    path.rmdir()
    with files_end_at(1200):  # for the first of the two
        assert not log.append([body(4)])
        assert content(log).events() == ["session_started"]
    assert log.append([body(5)])
    found = content(log)
    assert found.lines("stdout") == [line(1, 1000), line(2, 1000), line(5)]
    assert found.event("recording_gap")["lost_records"] == 2
    assert [record.fields["seq"] for record in found.records] == [0, 1, 2, 3, 4]


def test_a_folder_that_is_replaced_by_a_file(log: SessionLog) -> None:
    """A place that cannot be written is tried again until it can."""
    log.append([body(1)])
    os.utime(path_of(log), ns=(0, 0))  # it was deleted some time later
    folder = path_of(log).parent
    path_of(log).unlink()
    folder.rmdir()
    folder.touch()
    assert not log.append([body(2)])
    assert log.lost_records == 1
    folder.unlink()
    assert log.append([body(3)])
    gap = content(log).event("recording_gap")
    assert (gap["lost_records"], gap["lost_bytes"]) == (1, len(line(2)))
    assert gap["reason"].startswith("ENOTDIR")


def test_a_read_only_folder(log: SessionLog, tmp_path: Path) -> None:
    """A log that cannot be made costs the record, never the session; it is made as soon as it can be."""
    (tmp_path / "data").mkdir()
    with read_only(tmp_path / "data"):
        assert not log.append([])
        assert not log.append([body(1)])
    assert log.append([body(2)])
    assert content(log).events() == ["session_started", "recording_gap"]
    assert content(log).event("recording_gap")["lost_records"] == 1


def test_a_folder_that_becomes_read_only(log: SessionLog) -> None:
    """A log that is open stays writable when its folder no longer is."""
    log.append([])
    with read_only(path_of(log).parent):
        assert log.append([body(1)])
    assert content(log).lines("stdout") == [line(1)]


def test_a_link_in_the_logs_place_is_not_followed(log: SessionLog, tmp_path: Path) -> None:
    """Nobody can make a session write into a file of another's choice."""
    victim = tmp_path / "victim"
    path_of(log).parent.mkdir(parents=True)
    path_of(log).symlink_to(victim)
    assert not log.append([body(1)])
    assert not victim.exists()


def test_a_file_system_without_locks(log: SessionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be locked, the session is recorded all the same."""

    def no_locks(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert log.append([body(1)])
    assert content(log).lines("stdout") == [line(1)]


# -- the link to the newest ----------------------------------------------------------------------------------


def latest(data_dir: Path) -> str:
    """Return what ``latest.jsonl`` points to."""
    return str((data_dir / "sessions" / "latest.jsonl").readlink())


def test_latest_is_the_session_that_started_last(tmp_path: Path) -> None:
    """The order in which sessions get round to it does not matter: the newest id has the link."""
    ids = [new_session_id(us * 1000) for us in (1, 2, 3)]
    for session_id in (ids[1], ids[2], ids[0]):
        log = open_log(tmp_path, session_id)
        log.append([])
        log.point_latest_here()
        log.close()
    assert latest(tmp_path) == ids[2] + ".jsonl"
    assert {path.name for path in (tmp_path / "sessions").iterdir()} == {
        f"{i}.jsonl" for i in (*ids, "latest")
    }


def test_a_link_that_points_nowhere_is_replaced(tmp_path: Path) -> None:
    """Logs may be deleted; the link finds the next session."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "latest.jsonl").symlink_to("00000000T000000.000000Z-00000000.jsonl")
    log = open_log(tmp_path)
    log.append([])
    log.point_latest_here()
    log.close()
    assert latest(tmp_path) == SESSION + ".jsonl"


def test_no_link_is_no_trouble(log: SessionLog, tmp_path: Path) -> None:
    """Where the link cannot be made, the log is there without it."""
    log.append([body(1)])
    with read_only(tmp_path / "data" / "sessions"):
        log.point_latest_here()
    assert content(log).lines("stdout") == [line(1)]
    assert not (tmp_path / "data" / "sessions" / "latest.jsonl").exists()
