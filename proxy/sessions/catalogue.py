"""Finds the sessions of a data directory, and says how each stands, at the price of two small reads a log.

A session is ``running`` while its writer holds the log with ``flock``, ``ended`` when its last record says so, and
``crashed`` when neither is true. A followed session runs as long as its command does: if its recorder is gone, it is
*unattended*, and another recorder can go on with its log. Looking must never disturb a writer: the lock is tried
shared, without waiting, on a descriptor of our own that is closed at once; and not at all while the log is empty and
fresh, because a writer takes its lock, once, between creating the file and writing the first record.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeVar

import msgspec

from proxy.sessions.identity import LATEST, LOG_SUFFIX, is_session_id, log_path, sessions_dir, start_of
from proxy.sessions.process import Identity, lives
from proxy.sessions.reader import Record, parse

__all__ = [
    "AmbiguousSessionError",
    "NoRecordsError",
    "NoSuchSessionError",
    "SessionInfo",
    "SessionLookupError",
    "find",
    "inspect",
    "is_running",
    "is_session_id",
    "is_unattended",
    "last_record",
    "list_logs",
    "list_sessions",
    "list_unattended",
    "sessions_of",
]

_T = TypeVar("_T")

_TAIL = 1 << 16  # most last records are shorter
_LONGEST_FIRST = 1 << 24  # longer than a command line can be, by far
_END, _FAULT = (b'"event":{"event_type":"%b"' % kind for kind in (b"session_ended", b"wrapper_error"))
_TAIL_BYTES = 1 << 12  # longer than `session_ended` is
_NEWEST = 200  # older ones were looked at before
_FRESH_S = 10.0
"""A writer gets from creating its log to its lock within microseconds; a log this old and empty has lost its own."""


class SessionLookupError(LookupError):
    """No single session fits what was asked for; the sentence says what to do."""


class NoSuchSessionError(SessionLookupError):
    """No session fits, or what there is cannot be read."""


class AmbiguousSessionError(SessionLookupError):
    """Several sessions fit."""


class NoRecordsError(SessionLookupError):
    """What was given is a file, and no session's."""

    def __init__(self, path: str) -> None:
        bare = "bare messages are for `claude-proxy validate --schema stdin|stdout`"
        super().__init__(f"{path} holds no records: give a session log; {bare}.")


class SessionInfo(msgspec.Struct, frozen=True):
    """A session as its log's two ends tell it. Times are as in the records; what the log does not say is None."""

    session_id: str
    path: str
    state: Literal["running", "ended", "crashed"]
    size: int
    name: str | None = None
    command: list[str] = []
    cwd: str | None = None
    pid: int | None = None
    started_at: str | None = None
    last_record_at: str | None = None
    exit_code: int | None = None
    signal: str | None = None


def list_logs(data_dir: str) -> list[str]:
    """Return the ids of all sessions that have a log, newest first. Where there is no folder, there are none.

    OSError when the folder cannot be read: nobody is to take that for sessions that were removed.
    """
    try:
        with os.scandir(sessions_dir(data_dir)) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    found = {session_id: log_path(data_dir, session_id) for session_id in sessions_of(names)}
    return sorted(found, key=lambda session_id: (start_of(found[session_id]), session_id), reverse=True)


def sessions_of(names: Iterable[str], suffix: str = LOG_SUFFIX) -> Iterator[str]:
    """Yield the ids of the sessions whose logs have these names; with another suffix, whose files beside the logs."""
    return filter(is_session_id, (name.removesuffix(suffix) for name in names if name.endswith(suffix)))


def list_sessions(data_dir: str) -> Iterator[SessionInfo]:
    """Yield the sessions of a data directory, newest first; one that is removed meanwhile is left out."""
    for session_id in list_logs(data_dir):
        with contextlib.suppress(OSError):
            yield inspect(log_path(data_dir, session_id))


def find(data_dir: str, text: str) -> SessionInfo:
    """Return the session that is meant by an id, an unambiguous prefix of one, ``latest``, or the path of a log.

    Raises:
        NoSuchSessionError: none fits, or what there is cannot be read.
        AmbiguousSessionError: several do.
        NoRecordsError: the path is that of a file of another kind.
    """
    path = log_path(data_dir, text)
    # A whole id is found without a look at the folder: there may be many thousands in it, and each may be asked for.
    if is_session_id(text) and os.path.isfile(path) and not os.path.islink(path):
        return _inspected(path)
    if text.endswith(LOG_SUFFIX) or os.sep in text:
        return _inspected(text, is_given=True)
    try:
        ids = list_logs(data_dir)
    except OSError as error:
        folder = sessions_dir(data_dir)
        raise NoSuchSessionError(f"{folder} cannot be read ({error.strerror}): see --data-dir.") from error
    if text == "latest":
        link = os.path.realpath(os.path.join(sessions_dir(data_dir), LATEST))
        if os.path.isfile(link) or ids:
            return _inspected(link if os.path.isfile(link) else log_path(data_dir, ids[0]))
    elif candidates := [session_id for session_id in ids if text and session_id.startswith(text)]:
        if len(candidates) == 1:
            return _inspected(log_path(data_dir, candidates[0]))
        shown = ", ".join(candidates[:5]) + (", ..." if len(candidates) > 5 else "")
        fitting = f"{len(candidates)} sessions ({shown})"
        raise AmbiguousSessionError(f"{text!r} fits {fitting}: give more of the id.")
    advice = "see `claude-proxy sessions`." if ids else "nothing has been recorded there yet."
    raise NoSuchSessionError(f"no session fits {text!r} in {data_dir}: {advice}")


