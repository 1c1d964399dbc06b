r"""Reads session logs: whole, from an offset, or as they grow.

Rules it lives by:

* A line ends at byte 0x0A and nowhere else. What stands after the last newline is no record yet: in a log whose
  writer is gone it is *torn*, in a growing one it is simply not there yet.
* Every line becomes either an `Entry` or a `Skipped`, never an exception: what cannot be read is reported with its
  place and the reading goes on. A session must be readable after whatever happened to it.
* A message comes as the bytes that passed (`Record.message`); it is decoded only when somebody asks (`Record.value`).
* Memory is bounded by the longest line. Lines beyond `MAX_LINE` are skipped; the writer makes none.
"""

import base64
import json
import os
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self

import msgspec

from proxy.protocol import grammar
from proxy.sessions.record import FORMAT

MAX_LINE = 1 << 30
"""Longest line that is taken for a record, in bytes: the longest recorded line (256 MiB) with room for escapes."""
LARGEST_SEQ = 10**15 - 1
"""Largest number of a record that is taken for one: no session comes near it, and every database can hold it."""
_CHUNK = 1 << 18  # several times what a pipe or the page cache hands over at once

Reason = Literal["torn", "foreign", "future"]
"""`torn`: the end of a line is missing; `foreign`: no record; `future`: of a newer format than this reader knows."""


class RecordedEvent(msgspec.Struct, frozen=True):
    """What a `proxy` or `api` record tells."""

    event_type: str
    data: dict[str, Any] = {}


class Source(msgspec.Struct, frozen=True):
    """Where a recorded line was read: its file, and where in it."""

    file: str
    offset: int
    length: int


class Record(msgspec.Struct, frozen=True):
    """One record of a log; what the fields mean is said where the format is (``record``)."""

    seq: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SEQ)]
    ts: str
    session_id: str
    stream: str
    verdict: str | None = None
    message: msgspec.Raw = msgspec.Raw()
    raw: str | None = None
    raw_base64: str | None = None
    errors: list[dict[str, Any]] = []
    redacted: list[str] = []
    truncated: bool = False
    forwarded: bool = True
    origin: str | None = None
    action_id: str | None = None
    eol: str | None = None
    bom: bool = False
    event: RecordedEvent | None = None
    source: Source | None = None

    @property
    def has_message(self) -> bool:
        """Whether the line is recorded as JSON."""
        return memoryview(self.message).nbytes > 0

    def value(self) -> Any:
        """Return the message decoded, None when there is none. Lone surrogates and huge numbers are kept."""
        if not self.has_message:
            return None
        try:
            return msgspec.json.decode(self.message)
        except grammar.REFUSALS:
            return json.loads(bytes(self.message))

    def line(self) -> bytes:
        """Return the line as it passed, without its newline (and with the credentials that were taken out gone)."""
        if self.raw is not None:
            return self.raw.encode("utf-8", "surrogatepass")
        if self.raw_base64 is not None:
            return base64.b64decode(self.raw_base64)
        start = b"\xef\xbb\xbf" if self.bom else b""
        return start + bytes(self.message) + (self.eol or "").encode().removesuffix(b"\n")


class Entry(NamedTuple):
    """A record and the bytes of the file that it takes: from `offset` up to `end`, its newline included."""

    record: Record
    offset: int
    end: int


class Skipped(NamedTuple):
    """A piece of the file that is no record, and why."""

    reason: Reason
    offset: int
    end: int
    detail: str


_decoder = msgspec.json.Decoder(Record)


