"""Sessions of a client's own: logs like any other, of what clients post.

Any process of a server may write to any of them: what there is to know of one is in its log. One record is written
after the other, under a lock that all processes share, so that what is stamped earlier is in its log earlier, over
all of these sessions. That a session is open is told, as of any other, by the lock on its log: a *keeper* holds it,
which lives as long as the server, whatever becomes of the process that began the session.

What a client does not want to be captured is told apart by the name of the event:

* commands: ``command``, ``command_...``, ``command...``, and the actions of the commands vocabulary
* states: ``state``, ``state_...``, ``status_changed``, and the names of states
* events: everything else
"""

import contextlib
import fcntl
import os
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from proxy.events.timestamps import parse_timestamp
from proxy.events.vocabulary import STATES
from proxy.protocol import library
from proxy.sessions import catalogue
from proxy.sessions.identity import log_path, new_session_id
from proxy.sessions.reader import parse
from proxy.sessions.record import END, FORMAT, Body, Clock, lifecycle
from proxy.sessions.writer import SessionLog
from proxy.store.spelling import as_json

__all__ = ["CannotRecordError", "Keeper", "OwnKeeper", "Recordings", "RemoteKeeper"]

_LOCK = "recordings.lock"
_TAIL = 1 << 16
_HEAD = re.compile(rb'\{"seq":(\d+),"ts":"([^"]+)",')
_ENDED = b'"stream":"proxy","event":{"event_type":"session_ended"'
_MOST_KNOWN = 1000


class CannotRecordError(Exception):
    """The log could not be written; the sentence says what the disk said."""


class Keeper(Protocol):
    """Holds the locks of open sessions."""

    def hold(self, session_id: str, fd: int) -> None:
        """Keep what a descriptor has locked, which the caller closes."""

    def release(self, session_id: str) -> None:
        """Let go of a session that was ended."""


class OwnKeeper:
    """Keeps in this process."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}

    def hold(self, session_id: str, fd: int) -> None:
        """Keep what a descriptor has locked."""
        self._held[session_id] = os.dup(fd)

    def release(self, session_id: str) -> None:
        """Let go."""
        fd = self._held.pop(session_id, None)
        if fd is not None:
            os.close(fd)

    def held(self) -> list[str]:
        """Return the sessions that are held."""
        return list(self._held)


class RemoteKeeper:
    """Lets another process keep, at the other end of a socket of messages."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def hold(self, session_id: str, fd: int) -> None:
        """Hand the descriptor over."""
        socket.send_fds(self._channel, [b"+" + session_id.encode()], [fd])

    def release(self, session_id: str) -> None:
        """Say that it may let go."""
        self._channel.send(b"-" + session_id.encode())

    @staticmethod
    def take(channel: socket.socket, keeper: OwnKeeper) -> bool:
        """At the other end: do what a message says; return whether there was one."""
        message, fds, *_ = socket.recv_fds(channel, 256, 1)
        for fd in fds:
            keeper.hold(message[1:].decode(), fd)
            os.close(fd)
        if message.startswith(b"-"):
            keeper.release(message[1:].decode())
        return bool(message)


@dataclass(slots=True)
class _Known:
    """What was last seen of a log."""

    inode: int
    options: dict[str, bool]
    started_us: int
    size: int = -1
    seq: int = 0
    last_us: int = 0


