"""Puts into the index what follows from logs. Transactions are begun and ended by the caller.

How far a log was read, the session's state there and the rows up to there are written together (`flush`): after a
crash at any instant the index goes on exactly where it was.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

from proxy.events import Session
from proxy.events.timestamps import TimestampCodec
from proxy.store.counting import LEVELS_US, EventCounts, Tally
from proxy.store.derivation import Derivation
from proxy.store.embedded.counts import write_counts
from proxy.store.embedded.rows import (
    DRIFT,
    EVENTS,
    MARKS,
    PIECES,
    SESSIONS,
    TYPES,
    EventRow,
    read_drift,
    read_meta,
    read_newest,
    read_types,
    write_meta,
)
from proxy.store.embedded.tombstones import bury
from proxy.store.embedded.tracked import TrackedLog
from proxy.store.encoding import as_json, envelope
from proxy.store.model import Arrival, RawEvent
from proxy.store.totals import decode_totals, encode_totals, totals_of

_TYPES_SINCE = (
    "SELECT type, count(*) FROM events INDEXED BY by_session WHERE session = ? AND ts >= ? GROUP BY type"
)


class Writer:
    """Writes rows, and knows what the next ones are to be."""

    def __init__(self, connection: sqlite3.Connection, most_events: int | None) -> None:
        """``most_events`` bounds what is indexed of a session."""
        self._connection = connection
        self._most_events = most_events
        self._codec = TimestampCodec()
        self._next_id = read_newest(connection)[1] + 1
        self._types = {name: number for number, name in read_types(connection).items()}
        self._totals = decode_totals(str(read_meta(connection, "totals")))
        (newest_us,) = connection.execute("SELECT coalesce(max(ts), 0) FROM events").fetchone()
        self.newest_us: int = newest_us
        """The latest timestamp of an event."""
        self._clear()

    def _clear(self) -> None:
        self._events: list[EventRow] = []
        self._marks: list[tuple[int | bytes, ...]] = []
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
            (row,) = SESSIONS.read(self._connection, "WHERE id = ?", (log.id,))
            log.session = row.session()
            log.totals = totals_of(log.session)
        last = "WHERE session = ? ORDER BY number DESC LIMIT 1"
        log.tally = Tally.of(
            next(MARKS.read(self._connection, last, (log.id,)), None),
            lambda since_us: self._connection.execute(_TYPES_SINCE, (log.id, since_us)),
        )
        log.derivation = Derivation(
            log.session,
            last_piece=next(PIECES.read(self._connection, last, (log.id,)), None),
            drift=read_drift(self._connection, log.id),
            most_events=self._most_events,
        )
        return log.derivation

    def add(self, log: TrackedLog, events: Sequence[RawEvent], arrivals: list[Arrival] | None) -> None:
        """Take in the next events of a log, and put them into ``arrivals`` if somebody wants to hear of them."""
        for event_type, timestamp_us, data in events:
            type_id = self._types.get(event_type) or self._add_type(event_type)
            if mark := log.tally.add(type_id, timestamp_us):
                self._marks.append((log.id, *mark.row()))
            self._events.append(EventRow(self._next_id, timestamp_us, log.id, type_id, data))
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
        EVENTS.write(connection, self._events)
        MARKS.write(connection, self._marks)
        write_counts(connection, self._counts)
        self._clear()
        for log in changed:
            self._flush_log(log)
        write_meta(connection, {"next_id": self._next_id, "totals": encode_totals(self._totals)})

    def _flush_log(self, log: TrackedLog) -> None:
        assert log.session  # it was read
        assert log.derivation
        SESSIONS.write(self._connection, [log.row(log.session)], replace=True)
        self._totals.subtract(log.totals)
        log.totals = totals_of(log.session)
        self._totals.update(log.totals)
        pieces = [(log.id, *piece.row()) for piece in log.derivation.cutter.take_changed()]
        PIECES.write(self._connection, pieces, replace=True)
        if log.derivation.drift.has_changed:
            state = as_json(log.derivation.drift.state())
            DRIFT.write(self._connection, [(log.id, state)], replace=True)

    # -- parts of it -------------------------------------------------------------------------------------------

    def _keep_totals_of_removed(self, log: TrackedLog) -> None:
        """Take a session out of those that there are; what it has added to the sums stays."""
        for row in SESSIONS.read(self._connection, "WHERE id = ?", (log.id,)):
            self._totals["state", row.session().state] -= 1

    def _add_type(self, name: str) -> int:
        number = self._types[name] = len(self._types) + 1
        TYPES.write(self._connection, [(number, name)])
        return number
