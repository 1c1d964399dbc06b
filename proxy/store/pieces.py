"""The records of a session, cut into pieces: any of them is found by its number, kind or text, however long the log is.

A piece is some consecutive lines. What is known of each are the number of its first line and first record, and how
many lines of each kind are in it and before it; so a page is found by a binary search, and only the pieces that hold
its records are read.

A line that is no record is counted and given like one, with the reason: what is wrong with a log can be seen.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, Self

import msgspec

from proxy.protocol.grammar import REFUSALS
from proxy.sessions.reader import Entry, Record, Skipped, parse

NO_RECORD = "log"
"""Stands for the stream of a line that is no record; its type is the reason."""

PIECE_BYTES, PIECE_LINES = 1 << 18, 1024
"""What ends a piece: reading one takes some milliseconds at most, unless a single line is longer."""
_MOST_KINDS = 2000
"""Of a session: a stream of types that somebody made up must not fill the store."""
_LONGEST_TYPE = 100  # characters: longer than any type of the protocol


class Kind(NamedTuple):
    """What a record can be asked for by."""

    stream: str
    verdict: str
    """Empty where there is none."""
    type: str
    """Of a message with its subtype (``system/init``), or of an event; empty for text."""


Kinds = Counter[Kind]
"""How many lines there are of each kind."""


class Row(NamedTuple):
    """One line of a log."""

    seq: int
    """Its record's number; of a line that is no record, that of the record before."""
    kind: Kind
    line: bytes
    """Without its newline."""


class Piece(msgspec.Struct):
    """Some consecutive lines of a log."""

    number: int
    """0, 1, 2, ... within the session."""
    offset: int
    """Where its first line begins in the log."""
    line: int = 0
    """How many lines are before it."""
    seq: int = 0
    """The number of its first record. Where somebody has made numbers fall, the largest so far counts."""
    end: int = 0
    """Where the line behind its last one begins."""
    last_seq: int = 0
    kinds_before: Kinds = msgspec.field(default_factory=Counter)
    kinds: Kinds = msgspec.field(default_factory=Counter)

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return self.kinds.total()

    @property
    def is_full(self) -> bool:
        """Whether the next line begins another piece."""
        return self.end - self.offset >= PIECE_BYTES or self.lines >= PIECE_LINES

    @property
    def kinds_through(self) -> Kinds:
        """How many lines of each kind there are up to its end."""
        return self.kinds_before + self.kinds

    def next(self) -> "Piece":
        """Return the piece behind it, with nothing in it yet."""
        line, end, seq = self.line + self.lines, self.end, self.last_seq
        return Piece(self.number + 1, end, line, seq, end, seq, self.kinds_through)

    def row(self) -> tuple[int | bytes, ...]:
        """Return its fields as a store keeps them."""
        *numbers, before, kinds = msgspec.structs.astuple(self)
        return *numbers, _encode_kinds(before), _encode_kinds(kinds)

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Self:
        """Return the piece that a store keeps."""
        number, offset, line, seq, end, last_seq, before, kinds = row
        return cls(number, offset, line, seq, end, last_seq, _decode_kinds(before), _decode_kinds(kinds))


class Body(Protocol):
    """Where the lines of a piece are to be had; can be sent to another process."""

    @property
    def is_future(self) -> bool:
        """Whether the log is of a newer format than this program knows."""

    def text(self) -> bytes:
        """Return the lines as they stand; what follows them may be behind. OSError when they cannot be read."""


class Pieces(Protocol):
    """The pieces of one session, as they are at one moment. StoreError where the store cannot be used."""

    filling: object
    """Another one when the session was interpreted anew: places in what was there before mean nothing."""
    count: int
    """How many there are."""
    is_complete: bool
    """Whether they hold everything that is recorded now."""

    def at(self, number: int) -> Piece:
        """Return a piece."""

    def body(self, piece: Piece) -> Body:
        """Return where its lines are. OSError when the log cannot be read."""


