"""Keeps the index up with the logs.

Rules it lives by:

* How far a log was read, the session's state there and the events up to there are one transaction: after a crash at
  any instant the index goes on exactly where it was.
* A log that was replaced, cut or rewritten is indexed anew; one that was removed leaves the index.
* No log can make it fail: what is no record is counted and passed over, what cannot be opened is tried again.
* It is a cache, and takes no room that sessions need for being recorded.
"""

import contextlib
import errno
import os
import sqlite3
import time
from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec

from proxy.events import Event, Interpreter, Session
from proxy.events.timestamps import TimestampCodec
from proxy.sessions import catalogue
from proxy.sessions.identity import log_path, sessions_dir
from proxy.sessions.reader import Entry, LogReader
from proxy.store import removals
from proxy.store.amounts import keep_of_removed
from proxy.store.database import index_path, open_index
from proxy.store.followed import Followed
from proxy.store.ranks import Tally
from proxy.store.room import free_bytes
from proxy.store.spelling import as_json, envelope

_MARK = 64
"""Bytes of a record that tell it from another one: its number and its moment are in them."""
_STEP_BYTES = 4 << 20
"""Read of one log, and of all together, in one transaction; the last one may double it."""
_FORGOTTEN_AT_ONCE = 50_000
"""Events of removed sessions that are taken out in one transaction; the last session may go beyond."""
_OPEN_LOGS = 256
"""Logs that are held open while they grow; further ones are opened for each look."""
_SKEW_US = 60_000_000
"""Events that are stamped further in the future come from a clock that was wrong, and are not waited for."""
_LEFT_TO_SESSIONS_BYTES = 100_000_000
"""With less room than this, or than what is to be kept free where that is lower, nothing more is indexed."""
_OVERWRITING = 2
"""What it takes to overwrite rows, as a multiple of their size: their pages in the journal, and their keys'."""
_STAMPED_TO_WRITTEN_US = 500_000
"""A wrapper stamps a record and writes it within a millisecond, unless it is kept from running in between."""


class Arrival(NamedTuple):
    """An event that has come into the index."""

    id: int
    session_id: str
    event_type: str
    moment_us: int
    json: bytes
    """The event as the API gives it."""


