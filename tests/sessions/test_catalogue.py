"""The catalogue: which sessions there are, how they stand, and which one is meant."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.sessions import catalogue
from proxy.sessions.identity import log_path
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog

FIRST, SECOND = "20260101T000000.000000Z-aaaaaaaa", "20260102T000000.000000Z-bbbbbbbb"
DATA = {"format": 1, "command": ["claude", "-p"], "cwd": "/home/dev", "name": "mine", "pid": 7}


def opened(data_dir: Path, session_id: str) -> SessionLog:
    """Return a log with its first record, held by its writer."""
    log = SessionLog(str(data_dir), session_id, lifecycle(session_id, "session_started", DATA))
    log.append([])
    log.point_latest_here()
    return log


def end(log: SessionLog, **data: object) -> None:
    """Write the last record and let go of the log."""
    log.append([lifecycle(log.session_id, "session_ended", {"counts": {}, "duration_ms": 5, **data})])
    log.close()


def test_running_then_ended(tmp_path: Path) -> None:
    """A session runs while its writer holds the log, and has ended when its last record says so."""
    log = opened(tmp_path, FIRST)
    running = catalogue.find(str(tmp_path), FIRST)
    assert (running.state, running.name, running.command, running.pid) == (
        "running",
        "mine",
        ["claude", "-p"],
        7,
    )
    end(log, exit_code=3)
    ended = catalogue.find(str(tmp_path), FIRST)
    assert (ended.state, ended.exit_code, ended.signal) == ("ended", 3, None)
    assert ended.started_at is not None
    assert ended.last_record_at is not None
    assert ended.last_record_at > ended.started_at


def test_crashed_with_a_torn_end(tmp_path: Path) -> None:
    """A log that nobody holds and that does not say that it ended is a crash, also when its end is torn."""
    log = opened(tmp_path, FIRST)
    log.close()
    with Path(log.path).open("ab") as file:
        file.write(b'{"seq":1,"ts":"2026')
    crashed = catalogue.inspect(log.path)
    assert crashed.state == "crashed"
    assert crashed.last_record_at == crashed.started_at


def test_a_look_never_costs_the_writer_its_lock(tmp_path: Path) -> None:
    """An empty, fresh log is not tried: its writer is about to take the lock, and tries only once."""
    path = tmp_path / "sessions" / f"{FIRST}.jsonl"
    path.parent.mkdir()
    path.touch()
    trace = f"import fcntl; from proxy.sessions.catalogue import inspect; fcntl.flock = None; inspect({str(path)!r})"
    subprocess.run([sys.executable, "-c", trace], check=True, timeout=120)
    assert catalogue.inspect(str(path)).state == "running"
    os.utime(path, (0, 0))
    assert catalogue.inspect(str(path)).state == "crashed"


def test_a_look_leaves_no_lock_behind(tmp_path: Path) -> None:
    """After a look the log can be locked exclusively at once."""
    log = opened(tmp_path, FIRST)
    end(log)
    catalogue.inspect(log.path)
    with Path(log.path).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_newest_first_and_only_sessions(tmp_path: Path) -> None:
    """The list holds the sessions, newest first; links, folders and other files are no sessions."""
    for session_id in (FIRST, SECOND):
        end(opened(tmp_path, session_id))
    folder = tmp_path / "sessions"
    (folder / "notes.txt").touch()
    (folder / "-odd.jsonl").touch()
    (folder / "folder.jsonl").mkdir()
    assert [session.session_id for session in catalogue.list_sessions(str(tmp_path))] == [SECOND, FIRST]
    assert catalogue.list_logs(str(tmp_path / "nowhere")) == []


def test_finding_what_is_meant(tmp_path: Path) -> None:
    """A session is found by id, by a prefix that fits one, by `latest`, and by the path of its log."""
    for session_id in (FIRST, SECOND):
        end(opened(tmp_path, session_id))
    for text in (SECOND, SECOND[:9], "latest", log_path(str(tmp_path), SECOND)):
        assert catalogue.find(str(tmp_path), text).session_id == SECOND
    (tmp_path / "sessions" / "latest.jsonl").unlink()
    assert catalogue.find(str(tmp_path), "latest").session_id == SECOND


def test_not_finding_says_what_to_do(tmp_path: Path) -> None:
    """What fits nothing, or several, is an error whose sentence helps."""
    for session_id in (FIRST, SECOND):
        end(opened(tmp_path, session_id))
    with pytest.raises(catalogue.AmbiguousSessionError, match="give more of the id") as several:
        catalogue.find(str(tmp_path), "2026")
    assert f"({SECOND}, {FIRST})" in str(several.value)
    with pytest.raises(catalogue.NoSuchSessionError, match="claude-proxy sessions"):
        catalogue.find(str(tmp_path), "nothing")
    with pytest.raises(catalogue.NoSuchSessionError, match="cannot be read"):
        catalogue.find(str(tmp_path), "../nothing.jsonl")
    with pytest.raises(catalogue.NoSuchSessionError):
        catalogue.find(str(tmp_path), "")


def test_ends_of_a_long_log(tmp_path: Path) -> None:
    """First and last record are found when they are longer than the pieces that are read of a log."""
    log = SessionLog(
        str(tmp_path), FIRST, lifecycle(FIRST, "session_started", {**DATA, "name": "n" * 200_000})
    )
    end(log, exit_code=0, more="x" * 300_000)
    info = catalogue.inspect(log.path)
    assert (info.state, len(info.name or "")) == ("ended", 200_000)


def test_foreign_values_are_not_passed_on(tmp_path: Path) -> None:
    """A first record with values of other kinds gives a session without them, not an error."""
    path = tmp_path / "x.jsonl"
    event = {"event_type": "session_started", "data": {"name": 5, "command": "claude", "pid": "x"}}
    path.write_text(
        json.dumps({"seq": 0, "ts": "t", "session_id": "s", "stream": "proxy", "event": event}) + "\n"
    )
    info = catalogue.inspect(str(path))
    assert (info.name, info.command, info.pid) == (None, [], None)


def test_what_cannot_be_read_is_not_taken_for_nothing(tmp_path: Path) -> None:
    """Regression: a folder that could not be read counted as one without sessions."""
    (tmp_path / "sessions").touch()  # permissions do not stop root
    with pytest.raises(NotADirectoryError):
        catalogue.list_logs(str(tmp_path))
    with pytest.raises(catalogue.NoSuchSessionError, match="sessions cannot be read"):
        catalogue.find(str(tmp_path), "latest")


def test_a_file_of_another_kind_is_no_log(tmp_path: Path) -> None:
    """Regression: any file was shown as a session, a line of it a complaint. A log that was torn at once is one."""
    (tmp_path / "notes.jsonl").write_bytes(b'{"type":"keep_alive"}\n')
    (tmp_path / "torn.jsonl").write_bytes(b'{"seq":0,"ts"')
    with pytest.raises(catalogue.NoRecordsError, match="give a session log"):
        catalogue.find(str(tmp_path), str(tmp_path / "notes.jsonl"))
    assert catalogue.find(str(tmp_path), str(tmp_path / "torn.jsonl")).state == "crashed"
    with pytest.raises(catalogue.NoSuchSessionError, match="nothing has been recorded there yet"):
        catalogue.find(str(tmp_path), "latest")


def test_a_whole_id_is_found_without_a_look_at_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be many thousands of logs, and each may be asked for by its id."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "a-1.jsonl").write_bytes(b"")
    monkeypatch.setattr("os.scandir", None)
    assert catalogue.find(str(tmp_path), "a-1").session_id == "a-1"
