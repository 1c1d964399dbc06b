"""Goes on with a session whose recorder is gone: the log says where, line by line.

A followed log without an end that nobody holds is taken over by whoever looks at it next: `resume` starts a recorder of
its own for it. If the command lives still, that stays; else it reads what is left and writes the end.
"""

import contextlib
import os
import select
import time
from collections.abc import Iterable
from typing import Any

from proxy.following.launch import Command
from proxy.following.recorder import Recorder
from proxy.following.session import FollowedSession
from proxy.following.transcript import timestamp_us
from proxy.redaction import Redactor
from proxy.sessions import catalogue, detached, process
from proxy.sessions.beginning import log_class
from proxy.sessions.identity import log_path
from proxy.sessions.locking import take_turn
from proxy.sessions.reader import Entry, LogReader, Record, Source
from proxy.sessions.record import lifecycle

_AGAIN_S = 60.0
"""How often the newest logs are looked at, and how seldom at most one is tried that cannot be gone on with.

A recorder dies hardly ever, and what it missed is in the transcript."""


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
    if log.session is None or log.has_ended or log.has_failed:
        return
    if os.fstat(fd).st_size > log.end:
        os.ftruncate(fd, log.end)  # what was torn is in the transcript
    recorder = log.recorder(log.session, fd)
    if not recorder.has_ended():
        recorder.look()
        os.close(ready)
    recorder.run()


def _lock(path: str) -> int:
    """Return the log, open and held by us; -1: it is another's. Who just looks at it holds it for microseconds."""
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    if take_turn(fd):
        return fd
    os.close(fd)
    return -1


class _Log:
    """What a log says of where its session stands."""

    def __init__(self, path: str) -> None:
        self.session: FollowedSession | None = None
        """None: it is no followed session's."""
        self.has_ended = self.has_failed = False
        self.end = 0
        self._path = path
        self._started: dict[str, Any] = {}
        self._seq = self._started_us = self._last_us = self._lived_us = 0
        self._has_outlived = False
        self._status: dict[str, Any] = {}
        self._not_recorded: str | None = None
        with LogReader(path) as reader:
            for item in reader.read():
                self.end = item.end
                if isinstance(item, Entry):
                    self._take(item.record)

    def _take(self, record: Record) -> None:
        self._seq, self._last_us = record.seq, timestamp_us(record.ts) or 0
        event = record.event if record.stream == "proxy" else None
        if event is not None and event.event_type == "recording_resumed":
            self._has_outlived |= event.data.get("command_alive") is False
        if not self._has_outlived:
            self._lived_us = self._last_us
        if self.session is not None and record.source is not None:
            self._take_line(self.session, record.source)
        elif event is not None:
            self.has_failed = event.event_type == "wrapper_error"
            self._take_event(record.session_id, event.event_type, event.data)

    def _take_event(self, session_id: str, event_type: str, data: dict[str, Any]) -> None:
        match event_type:
            case "session_started" if data.get("mode") == "followed":
                self._started, self._started_us = data, self._last_us
                redactor = Redactor(data.get("redact") or "on", **data.get("redaction", {}))
                self.session = FollowedSession(session_id, redactor, self._started_us, time.monotonic())
                self.session.content = data.get("interactive") == "record"
            case "session_ended":
                self.has_ended = True
            case "claude_status":
                self._status |= data
            case "transcript_opened" if self.session is not None:
                self.session.reopen(data["file"], data["claude_session_id"], data["why"], data["offset"])
            case "not_recorded":
                self._not_recorded = None if data.get("over") else data["why"]
            case _:
                pass

    def _take_line(self, session: FollowedSession, source: Source) -> None:
        """Note a line that is recorded; what was left out before it is counted in its file."""
        if (transcript := session.transcripts.get(source.file)) is None:
            return
        start, gap = transcript.offset, source.offset - transcript.offset
        if gap > 0:
            transcript.skipped_bytes += gap
            path = os.path.join(self._config_dir, source.file)
            with contextlib.suppress(OSError), open(path, "rb", buffering=0) as file:
                transcript.skipped_lines += os.pread(file.fileno(), gap, start).count(b"\n")
        transcript.begin_at(source.offset + source.length, is_exact=True)
        transcript.recorded_lines += 1

    @property
    def _config_dir(self) -> str:
        return self._status.get("config_dir") or self._started.get("config_dir") or "/nonexistent"

    def recorder(self, session: FollowedSession, fd: int) -> Recorder:
        """Return a recorder that goes on behind the log's last record; ``fd``: the log, open and held by us."""
        data_dir = os.path.dirname(os.path.dirname(os.path.abspath(self._path)))
        body = lifecycle(session.session_id, "session_started", self._started)
        log = log_class(self._started.get("seal"))(data_dir, session.session_id, body, look_s=0.0)
        log.take_over(fd, self._seq, self._last_us)
        command = _command(self._started, self._started_us)
        said = {"command_alive": command.seen_alive, "follower_pid": os.getpid()}
        log.append([lifecycle(session.session_id, "recording_resumed", said)])
        session.resume(self._status, self._not_recorded, self._last_us, self._lived_us)
        return Recorder(log, session, command, self._config_dir, is_first=False)


def _command(started: dict[str, Any], started_us: int) -> Command:
    """Return the command as the log's first record tells it; ``started_us``: when that was written."""
    identity = process.Identity(started.get("pid") or 0, started.get("proc_start"), started.get("boot_id"))
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
        started_boot_ns=process.started_boot_ns(identity) or process.boot_ns() - age_ns,
        cwd=started.get("cwd"),
        seen_alive=lives,
    )