class Indexer:
    """Owns the writing end of the index of a data directory. For one thread at a time."""

    def __init__(
        self, data_dir: str, *, max_events_per_session: int | None = None, min_free_bytes: int = 0
    ) -> None:
        """``max_events_per_session`` bounds what is indexed of a session, never what is known of its state.

        ``min_free_bytes``: what is to be kept free on the disk.

        Raises:
            sqlite3.Error, OSError: the index can be neither opened nor made.
        """
        self.data_dir = data_dir
        self.path = index_path(data_dir)
        self.horizon_us: int | None = 0
        """Nothing that is stamped earlier will come into the index any more; None: nothing is being written."""
        self.set_aside: set[str] = set()
        """Logs that have shown a fault of ours, and are not followed any more until the next start."""
        self._reading: str | None = None
        self._most_events = max_events_per_session
        self._left_bytes = min(min_free_bytes, _LEFT_TO_SESSIONS_BYTES)
        self._codec = TimestampCodec()
        self._open()
        with contextlib.suppress(sqlite3.Error):  # a full disk: then nothing else changes in the index either
            self._keep_horizon(0)

    def close(self) -> None:
        """Let go of the index and of all logs."""
        for log in self._logs.values():
            log.let_go()
        self._connection.close()

    @property
    def live(self) -> list[str]:
        """The sessions that are not over. May be asked from another thread."""
        return [log.session_id for log in list(self._logs.values()) if not log.over]

    @property
    def behind(self) -> bool:
        """Whether some log holds more than was read, or was removed and is still in the index."""
        return bool(self._removed) or any(log.behind for log in self._logs.values())

    @property
    def pending(self) -> bool:
        """Whether there is anything for `step` to do."""
        return self.behind

    def forget_removed(self) -> None:
        """Take out of the index what has no log any more, and read nothing. sqlite3.Error when it cannot be written."""
        self._look_at_all()
        while self._removed:
            self._rows: list[tuple[int, int, int, int, bytes]] = []
            self._connection.execute("BEGIN IMMEDIATE")
            self._forget_removed()
            self._write([])
            self._connection.execute("COMMIT")

    def look(self, names: Collection[str] | None = None) -> None:
        """Learn which logs there are and which of them have changed: those of that name, or (None) all."""
        if names is None:
            self._look_at_all()
            return
        for session_id in names:
            log = self._logs.get(session_id)
            if log is None or not os.path.exists(log.path):
                if not catalogue.is_session_id(session_id):
                    continue
                self._look_at_all()
                return
            log.behind = True

    def step(self, *, quiet: bool = False) -> list[Arrival]:
        """Read on in the logs that have changed, a bounded piece of each, and return the events that came of it.

        ``quiet``: nobody wants to hear of them, so none are returned.

        Raises:
            sqlite3.Error: the index could not be written (a full disk); everything is as before, and can be tried
                again.
            Exception: a fault of ours; the log that has shown it is in `set_aside`, the others can be gone on with.
        """
        began_us = time.time_ns() // 1000
        self._make_room()
        self._quiet = quiet
        self._reading = None
        self._arrivals: list[Arrival] = []
        self._rows = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._forget_removed()
            self._write(self._read_some())
            self._set_horizon(began_us)
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._reading is not None and not isinstance(error, sqlite3.Error | OSError):
                # A fault of ours in this one log; the others are to be followed all the same.
                self.set_aside.add(self._reading)
            # What is in memory is ahead of the index now: read it back.
            self.close()
            self._open()
            self._give_back()
            raise
        self._close_some()
        return self._arrivals

    # -- what there is -----------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._connection = open_index(self.data_dir)
        try:
            self._read_back()
        except BaseException:
            self._connection.close()
            raise

    def _read_back(self) -> None:
        """Go on from what the index holds."""
        self.generation = str(self._meta("generation"))
        self._next_id = int(self._meta("next_id"))
        kept = self._connection.execute("SELECT value FROM meta WHERE key = 'horizon'").fetchone()
        self.horizon_us = kept[0] if kept else 0
        self._types: dict[str, int] = dict(self._connection.execute("SELECT name, id FROM types"))
        self._tally = Tally(self._connection, 0)
        self._newest_us = self._connection.execute("SELECT max(ts) FROM events").fetchone()[0] or 0
        self._removed: list[Followed] = []
        self._logs: dict[str, Followed] = {}
        columns = "id, session_id, inode, offset, mark_at, mark, over, skipped"
        for row in self._connection.execute(f"SELECT {columns} FROM sessions"):
            number, session_id, *rest = row
            log = Followed(number, session_id, log_path(self.data_dir, session_id), *rest)
            log.over = bool(log.over)
            self._logs[session_id] = log

    def _meta(self, key: str) -> Any:
        return self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]

    def _look_at_all(self) -> None:
        os.makedirs(sessions_dir(self.data_dir), mode=0o700, exist_ok=True)
        there = catalogue.list_logs(self.data_dir)
        for session_id in self._logs.keys() - set(there):
            gone = self._logs.pop(session_id)
            gone.let_go()  # as long as it is open, the disk has not its room back
            self._removed.append(gone)
        for session_id in reversed(there):
            log = self._logs.get(session_id)
            if log is None:
                self._logs[session_id] = Followed(0, session_id, log_path(self.data_dir, session_id))
            elif not log.over or log.behind or self._has_changed(log):
                log.behind = True

    def _has_changed(self, log: Followed) -> bool:
        try:
            status = os.stat(log.path)
        except OSError:
            return True
        return status.st_ino != log.inode or status.st_size != log.offset

    def _forget_removed(self) -> None:
        """Take out sessions whose logs are gone: a bounded number of events, so that live ones need not wait."""
        if not self._removed:
            return
        # What was removed and begun anew since cannot wait: its name is needed.
        self._removed.sort(key=lambda log: log.session_id in self._logs)
        count, room = 0, free_bytes(self.data_dir) - self._left_bytes
        while self._removed and (count < _FORGOTTEN_AT_ONCE or self._removed[-1].session_id in self._logs):
            log = self._removed.pop()
            room -= _OVERWRITING * self._size_of(log)
            # Gone is to mean gone: overwritten. On a disk that is too full for that, its pages are used again.
            self._connection.execute(f"PRAGMA secure_delete={'ON' if room > 0 else 'OFF'}")
            keep_of_removed(self._connection, log.id)
            count += self._forget(log)
        self._connection.execute("PRAGMA secure_delete=OFF")

    def _size_of(self, log: Followed) -> int:
        rows = "SELECT total(length(data)) FROM events WHERE session = ?"
        return int(self._connection.execute(rows, (log.id,)).fetchone()[0])

    def _make_room(self) -> None:
        """Make sure that sessions have room for being recorded. sqlite3.OperationalError when they have not."""
        if free_bytes(self.data_dir) >= self._left_bytes:
            return
        self._give_back()
        if (free := free_bytes(self.data_dir)) < self._left_bytes:
            raise sqlite3.OperationalError(
                f"the disk has {free} bytes free, and the index leaves {self._left_bytes} to sessions"
                " (storage.min_free_space)"
            )

    def _give_back(self) -> None:
        """Take nothing of the disk for what is done already, or was not to be done."""
        with contextlib.suppress(sqlite3.Error):  # it will be tried again
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _forget(self, log: Followed) -> int:
        """Take a session out of the index; return how many events it had there."""
        log.let_go()
        count = 0
        if log.id:
            last_ids: dict[int, int] = {}
            for number, moment, type_id in self._connection.execute(
                "SELECT id, ts, type FROM events WHERE session = ?", (log.id,)
            ).fetchall():
                self._tally.remove(moment, type_id)
                last_ids[type_id] = max(number, last_ids.get(type_id, 0))
                count += 1
            removals.keep(self._connection, log.session_id, last_ids)
            self._connection.execute("DELETE FROM events WHERE session = ?", (log.id,))
            self._connection.execute("DELETE FROM chunks WHERE scope = ?", (log.id,))
            self._connection.execute("DELETE FROM sessions WHERE id = ?", (log.id,))
        return count

    def _read_some(self) -> list[Followed]:
        """Read on in the logs that have changed, up to a bound in all; return those that gave something."""
        changed = []
        read = opened = 0
        for log in [log for log in self._logs.values() if log.behind]:
            if log.session_id in self.set_aside:
                log.behind = False
                continue
            before, self._reading = log.offset, log.session_id
            opened += log.reader is None
            if self._read(log):
                changed.append(log)
            if opened > _OPEN_LOGS:
                log.close()
            self._reading = None
            read += max(0, log.offset - before)
            if read > _STEP_BYTES:
                break
        return changed

    # -- one log -----------------------------------------------------------------------------------------------

    def _read(self, log: Followed) -> bool:
        """Take in the next piece of a log; return whether anything has changed."""
        try:
            # Before reading: what is written until the writer lets go is then read as well.
            running = catalogue.is_running(log.path)
            reader = self._reader(log)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            log.behind = False  # removed, or not ours to read: the next look at all tells
            return False
        is_new = not log.id
        self._load(log)
        interpreter = log.interpreter
        assert interpreter is not None
        assert log.session is not None
        before = reader.offset
        for item in reader.read(max_bytes=_STEP_BYTES):
            if isinstance(item, Entry):
                log.mark_at = item.offset
                self._add(log, interpreter.take(item.record))
            else:
                log.skipped += 1
        log.offset = reader.offset
        if log.mark_at >= before and log.offset > before:
            log.mark = os.pread(reader.fileno(), _MARK, log.mark_at)
        was_over = log.over
        log.behind = log.offset - before >= _STEP_BYTES
        if log.offset > before:
            log.over = log.session.complete
        if not log.behind and not running and not log.over:
            log.session.mark_crashed()
            log.over = True
        return log.offset > before or log.over != was_over or is_new

    def _reader(self, log: Followed) -> LogReader:
        """Return the reader of a log where it stopped; of a log that is another than it was, at its beginning."""
        if log.reader is None:
            log.reader = LogReader(log.path, log.offset)
        reader = log.reader
        inode = os.fstat(reader.fileno()).st_ino
        is_mine = log.offset == 0 or (
            inode == log.inode and os.pread(reader.fileno(), _MARK, log.mark_at)[: len(log.mark)] == log.mark
        )
        if reader.standing() != "same" or not is_mine:
            self._forget(log)
            fresh = Followed(0, log.session_id, log.path)
            for name in ("id", "offset", "mark_at", "mark", "over", "skipped", "session"):
                setattr(log, name, getattr(fresh, name))
            reader = log.reader = LogReader(log.path)
            inode = os.fstat(reader.fileno()).st_ino
        log.inode = inode
        return reader

    def _load(self, log: Followed) -> None:
        """Make ready to interpret: go on from what is kept, or begin."""
        if log.interpreter is not None:
            return
        if log.id:
            state = self._connection.execute("SELECT state FROM sessions WHERE id = ?", (log.id,)).fetchone()[
                0
            ]
            log.session = msgspec.json.decode(state, type=Session)
        else:
            log.session = Session(log.session_id)
            row = (log.session_id, 0, 0, 0, b"", 0, 0, b"")
            log.id = (
                self._connection.execute(
                    "INSERT INTO sessions (session_id, inode, offset, mark_at, mark, over, skipped, state)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    row,
                ).lastrowid
                or 0
            )
        log.interpreter = Interpreter(log.session)
        log.tally = Tally(self._connection, log.id)

    def _add(self, log: Followed, events: list[Event]) -> None:
        assert log.session is not None
        assert log.tally is not None
        first = log.session.figures.events - len(events)
        for index, (event_type, moment, data) in enumerate(events):
            if self._most_events is not None and first + index >= self._most_events:
                return
            type_id = self._types.get(event_type) or self._new_type(event_type)
            encoded = as_json(data)
            self._newest_us = max(self._newest_us, moment)
            self._rows.append((self._next_id, moment, log.id, type_id, encoded))
            self._tally.add(moment, type_id)
            log.tally.add(moment, type_id)
            if not self._quiet:
                event = envelope(event_type, self._codec.format(moment), log.session_id, encoded)
                self._arrivals.append(Arrival(self._next_id, log.session_id, event_type, moment, event))
            self._next_id += 1

    def _new_type(self, name: str) -> int:
        self._types[name] = len(self._types) + 1
        self._connection.execute("INSERT INTO types VALUES (?, ?)", (self._types[name], name))
        return self._types[name]

    # -- into the index ----------------------------------------------------------------------------------------

    def _write(self, changed: list[Followed]) -> None:
        self._connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", self._rows)
        self._tally.flush()
        for log in changed:
            if log.tally is not None:
                log.tally.flush()
        self._connection.executemany(
            "UPDATE sessions SET inode = ?, offset = ?, mark_at = ?, mark = ?, over = ?, skipped = ?, state = ?"
            " WHERE id = ?",
            [
                (
                    log.inode,
                    log.offset,
                    log.mark_at,
                    log.mark,
                    log.over,
                    log.skipped,
                    as_json(log.session),
                    log.id,
                )
                for log in changed
            ],
        )
        self._connection.execute("UPDATE meta SET value = ? WHERE key = 'next_id'", (self._next_id,))

    def _set_horizon(self, began_us: int) -> None:
        bounds = [
            log.session.last_record_us if log.session else 0 for log in self._logs.values() if log.behind
        ]
        # Clients' own sessions are written by the server itself, one record after another.
        if any(not log.over and log.session and log.session.kind == "wrapped" for log in self._logs.values()):
            bounds.append(began_us - _STAMPED_TO_WRITTEN_US)
        elif began_us < self._newest_us < began_us + _SKEW_US:
            bounds.append(began_us)  # a log that is not seen yet was begun later, and is stamped later
        horizon_us = min(bounds) if bounds else None
        if horizon_us != self.horizon_us:
            self._keep_horizon(horizon_us)

    def _keep_horizon(self, horizon_us: int | None) -> None:
        """Keep it in the index as well: other processes see it together with the events that it is about."""
        self.horizon_us = horizon_us
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('horizon', ?)", (horizon_us,))

    def _close_some(self) -> None:
        """Keep open no more than what is growing, and of that not too much."""
        held = 0
        for log in self._logs.values():
            if log.interpreter is None:
                continue
            held += log.reader is not None
            if not log.behind and (log.over or held > _OPEN_LOGS):
                log.let_go()
                log.session = None if log.over else log.session
