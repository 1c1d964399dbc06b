"""The record format, version 1: how one line of a session log is encoded.

A record is one JSON object on one line. Its head (``seq``, ``ts``) is given by the writer at the moment of
writing; everything after it is a `Body`, made here. A message is spliced into its body byte for byte, never
decoded and encoded again, so that a log is evidence.

    {"seq":7,"ts":"...Z","session_id":"...","stream":"stdout","verdict":"valid","message":{...}}
     `------- head, by the writer -------' `--------------------- body ------------------------'
"""

from __future__ import annotations

import time

# What `json` is made of: with the rest of it come its reader and `re`, for which a session would wait.
from _json import encode_basestring, make_encoder
from binascii import b2a_base64

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its log
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.protocol import Violation

FORMAT = 1
"""Version of the format, in the ``session_started`` record."""

Body = tuple["bytes | memoryview", ...]
"""What follows a record's head: prefix, the line in one or more parts, suffix. So a long line is never copied."""


class Alike:
    """The bodies of lines whose records differ in nothing but the line: how most reads of a busy session are."""

    __slots__ = ("lines", "prefix", "size")

    def __init__(self, prefix: bytes, lines: Sequence[bytes | memoryview], size: int) -> None:
        """``size``: the bytes of all lines together."""
        self.prefix = prefix
        self.lines = lines
        self.size = size

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[Body]:
        return ((self.prefix, line, END) for line in self.lines)


if TYPE_CHECKING:
    Bodies = Sequence[Body] | Alike

END = b"}\n"
LONGEST_HEAD = 400
"""Bytes in which ``stream`` stands, and ``event_type``: 60 are the writer's head, 128 the longest id of a session."""
_PIECE = 64 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class StreamRecords:
    """Encodes the records of one stream (``stdin``, ``stdout``, ``stderr``) of one session."""

    def __init__(self, session_id: str, stream: str) -> None:
        self._head = f'"session_id":"{session_id}","stream":"{stream}",'.encode()
        self.valid = self._head + b'"verdict":"valid","message":'
        """Prefix of the body of a valid message: the most frequent one."""

    def message(
        self,
        line: bytes | memoryview,
        verdict: str | None,
        errors: Sequence[Violation] = (),
        redacted: Sequence[str] = (),
        *,
        held_back: bool = False,
        from_proxy: bool = False,
        action_id: str | None = None,
        source: tuple[str, int, int] | None = None,
    ) -> Body:
        r"""Return the body for a line that is JSON.

        ``redacted``: JSON pointers into the message. ``held_back``: the line was not passed on. ``from_proxy``:
        the line was written by claude-proxy itself, as an answer for a line that it held back. ``source``: file,
        offset and length of a line that was read from a file.

        A carriage return at the end (CRLF) goes to the field ``eol``: a bare 0x0D inside the record would be
        taken for the end of a line by readers with universal newlines. A byte order mark, which is no part of JSON,
        goes to the field ``bom``.
        """
        suffix = b""
        if line[:3] == _BYTE_ORDER_MARK:
            suffix = b',"bom":true'
            line = line[3:]
        if line[-1:] == b"\r":
            end = len(line)
            while line[end - 1 : end] == b"\r":
                end -= 1
            suffix += b',"eol":' + encode_json("\r" * (len(line) - end) + "\n")
            line = line[:end]
        if errors:
            suffix += b',"errors":' + encode_json([_error(error) for error in errors])
        if redacted:
            suffix += b',"redacted":' + encode_json([f"/message{pointer}" for pointer in redacted])
        if held_back:
            suffix += b',"forwarded":false'
        if from_proxy:
            suffix += b',"origin":"claude-proxy"'
        if action_id:
            suffix += b',"action_id":' + encode_json(action_id)
        return self._judged(verdict, source) + b'"message":', line, suffix + END

    def text(
        self,
        line: bytes | memoryview,
        verdict: str | None,
        errors: Sequence[Violation] = (),
        *,
        truncated: bool = False,
        held_back: bool = False,
        redacted: bool = False,
        source: tuple[str, int, int] | None = None,
    ) -> Body:
        """Return the body for a line that is not JSON.

        ``truncated``: it had no newline, or was cut. ``redacted``: something in it was replaced.
        """
        field = "raw"
        try:
            parts = _encoded(line)
        except UnicodeDecodeError:
            field, parts = "raw_base64", [b2a_base64(line, newline=False)]
        suffix = b'"'
        if errors:
            suffix += b',"errors":' + encode_json([_error(error) for error in errors])
        if redacted:
            suffix += b',"redacted":["/%b"]' % field.encode()
        if truncated:
            suffix += b',"truncated":true'
        if held_back:
            suffix += b',"forwarded":false'
        return b'%b"%b":"' % (self._judged(verdict, source), field.encode()), *parts, suffix + END

    def _judged(self, verdict: str | None, source: tuple[str, int, int] | None) -> bytes:
        head = self._head if verdict is None else b'%b"verdict":"%b",' % (self._head, verdict.encode())
        if source is None:
            return head
        place = dict(zip(("file", "offset", "length"), source, strict=True))
        return b'%b"source":%b,' % (head, encode_json(place))


