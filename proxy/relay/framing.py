r"""Cutting a byte stream into lines, without ever changing, joining or losing a byte that passes.

Rules:

* A line ends at 0x0A and nowhere else: U+2028, U+0085, CR, NUL and invalid UTF-8 are bytes like any other.
* What is released is exactly what was fed, in order: ``b"".join(released) == b"".join(fed)`` once `finish` was
  called, for any bytes and any cuts.
* An unfinished line that may become a message (``hold`` is ``messages``, and it begins like a JSON object) is held
  back until it is whole, so that it can be recorded before its first byte is passed on. Anything else unfinished
  is text that somebody may be waiting for: it is released at once, and recorded when it is whole.
* A line is kept in the chunks that it came in and joined once: linear also for a line of 100 MB.
* A long line that comes by itself is not copied to take its newline off: it is a view of the bytes to pass on.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from proxy.sessions.record import Bodies

    Hold = Literal["nothing", "messages", "everything"]
    """Which unfinished lines are held back until they are whole: none, those that begin like a JSON object, or all."""

MAX_LINE_BYTES = 256 * 1024 * 1024
"""A line longer than this passes whole and is recorded by its beginning (the promise of the log format).

Eight times the largest request that the Messages API takes (32 MB). It is held in memory about twice."""
BEFORE_JSON = b" \t\r\xef\xbb\xbf"
"""What may stand before a JSON object: white space, and the bytes of the byte order mark, which Claude Code takes."""
_COPIED_BYTES = 1024 * 1024  # above, a copy leaves the processor's caches, and costs more than all else

Line = bytes | memoryview
"""A line without its newline."""


def with_newline(line: Line) -> bytes:
    """Return a line as bytes that hold it as JSON: of a view its newline comes along, which is white space there."""
    return line if isinstance(line, bytes) else line.obj  # type: ignore[return-value] # all of it, see `LineFramer`


class Batch:
    """What one read has completed of a stream: lines, their records, and what passes once those are written."""

    __slots__ = ("data", "follow_ups", "held_bytes", "lines", "overlong", "records", "replies")

    def __init__(self, data: bytes = b"", lines: Sequence[Line] = (), overlong: bytes | None = None) -> None:
        """``data`` is what the read has released: the lines' bytes that did not pass before, and what may pass early.

        ``overlong`` is the beginning of a line longer than the limit, which comes before ``lines``.
        """
        self.data = data
        self.lines = lines
        self.overlong = overlong
        self.records: Bodies = ()
        self.replies: Sequence[bytes] = ()
        """Lines, without newlines, that are to be put into the stream of the other direction."""
        self.follow_ups: Sequence[bytes] = ()
        """Lines, without newlines, that are to be put into this stream behind the batch."""
        self.held_bytes = 0
        """Bytes of lines that are not to be passed on."""


class LineFramer:
    """Cuts one stream. Feed it every read, then ask `early` what else may pass."""

    def __init__(self, hold: Hold = "nothing", *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self.hold: Hold = hold
        self._max = max_line_bytes
        self._line: list[bytes] = []  # the unfinished line, in the pieces that it came in
        self._size = 0
        self._held: list[bytes] = []  # its pieces that have not been released
        self._first = b""  # its first byte that is not white space
        self._skipping = False  # in the rest of an overlong line, which is recorded already

    def feed(self, chunk: bytes) -> Batch:
        """Take one read: not empty, and no longer than the limit of a line."""
        if not self._line and not self._skipping and chunk[-1] == 10:  # whole lines: the usual read
            lines = chunk.split(b"\n")
            del lines[-1]
            return Batch(chunk, lines)
        end = chunk.rfind(b"\n") + 1
        if not end:
            return self._feed_unfinished(chunk)
        batch = self._feed_end(chunk, end)
        if end < len(chunk):
            self._add(chunk[end:])
        return batch

    def is_one_line(self, chunk: bytes) -> bool:
        """Tell whether a read is one whole line, so that nothing needs to be cut or kept."""
        return chunk.find(b"\n") == len(chunk) - 1 and not self._line and not self._skipping

    def early(self) -> bytes:
        """Return the bytes of the unfinished line that may pass now, before it is whole."""
        if (
            not self._held
            or self.hold == "everything"
            or (self.hold == "messages" and self._first in (b"{", b""))
        ):
            return b""
        return self._take_held()

    def finish(self) -> tuple[bytes, bytes]:
        """End of stream: return the last, unfinished line and the bytes of it that were not released yet."""
        return self._take_line(), self._take_held()

    def _feed_end(self, chunk: bytes, end: int) -> Batch:
        """Take the part of a read up to its last newline, which ends at ``end``."""
        first = chunk.find(b"\n") + 1
        if self._skipping:
            self._skipping = False
            return Batch(chunk[:end], chunk[first:end].split(b"\n")[:-1])
        if self._size + first - 1 > self._max:
            overlong = (self._take_line() + chunk[: first - 1])[: self._max]
            return Batch(self._take_held(chunk[:end]), chunk[first:end].split(b"\n")[:-1], overlong)
        nothing_released = len(self._held) == len(self._line)
        data = self._take_held(chunk[:end])
        if nothing_released:  # one copy serves both: this is how long messages come
            self._forget_line()
            if first == end and len(data) > _COPIED_BYTES:
                return Batch(data, [memoryview(data)[:-1]])
            return Batch(data, data.split(b"\n")[:-1])
        return Batch(data, [self._take_line(chunk[: first - 1]), *chunk[first:end].split(b"\n")[:-1]])

    def _feed_unfinished(self, chunk: bytes) -> Batch:
        if self._skipping:
            return Batch(chunk)
        self._add(chunk)
        if self._size <= self._max:
            return Batch()
        self._skipping = True
        return Batch(self._take_held(), (), self._take_line()[: self._max])

    def _add(self, piece: bytes) -> None:
        self._line.append(piece)
        self._held.append(piece)
        self._size += len(piece)
        if not self._first:
            self._first = piece.lstrip(BEFORE_JSON)[:1]

    def _take_line(self, end: bytes = b"") -> bytes:
        """Return the unfinished line, with ``end`` added, and forget it."""
        line = b"".join((*self._line, end))
        self._forget_line()
        return line

    def _forget_line(self) -> None:
        self._line = []
        self._size, self._first = 0, b""

    def _take_held(self, end: bytes = b"") -> bytes:
        """Return what of the unfinished line was not released, with ``end`` added, and forget it."""
        held, self._held = self._held, []
        return b"".join((*held, end))
