"""Goes on with a session whose recorder is gone: the log says where, line by line.

A followed log without an end that nobody holds is taken over by whoever looks at it next: `resume` starts a recorder of
its own for it. If the command lives still, that stays; else it reads what is left and writes the end.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import time

from proxy.following.launch import Command
from proxy.following.recorder import Recorder
from proxy.following.session import FollowedSession
from proxy.following.transcript import timestamp_us
from proxy.redaction import Redactor
from proxy.sessions import catalogue, detached, log_class, process
from proxy.sessions.identity import log_path
from proxy.sessions.reader import Entry, LogReader
from proxy.sessions.record import lifecycle

TYPE_CHECKING = False  # see `proxy.sessions.process`
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from proxy.following.transcript import Transcript
    from proxy.sessions.reader import Record

_AGAIN_S = 60.0
"""How often the newest logs are looked at, and how seldom at most one is tried that cannot be gone on with.

A recorder dies hardly ever, and what it missed is in the transcript."""
_LOCK_S = 0.5
"""Somebody who just looks holds a log's lock for microseconds; on a busy machine he may be interrupted in them."""


class Attendant:
    """Sees to it that the followed sessions of a data directory have a recorder."""

    def __init__(self, data_dir: str) -> None:
        self._data_dir = data_dir
        self._seen: set[str] = set()
        self._tried: dict[str, tuple[float, float]] = {}
        """What could not be gone on with yet: when to try again, and how long to wait after that."""
        self._looked_s: float | None = None

    def look(self, live: Iterable[str]) -> None:
        """Look whether these sessions have one, and now and then whether all of the newest have. Waits for nothing.

        ``live``: sessions that are known to go on. One that was and is not any more is looked at once more.
        """
        now_s, live = time.monotonic(), set(live)
        ids, self._seen = live | self._seen, live
        if self._looked_s is None or now_s - self._looked_s >= _AGAIN_S:
            self._looked_s = now_s
            with contextlib.suppress(OSError):
                ids |= set(catalogue.list_unattended(self._data_dir))
        for session_id in ids:
            path = log_path(self._data_dir, session_id)
            if not catalogue.is_unattended(path):
                self._tried.pop(session_id, None)
                continue
            due_s, wait_s = self._tried.get(session_id, (now_s, 1.0))
            if now_s >= due_s:
                self._tried[session_id] = (now_s + wait_s, min(2 * wait_s, _AGAIN_S))
                resume(path)


def resume(path: str, wait_s: float = 0.0) -> None:
    """Start a recorder for a log that has none, and wait (so long at most) until it has read all that there is.

    Never raises: what cannot be gone on with stays as it is.
    """
    with contextlib.suppress(OSError, NotImplementedError):
        read, write = os.pipe()
        try:
            detached.start("proxy.following", [path], ready=write)
        finally:
            os.close(write)
            poller = select.poll()
            poller.register(read)
            poller.poll(wait_s * 1000)
            os.close(read)


def record_on(path: str, ready: int) -> None:
    """Take a log over and record its session to the end; ``ready`` is closed when the log is up to date.

    Does nothing where another process holds the log, or it has its end.
    """
    fd = _lock(path)
    if fd < 0:
        return
    log = _Log(path)
    if log.started is None or log.has_ended or log.has_failed:
        return
    if os.fstat(fd).st_size > log.end:
        os.ftruncate(fd, log.end)  # what was torn is in the transcript
    recorder = log.recorder(fd)
    if not recorder.has_ended():
        recorder.look()
        os.close(ready)
    recorder.run()


def _lock(path: str) -> int:
    """Return the log, open and held by us; -1: it is another's."""
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    until = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until:
                os.close(fd)
                return -1
            time.sleep(0.02)
        else:
            return fd


