"""Puts into the index what follows from logs. Transactions are begun and ended by the caller.

How far a log was read, the session's state there and the rows up to there are written together (`flush`): after a
crash at any instant the index goes on exactly where it was.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

from proxy.events import Session
from proxy.events.timestamps import TimestampCodec
from proxy.store.counting import LEVELS_US, MARK_EVERY, EventCounts, Mark
from proxy.store.derivation import Derivation
from proxy.store.embedded.counts import mark_row, read_marks, write_counts
from proxy.store.embedded.database import checksum
from proxy.store.embedded.rows import (
    EventRow,
    piece_row,
    read_drift,
    read_meta,
    read_newest,
    read_pieces,
    read_sessions,
    read_types,
    write_meta,
)
from proxy.store.embedded.tombstones import bury
from proxy.store.embedded.tracked import Tally, TrackedLog
from proxy.store.encoding import as_json, envelope
from proxy.store.model import Arrival, RawEvent
from proxy.store.pieces import encode_kinds
from proxy.store.ranks import FOREVER
from proxy.store.totals import decode_totals, encode_totals, totals_of


class Writer:
    """Writes rows, and knows what the next ones are to be."""

    def __init__(self, connection: sqlite3.Connection, most_events: int | None) -> None:
        """``most_events`` bounds what is indexed of a session."""
        self._connection = connection
        self._most_events = most_events
        self._codec = TimestampCodec()
        self.epoch, newest_id = read_newest(connection)
        self._next_id = newest_id + 1
        self._types = {name: number for number, name in read_types(connection).items()}
        self._totals = decode_totals(str(read_meta(connection, "totals")))
        newest = connection.execute("SELECT max(ts) FROM events").fetchone()[0]
        self.newest_us: int = newest or 0
        """The latest timestamp of an event."""
        self._clear()

    def _clear(self) -> None:
        self._events: list[tuple[object, ...]] = []
        self._marks: list[tuple[object, ...]] = []
        self._counts: EventCounts = Counter()

    # -- one log -----------------------------------------------------------------------------------------------

    def load(self, log: TrackedLog) -> Derivation:
        """Make ready to read on in a log: from what the index has of it, or from its beginning."""
        if log.derivation is not None:
            return log.derivation
        if not log.id:
            log.session = Session(log.session_id)
            added = self._connection.execute(
                "INSERT INTO sessions VALUES (NULL, ?, 0, 0, 0, 0, x'', 0, '', x'', 0)", (log.session_id,)
            )
            log.id = added.lastrowid or 0
        elif log.session is None:
            (row,) = read_sessions(self._connection, "WHERE id = ?", (log.id,))
            log.session = row.session() or Session(log.session_id)
            log.totals = totals_of(log.session)
        log.tally = self._tally_of(log.id)
        pieces = list(
            read_pieces(self._connection, "WHERE session = ? ORDER BY number DESC LIMIT 1", (log.id,))
        )
        drift = read_drift(self._connection, log.id)
        log.derivation = Derivation(
            log.session, last_piece=pieces[0] if pieces else None, drift=drift, most_events=self._most_events
        )
        return log.derivation

    def add(self, log: TrackedLog, events: Sequence[RawEvent], arrivals: list[Arrival] | None) -> None:
        """Take in the next events of a log, and put them into ``arrivals`` if somebody wants to hear of them."""
        for event_type, timestamp_us, data in events:
            type_id = self._types.get(event_type) or self._add_type(event_type)
            tally = log.tally
            if tally.number and tally.number % MARK_EVERY == 0:
                self._marks.append(mark_row(log.id, Mark(tally.number, timestamp_us, tally.types)))
            tally.number += 1
            tally.types[type_id] += 1
            row = EventRow(self._next_id, timestamp_us, log.id, type_id, data)
            self._events.append((*row, row.sum))
            self._counts[timestamp_us // LEVELS_US[0], type_id] += 1
            self.newest_us = max(self.newest_us, timestamp_us)
            if arrivals is not None:
                event = envelope(event_type, self._codec.format(timestamp_us), log.session_id, data)
                arrivals.append(Arrival(self._next_id, log.session_id, event_type, timestamp_us, event))
            self._next_id += 1

    def forget(self, log: TrackedLog) -> int:
        """Take a session out of the index; return how many events it had there."""
        log.let_go()
        count = 0
        if log.id:
            last_ids: dict[int, int] = {}
            rows = self._connection.execute("SELECT id, ts, type FROM events WHERE session = ?", (log.id,))
            for number, timestamp_us, type_id in rows.fetchall():
                self._counts[timestamp_us // LEVELS_US[0], type_id] -= 1
                last_ids[type_id] = max(number, last_ids.get(type_id, 0))
                count += 1
            bury(self._connection, log.session_id, last_ids)
            self._keep_totals_of_removed(log)
            for table in ("events", "marks", "pieces", "drift"):
                self._connection.execute(f"DELETE FROM {table} WHERE session = ?", (log.id,))
            self._connection.execute("DELETE FROM sessions WHERE id = ?", (log.id,))
        return count

    # -- together ----------------------------------------------------------------------------------------------

    def flush(self, changed: Iterable[TrackedLog]) -> None:
        """Write everything that was taken in, and how the logs stand that have changed."""
        connection = self._connection
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", self._events)
        connection.executemany("INSERT INTO marks VALUES (?, ?, ?, ?, ?)", self._marks)
        write_counts(connection, self._counts)
        self._clear()
        for log in changed:
            self._flush_log(log)
        write_meta(connection, {"next_id": self._next_id, "totals": encode_totals(self._totals)})

    def keep_watermark(self, watermark_us: int | None) -> None:
        """Keep up to where nothing will come any more, beside the events that it is about."""
        write_meta(self._connection, {"watermark": watermark_us})

    def _flush_log(self, log: TrackedLog) -> None:
        row = log.row()
        columns = row[2:]
        self._connection.execute(
            "UPDATE sessions SET started = ?, inode = ?, offset = ?, mark_at = ?, mark = ?, over = ?,"
            " outcome = ?, state = ?, sum = ? WHERE id = ?",
            (*columns, row.sum, log.id),
        )
        if log.session is not None:
            self._totals.subtract(log.totals)
            log.totals = totals_of(log.session)
            self._totals.update(log.totals)
        if log.derivation is None:
            return
        self._connection.executemany(
            "INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                piece_row(log.id, piece, encode_kinds(piece.kinds_before), encode_kinds(piece.kinds))
                for piece in log.derivation.cutter.take_changed()
            ],
        )
        if log.derivation.drift.has_changed:
            state = as_json(log.derivation.drift.state())
            self._connection.execute(
                "INSERT OR REPLACE INTO drift VALUES (?, ?, ?)", (log.id, state, checksum(log.id, state))
            )

    # -- parts of it -------------------------------------------------------------------------------------------

    def _tally_of(self, session: int) -> Tally:
        marks = read_marks(self._connection, session, last_only=True)
        number, since_us, types = marks[0] if marks else Mark(0, -FOREVER, Counter())
        rows = self._connection.execute(
            "SELECT type, count(*) FROM events INDEXED BY by_session WHERE session = ? AND ts >= ? GROUP BY type",
            (session, since_us),
        )
        for type_id, count in rows:
            types[type_id] += count
            number += count
        return Tally(number, types)

    def _keep_totals_of_removed(self, log: TrackedLog) -> None:
        """Take a session out of those that there are; what it has added to the sums stays."""
        for row in read_sessions(self._connection, "WHERE id = ?", (log.id,)):
            if (session := row.session()) is not None:
                self._totals["state", session.state] -= 1

    def _add_type(self, name: str) -> int:
        number = self._types[name] = len(self._types) + 1
        self._connection.execute("INSERT INTO types VALUES (?, ?, ?)", (number, name, checksum(number, name)))
        return number
