"""Sessions of a client's own."""

import contextlib
import errno
import json
import os
from pathlib import Path

import pytest

from proxy.redaction import Redactor
from proxy.server.base.errors import UnavailableError, UnprocessableError
from proxy.server.live.recordings import Recordings
from proxy.sessions import catalogue
from proxy.sessions.reader import Entry, read_log
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog

ALL = {"capture_commands": True, "capture_events": True, "capture_states": True}


def records(path: Path, session_id: str) -> list[tuple[int, str]]:
    """Return number and event of each record; all of them are whole."""
    found = list(read_log(str(path / "sessions" / f"{session_id}.jsonl")))
    assert all(isinstance(item, Entry) for item in found)
    entries = [item.record for item in found if isinstance(item, Entry)]
    stamps = [record.ts for record in entries]
    assert stamps == sorted(set(stamps))
    return [(record.seq, record.event.event_type) for record in entries if record.event]


def opened(folder: Path) -> list[str]:
    """Return what this process has open in a folder; other tests' threads open and close files elsewhere."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return [path for path in found if path.startswith(str(folder))]


def test_one_record_after_another(tmp_path: Path) -> None:
    """What is posted stands in the log in order, without a gap, and a session that was stopped takes no more."""
    recordings = Recordings(str(tmp_path))
    session_id = recordings.start("x", ALL)
    for number in range(4):
        assert recordings.post(session_id, f"e{number}", {"text": "x" * 100_000}, 10)
    path = str(tmp_path / "sessions" / f"{session_id}.jsonl")
    assert catalogue.is_running(path)
    recordings.stop(session_id, "stopped")
    assert not catalogue.is_running(path)
    names = ["session_started", "e0", "e1", "e2", "e3", "session_ended"]
    assert records(tmp_path, session_id) == list(enumerate(names))
    with pytest.raises(KeyError):
        recordings.post(session_id, "late", {}, 10)


def test_what_clients_give_is_recorded_without_credentials(tmp_path: Path) -> None:
    """Regression: names of sessions and data of events were recorded as they were given."""
    token = "ghp_" + "0aB" * 12
    for redactor, kept in ((None, "[redacted]"), (Redactor("off"), token)):
        recordings = Recordings(str(tmp_path), redactor=redactor)
        session_id = recordings.start(token, ALL)
        assert recordings.post(session_id, "e", {"k": [token]}, 10)
        recordings.stop(session_id, "stopped")
        log = (tmp_path / "sessions" / f"{session_id}.jsonl").read_text().splitlines()
        started, posted, _ = map(json.loads, log)
        assert (started["event"]["data"]["name"], posted["event"]["data"]) == (kept, {"k": [kept]})
        named = (started.get("redacted"), posted.get("redacted"))
        assert named == ((["/event/data/name"], ["/event/data/k/0"]) if redactor is None else (None, None))


def test_as_many_events_as_a_session_may_hold(tmp_path: Path) -> None:
    """The bound holds, and what is not captured does not count."""
    recordings = Recordings(str(tmp_path))
    session_id = recordings.start(None, {**ALL, "capture_states": False})
    assert recordings.post(session_id, "a", {}, 2)
    assert not recordings.post(session_id, "state", {}, 2)
    assert recordings.post(session_id, "b", {}, 2)
    with pytest.raises(UnprocessableError):
        recordings.post(session_id, "c", {}, 2)
    recordings.stop(session_id, "stopped")


def test_a_session_that_cannot_begin_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: on a full disk there stayed an empty log, locked as if somebody wrote it, as a session for ever."""

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UnavailableError, match="cannot be made"):
        Recordings(str(tmp_path)).start("x", ALL)
    assert opened(tmp_path) == []
    assert catalogue.list_logs(str(tmp_path)) == []


def test_a_full_disk_leaves_no_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written whole is not written, its sender is told, and so is whoever reads the log."""
    recordings = Recordings(str(tmp_path))
    session_id = recordings.start(None, ALL)
    write = os.write
    taken: list[int] = []

    def full(fd: int, data: bytes) -> int:
        if taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken.append(1)
        return write(fd, data[:10])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UnavailableError, match="No space left"):
        recordings.post(session_id, "a", {}, 10)
    monkeypatch.setattr(os, "write", write)
    recordings.post(session_id, "b", {}, 10)
    assert records(tmp_path, session_id) == [(0, "session_started"), (1, "recording_gap"), (2, "b")]
    recordings.stop(session_id, "stopped")


def test_a_session_that_cannot_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk a session is stopped all the same: nobody holds its log, and the others are stopped too."""
    recordings = Recordings(str(tmp_path))
    sessions = [recordings.start(None, ALL) for _ in range(2)]

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        recordings.stop_all("server_stopped")
    states = [catalogue.inspect(str(tmp_path / "sessions" / f"{one}.jsonl")).state for one in sessions]
    assert states == ["crashed", "crashed"]


def test_only_sessions_of_its_own_kind(tmp_path: Path) -> None:
    """Nobody posts to a wrapped session, to one that is over, or outside the folder."""
    recordings = Recordings(str(tmp_path))
    wrapped = SessionLog(str(tmp_path), "wrapped", lifecycle("wrapped", "session_started", {"format": 1}))
    wrapped.append([])
    for session_id in ("wrapped", "nobody", "../x", ""):
        with pytest.raises(KeyError):
            recordings.post(session_id, "a", {}, 10)
    wrapped.close()


def test_idle_sessions_are_stopped(tmp_path: Path) -> None:
    """A session to which nothing was posted for so long is ended, others are not."""
    now = [0.0]
    recordings = Recordings(str(tmp_path), lambda: now[0])
    idle, busy = recordings.start(None, ALL), recordings.start(None, {**ALL, "capture_events": False})
    now[0] = 61.0
    recordings.post(busy, "not.captured", {}, 10)
    recordings.stop_all("idle", 60)
    assert records(tmp_path, idle)[-1][1] == "session_ended"
    assert records(tmp_path, busy)[-1][1] == "session_started"
    recordings.stop_all("server_stopped")
    assert records(tmp_path, busy)[-1][1] == "session_ended"
