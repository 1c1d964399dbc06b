"""Pages of a session's records: by number, kind and text.

By number and kind a page is found by a binary search over the session's pieces. A text is looked for piece by piece,
as far as the time goes that whoever asks has; what was found is kept, and gone on with (see `Search`).
"""

import json
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from proxy.store.pieces import NO_RECORD, Body, Kind, Kinds, Piece, Pieces, Row, rows_of

_CONTENT = re.compile(rb'"(?:message|raw|raw_base64|event)":')


class RecordQuery(msgspec.Struct, frozen=True, kw_only=True):
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

    def count(self, kinds: Kinds) -> int:
        """Return how many of the lines are of a kind that is wanted."""
        return sum(count for kind, count in kinds.items() if self.takes(kind))


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the records that fit are wanted, oldest first."""

    limit: int
    offset: int = 0
    """Behind so many others that fit, within the numbers."""
    from_seq: int | None = None
    to_seq: int | None = None
    """Inclusive, as the first."""

    def begin(self, low: int, high: int) -> int:
        """Return where it begins, of those that fit from ``low`` to ``high``."""
        return min(low + self.offset, max(low, high))


class RecordPage(NamedTuple):
    """Some of the records that were asked for."""

    rows: list[Row]
    position: int
    """How many of the records that fit the query lie before the first of these."""
    total: int
    """Records that fit the query: of those that were looked at."""
    searched: int
    """Records of the log that were looked at."""
    is_complete: bool
    """Whether those were all that there are now."""
    kinds: Kinds
    """How many records of each kind there are."""


class _Reader:
    """Reads pieces of a session, each once."""

    def __init__(self, pieces: Pieces) -> None:
        self.pieces = pieces
        self.at = cache(pieces.at)
        self._rows: tuple[int, list[Row]] = (-1, [])

    def rows(self, piece: Piece) -> list[Row]:
        if self._rows[0] != piece.number:
            self._rows = piece.number, list(rows_of(piece, self.pieces.body(piece)))
        return self._rows[1]

    def last_before(self, value: int, key: Callable[[Piece], int]) -> Piece:
        """Return the last piece whose key is not above a value; the first one where there is none."""
        numbers = range(self.pieces.count)
        return self.at(bisect_right(numbers, value, lo=1, key=lambda number: key(self.at(number))) - 1)


def page_of_records(pieces: Pieces, query: RecordQuery, part: Part) -> RecordPage:
    """Return a page of the records of some kinds.

    OSError when the log cannot be read, StoreError when the store cannot be used.
    """
    if not pieces.count:
        return RecordPage([], 0, 0, 0, pieces.is_complete, Kinds())
    reader = _Reader(pieces)
    kinds = reader.at(pieces.count - 1).kinds_through
    low = 0 if part.from_seq is None else _rank(reader, query, part.from_seq)
    high = query.count(kinds) if part.to_seq is None else _rank(reader, query, part.to_seq + 1)
    first = part.begin(low, high)
    rows: list[Row] = []
    end = min(high, first + part.limit)
    while first + len(rows) < end:
        place = first + len(rows)
        piece = reader.last_before(place, lambda one: query.count(one.kinds_before))
        fitting = [row for row in reader.rows(piece) if query.takes(row.kind)]
        before = query.count(piece.kinds_before)
        if place >= before + len(fitting):
            raise OSError(0, "The log is not what it was when it was read first.")
        rows += fitting[place - before : end - before]
    return RecordPage(rows, first, max(0, high - low), kinds.total(), pieces.is_complete, kinds)


def find_record(pieces: Pieces, seq: int) -> Row | None:
    """Return the record of that number, None where there is none. Errors as by `page_of_records`."""
    if not pieces.count:
        return None
    reader = _Reader(pieces)
    # Of several records with one number the first is meant: it may be in an earlier piece.
    piece = reader.last_before(seq - 1, lambda one: one.seq)
    while True:
        for row in reader.rows(piece):
            if row.seq == seq and row.kind.stream != NO_RECORD:
                return row
            if row.seq > seq:
                return None
        if piece.number + 1 >= pieces.count:
            return None
        piece = reader.at(piece.number + 1)


def _rank(reader: _Reader, query: RecordQuery, seq: int) -> int:
    """Return how many of the wanted records have a lower number."""
    piece = reader.last_before(seq - 1, lambda one: one.seq)
    if piece.seq >= seq:
        return query.count(piece.kinds_before)
    if piece.last_seq < seq:
        return query.count(piece.kinds_through)
    within = sum(row.seq < seq and query.takes(row.kind) for row in reader.rows(piece))
    return query.count(piece.kinds_before) + within


class Search:
    """Which lines of a session hold a text, as far as they were looked through."""

    def __init__(self) -> None:
        self.pieces = 0
        """Full pieces that were looked through."""
        self.searched = 0
        """Lines that were looked through, of the last piece too."""
        self._lines, self._seqs = array("Q"), array("Q")
        self._of_full = 0

    def add(self, piece: Piece, found: Sequence[tuple[int, int]]) -> None:
        """Take in the next piece: which of its lines hold the text, and the number of each one's record."""
        del self._lines[self._of_full :], self._seqs[self._of_full :]
        for line, seq in found:
            self._lines.append(piece.line + line)
            self._seqs.append(seq)
        self.searched = piece.line + piece.lines
        if piece.is_full:
            self.pieces, self._of_full = piece.number + 1, len(self._lines)

    def page(self, pieces: Pieces, part: Part) -> RecordPage:
        """Return a page of what was found so far; as `page_of_records`."""
        reader = _Reader(pieces)
        low = 0 if part.from_seq is None else bisect_left(self._seqs, part.from_seq)
        high = len(self._seqs) if part.to_seq is None else bisect_left(self._seqs, part.to_seq + 1)
        first = part.begin(low, high)
        rows = []
        for line in self._lines[first : max(first, min(first + part.limit, high))]:
            piece = reader.last_before(line, lambda one: one.line)
            rows.append(reader.rows(piece)[line - piece.line])
        kinds = reader.at(pieces.count - 1).kinds_through if pieces.count else Kinds()
        is_complete = pieces.is_complete and self.searched >= kinds.total()
        return RecordPage(rows, first, max(0, high - low), self.searched, is_complete, kinds)


