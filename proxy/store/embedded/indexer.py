"""Keeps the index up with the logs.

Rules it lives by:

* Everything that follows from what was read of a log is in the index together with how far it was read.
* A log that was replaced, cut or rewritten is indexed anew; one that was removed leaves the index.
* No log can make it fail: what is no record is counted and passed over, what cannot be opened is tried again.
* It is a cache, and takes no room that sessions need for being recorded.
"""

import contextlib
import errno
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator

from proxy.sessions import catalogue, firings
from proxy.sessions.reader import Entry, LogReader
from proxy.store.embedded.database import create_index, index_path, open_index, translated_errors
from proxy.store.embedded.inventory import Inventory
from proxy.store.embedded.rows import SESSIONS, read_watermark, write_meta
from proxy.store.embedded.standing import Standing, forget_clean_close, note_clean_close
from proxy.store.embedded.tracked import TrackedLog
from proxy.store.embedded.writer import Writer
from proxy.store.model import Arrival
from proxy.store.protocol import StoreDamagedError, StoreError
from proxy.store.space import free_bytes

_MARK = 64
"""Bytes of a record that tell it from another one: its number and its timestamp are in them."""
_STEP_BYTES = 4 << 20
"""Read of one log, and of all together, in one transaction; the last one may double it."""
_FORGOTTEN_AT_ONCE = 50_000
"""Events of removed sessions that are taken out in one transaction; the last session may go beyond."""
_OPEN_LOGS = 256
"""Logs that are held open while they grow; further ones are opened for each look."""
_LEFT_TO_SESSIONS_BYTES = 100_000_000
"""With less room than this, or than what is to be kept free where that is lower, nothing more is indexed."""
_OVERWRITING = 2
"""What it takes to overwrite rows, as a multiple of their size: their pages in the journal, and their keys'."""


