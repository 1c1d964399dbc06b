"""What the lines of a transcript are, and which of them a session's log gets: pure, bytes in, record bodies out.

Claude Code appends one JSON object a line to ``<config>/projects/<folder>/<session id>.jsonl``. Rules for reading it:

* Only whole lines count, but for the last one when nothing more can come.
* A file that was there before the session is read from where it ended then. Where that is not known, and in a new
  file that begins with a copy of an older conversation (``--fork-session``), lines older than the session are history:
  they are counted, and are in the log of the session that they are from. Lines without a time go with the next line
  that has one.
* What Claude Code keeps of its own requests (`SNAPSHOTS`) repeats the conversation many times over: counted, left out.
* Every other line is recorded byte for byte, whatever it is.
"""

import json
from datetime import UTC, datetime, timedelta

from proxy.protocol import is_json_object  # first: it imports msgspec without what that does as well without

# isort: split
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from proxy.redaction import Redactor
from proxy.sessions.record import Body, StreamRecords, lifecycle

Why = Literal["new", "continued", "cleared", "forked", "subagent"]

SNAPSHOTS = frozenset(
    ["api-request", "api-request-shape", "api-request-blob", "atis-latch", "file-history-snapshot"]
)
"""Types of lines that are left out, and with them attachments of the type ``prompt_snapshot``."""
_PIECE = 1 << 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Attachment(msgspec.Struct):
    type: str = ""


class Head(msgspec.Struct, rename="camel"):
    """What has to be known of a line to place it."""

    type: str = ""
    timestamp: str | None = None
    uuid: str | None = None
    parent_uuid: str | None = None
    attachment: _Attachment | None = None

    @property
    def at_us(self) -> int | None:
        """When Claude Code wrote it, in microseconds since 1970; None: it does not say."""
        return timestamp_us(self.timestamp or "")

    @property
    def is_snapshot(self) -> bool:
        """Whether it is left out of the log."""
        attached = "" if self.attachment is None else self.attachment.type
        return self.type in SNAPSHOTS or attached == "prompt_snapshot"


_head = msgspec.json.Decoder(Head)


