"""Cuts a long array or object into short ones, so that a hostile line never becomes millions of Python objects.

Where it may be cut is found without decoding anything: in a window of the text, strings are blanked and brackets
counted, and the last place outside any inner bracket is looked for from the end. Windows that lie wholly inside one
large item are passed over.
"""

import array
import itertools
import re
from collections.abc import Iterator

_WINDOW = 1 << 16
LONGEST_OF_MANY = 2 * _WINDOW
"""A piece that has more bytes than this may have a single item that has most of them."""
# With fewer commas, all items together are some hundred kilobytes of objects at most.
_FEW = 1 << 12
_SEPARATORS = re.compile(rb"[ \t\r\n,]*+")
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]"))
_STEPS = bytes.maketrans(b"[]", b"\x01\xff")  # one up, one down, as signed bytes
_BLOCK = 128  # see `grammar`


def is_dense(text: bytes | memoryview) -> bool:
    """Tell whether a JSON text may hold more values than are good to have in memory at once."""
    left = _FEW
    for at in range(0, len(text), _WINDOW):
        left -= bytes(text[at : at + _WINDOW]).count(b",")
        if left < 0:
            return True
    return False


def pieces(text: memoryview) -> Iterator[bytes | memoryview]:
    """Yield a well-formed array or object as one or several that hold its items in order.

    A piece is about `_WINDOW` bytes long, unless it begins with a longer item.
    """
    if not is_dense(text):
        yield text
        return
    opening, closing = text[:1], text[-1:]
    begin = 1
    for end in _cuts(text, 1, len(text) - 1):
        separators = _SEPARATORS.match(text, begin, end)
        begin = separators.end() if separators else begin
        last = end - 1 if bytes(text[end - 1 : end]) == b"," else end
        if begin < last:
            yield b"".join((opening, text[begin:last], closing))
        begin = end


def _cuts(text: memoryview, at: int, stop: int) -> Iterator[int]:
    """Yield offsets right behind an item or its comma, the last of them the end."""
    depth = 0
    while at < stop:
        window = _structure(text[at : min(at + _WINDOW, stop)])
        if not window:  # it is the beginning of a longer string
            rest = _REST_OF_STRING.match(text, at + 1, stop)
            at = rest.end() if rest else stop
            continue
        net = window.count(b"[") - window.count(b"]")
        cut = 0 if _is_inside(window, depth) else _last_between_items(window, depth + net)
        at += cut or len(window)
        depth = 0 if cut else depth + net
        if cut:
            yield at
    yield stop


def _structure(text: memoryview) -> bytes:
    """Return the text with strings blanked and all brackets square, as far as no string is cut off."""
    window = bytes(text)
    if b"\\" in window:
        window = window.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    parts = window.split(b'"')
    if len(parts) % 2 == 0:
        parts.pop()
    parts[1::2] = map(bytes, map(len, parts[1::2]))
    return b'"'.join(parts).translate(_SQUARE)


def _is_inside(window: bytes, depth: int) -> bool:
    """Tell whether a window that begins so many levels deep lies within one item."""
    if depth <= 0:
        return False
    brackets = window.translate(None, _NO_BRACKETS)
    for at in range(0, len(brackets), _BLOCK):
        block = brackets[at : at + _BLOCK]
        closing = block.count(b"]")
        # Only a block that might lead out is looked at bracket by bracket.
        if depth <= closing and depth + _lowest(block) <= 0:
            return False
        depth += len(block) - 2 * closing
    return True


def _lowest(brackets: bytes) -> int:
    """Return the lowest level that brackets lead to, from 0 before them."""
    return min(itertools.accumulate(array.array("b", brackets.translate(_STEPS))))


def _last_between_items(window: bytes, depth: int) -> int:
    """Return the last such offset in a window, 0 for none; `depth` is that of the window's end."""
    end = len(window)
    while depth > 0:
        inner_end, end = end, window.rfind(b"[", 0, end)
        if end < 0:
            return 0
        depth += window.count(b"]", end, inner_end) - 1
    return max(window.rfind(b",", 0, end), window.rfind(b"]", 0, end)) + 1