class Indexer:
    """Owns the writing end of the index of a data directory. For one thread at a time."""

    def __init__(self, data_dir: str, *, most_events: int | None = None, min_free_bytes: int = 0) -> None:
        """``most_events`` bounds what is indexed of a session, never what is known of its state.

        ``min_free_bytes``: what is to be kept free on the disk.

        Raises:
            StoreError, OSError: the index can be neither opened nor made.
        """
        self.data_dir = data_dir
        self.watermark_us: int | None = 0
        """Nothing with an earlier timestamp will come into the index any more; None: nothing is being written."""
        self.set_aside: set[str] = set()
        """Logs that have shown a fault of ours, and are not followed any more until the next start."""
        self.was_closed_cleanly = forget_clean_close(data_dir)
        """Whether the index is as an indexer has left it."""
        self._most_events = most_events
        self._left_bytes = min(min_free_bytes, _LEFT_TO_SESSIONS_BYTES)
        self._begin(is_there=True)
        # A full disk: then nothing else changes either.
        with contextlib.suppress(StoreError), translated_errors():
            self._keep_watermark(0)
        self._standing.learn()

    def close(self) -> None:
        """Let go of the index, all of it in its one file, and of all logs."""
        self.inventory.close()
        self._give_back()
        self._connection.close()
        note_clean_close(self.data_dir)

    def is_replaced(self) -> bool:
        """Tell whether the files of the index are others than those that are written."""
        return self._standing.has_changed()

    def was_touched(self) -> bool:
        """Tell whether somebody else has written into the index since this was asked last."""
        touched = self._standing.was_touched()
        self._standing.learn()
        return touched

    def reopen(self, *, is_damaged: bool) -> None:
        """Take what has been put in the index's place; without anything there, begin anew. Errors as at the start.

        ``is_damaged``: begin anew, whatever is there.
        """
        # What was in a write-ahead file that is gone is missing: the rest is not to be relied on.
        is_another = not is_damaged and self._standing.is_another_index()
        self._let_go()
        self._begin(is_there=is_another)

    def _begin(self, *, is_there: bool) -> None:
        """Open the index that is there, or else, or if it is damaged, a new one."""
        try:
            self._open(open_index(self.data_dir) if is_there else create_index(self.data_dir))
        except StoreDamagedError:
            self._open(create_index(self.data_dir))

    @property
    def live(self) -> list[str]:
        """The sessions that are not over. May be asked from another thread."""
        return self.inventory.live

    @property
    def is_behind(self) -> bool:
        """Whether there is anything for `step` to do."""
        return self.inventory.is_behind

    def look(self, names: Collection[str] | None = None) -> None:
        """Learn which logs there are and which of them have changed: those of that name, or (None) all."""
        self.inventory.look(names)

    def forget_removed(self) -> None:
        """Take out of the index what has no log any more, and read nothing. StoreError when it cannot be written."""
        self.look()
        while self.inventory.removed:
            with translated_errors():
                self._connection.execute("BEGIN IMMEDIATE")
                self._forget_removed()
                self._writer.flush([])
                self._connection.execute("COMMIT")

    def step(self, *, quiet: bool = False) -> list[Arrival]:
        """Read on in the logs that have changed, a bounded piece of each, and return the events that came of it.

        ``quiet``: nobody wants to hear of them, so none are returned.

        Raises:
            StoreError: the index could not be written (a full disk); everything is as before, and can be tried again.
            Exception: a fault of ours; the log that has shown it is in `set_aside`, the others can be gone on with.
        """
        looked_us = time.time_ns() // 1000
        self._make_room()
        self._reading: str | None = None
        arrivals: list[Arrival] = []
        try:
            with translated_errors():
                self._connection.execute("BEGIN IMMEDIATE")
                self._forget_removed()
                self._writer.flush(self._noted(self._read_some(None if quiet else arrivals)))
                found = self.inventory.watermark(looked_us, self._writer.newest_us)
                if found != self.watermark_us:
                    self._keep_watermark(found)
                self._connection.execute("COMMIT")
        except BaseException as error:
            if self._reading is not None and not isinstance(error, StoreError | OSError):
                self.set_aside.add(self._reading)
            # What is in memory is ahead of the index now: read it back.
            self._let_go()
            self._open(open_index(self.data_dir))
            self._give_back()
            raise
        self._standing.learn()
        self._close_some()
        return arrivals

    # -- the index ---------------------------------------------------------------------------------------------

    def _open(self, connection: sqlite3.Connection) -> None:
        """Go on from what the index holds."""
        self._connection = connection
        try:
            with translated_errors():
                self._writer = Writer(connection, self._most_events)
                self.watermark_us = read_watermark(connection)
                self.inventory = Inventory(self.data_dir, SESSIONS.read(connection, ""))
        except BaseException:
            connection.close()
            raise
        self._standing = Standing(index_path(self.data_dir))

    def _let_go(self) -> None:
        self.inventory.close()
        self._connection.close()

    def _keep_watermark(self, watermark_us: int | None) -> None:
        self.watermark_us = watermark_us
        write_meta(self._connection, {"watermark": watermark_us})

    def _forget_removed(self) -> None:
        """Take out sessions whose logs are gone: a bounded number of events, so that live ones need not wait."""
        removed, logs = self.inventory.removed, self.inventory.logs
        if not removed:
            return
        # What was removed and begun anew since cannot wait: its name is needed.
        removed.sort(key=lambda log: log.session_id in logs)
        count, room = 0, free_bytes(self.data_dir) - self._left_bytes
        while removed and (count < _FORGOTTEN_AT_ONCE or removed[-1].session_id in logs):
            log = removed.pop()
            room -= _OVERWRITING * self._size_of(log)
            # Gone is to mean gone: overwritten. On a disk that is too full for that, its pages are used again.
            self._connection.execute(f"PRAGMA secure_delete={'ON' if room > 0 else 'OFF'}")
            count += self._writer.forget(log)
        self._connection.execute("PRAGMA secure_delete=OFF")

    def _size_of(self, log: TrackedLog) -> int:
        rows = "SELECT total(length(data)) FROM events WHERE session = ?"
        return int(self._connection.execute(rows, (log.id,)).fetchone()[0])

    def _make_room(self) -> None:
        """Make sure that sessions have room for being recorded. StoreError when they have not."""
        if free_bytes(self.data_dir) >= self._left_bytes:
            return
        self._give_back()
        if (free := free_bytes(self.data_dir)) < self._left_bytes:
            raise StoreError(
                f"the disk has {free} bytes free, and the index leaves {self._left_bytes} to sessions"
                " (storage.min_free_space)"
            )

    def _give_back(self) -> None:
        """Take nothing of the disk for what is done already, or was not to be done."""
        with contextlib.suppress(sqlite3.Error):  # it will be tried again
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # -- logs --------------------------------------------------------------------------------------------------

    def _read_some(self, arrivals: list[Arrival] | None) -> list[TrackedLog]:
        """Read on in the logs that have changed, up to a bound in all; return those that gave something."""
        changed = []
        read = opened = 0
        for log in [log for log in self.inventory.logs.values() if log.behind]:
            if log.session_id in self.set_aside:
                log.behind = False
                continue
            before, self._reading = log.offset, log.session_id
            opened += log.reader is None
            if self._read(log, arrivals):
                changed.append(log)
            if opened > _OPEN_LOGS:
                log.close()
            self._reading = None
            read += max(0, log.offset - before)
            if read > _STEP_BYTES:
                break
        return changed

    def _noted(self, logs: Iterable[TrackedLog]) -> Iterator[TrackedLog]:
        """Yield logs, and note at which one a fault shows."""
        for log in logs:
            self._reading = log.session_id
            yield log
        self._reading = None

    def _read(self, log: TrackedLog, arrivals: list[Arrival] | None) -> bool:
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
        derivation = self._writer.load(log)
        before, was_fired = reader.offset, derivation.session.firings
        log.fired_bytes = firings.size_beside(log.path)
        derivation.expect(firings.beside(log.path))
        for item in reader.read(max_bytes=_STEP_BYTES):
            if isinstance(item, Entry):
                log.mark_at = item.offset
            self._writer.add(log, derivation.take(item), arrivals)
        log.offset = reader.offset
        if log.mark_at >= before and log.offset > before:
            log.mark = os.pread(reader.fileno(), _MARK, log.mark_at)
        was_over = log.over
        log.behind = log.offset - before >= _STEP_BYTES
        if not log.behind:
            self._writer.add(log, derivation.rest(), arrivals)
        if log.offset > before:
            log.over = derivation.session.complete
        if not log.behind and not running and not log.over:
            derivation.session.mark_crashed()
            log.over = True
        has_fired = derivation.session.firings != was_fired
        return log.offset > before or log.over != was_over or is_new or has_fired

    def _reader(self, log: TrackedLog) -> LogReader:
        """Return the reader of a log where it stopped; of a log that is another than it was, at its beginning."""
        if log.reader is None:
            log.reader = LogReader(log.path, log.offset)
        reader = log.reader
        inode = os.fstat(reader.fileno()).st_ino
        is_mine = log.offset == 0 or (
            inode == log.inode and os.pread(reader.fileno(), _MARK, log.mark_at)[: len(log.mark)] == log.mark
        )
        if not reader.is_current() or not is_mine:
            self._writer.forget(log)
            log.reset()
            reader = log.reader = LogReader(log.path)
            inode = os.fstat(reader.fileno()).st_ino
        log.inode = inode
        return reader

    def _close_some(self) -> None:
        """Keep open no more than what is growing, and of that not too much."""
        held = 0
        for log in self.inventory.logs.values():
            if log.derivation is None:
                continue
            held += log.reader is not None
            if not log.behind and (log.over or held > _OPEN_LOGS):
                log.let_go()
                log.session = None if log.over else log.session