class Transcript(msgspec.Struct):
    """One transcript of a session, and how far it is read.

    `take` moves it on; whoever cannot record what that gave goes back to a copy and takes it again.
    """

    session_id: str
    file: str
    """Relative to Claude Code's configuration folder."""
    claude_session_id: str
    why: Why
    redactor: Redactor
    boundary_us: int
    """History is what is older."""
    about: dict[str, Any] = {}
    """What else is said of it in the log."""
    offset: int = 0
    recorded_lines: int = 0
    skipped_lines: int = 0
    skipped_bytes: int = 0
    last_us: int = 0
    """When its newest recorded line was written, in microseconds since 1970."""
    is_opened: bool = False
    is_over: bool = False
    """Whether nothing more of it is the session's."""
    _history_lines: int = 0
    _is_decided: bool = False  # whether it is known how the part that is read begins
    _in_history: bool = False

    def begin_at(self, offset: int, *, is_exact: bool) -> None:
        """Begin to read somewhere; ``is_exact``: history ends there, whatever the lines say."""
        self.offset, self._is_decided = offset, is_exact

    @property
    def is_subagent(self) -> bool:
        """Whether it is a subagent's."""
        return self.why == "subagent"

    def take(
        self, data: bytes, *, is_last: bool = False, is_mine: Callable[[Head], bool] | None = None
    ) -> list[Body]:
        """Return the record bodies that the bytes from `offset` on give.

        ``is_last``: nothing more will come behind them. ``is_mine`` is asked where another process writes to the file.
        """
        lines = [(line, _head_of(line)) for line in _lines(data, is_last)]
        if not self._is_decided and not self._decide([head for _, head in lines], is_last):
            return []
        bodies: list[Body] = []
        for line, head in lines:
            start, self.offset = self.offset, self.offset + len(line)
            if self._in_history and self._is_history(line, head):
                continue
            if not self.is_opened:
                bodies.append(self._opened(start))
            if head.is_snapshot:
                self.skipped_lines += 1
                self.skipped_bytes += len(line)
            elif is_mine is None or is_mine(head):
                self.recorded_lines += 1
                self.last_us = max(self.last_us, head.at_us or 0)
                bodies.append(self._record(line, start))
        if not self.is_opened and not self._in_history:
            bodies.append(self._opened(self.offset))
        return bodies

    def _decide(self, heads: list[Head], is_last: bool) -> bool:
        """Tell by the first line with a time whether what is read begins with history."""
        first_us = next((at_us for head in heads if (at_us := head.at_us) is not None), None)
        if first_us is None and not is_last:
            return False
        self._is_decided = True
        is_older = first_us is not None and first_us < self.boundary_us
        # What has no time may be left over from before.
        self._in_history = is_older or self.why == "continued"
        if is_older and self.why not in ("continued", "subagent"):
            self.why = "forked"
        return bool(heads)

    def _is_history(self, line: bytes, head: Head) -> bool:
        at_us = head.at_us
        if at_us is not None and at_us >= self.boundary_us:
            self._in_history = False
            return False
        self._history_lines += 1
        if head.type == "cost-state":
            self.about["cost_before"] = _cost(line)
        return True

    def _opened(self, offset: int) -> Body:
        self.is_opened = True
        data = {
            "file": self.file,
            "offset": offset,
            "claude_session_id": self.claude_session_id,
            "why": self.why,
            "history_lines": self._history_lines,
            **self.about,
        }
        return lifecycle(self.session_id, "transcript_opened", data)

    def _record(self, line: bytes, offset: int) -> Body:
        source = (self.file, offset, len(line))
        text = line.removesuffix(b"\n")
        records = StreamRecords(self.session_id, "transcript")
        if is_json_object(text):
            text, redacted = self.redactor.message(text)
            return records.message(text, None, redacted=redacted, source=source)
        clean = self.redactor.text(text)
        return records.text(clean, None, truncated=text is line, redacted=clean != text, source=source)


def timestamp_us(text: str) -> int | None:
    """Return the microseconds since 1970 of an RFC 3339 timestamp; None: it is none."""
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, TypeError, OverflowError):
        return None


def end_of_history(read: Callable[[int, int], bytes], start: int, end: int, boundary_us: int) -> int:
    """Return where, between two places of a file, the last line ends that is older than the session.

    ``read`` gives so many bytes (first) from a place on (second), as ``os.pread`` does. The file is read from its end
    backwards, and only as far as it is new.
    """
    tail, place = b"", end
    while place > start:
        length = min(max(_PIECE, len(tail)), place - start)
        place -= length
        tail = read(length, place) + tail
        # What stands before the first newline may be the end of a line that begins farther ahead.
        head, newline, whole = (b"", b"", tail) if place == start else tail.partition(b"\n")
        behind = place + len(head) + len(newline)
        lines = list(_lines(whole, is_last=False))
        stops = behind + sum(map(len, lines))
        for line in reversed(lines):
            at_us = _head_of(line).at_us
            if at_us is not None and at_us < boundary_us:
                return stops
            stops -= len(line)
    return start


def last_cost(tail: bytes) -> dict[str, Any] | None:
    """Return the last total of costs that the end of a transcript holds."""
    for line in reversed(tail.split(b"\n")):
        if b'"cost-state"' in line and _head_of(line).type == "cost-state":
            return _cost(line)
    return None


def _cost(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return {key: said[key] for key in ("totalCostUSD", "modelUsage") if key in said}


def _lines(data: bytes, is_last: bool) -> Iterator[bytes]:
    """Yield the lines with their newlines; what has none only if it is the last."""
    place = 0
    while (end := data.find(b"\n", place) + 1) > 0:  # one copy of a long line, where `split` needs two
        yield data[place:end]
        place = end
    if is_last and place < len(data):
        yield data[place:]


def _head_of(line: bytes) -> Head:
    """Return what a line says of itself; an empty head for what says nothing that is understood."""
    try:
        return _head.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Head()
