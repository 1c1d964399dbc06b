"""Is this line JSON, and within the limits of what a reader must cope with?

The rules:

- JSON is RFC 8259 in UTF-8. `NaN`, control characters inside strings, a byte order mark and anything after
  the value are malformed. Escaped lone surrogates (`"\\ud800"`) and numbers beyond a double (`1e999`) are
  poor taste but JSON. (Before a line of standard input a byte order mark is no part of it: see `Judge`.)
- Arrays and objects are nested at most `MAX_DEPTH` deep. Python's own `json` gives up near 1000, serde's
  default is 128, jsonschema-rs takes 255; real messages stay under 20.
- Integers have at most `MAX_DIGITS` digits: Python's limit for reading one, and so that of most readers here.

msgspec is the parser, because it checks grammar without building anything. It does not check UTF-8 in what it
skips, refuses lone surrogates, and its limit on nesting depends on the caller's stack; so these three are
decided here.
"""

import array
import codecs
import functools
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, AnyStr, NoReturn

import msgspec

from proxy.protocol.verdict import Judgement, invalid, malformed

if TYPE_CHECKING:
    import re

MAX_DEPTH = 512
MAX_DIGITS = 4300

# Shorter lines cannot break a limit: a level of nesting takes two bytes.
SHORT = 2 * MAX_DEPTH

LONG = 1 << 16
"""A longer line is judged without the inside of its long strings."""
# What is kept of a string that is longer than four times that: more than a schema knows or a sentence quotes.
_KEPT = 1 << 10
# No more strings than one in so many bytes are looked at: the search would cost more than to decode them.
_BYTES_A_STRING = 1 << 9
# An escape, or two that are one character, is no longer than this.
_LONGEST_ESCAPE = 12
_END_OF_VALUE = r"trailing characters \(byte (\d+)\)"

# Bytes of a line that are looked at together, so that there is never a second copy of a long one.
_CHUNK = 1 << 16
# Bytes from which on it matters how many values a line holds: a Python object takes `_ROOMY` bytes and more.
_LONG = 1 << 20
_ROOMY = 32
_NOT_A_BRACKET = bytes(set(range(256)) - set(b'{}[]"'))
_BRACES_ONLY = bytes.maketrans(b"[]", b"{}")
_STEPS = bytes.maketrans(b"{}", b"\x01\xff")  # one up, one down, as signed bytes
# Brackets that are counted together. On deeply nested lines 128 and 256 take half as long as 64, an eighth of 1024.
_BLOCK = 128
_DIGITS = b"0123456789"
_RUN_OF_DIGITS = rb"[0-9]++"
_BEFORE_DECIMALS = rb"(?:\.|[eE][+-]?)\Z"
_HIGH = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_PAIR = _HIGH + _LOW
_LONE_SURROGATE = rb"%b(?!%b)|(?<!%b)%b" % (_HIGH, _LOW, _HIGH, _LOW)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What `String.prototype.trim` of ECMAScript takes off: white space of Unicode, ends of lines, the byte order mark.
_BLANK = rb"(?:[\t-\r ]|\xc2\xa0|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80|\xef\xbb\xbf)*+"

_STRING_OR_BRACKET = rb'(?s)"(?:[^"\\]|\\.)*+"|[{}\[\]]'

_any_json: msgspec.json.Decoder[msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw)
_string = msgspec.json.Decoder(str)


class _Typed(msgspec.Struct):
    """The one field that makes an object a message."""

    type: str


_typed = msgspec.json.Decoder(_Typed)

# What msgspec raises for a line that it does not take.
REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_ABSENT = msgspec.Raw()


@functools.cache
def _compiled(expression: AnyStr) -> "re.Pattern[AnyStr]":
    """Compile an expression when it is first needed: most sessions need none, and together they take 2 ms."""
    import re  # noqa: PLC0415 - as above

    return re.compile(expression)


def is_blank(line: bytes) -> bool:
    """Tell whether there is nothing in a line that Claude Code would read: it passes over such lines."""
    return _compiled(_BLANK).fullmatch(line) is not None


