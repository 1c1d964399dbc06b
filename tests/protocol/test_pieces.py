"""Long arrays and objects, cut into short ones, hold what they held."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from proxy.protocol import pieces

_TEXT = st.text(st.sampled_from('a"\\\\[]{},: \\né'), max_size=12)
_VALUES = st.recursive(
    st.none() | st.integers() | _TEXT,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(_TEXT, inner, max_size=6),
    max_leaves=40,
)


WINDOWS = (1, 7, 64)
"""Bytes of a window: so few that every cut lies in one place or another across their edges."""


@contextlib.contextmanager
def windows(size: int) -> Iterator[None]:
    """Make windows that small for a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_WINDOW", size)
        patch.setattr(pieces, "_FEW", 0)
        yield


def pairs(text: bytes) -> list[Any]:
    """Return the items of an array, or the members of an object, equal keys among them."""
    found: list[Any] = json.loads(text, object_pairs_hook=list)
    return found


@hypothesis.given(
    st.lists(_VALUES, max_size=20) | st.dictionaries(_TEXT, _VALUES, max_size=20),
    st.sampled_from([None, 1, 3]),
    st.booleans(),
)
def test_pieces_hold_the_items_in_order(value: Any, indent: int | None, ascii_only: bool) -> None:
    """However values are nested and written: each piece is well-formed, and together they are the whole."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    for size in WINDOWS:
        with windows(size):
            cut = [bytes(piece) for piece in pieces.pieces(memoryview(text))]
        assert [item for piece in cut for item in pairs(piece)] == pairs(text)
        assert all(len(piece) > 2 for piece in cut) or len(value) == 0


def test_pieces_are_small() -> None:
    """No piece is much longer than a window and an item together, whatever comes before and after."""
    items = [1, [[2, "]"], {"a": "\\\\"}], "x" * 50] * 100
    longest = max(len(json.dumps(item)) for item in items)
    for size in WINDOWS:
        with windows(size):
            for piece in pieces.pieces(memoryview(json.dumps(items).encode())):
                assert len(piece) <= size + longest + 10