def lifecycle(session_id: str, event_type: str, data: object, redacted: Sequence[str] = ()) -> Body:
    """Return the body of a record about the session itself (``stream`` is ``proxy``)."""
    head = f'"session_id":"{session_id}","stream":"proxy","event":'.encode()
    pointers = [f"/event/data{pointer}" for pointer in redacted]
    suffix = b',"redacted":' + encode_json(pointers) if pointers else b""
    return head, encode_json({"event_type": event_type, "data": data}), suffix + END


def may_be_lifecycle(line: bytes) -> bool:
    """Tell whether a record can be one about the session itself, which it is not where its ``stream`` is another."""
    return line.find(b'"stream":"proxy"', 0, LONGEST_HEAD) > 0


class Clock:
    """Gives each record its ``seq`` and ``ts``: no gaps, strictly increasing, whatever the system clock does."""

    def __init__(self) -> None:
        self.seq = 0
        self.last_us = 0
        """The timestamp of the newest record: microseconds since the epoch."""
        self._second_us = -1_000_000  # when the second of the newest record began, in the same way
        self._prefix = b""  # its timestamp up to the decimal point

    def head(self) -> bytes:
        """Return the beginning of the next record: ``{"seq":7,"ts":"...Z",``."""
        now = time.time_ns() // 1000
        if now <= self.last_us:
            now = self.last_us + 1
        self.last_us = now
        micro = now - self._second_us
        if micro >= 1_000_000:
            micro = self._begin_second(now)
        seq = self.seq
        self.seq = seq + 1
        return b'{"seq":%d,"ts":"%b%06dZ",' % (seq, self._prefix, micro)

    def records(self, bodies: Alike) -> bytes:
        """Return the whole records of bodies that are alike: as by `head`, in one formatting."""
        count = len(bodies)
        if count == 1:
            return b"".join((self.head(), bodies.prefix, bodies.lines[0], END))
        now = max(time.time_ns() // 1000, self.last_us + 1)
        micro = now - self._second_us
        if micro >= 1_000_000:
            micro = self._begin_second(now)
        if micro + count > 1_000_000:  # across the turn of a second: one by one
            return b"".join(self.head() + b"".join(body) for body in bodies)
        self.last_us = now + count - 1
        seq, self.seq = self.seq, self.seq + count
        values: list[int | bytes | memoryview] = [0] * (3 * count)
        values[0::3] = range(seq, seq + count)
        values[1::3] = range(micro, micro + count)
        values[2::3] = bodies.lines
        form = b'{"seq":%d,"ts":"' + self._prefix + b'%06dZ",' + bodies.prefix + b"%b" + END
        return form * count % tuple(values)

    def take_back(self, count: int) -> None:
        """Give back the last ``count`` numbers: their records could not be written."""
        self.seq -= count

    def _begin_second(self, now_us: int) -> int:
        """Format the second that a timestamp falls in; return its microseconds."""
        micro = now_us % 1_000_000
        self._second_us = now_us - micro
        self._prefix = rfc3339(now_us * 1000)[:-7].encode()
        return micro


def rfc3339(now_ns: int) -> str:
    """Return a time, in nanoseconds since the epoch, as records have it: RFC 3339, UTC, microseconds."""
    second, rest = divmod(now_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second)) + f"{rest // 1000:06d}Z"


def _error(error: Violation) -> dict[str, str]:
    return {"path": error.path, "message": error.message, "keyword": error.keyword}


def _encoded(line: bytes | memoryview) -> list[bytes]:
    """Return what stands between the quotation marks of a line of UTF-8 as a JSON string.

    Of a long line in pieces, as a decoded character takes up to four bytes.
    """
    if len(line) <= _PIECE:
        return [encode_basestring(str(line, "utf-8")).encode()[1:-1]]
    from codecs import iterdecode  # noqa: PLC0415 - long lines of text are rare

    chunks = (bytes(line[at : at + _PIECE]) for at in range(0, len(line), _PIECE))
    return [encode_basestring(text).encode()[1:-1] for text in iterdecode(chunks, "utf-8")]


def encode_json(value: object) -> bytes:
    """Return a value as JSON, without spaces."""
    # Nothing in a record needs `surrogatepass`, but argv may hold surrogate escapes.
    return "".join(_encode(value, 0)).encode("utf-8", "backslashreplace")


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is nothing that a record holds")


# As by `json.dumps(value, ensure_ascii=False, separators=(",", ":"), check_circular=False)`.
_encode = make_encoder(None, _refuse, encode_basestring, None, ":", ",", False, False, True)