class _Log:
    """What a log says of where its session stands."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.started: dict[str, Any] | None = None
        self.has_ended = self.has_failed = False
        self.end = 0
        self._first: Record | None = None
        self._last: Record | None = None
        self._lived_us = 0
        self._has_outlived = False
        self._status: dict[str, Any] = {}
        self._not_recorded: str | None = None
        self._transcripts: dict[str, _Read] = {}
        with LogReader(path) as reader:
            for item in reader.read():
                self.end = item.end
                if isinstance(item, Entry):
                    self._take(item.record)

    def _take(self, record: Record) -> None:
        self._first, self._last = self._first or record, record
        if record.event is not None and record.event.event_type == "recording_resumed":
            self._has_outlived |= record.event.data.get("command_alive") is False
        if not self._has_outlived:
            self._lived_us = timestamp_us(record.ts) or 0
        if record.source is not None:
            if read := self._transcripts.get(record.source.file):
                read.take(record.source.offset, record.source.length)
            return
        if record.stream != "proxy" or record.event is None:
            return
        data = record.event.data
        self.has_failed = record.event.event_type == "wrapper_error"
        match record.event.event_type:
            case "session_started" if data.get("mode") == "followed":
                self.started = data
            case "session_ended":
                self.has_ended = True
            case "claude_status":
                self._status |= data
            case "transcript_opened":
                self._transcripts[data["file"]] = _Read(data)
            case "not_recorded":
                self._not_recorded = None if data.get("over") else data["why"]
            case _:
                pass

    def recorder(self, fd: int) -> Recorder:
        """Return a recorder that goes on behind the log's last record; ``fd``: the log, open and held."""
        assert self.started
        assert self._first
        assert self._last
        started, session_id = self.started, self._first.session_id
        data_dir = os.path.dirname(os.path.dirname(os.path.abspath(self.path)))
        body = lifecycle(session_id, "session_started", started)
        log = log_class(started.get("seal"))(data_dir, session_id, body, look_s=0.0)
        log.take_over(fd, self._last.seq, timestamp_us(self._last.ts) or 0)
        command = self._command(started, timestamp_us(self._first.ts) or 0)
        config_dir = self._status.get("config_dir") or started.get("config_dir") or "/nonexistent"
        said = {"command_alive": command.seen_alive, "follower_pid": os.getpid()}
        log.append([lifecycle(session_id, "recording_resumed", said)])
        session = FollowedSession(
            session_id,
            redactor=Redactor(started.get("redact") or "on", **started.get("redaction", {})),
            started_s=time.monotonic(),
            started_us=command.started_ns // 1000,
            content=started.get("interactive") == "record",
        )
        session.resume(self._status, self._not_recorded, timestamp_us(self._last.ts) or 0)
        session.lived_us = self._lived_us
        for file, read in self._transcripts.items():
            session.transcripts[file] = read.transcript(session, os.path.join(config_dir, file))
        return Recorder(log, session, command, config_dir, is_first=False)

    @staticmethod
    def _command(started: dict[str, Any], started_us: int) -> Command:
        identity = process.Identity(
            started.get("pid") or 0, started.get("proc_start"), started.get("boot_id")
        )
        pidfd = process.open_process(identity.pid)
        lives = process.lives(identity)  # asked after that: the descriptor is its own then
        if pidfd >= 0 and not lives:
            os.close(pidfd)
            pidfd = -1
        age_ns = time.time_ns() - started_us * 1000
        return Command(
            started.get("command") or [],
            identity=identity,
            pidfd=pidfd,
            started_ns=started_us * 1000,
            started_boot_ns=process.started_boot_ns(identity) or process.boot_ns() - age_ns,
            cwd=started.get("cwd"),
            seen_alive=lives,
        )


class _Read:
    """How far a transcript is in the log."""

    def __init__(self, opened: dict[str, Any]) -> None:
        self._opened = opened
        self._end: int = opened["offset"]
        self._lines = 0
        self._gaps: list[tuple[int, int]] = []

    def take(self, offset: int, length: int) -> None:
        """Note a line that is recorded."""
        if offset > self._end:
            self._gaps.append((self._end, offset))
        self._end = offset + length
        self._lines += 1

    def transcript(self, session: FollowedSession, path: str) -> Transcript:
        """Return the transcript, to be read from where recording stopped."""
        opened = self._opened
        transcript = session.reopen(opened["file"], opened["claude_session_id"], opened["why"], self._end)
        transcript.recorded_lines = self._lines
        transcript.skipped_bytes = sum(end - start for start, end in self._gaps)
        with contextlib.suppress(OSError), open(path, "rb") as file:
            for start, end in self._gaps:
                transcript.skipped_lines += os.pread(file.fileno(), end - start, start).count(b"\n")
        return transcript