class LogReader:
    """Reads one log forward and goes on where it stopped, as the file grows. Holds the file open until `close`."""

    def __init__(self, path: str, offset: int = 0) -> None:
        """``offset``: where a record begins. OSError when the file cannot be opened."""
        self.path = path
        self.offset = offset
        """Where the first byte is that has not been read as part of a whole line."""
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.is_future = offset > 0 and self._begins_in_future()
        """Whether the log, as far as it was read, is of a newer format than this reader knows."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor of the file, which stays ours."""
        return self._fd

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self, max_bytes: int | None = None) -> Iterator[Entry | Skipped]:
        """Yield every whole line that there is now; `offset` is behind the one that was yielded last.

        ``max_bytes``: stop at the first end of a line beyond so many bytes.
        """
        limit = None if max_bytes is None else self.offset + max_bytes
        parts: list[bytes] = []
        held = 0
        while chunk := os.pread(self._fd, _CHUNK, self.offset + held):
            newline = chunk.rfind(b"\n")
            if newline < 0:
                held += len(chunk)
                if held > MAX_LINE:
                    yield self._skip_overlong(held)
                    parts, held = [], 0
                else:
                    parts.append(chunk)
                continue
            whole = b"".join((*parts, chunk[:newline]))
            parts, held = [], 0
            for line in whole.split(b"\n"):
                start = self.offset
                self.offset = start + len(line) + 1
                yield self._item(line, start)
            if limit is not None and self.offset >= limit:
                return

    def rest(self) -> Skipped | None:
        """Return what stands behind the last whole line: nothing, or a torn line (if the writer is gone)."""
        size = os.fstat(self._fd).st_size
        if size <= self.offset:
            return None
        missing = "The last line has no end; its writer died or could not write on."
        return Skipped("torn", self.offset, size, missing)

    def is_current(self) -> bool:
        """Tell whether `path` still is the file that is being read, and that file still as long as what was read."""
        own = os.fstat(self._fd)
        try:
            there = os.stat(self.path)
        except OSError:
            return False
        return os.path.samestat(there, own) and own.st_size >= self.offset

    def _item(self, line: bytes, start: int) -> Entry | Skipped:
        record = parse(line)
        if isinstance(record, str):
            return Skipped("foreign", start, self.offset, record)
        if (newer := _format(record)) is not None:
            self.is_future = newer > FORMAT
        if self.is_future:
            newest = f"The log is of a newer format than {FORMAT}; a newer claude-proxy reads it."
            return Skipped("future", start, self.offset, newest)
        return Entry(record, start, self.offset)

    def _skip_overlong(self, held: int) -> Skipped:
        start, self.offset = self.offset, self.offset + held
        while chunk := os.pread(self._fd, _CHUNK, self.offset):
            head, newline, _ = chunk.partition(b"\n")
            self.offset += len(head) + len(newline)
            if newline:
                break
        return Skipped("foreign", start, self.offset, f"The line is longer than {MAX_LINE} bytes.")

    def _begins_in_future(self) -> bool:
        """Tell whether the first record, which is before our offset, is of a newer format."""
        first = os.pread(self._fd, _CHUNK, 0).partition(b"\n")[0]
        record = parse(first)
        return not isinstance(record, str) and is_future(record)


def parse(line: bytes) -> Record | str:
    """Return the record that a line is, with its newline or without, or a sentence that says why it is none."""
    try:
        return _decoder.decode(line)
    except grammar.REFUSALS:
        return _decoded_with_care(line.removesuffix(b"\n"))


def read_items(lines: Sequence[bytes], offset: int = 0) -> Iterator[Entry | Skipped]:
    """Yield what lines are, each given with its newline; ``offset``: where the first of them begins in its log."""
    for line in lines:
        record, end = parse(line), offset + len(line)
        yield (
            Skipped("foreign", offset, end, record) if isinstance(record, str) else Entry(record, offset, end)
        )
        offset = end


def is_future(record: Record) -> bool:
    """Tell whether a record begins a log of a newer format than this reader knows."""
    return (_format(record) or 0) > FORMAT


def read_log(path: str, offset: int = 0) -> Iterator[Entry | Skipped]:
    """Yield everything that is in a log now, a torn last line included. OSError when it cannot be opened."""
    with LogReader(path, offset) as reader:
        yield from reader.read()
        if torn := reader.rest():
            yield torn


def _format(record: Record) -> int | None:
    if record.stream != "proxy" or record.event is None or record.event.event_type != "session_started":
        return None
    version = record.event.data.get("format", FORMAT)
    return version if isinstance(version, int) else FORMAT + 1


def _decoded_with_care(line: bytes) -> Record | str:
    """Return the record of a line that the decoder refused for its lone surrogates, or why it is none."""
    if not line.strip():
        return "The line is empty."
    try:
        # The replacement is as long as what it replaces, so the message can be cut from the line itself.
        neutral = grammar.without_lone_surrogates(line)
        record = _decoder.decode(neutral)
        if not record.has_message:
            # Only in a message are they evidence; elsewhere the record's own decoding would give the same.
            return record
        start, length = neutral.find(bytes(record.message)), len(bytes(record.message))
        return msgspec.structs.replace(record, message=msgspec.Raw(line[start : start + length]))
    except msgspec.ValidationError as error:
        return f"The line is no record: {error}."
    except grammar.REFUSALS as error:
        return f"The line is not JSON: {error}."