def _inspected(path: str, *, is_given: bool = False) -> SessionInfo:
    try:
        info = inspect(path)
        if is_given and info.last_record_at is None and _has_lines(path):
            raise NoRecordsError(path)
        return info
    except OSError as error:
        advice = "give the path of a log, or a session id."
        raise NoSuchSessionError(f"the log {path} cannot be read ({error.strerror}): {advice}") from error


def inspect(path: str) -> SessionInfo:
    """Return how the session of a log stands. OSError when the log cannot be read."""
    with open(path, "rb", buffering=0) as file:
        fd = file.fileno()
        # Before the tail is read: a session that ends in between is seen as ended, never as crashed.
        held = _is_locked(fd)
        size = os.fstat(fd).st_size
        first, last = _first(fd), last_record(fd, size)
    name = os.path.basename(os.path.realpath(path)).removesuffix(LOG_SUFFIX)
    started, ended = _data(first, "session_started") or {}, _data(last, "session_ended")
    command = None if held or ended is not None else _followed(started)
    running = held or (command is not None and lives(command))
    return SessionInfo(
        session_id=name if is_session_id(name) or first is None else first.session_id,
        path=path,
        state="ended" if ended is not None else "running" if running else "crashed",
        size=size,
        name=_of(str, started.get("name")),
        command=[str(word) for word in _of(list, started.get("command")) or []],
        cwd=_of(str, started.get("cwd")),
        pid=_of(int, started.get("pid")),
        started_at=first.ts if first else None,
        last_record_at=last.ts if last else None,
        exit_code=_of(int, (ended or {}).get("exit_code")),
        signal=_of(str, (ended or {}).get("signal")),
    )


def is_running(path: str) -> bool:
    """Tell whether the log's writer lives, or the command of a followed session. OSError when it cannot be read."""
    with open(path, "rb", buffering=0) as file:
        fd = file.fileno()
        return _is_locked(fd) or ((command := _followed_command(fd)) is not None and lives(command))


def is_unattended(path: str) -> bool:
    """Tell whether a log is a followed session's that has no end and no writer, and that we could go on with."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    with open(fd, "r+b", buffering=0):
        # A recorder that has failed at a log would fail again.
        return not _is_locked(fd) and _followed_command(fd) is not None and not _tail_has(fd, _FAULT)


def list_unattended(data_dir: str) -> list[str]:
    """Return which of the newest sessions are unattended: older ones were looked at before, again and again.

    OSError when the folder cannot be read.
    """
    newest = list_logs(data_dir)[:_NEWEST]
    return [session_id for session_id in newest if is_unattended(log_path(data_dir, session_id))]


def _has_lines(path: str) -> bool:
    """Tell whether a file that has no record has a whole line: then it is no log, else one that was torn at once."""
    with open(path, "rb") as file:
        return b"\n" in file.read(_TAIL)


def _is_locked(fd: int) -> bool:
    status = os.fstat(fd)
    if status.st_size == 0 and time.time() - status.st_mtime < _FRESH_S:
        return True  # see the module's docstring
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks: nobody can hold one
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _followed_command(fd: int) -> Identity | None:
    """Return the command of a followed session whose log has no end; None for every other log."""
    return None if _tail_has(fd, _END) else _followed(_data(_first(fd), "session_started") or {})


def _tail_has(fd: int, what: bytes) -> bool:
    size = os.fstat(fd).st_size
    return what in os.pread(fd, _TAIL_BYTES, max(0, size - _TAIL_BYTES)).rpartition(b'"seq":')[2]


def _followed(started: dict[str, Any]) -> Identity | None:
    pid = _of(int, started.get("pid"))
    if started.get("mode") != "followed" or pid is None:
        return None
    return Identity(pid, _of(str, started.get("proc_start")), _of(str, started.get("boot_id")))


def _first(fd: int) -> Record | None:
    """Return the first record; command lines may make it long."""
    with open(fd, "rb", closefd=False) as file:
        line = file.readline(_LONGEST_FIRST)
    return _record(line) if line.endswith(b"\n") else None


def last_record(fd: int, size: int) -> Record | None:
    """Return the last record that can be read, from the end backwards; None when it is farther than 16 MiB."""
    span = _TAIL
    while span <= _LONGEST_FIRST:
        start = max(0, size - span)
        lines = os.pread(fd, size - start, start).split(b"\n")
        del lines[-1]  # behind the last newline is nothing whole
        if start:
            del lines[:1]  # its beginning is out of sight
        for line in reversed(lines):
            if record := _record(line):
                return record
        if not start:
            return None
        span *= 16
    return None


def _record(line: bytes) -> Record | None:
    found = parse(line)
    return None if isinstance(found, str) else found


def _of(kind: type[_T], value: object) -> _T | None:
    """Return the value if it is of that kind: a log may have been written by anybody."""
    return value if isinstance(value, kind) else None


def _data(record: Record | None, event_type: str) -> dict[str, Any] | None:
    """Return the data of a lifecycle record of that type, None for any other record."""
    if record is None or record.stream not in ("proxy", "api") or record.event is None:
        return None
    return record.event.data if record.event.event_type == event_type else None