class Cutter:
    """Cuts the lines of one log into pieces."""

    def __init__(self, last: Piece | None = None) -> None:
        """``last``: the piece to go on with."""
        self._last = last or Piece(0, 0)
        self._lines = self._last.lines
        self._known = set(self._last.kinds_through)
        self._changed: dict[int, Piece] = {}

    @property
    def number(self) -> int:
        """The piece that the newest line is in."""
        return self._last.number

    def add(self, item: Entry | Skipped) -> None:
        """Take the next line."""
        piece = self._last
        if self._lines >= PIECE_LINES or piece.end - piece.offset >= PIECE_BYTES:
            self._changed[piece.number] = piece
            piece = self._last = piece.next()
            self._lines = 0
        kind = _kind_of(item)
        if kind not in piece.kinds:
            if kind not in self._known and len(self._known) >= _MOST_KINDS:
                kind = kind._replace(type="")
            self._known.add(kind)
        piece.kinds[kind] += 1
        piece.end = item.end
        if isinstance(item, Entry):
            piece.last_seq = max(piece.last_seq, item.record.seq)
        if self._lines == 0:
            piece.seq = piece.last_seq
        self._lines += 1

    def take_changed(self) -> list[Piece]:
        """Return the pieces that are new or have grown since this was asked last."""
        changed, self._changed = list(self._changed.values()), {}
        return [*changed, self._last] if self._lines else changed


def rows_of(piece: Piece, body: Body) -> Iterator[Row]:
    """Yield the lines of a piece with what they are. OSError when they cannot be read."""
    seq = piece.seq
    for line in _lines_of(piece, body):
        record = parse(line)
        if isinstance(record, str):
            yield Row(seq, Kind(NO_RECORD, "", "foreign"), line)
        elif body.is_future:
            yield Row(seq, Kind(NO_RECORD, "", "future"), line)
        else:
            seq = max(seq, record.seq)
            kind = _kind_of_record(record)
            yield Row(seq, kind if kind in piece.kinds else kind._replace(type=""), line)


def text_of(pieces: Pieces) -> Iterator[bytes]:
    """Yield the whole lines of a log, byte for byte, piece after piece. OSError when they cannot be read."""
    for piece in map(pieces.at, range(pieces.count)):
        yield b"".join(line + b"\n" for line in _lines_of(piece, pieces.body(piece)))


def _lines_of(piece: Piece, body: Body) -> list[bytes]:
    return body.text().split(b"\n")[:-1][: piece.lines]


def _encode_kinds(kinds: Kinds) -> bytes:
    """Return counts as JSON."""
    return msgspec.json.encode([(*kind, count) for kind, count in kinds.items()])


def _decode_kinds(text: bytes) -> Kinds:
    """Return counts from JSON."""
    return Counter({Kind(*kind): count for *kind, count in json.loads(text)})


class _Request(msgspec.Struct):
    subtype: Any = None


class _Tags(msgspec.Struct):
    type: Any = None
    subtype: Any = None
    request: msgspec.Raw = msgspec.Raw()


_tags = msgspec.json.Decoder(_Tags)
_request = msgspec.json.Decoder(_Request)


def _kind_of(item: Entry | Skipped) -> Kind:
    if isinstance(item, Skipped):
        return Kind(NO_RECORD, "", item.reason)
    return _kind_of_record(item.record)


def _kind_of_record(record: Record) -> Kind:
    """Return what a record can be asked for by."""
    name = ""
    if record.event is not None:
        name = record.event.event_type
    elif record.has_message and record.verdict != "text":
        name = _type_of(record.message)
    return Kind(record.stream, record.verdict or "", name[:_LONGEST_TYPE])


def _type_of(message: msgspec.Raw) -> str:
    try:
        tags = _tags.decode(message)
        subtype = tags.subtype
        if tags.type == "control_request":
            subtype = _request.decode(tags.request).subtype
    except REFUSALS:
        return ""
    if not isinstance(tags.type, str):
        return ""
    return f"{tags.type}/{subtype}" if isinstance(subtype, str) and subtype else tags.type
