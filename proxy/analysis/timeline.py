"""A session as bars on an axis of time, never more than so many.

Bars come in when they end. When there are too many, those that are shorter than a resolution are put together with
their neighbours of the same kind and parent, and the resolution doubles until they are few enough. So short bars of
a long session become one that stands for many, while what lasted stays as it is.
"""

import copy
from collections.abc import Iterable

import msgspec

from proxy.analysis.report import Bar, Timeline
from proxy.analysis.spans import Span
from proxy.events.timestamps import TimestampCodec

MOST_BARS = 2000  # about the pixels of a wide screen
_ENDED_WELL = frozenset(("completed", "allowed", "open"))
_COUNTED = frozenset(("turn", "tool", "subagent", "task", "permission"))
_FIRST_US = 1000  # a millisecond, the finest that is drawn
_LONGEST_US = 10**16  # 317 years, so that doubling ends


class _Bar(msgspec.Struct):
    """One bar, or several that were put together."""

    span: Span
    end_us: int
    parent: str | None
    label: str
    count: int
    failed: int
    busy_us: int
    outcome: str


class Bars:
    """Takes spans that have ended, and draws them."""

    def __init__(self, most: int = MOST_BARS) -> None:
        self._most = most
        self._bars: list[_Bar] = []
        self._resolution_us = 0

    def add(self, span: Span) -> None:
        """Take a span that has ended."""
        self._bars.append(_bar(span, span.end_us or span.start_us))
        if len(self._bars) > 2 * self._most:
            self._bars, self._resolution_us = _coarsened(self._bars, self._most, self._resolution_us)

    def timeline(self, still_open: Iterable[Span], start_us: int, end_us: int) -> Timeline:
        """Return all bars, and those of what is open up to the end."""
        drawn = [_bar(span, end_us) for span in still_open][: self._most // 2]
        room = self._most - len(drawn)
        bars, resolution_us = self._bars, self._resolution_us
        if len(bars) > room:
            # What was drawn before stays as it was.
            bars, resolution_us = _coarsened(list(map(copy.copy, bars)), room, resolution_us)
        shown = _in_order([*bars, *drawn])
        there = {bar.span.id for bar in shown}
        codec = TimestampCodec()
        start, end = (codec.format(us) if start_us else None for us in (start_us, end_us))
        return Timeline(start, end, [_shown(bar, there, codec) for bar in shown], resolution_us / 1000)


def _bar(span: Span, end_us: int) -> _Bar:
    failed, until_us = int(span.outcome == "failed"), max(span.start_us, end_us)
    return _Bar(span, until_us, span.parent, span.label, 1, failed, span.us(end_us), span.outcome)


def _shown(bar: _Bar, there: set[str], codec: TimestampCodec) -> Bar:
    span = bar.span
    return Bar(
        id=span.id,
        kind=span.kind,
        start=codec.format(span.start_us),
        end=None if span.outcome == "open" else codec.format(bar.end_us),
        label=bar.label,
        seq=span.seq,
        parent=bar.parent if bar.parent in there else None,
        outcome=bar.outcome,
        count=bar.count,
        failed=bar.failed,
        busy_ms=bar.busy_us / 1000,
    )


def _coarsened(bars: list[_Bar], most: int, resolution_us: int) -> tuple[list[_Bar], int]:
    """Return at most so many bars, and the resolution that it took. What is given may be changed."""
    if resolution_us:  # first what is new becomes as coarse as the others are
        bars = _merged(bars, resolution_us)
    while len(bars) > most and resolution_us < _LONGEST_US:
        resolution_us = max(_FIRST_US, 2 * resolution_us)
        bars = _merged(bars, resolution_us)
    if len(bars) > most:  # of as many parents: what they are a part of gives way
        for bar in bars:
            bar.parent = None
        bars = _merged(bars, resolution_us)
    return bars, resolution_us


def _merged(bars: list[_Bar], resolution_us: int) -> list[_Bar]:
    """Put bars together that are neighbours and, together, no longer than the resolution."""
    merged: list[_Bar] = []
    last: dict[tuple[str, str | None], _Bar] = {}
    merged_into: dict[str, str] = {}  # bars that are part of another one now
    for bar in _in_order(bars):
        if bar.parent is not None:
            bar.parent = merged_into.get(bar.parent, bar.parent)
        place = bar.span.kind, bar.parent
        before = last.get(place)
        if before is not None and max(bar.end_us, before.end_us) - before.span.start_us <= resolution_us:
            merged_into[bar.span.id] = before.span.id
            _join(before, bar)
        else:
            merged.append(bar)
            last[place] = bar
    return merged


def _in_order(bars: list[_Bar]) -> list[_Bar]:
    return sorted(bars, key=lambda bar: (bar.span.start_us, -bar.end_us))


def _join(bar: _Bar, other: _Bar) -> None:
    """Make a bar stand for another one as well."""
    bar.end_us = max(bar.end_us, other.end_us)
    bar.count += other.count
    bar.failed += other.failed
    bar.busy_us += other.busy_us
    if bar.label != other.label:
        bar.label = f"{bar.span.kind}s" if bar.span.kind in _COUNTED else bar.span.kind
    if bar.outcome in _ENDED_WELL or other.outcome == "failed":
        bar.outcome = other.outcome