def matching_lines(work: Sequence[tuple[Piece, Body]], query: RecordQuery) -> list[list[tuple[int, int]]]:
    """Return, for each piece, which of its lines hold the query's text, and the number of each one's record.

    OSError when a log cannot be read.
    """
    return [[(line, row.seq) for line, row in matching_rows(piece, body, query)] for piece, body in work]


def matching_rows(piece: Piece, body: Body, query: RecordQuery) -> Iterator[tuple[int, Row]]:
    """Yield those lines of a piece that hold the query's text, each with its place in the piece. Errors as above."""
    needles = _needles(query.text)
    if not query.count(piece.kinds) or not _may_hold(body, needles):
        return
    for line, row in enumerate(rows_of(piece, body)):
        if query.takes(row.kind) and _holds(row.line, needles):
            yield line, row


def _may_hold(body: Body, needles: Sequence[bytes]) -> bool:
    whole = body.text().lower()
    return any(needle in whole for needle in needles)


def _holds(line: bytes, needles: Sequence[bytes]) -> bool:
    content = _CONTENT.search(line)
    start = content.end() if content else 0
    lower = line.lower()
    return any(lower.find(needle, start) >= 0 for needle in needles)


def _needles(text: str) -> list[bytes]:
    """Return what to look for in a log's bytes: the text as JSON may have it, in small letters."""
    encoded = {json.dumps(text, ensure_ascii=plain)[1:-1] for plain in (True, False)}
    return [one.encode(errors="surrogatepass").lower() for one in encoded]
