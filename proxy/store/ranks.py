"""How many events lie before a timestamp, and which event is the n-th: without counting through.

Time is cut into spans, and those into shorter ones; how many events of each type each holds is known (see `SpanTree`).
The rank of a timestamp is the sum of the spans before it and a count within the shortest one, and the n-th event is
found the same way: so a page costs the same wherever it is, and however many events there are.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from proxy.store.model import EventQuery

FOREVER = 1 << 62
SCANNED = 4096
"""Events that are looked through rather than cut again: about a millisecond."""


class Span(msgspec.Struct, frozen=True):
    """A stretch of time, its end not included, and how many events are in it."""

    start_us: int
    stop_us: int
    wanted: int
    """Those of the types that are wanted."""
    total: int
    level: int
    """0: not to be cut any further."""


class SpanTree(msgspec.Struct, frozen=True):
    """Spans of some events, by their types. Those that hold nothing may be left out."""

    top: Sequence[Span]
    """The longest, in order."""
    within: Callable[[Span], Sequence[Span]]
    """Returns those that one consists of, in order; it is not asked where the level is 0."""
    count: Callable[[int, int], int]
    """Counts the wanted events from a timestamp up to before another, one by one."""


class Slice(NamedTuple):
    """Some events of a stretch of time: so many, behind as many others."""

    start_us: int
    stop_us: int
    skip: int
    take: int


def rank(tree: SpanTree, timestamp_us: int) -> int:
    """Return how many wanted events lie at a timestamp or before it."""
    before, spans = 0, tree.top
    while True:
        last = None
        for span in spans:
            if span.start_us > timestamp_us:
                break
            before, last = before + span.wanted, span
        if last is None or last.stop_us <= timestamp_us + 1:
            return before
        before -= last.wanted
        if last.level == 0 or last.total <= SCANNED:
            return before + tree.count(last.start_us, timestamp_us + 1)
        spans = tree.within(last)


def slices(tree: SpanTree, first: int, end: int) -> list[Slice]:
    """Return where the wanted events with ranks from ``first`` up to before ``end`` are, in order."""
    found: list[tuple[Slice, int]] = []  # with how many events are to be looked through for it
    before = 0

    def visit(spans: Sequence[Span]) -> None:
        nonlocal before
        for span in spans:
            if before >= end:
                return
            skip, stop = max(0, first - before), min(span.wanted, end - before)
            is_whole = skip == 0 and stop == span.wanted == span.total
            if stop <= skip:
                before += span.wanted
            elif is_whole or span.level == 0 or span.total <= SCANNED:
                before += span.wanted
                _add(
                    found,
                    Slice(span.start_us, span.stop_us, skip, stop - skip),
                    0 if is_whole else span.total,
                )
            else:
                visit(tree.within(span))

    visit(tree.top)
    return [one for one, _ in found]


def _add(found: list[tuple[Slice, int]], new: Slice, scanned: int) -> None:
    """Add a slice, or lengthen the last one by it: one question to the database in place of two."""
    if found:
        last, so_far = found[-1]
        if last.stop_us == new.start_us and so_far + scanned <= SCANNED:
            joined = Slice(last.start_us, new.stop_us, last.skip, last.take + new.take)
            found[-1] = (joined, so_far + scanned)
            return
    found.append((new, scanned))


def bounds(tree: SpanTree, query: EventQuery, settled_us: int) -> tuple[int, int]:
    """Return the ranks between which the events lie that a query asks for."""
    low = 0 if query.after_us is None else rank(tree, query.after_us)
    until_us = query.until_us
    if query.session_id is None and query.after_us is not None:
        until_us = settled_us if until_us is None else min(until_us, settled_us)
    high = rank(tree, FOREVER if until_us is None else until_us)
    return low, max(low, high)


class Window(NamedTuple):
    """Where a page is among the events that lie within the bounds of a query."""

    is_from_start: bool
    """Whether the offset is that from the oldest event, not from the newest."""
    offset: int
    is_ascending: bool
    """Whether the oldest event is shown first."""


def window_of(query: EventQuery) -> Window:
    """Return where the page of a query is."""
    order = query.order or ("asc" if query.session_id is not None or query.after_us is not None else "desc")
    is_ascending = order == "asc"
    has_place = query.offset is not None or query.after_us is not None
    return Window(is_ascending and has_place, query.offset or 0, is_ascending)


def cut(window: Window, limit: int, low: int, high: int) -> tuple[int, int]:
    """Return from which rank up to before which a page goes, of those from ``low`` to ``high``."""
    if window.is_from_start:
        first = min(high, low + window.offset)
        return first, min(high, first + limit)
    end = max(low, high - window.offset)
    return max(low, end - limit), end
