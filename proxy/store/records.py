"""The records of logs, found by their place, number, kind and text: for reading a log in pages, however long it is.

Where each record begins and of what kind it is is learned by one reading, kept in memory (20 bytes a record) and
gone on with as the log grows. Everything else is read from the log itself.

Rules it lives by:

* Nobody is kept waiting for a whole log: each question takes a bounded time, says how far it has come, and going on
  from there is asking it again.
* A line that is no record is counted and given like one, with the reason: what is wrong with a log can be seen.
"""

import json
import os
import re
import threading
import time
from array import array
from bisect import bisect_left
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from proxy.sessions.identity import log_path
from proxy.sessions.reader import Entry, LogReader, Record, Skipped

__all__ = ["NO_RECORD", "Kind", "RecordPage", "RecordQuery", "Records", "Row"]

NO_RECORD = "log"
"""What is given for the stream of a line that is no record; its type is the reason."""

_BUDGET_S = 0.5
"""A question takes about so long, and is then answered with what was found."""
_PIECE_BYTES = 1 << 20
_LOOK = 256
"""Records between two looks at the clock."""
_MOST_TABLES, _MOST_SELECTIONS, _MOST_KINDS = 16, 8, 2000
_LONGEST_TYPE = 100
_CONTENT = re.compile(rb'"(?:message|raw|raw_base64|event)":')


class Kind(NamedTuple):
    """What a record can be asked for by."""

    stream: str
    verdict: str
    """Empty where there is none."""
    type: str
    """Of a message with its subtype (``system/init``), or of an event; empty for text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordQuery:
    """Which records are wanted: of any of the values, where some are given, and holding the text."""

    streams: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    """``system`` is ``system/init`` as well."""
    text: str = ""
    """In message, errors or event, whatever the case of its ASCII letters."""

    def takes(self, kind: Kind) -> bool:
        """Tell whether records of that kind are wanted."""
        return (
            (not self.streams or kind.stream in self.streams)
            and (not self.verdicts or kind.verdict in self.verdicts)
            and (not self.types or kind.type in self.types or kind.type.partition("/")[0] in self.types)
        )


class Row(NamedTuple):
    """One record as it is in the log."""

    seq: int
    kind: Kind
    line: bytes
    """Without its newline."""


class RecordPage(NamedTuple):
    """Some of the records that were asked for."""

    rows: list[Row]
    position: int
    """How many of the records that fit the query lie before the first of these."""
    total: int
    """Records that fit the query: of those that were looked at."""
    searched: int
    """Records of the log that were looked at."""
    complete: bool
    """Whether those were all that there are now."""
    kinds: dict[Kind, int]
    """How many records of each kind were looked at."""


class Records:
    """The records of a data directory's logs. Safe to use from several threads."""

    def __init__(self, data_dir: str, budget_s: float = _BUDGET_S) -> None:
        self._data_dir = data_dir
        self._budget_s = budget_s
        self._lock = threading.Lock()
        self._tables: OrderedDict[str, _Table] = OrderedDict()

    def page(
        self,
        session_id: str,
        query: RecordQuery,
        *,
        limit: int,
        offset: int = 0,
        from_seq: int | None = None,
        to_seq: int | None = None,
    ) -> RecordPage:
        """Return a page of records, oldest first: behind ``offset`` others that fit, from a number up to another.

        OSError when the log cannot be read.
        """
        table = self._table(session_id)
        with table.lock:
            table.read_on(time.monotonic() + self._budget_s)
            chosen = table.choose(query, time.monotonic() + self._budget_s)
            low = 0 if from_seq is None else bisect_left(chosen.rows, table.place(from_seq))
            high = len(chosen.rows) if to_seq is None else bisect_left(chosen.rows, table.place(to_seq + 1))
            first = min(low + offset, max(low, high))
            rows = [table.row(place) for place in chosen.rows[first : max(first, min(first + limit, high))]]
            complete = not table.behind and chosen.upto == len(table)
            return RecordPage(rows, first, max(0, high - low), chosen.upto, complete, dict(table.counts))

    def one(self, session_id: str, seq: int) -> Row | None:
        """Return the record of that number, None where there is none. OSError when the log cannot be read."""
        table = self._table(session_id)
        with table.lock:
            while True:
                table.read_on(time.monotonic() + self._budget_s)
                place = table.place(seq)
                if place < len(table) or not table.behind:
                    break
            while place < len(table):
                row = table.row(place)
                if row.seq != seq or row.kind.stream != NO_RECORD:
                    return row if row.seq == seq else None
                place += 1
            return None

    def close(self) -> None:
        """Let go of all logs."""
        with self._lock:
            for table in self._tables.values():
                table.reader.close()
            self._tables.clear()

    def let_go_of_removed(self) -> None:
        """Hold no log that was removed or replaced: as long as it is open, the disk has not its room back."""
        with self._lock:
            for session_id, table in list(self._tables.items()):
                if table.reader.standing() != "same":
                    del self._tables[session_id]

    def _table(self, session_id: str) -> "_Table":
        with self._lock:
            table = self._tables.pop(session_id, None)
            if table is not None and table.reader.standing() != "same":
                table = None  # whoever still uses the old one closes it
            if table is None:
                table = _Table(log_path(self._data_dir, session_id))
            self._tables[session_id] = table
            if len(self._tables) > _MOST_TABLES:
                self._tables.popitem(last=False)
            return table