class Recordings:
    """The sessions that clients have started and not stopped. Safe to use from several threads and processes."""

    def __init__(self, data_dir: str, keeper: Keeper | None = None) -> None:
        self._data_dir = data_dir
        self._keeper = keeper or OwnKeeper()
        self._known: dict[str, _Known] = {}
        self._turn = threading.Lock()

    def start(self, name: str | None, options: dict[str, bool]) -> str:
        """Begin a session and return its id. CannotRecordError when its log cannot be made."""
        session_id = new_session_id()
        data = {"format": FORMAT, "kind": "monitoring", "name": name, "capture_options": options}
        log = SessionLog(self._data_dir, session_id, lifecycle(session_id, "session_started", data))
        with self._alone(), contextlib.closing(log):
            if not log.append([]):
                with contextlib.suppress(OSError):
                    os.unlink(log.path)  # a log without a beginning
                raise CannotRecordError("The session's log cannot be made; see /health.")
            self._keeper.hold(session_id, log.fileno())
        return session_id

    def post(self, session_id: str, event_type: str, data: dict[str, Any], most: int) -> bool:
        """Record an event; return whether it was to be captured.

        ``most``: events that a session may hold.

        Raises:
            KeyError: no such session is open.
            OverflowError: it holds as many events as it may.
            CannotRecordError: the log cannot be written.
        """
        with self._alone(), self._opened(session_id) as (fd, known):
            if not known.options.get(f"capture_{kind_of(event_type)}", True):
                os.utime(fd)  # it is in use all the same
                return False
            if known.seq >= most:
                raise OverflowError
            self._write(fd, known, _posted(session_id, event_type, data))
            return True

    def stop(self, session_id: str, reason: str) -> None:
        """End a session. KeyError when no such session is open."""
        with self._alone():
            with self._opened(session_id) as (fd, known):
                data = {
                    "reason": reason,
                    "duration_ms": max(0, (time.time_ns() // 1000 - known.started_us) // 1000),
                    "counts": {"api": {"posted": known.seq}},
                }
                with contextlib.suppress(CannotRecordError):
                    self._write(fd, known, lifecycle(session_id, "session_ended", data))
            self._known.pop(session_id, None)
            self._keeper.release(session_id)

    def stop_idle(self, idle_s: float, session_ids: Iterable[str]) -> None:
        """End those of the sessions to which nothing was posted for so long."""
        for session_id in session_ids:
            with contextlib.suppress(KeyError, OSError, CannotRecordError):  # then the next time
                if time.time() - os.stat(log_path(self._data_dir, session_id)).st_mtime > idle_s:
                    self.stop(session_id, "idle")

    def stop_all(self, session_ids: Iterable[str], reason: str) -> None:
        """End the sessions: the server stops."""
        for session_id in session_ids:
            with contextlib.suppress(KeyError, CannotRecordError):
                self.stop(session_id, reason)

    # -- one after the other -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all others from writing, in this process and the others."""
        with self._turn:
            try:
                lock = os.open(
                    os.path.join(self._data_dir, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
                )
            except OSError as error:
                raise CannotRecordError(f"Nothing can be recorded: {error.strerror}; see /health.") from None
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    @contextlib.contextmanager
    def _opened(self, session_id: str) -> Iterator[tuple[int, _Known]]:
        """Give the log of an open session, and what there is to know of it. KeyError when there is none."""
        path = log_path(self._data_dir, session_id)
        try:
            if not catalogue.is_session_id(session_id) or not catalogue.is_running(path):
                raise KeyError(session_id)
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            raise KeyError(session_id) from None
        try:
            yield fd, self._learned(session_id, fd)
        finally:
            os.close(fd)

    def _learned(self, session_id: str, fd: int) -> _Known:
        status = os.fstat(fd)
        known = self._known.get(session_id)
        if known is None or known.inode != status.st_ino:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[session_id] = _first(session_id, fd, status.st_ino)
        if known.size != status.st_size:
            last = _last_line(fd, status.st_size)
            match = _HEAD.match(last)
            if match is None or _ENDED in last[:400]:
                raise KeyError(session_id)
            known.seq, known.last_us = int(match[1]), parse_timestamp(match[2].decode())
            known.size = os.fstat(fd).st_size
        return known

    def _write(self, fd: int, known: _Known, body: Body) -> None:
        """Write a record whole, or nothing of it."""
        clock = Clock()
        clock.seq, clock.last_us = known.seq + 1, known.last_us
        record = b"".join((clock.head(), *body))
        try:
            written = os.write(fd, record)
            while written < len(record):
                written += os.write(fd, memoryview(record)[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, known.size)
            sentence = f"The event cannot be written to its log: {error.strerror}; see /health."
            raise CannotRecordError(sentence) from None
        known.size, known.seq, known.last_us = known.size + len(record), clock.seq - 1, clock.last_us


def _first(session_id: str, fd: int, inode: int) -> _Known:
    """Return what the first record of a client's own session says. KeyError when it is none."""
    line, place = b"", 0
    while b"\n" not in line and (piece := os.pread(fd, _TAIL, place)):
        line += piece
        place += len(piece)
    record = parse(line.partition(b"\n")[0])
    event = getattr(record, "event", None)
    if event is None or event.data.get("kind") != "monitoring":
        raise KeyError(session_id)
    return _Known(inode, event.data.get("capture_options", {}), parse_timestamp(getattr(record, "ts", "")))


def _last_line(fd: int, size: int) -> bytes:
    """Return the last whole line of a log; what follows it was torn when its writer was killed, and is cut off."""
    tail, place = b"", size
    while place > 0 and tail.count(b"\n") < 2:
        length = min(max(_TAIL, len(tail)), place)
        place -= length
        tail = os.pread(fd, length, place) + tail
    whole, newline, torn = tail.rpartition(b"\n")
    if torn and newline:
        os.ftruncate(fd, size - len(torn))
    return whole.rpartition(b"\n")[2]


def kind_of(event_type: str) -> str:
    """Return which capture option an event falls under: ``commands``, ``states`` or ``events``."""
    actions: list[str] = library.load("commands.json")["properties"]["action"]["enum"]
    if event_type.startswith("command") or event_type in actions:
        return "commands"
    if event_type.partition("_")[0] in ("state", "states") or event_type in (*STATES, "status_changed"):
        return "states"
    return "events"


def _posted(session_id: str, event_type: str, data: dict[str, Any]) -> Body:
    head = f'"session_id":"{session_id}","stream":"api","event":'
    return head.encode(), as_json({"event_type": event_type, "data": data}), END
