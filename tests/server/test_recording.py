"""Sessions of a client's own, written to by any process."""

import errno
import os
import socket
from pathlib import Path

import pytest

from proxy.server.recording import CannotRecordError, OwnKeeper, Recordings, RemoteKeeper
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


def test_two_processes_write_one_log(tmp_path: Path) -> None:
    """What either writes follows what the other wrote: one order, no gap, no number twice."""
    keeper = OwnKeeper()
    one, other = Recordings(str(tmp_path), keeper), Recordings(str(tmp_path), keeper)
    session_id = one.start("x", ALL)
    for number, recordings in enumerate([one, other, other, one]):
        assert recordings.post(session_id, f"e{number}", {"text": "x" * 100_000}, 10)
    other.stop(session_id, "stopped")
    names = ["session_started", "e0", "e1", "e2", "e3", "session_ended"]
    assert records(tmp_path, session_id) == list(enumerate(names))
    for recordings in (one, other):
        with pytest.raises(KeyError):
            recordings.post(session_id, "late", {}, 10)
    assert keeper.held() == []


def test_a_bound_holds_over_all(tmp_path: Path) -> None:
    """As many events as a session may hold, whoever posts them; what is not captured does not count."""
    keeper = OwnKeeper()
    one, other = Recordings(str(tmp_path), keeper), Recordings(str(tmp_path), keeper)
    session_id = one.start(None, {**ALL, "capture_states": False})
    assert one.post(session_id, "a", {}, 2)
    assert not other.post(session_id, "state", {}, 2)
    assert other.post(session_id, "b", {}, 2)
    with pytest.raises(OverflowError):
        one.post(session_id, "c", {}, 2)
    one.stop(session_id, "stopped")


def test_a_session_lives_as_long_as_its_keeper(tmp_path: Path) -> None:
    """Whoever began a session may be gone: its log stays locked at the other end of the keeper's socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    keeper = OwnKeeper()
    with ours, theirs:
        worker = Recordings(str(tmp_path), RemoteKeeper(theirs))
        session_id = worker.start(None, ALL)
        assert RemoteKeeper.take(ours, keeper)
        del worker
        path = str(tmp_path / "sessions" / f"{session_id}.jsonl")
        assert catalogue.is_running(path)
        Recordings(str(tmp_path), RemoteKeeper(theirs)).stop(session_id, "stopped")
        assert RemoteKeeper.take(ours, keeper)
        assert not catalogue.is_running(path)


def test_a_torn_end_is_cut_off(tmp_path: Path) -> None:
    """What a writer that was killed left of a record is no record, and the next one follows the last whole one."""
    keeper = OwnKeeper()
    recordings = Recordings(str(tmp_path), keeper)
    session_id = recordings.start(None, ALL)
    recordings.post(session_id, "a", {}, 10)
    with (tmp_path / "sessions" / f"{session_id}.jsonl").open("ab") as log:
        log.write(b'{"seq":2,"ts":"2026-')
    Recordings(str(tmp_path), keeper).post(session_id, "b", {}, 10)
    assert records(tmp_path, session_id) == [(0, "session_started"), (1, "a"), (2, "b")]
    recordings.stop(session_id, "stopped")


def test_a_session_that_cannot_begin_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: on a full disk there stayed an empty log, locked as if somebody wrote it, as a session for ever."""

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    descriptors = os.listdir("/proc/self/fd")
    with pytest.raises(CannotRecordError, match="cannot be made"):
        Recordings(str(tmp_path), OwnKeeper()).start("x", ALL)
    assert os.listdir("/proc/self/fd") == descriptors
    assert catalogue.list_logs(str(tmp_path)) == []


def test_what_cannot_be_stopped_stops_nothing_else(tmp_path: Path) -> None:
    """Regression: a server that could not open its lock, for want of descriptors, ended over an idle session."""
    recordings = Recordings(str(tmp_path), OwnKeeper())
    session_id = recordings.start("x", ALL)
    (tmp_path / "recordings.lock").unlink()
    (tmp_path / "recordings.lock").mkdir()
    recordings.stop_idle(-1, [session_id])
    recordings.stop_all([session_id], "server_stopped")
    (tmp_path / "recordings.lock").rmdir()
    recordings.stop_idle(-1, [session_id])
    assert records(tmp_path, session_id)[-1] == (1, "session_ended")


def test_a_full_disk_leaves_no_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written whole is not written, its sender is told, and it leaves no gap."""
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
    with pytest.raises(CannotRecordError, match="No space left"):
        recordings.post(session_id, "a", {}, 10)
    monkeypatch.setattr(os, "write", write)
    recordings.post(session_id, "b", {}, 10)
    assert records(tmp_path, session_id) == [(0, "session_started"), (1, "b")]
    recordings.stop(session_id, "stopped")


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
    keeper = OwnKeeper()
    recordings = Recordings(str(tmp_path), keeper)
    idle, busy = recordings.start(None, ALL), recordings.start(None, {**ALL, "capture_events": False})
    for session_id in (idle, busy):
        os.utime(tmp_path / "sessions" / f"{session_id}.jsonl", (0, 0))
    recordings.post(busy, "not.captured", {}, 10)
    recordings.stop_idle(60, [idle, busy, "nobody"])
    assert keeper.held() == [busy]
    recordings.stop_all([busy], "server_stopped")
    assert records(tmp_path, busy)[-1][1] == "session_ended"