class _Selection:
    """The places of the records that fit a query, up to a place."""

    def __init__(self) -> None:
        self.rows = array("Q")
        self.upto = 0


class _Reader(LogReader):
    """Closes its file when nobody uses it any more."""

    def __del__(self) -> None:
        self.close()


class _Table:
    """Where the records of one log lie, and of what kind they are."""

    def __init__(self, path: str) -> None:
        self.lock = threading.Lock()
        self.reader = _Reader(path)
        self.behind = True
        self.counts: Counter[Kind] = Counter()
        self._starts, self._seqs, self._kinds = array("Q"), array("Q"), array("I")
        self._numbers: dict[Kind, int] = {}
        self._names: list[Kind] = []
        self._selections: OrderedDict[RecordQuery, _Selection] = OrderedDict()

    def __len__(self) -> int:
        return len(self._starts)

    def read_on(self, until: float) -> None:
        """Take in what is in the log now, or as much as can be until then."""
        while True:
            before = self.reader.offset
            for item in self.reader.read(max_bytes=_PIECE_BYTES):
                self._add(item)
            self.behind = self.reader.offset - before >= _PIECE_BYTES
            if not self.behind or time.monotonic() >= until:
                return

    def choose(self, query: RecordQuery, until: float) -> _Selection:
        """Return the records that fit, looked for until then."""
        chosen = self._selections.pop(query, None) or _Selection()
        self._selections[query] = chosen
        if len(self._selections) > _MOST_SELECTIONS:
            self._selections.popitem(last=False)
        needles = _needles(query.text)
        taken = [query.takes(kind) for kind in self._names]
        for place in range(chosen.upto, len(self)):
            if taken[self._kinds[place]] and (not needles or self._holds(place, needles)):
                chosen.rows.append(place)
            chosen.upto = place + 1
            if needles and place % _LOOK == 0 and time.monotonic() >= until:
                break
        return chosen

    def place(self, seq: int) -> int:
        """Return where the first record of that number or a later one is."""
        return bisect_left(self._seqs, seq)

    def row(self, place: int) -> Row:
        """Return a record."""
        return Row(self._seqs[place], self._names[self._kinds[place]], self._line(place))

    def _line(self, place: int) -> bytes:
        start = self._starts[place]
        end = self._starts[place + 1] if place + 1 < len(self) else self.reader.offset
        return os.pread(self.reader.fileno(), end - start - 1, start)

    def _holds(self, place: int, needles: list[bytes]) -> bool:
        line = self._line(place)
        content = _CONTENT.search(line)
        start = content.end() if content else 0
        lower = line.lower()
        return any(lower.find(needle, start) >= 0 for needle in needles)

    def _add(self, item: Entry | Skipped) -> None:
        if isinstance(item, Skipped):
            seq, kind = self._seqs[-1] if self._seqs else 0, Kind(NO_RECORD, "", item.reason)
        else:
            # Numbers only grow; in a log that somebody has made they may not, and pages go by the larger one.
            seq = max(item.record.seq, self._seqs[-1] if self._seqs else 0)
            kind = _kind(item.record)
        self._starts.append(item.offset)
        self._seqs.append(seq)
        number = self._numbers.get(kind)
        if number is None:
            if len(self._names) >= _MOST_KINDS:
                kind = kind._replace(type="")
            number = self._numbers.setdefault(kind, len(self._names))
            if number == len(self._names):
                self._names.append(kind)
        self._kinds.append(number)
        self.counts[kind] += 1


class _Request(msgspec.Struct):
    subtype: Any = None


class _Tags(msgspec.Struct):
    type: Any = None
    subtype: Any = None
    request: msgspec.Raw = msgspec.Raw()


_tags = msgspec.json.Decoder(_Tags)
_request = msgspec.json.Decoder(_Request)


def _kind(record: Record) -> Kind:
    name = ""
    if record.event is not None:
        name = record.event.event_type
    elif record.has_message and record.verdict != "text":
        name = _name(bytes(record.message))
    return Kind(record.stream, record.verdict or "", name[:_LONGEST_TYPE])


def _name(message: bytes) -> str:
    try:
        tags = _tags.decode(message)
        subtype = tags.subtype
        if tags.type == "control_request":
            subtype = _request.decode(bytes(tags.request)).subtype
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(tags.type, str):
        return ""
    return f"{tags.type}/{subtype}" if isinstance(subtype, str) and subtype else tags.type


def _needles(text: str) -> list[bytes]:
    """Return what to look for in a log's bytes: the text as JSON may spell it, in small letters."""
    if not text:
        return []
    spelled = {json.dumps(text, ensure_ascii=plain)[1:-1] for plain in (True, False)}
    return [one.encode(errors="surrogatepass").lower() for one in spelled]