def as_taken(line: bytes) -> Any:
    """Return what Claude Code reads a line of its standard input as, None where it reads no JSON.

    It decodes UTF-8 with U+FFFD in place of what is none, passes over a byte order mark, and has JavaScript's
    `JSON.parse` read the rest, which knows no limits: see what releases 2.1.330 and 2.1.332 did with such lines in
    `tests/end_to_end/test_raw_cli.py`. Of what is nested deeper than `MAX_DEPTH` null is left.
    """
    text = without_lone_surrogates(line.removeprefix(BYTE_ORDER_MARK).decode(errors="replace").encode())
    if len(text) <= _LONG and is_deeper_than(MAX_DEPTH, text):
        text = _cut_below(MAX_DEPTH, text)
    import json  # noqa: PLC0415 - no session needs it

    try:
        return json.loads(text.decode(), parse_int=_whole, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _cut_below(levels: int, text: bytes) -> bytes:
    """Return JSON with null in place of arrays and objects that are nested deeper than so many levels."""
    kept: list[bytes] = []
    depth = at = 0
    for found in _compiled(_STRING_OR_BRACKET).finditer(text):
        match found[0]:
            case b"{" | b"[":
                depth += 1
                if depth == levels + 1:
                    kept += (text[at : found.start()], b"null")
            case b"}" | b"]":
                if depth == levels + 1:
                    at = found.end()
                depth -= 1
    return b"".join((*kept, text[at:]))


def is_utf8(line: bytes) -> bool:
    """Tell whether the bytes are UTF-8, without a second copy of a long line."""
    if len(line) <= _CHUNK:
        try:
            line.decode()
        except UnicodeDecodeError:
            return False
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(line)
    try:
        for start in range(0, len(line), _CHUNK):
            decoder.decode(view[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def shortened(line: bytes) -> bytes:
    """Return a long line with its long strings cut to their beginnings; the line itself where that is not possible.

    Wherever a schema asks no more of a string than that it is one, or one of a few, the shorter line has the same
    verdict, but for UTF-8: what is left out was found to be well-formed, and not decoded, which is what a text of 10 MB
    costs by far the most, in time and in memory: a decoded character takes up to four bytes.
    """
    view = memoryview(line)
    pieces: list[bytes] = []
    done = at = 0
    for _ in range(len(line) // _BYTES_A_STRING):
        start = line.find(b'"', at)
        if start < 0:
            break
        at = _end_of_string(line, view, start)
        if at < 0:
            return line
        if at - start > 4 * _KEPT:
            pieces += (line[done:start], _beginning(line, start))
            done = at
    return b"".join((*pieces, line[done:])) if pieces else line


def _end_of_string(line: bytes, view: memoryview, start: int) -> int:
    """Return where the string ends that begins there, -1 for one that is not well-formed or ends the line."""
    end = line.find(b'"', start + 1) + 1
    if end and end - start <= 4 * _KEPT and line[end - 2] != ord("\\"):
        return end
    try:
        _any_json.decode(view[start:])
    except msgspec.DecodeError as error:
        # It has read one string, and says which byte it did not expect behind it, counted from 1.
        found = _compiled(_END_OF_VALUE).search(str(error))
        return start + int(found[1]) - 1 if found else -1
    return -1


def _beginning(line: bytes, start: int) -> bytes:
    """Return the beginning of a long string as a string, with no character or escape cut in two."""
    for end in range(start + _KEPT, start + _KEPT - _LONGEST_ESCAPE, -1):
        beginning = line[start:end] + b'"'
        try:
            _string.decode(beginning)
        except REFUSALS:
            continue
        return beginning
    return b'""'  # it is not UTF-8


def is_crowded(line: bytes) -> bool:
    """Tell whether a long line of JSON holds so many values that they had better not be decoded all at once."""
    return len(line) > _LONG and line.count(b",") * _ROOMY > len(line)


def is_within_limits(line: bytes) -> bool:
    """Tell whether a line of well-formed JSON keeps both limits. Cheap for ordinary lines."""
    return len(line) <= SHORT or (not is_deeper_than(MAX_DEPTH, line) and not _has_long_integer(line))


def is_deeper_than(levels: int, line: bytes) -> bool:
    """Tell whether well-formed JSON, or the beginning of it, is nested deeper than so many levels."""
    if _has_few_brackets(line, levels):
        return False
    depth = 0
    for brackets in _brackets(line):
        for at in range(0, len(brackets), _BLOCK):
            block = brackets[at : at + _BLOCK]
            opening = block.count(b"{")
            # Only a block that might is looked at bracket by bracket.
            if depth + opening > levels and depth + _highest(block) > levels:
                return True
            depth += 2 * opening - len(block)
    return False


def _highest(brackets: bytes) -> int:
    """Return the highest level that brackets lead to, from 0 before them."""
    return max(itertools.accumulate(array.array("b", brackets.translate(_STEPS))))


def _brackets(line: bytes) -> Iterator[bytes]:
    """Yield the brackets of a line that are not in strings, all as braces, a window of the line at a time."""
    is_inside = False
    for window in _windows(line, 0, len(line)):
        # What is between the last quotation mark and the end may be the beginning of a string.
        parts = window.translate(_BRACES_ONLY, _NOT_A_BRACKET).replace(b'""', b"").split(b'"')
        yield b"".join(parts[is_inside::2])
        is_inside ^= len(parts) % 2 == 0


def _windows(line: bytes, at: int, end: int) -> Iterator[bytes]:
    """Yield a part of a line in short pieces, without escaped backslashes and quotation marks."""
    while at < end:
        window = line[at : min(at + _CHUNK, end)]
        at += len(window)
        if b"\\" in window:
            if (len(window) - len(window.rstrip(b"\\"))) % 2:  # it ends in mid-escape
                window += line[at : at + 1]
                at += 1
            window = window.replace(b"\\\\", b"").replace(b'\\"', b"")
        yield window


def _has_few_brackets(line: bytes, limit: int) -> bool:
    """Tell whether there are too few opening brackets in the line for a deep nesting."""
    if len(line) < _CHUNK:
        return line.count(b"{") + line.count(b"[") <= limit
    # In a long line, a text or an image, brackets are rare, and looking for the next is faster than counting.
    left = limit
    for bracket in (b"{", b"["):
        at = line.find(bracket)
        while at >= 0:
            left -= 1
            if left < 0:
                return False
            at = line.find(bracket, at + 1)
    return True


def _has_long_integer(line: bytes) -> bool:
    """Tell whether well-formed JSON holds an integer of more than `MAX_DIGITS` digits."""
    step = MAX_DIGITS // 2  # a run that long covers a position looked at, and much behind it
    at, looked_at, is_inside = step, 0, False
    while at < len(line):
        end = at
        if line[at : at + 32].isdigit():
            start = at - step + len(line[at - step : at].rstrip(_DIGITS))
            run = _compiled(_RUN_OF_DIGITS).match(line, at)
            end = run.end() if run else at
            if end - start > MAX_DIGITS and not _is_fraction(line, start, end):
                for window in _windows(line, looked_at, start):
                    is_inside ^= window.count(b'"') % 2 == 1
                if not is_inside:
                    return True
                looked_at = start
        at = end + step
    return False


def _is_fraction(line: bytes, start: int, end: int) -> bool:
    """Tell whether the digits there are only a part of a number that is no integer."""
    return (
        line[end : end + 1] in (b".", b"e", b"E")
        or _compiled(_BEFORE_DECIMALS).search(line, start - 2, start) is not None
    )


def without_lone_surrogates(line: bytes) -> bytes:
    """Return the line of UTF-8 with escaped surrogates that have no partner replaced by U+FFFD, as long as before."""
    if b"\\ud" not in line and b"\\uD" not in line:
        return line
    # An escaped backslash begins no escape. Its stand-in is never part of UTF-8.
    escapes = line.replace(b"\\\\", b"\xff\xff")
    pieces = []
    at = 0
    while at < len(
        escapes
    ):  # a substitution keeps what it finds until its end, so it is given a piece at a time
        end = _end_of_piece(escapes, at + _CHUNK)
        pieces.append(
            _compiled(_LONE_SURROGATE).sub(rb"\\ufffd", escapes[at:end]).replace(b"\xff\xff", b"\\\\")
        )
        at = end
    return b"".join(pieces)


def _end_of_piece(escapes: bytes, at: int) -> int:
    """Return an offset from there on that does not part an escape, or two that are one character; or the end."""
    at = escapes.find(b"\\", at)
    if _compiled(_PAIR).match(escapes, at - 6):
        at = escapes.find(b"\\", at + 1)
    return len(escapes) if at < 0 else at


def fault(line: bytes) -> Judgement | None:
    """Return the judgement on a line that is not JSON or breaks a limit, None for one that is fine."""
    examined = examine(line)
    return examined if isinstance(examined, Judgement) else None


def examine(line: bytes) -> Judgement | bytes:
    """Return the judgement on a line that is not JSON or breaks a limit, and any other without lone surrogates."""
    if not line.isascii() and not is_utf8(line):
        return malformed("The line is not UTF-8.", "encoding")
    neutral = without_lone_surrogates(line)
    try:
        _any_json.decode(neutral)
    except RecursionError:
        return _too_deep()
    except msgspec.DecodeError as error:
        return malformed(_why(line, error))
    text = shortened(line) if len(line) > LONG else line
    if len(text) > SHORT and is_deeper_than(MAX_DEPTH, text):
        return _too_deep()
    if len(text) > SHORT and _has_long_integer(text):
        return invalid(
            "", f"An integer has more than {MAX_DIGITS} digits, too many to read.", "digits", spliceable=False
        )
    return neutral


def _too_deep() -> Judgement:
    message = f"Arrays and objects are nested more than {MAX_DEPTH} deep."
    return invalid("", message, "depth", spliceable=False)


def _why(line: bytes, error: msgspec.DecodeError) -> str:
    if not line.strip(b" \t\r\n"):
        return "The line is empty."
    if line.startswith(b"\xef\xbb\xbf"):
        return "The line begins with a byte order mark, which JSON does not allow."
    reason = str(error).removeprefix("JSON is malformed: ")
    return f"The line is not JSON: {reason}."


def is_json_object(line: bytes) -> bool:
    """Tell whether the line is one JSON object, whatever is in it."""
    return line.lstrip(b" \t\r\n").startswith(b"{") and fault(line) is None


def is_message(line: bytes) -> bool:
    """Tell whether the line, less a byte order mark, is a JSON object with a string `type`, as every message is."""
    line = line.removeprefix(BYTE_ORDER_MARK)
    try:
        _typed.decode(line)
    except REFUSALS:
        # Refused for its grammar, or for something that only looks like it.
        if not is_json_object(line):
            return False
        value: Any = header(line)
        return isinstance(value, dict) and isinstance(value.get("type"), str)
    return is_json_object(line)


def header(line: bytes) -> Any:
    """Return what a line of JSON says of its kind: `type`, `subtype`, and both one level down.

    Anything else is left out; a line that is no object gives None.
    """
    try:
        fields = _header.decode(without_lone_surrogates(line))
    except msgspec.ValidationError:
        return None
    return _present(fields)


class _Header(msgspec.Struct):
    """Wherever a kind is named."""

    type: msgspec.Raw = _ABSENT
    subtype: msgspec.Raw = _ABSENT
    request: msgspec.Raw = _ABSENT
    response: msgspec.Raw = _ABSENT
    event: msgspec.Raw = _ABSENT


class _Inner(msgspec.Struct):
    """Wherever a kind is named, one level down."""

    type: msgspec.Raw = _ABSENT
    subtype: msgspec.Raw = _ABSENT


_header = msgspec.json.Decoder(_Header)
_inner = msgspec.json.Decoder(_Inner)


def _present(fields: msgspec.Struct) -> dict[str, Any]:
    values = {name: getattr(fields, name) for name in fields.__struct_fields__}
    return {name: _shallow(raw) for name, raw in values.items() if raw is not _ABSENT}


def _shallow(raw: msgspec.Raw) -> Any:
    """Return a string as itself, an object as its tags, anything else as None."""
    start = bytes(memoryview(raw)[:1])
    if start == b'"':
        return msgspec.json.decode(raw)
    return _present(_inner.decode(raw)) if start == b"{" else None
