"""Finding events by counts gives what counting through would, wherever they lie and however they are cut."""

from bisect import bisect_right
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.store import ranks
from proxy.store.ranks import FOREVER, Slice, Span, SpanTree, rank, slices

LENGTHS = (4, 20, 200)


class Tree:
    """Events in memory, wanted or not, counted in spans of three lengths."""

    def __init__(self, events: list[tuple[int, bool]]) -> None:
        self.events = sorted(events)
        self.spans = SpanTree(self._spans(len(LENGTHS) - 1, -FOREVER, FOREVER), self.within, self.count)

    def within(self, span: Span) -> Sequence[Span]:
        """Return shorter ones."""
        return self._spans(span.level - 1, span.start_us, span.stop_us)

    def count(self, start_us: int, stop_us: int) -> int:
        """Count through."""
        return sum(wanted for at, wanted in self.events if start_us <= at < stop_us)

    def _spans(self, level: int, start_us: int, stop_us: int) -> list[Span]:
        length = LENGTHS[level]
        slots = sorted({at // length for at, _ in self.events if start_us <= at < stop_us})
        return [
            Span(
                slot * length,
                (slot + 1) * length,
                self.count(slot * length, (slot + 1) * length),
                sum(slot * length <= at < (slot + 1) * length for at, _ in self.events),
                level,
            )
            for slot in slots
        ]


def taken(tree: Tree, found: Sequence[Slice]) -> list[int]:
    """Return the timestamps of the wanted events in slices."""
    events: list[int] = []
    for one in found:
        within = [at for at, wanted in tree.events if wanted and one.start_us <= at < one.stop_us]
        events += within[one.skip : one.skip + one.take]
    return events


@given(
    st.lists(st.tuples(st.integers(-300, 900), st.booleans()), max_size=120),
    st.integers(1, 30),
    st.data(),
)
def test_ranks_and_slices(events: list[tuple[int, bool]], scanned: int, data: st.DataObject) -> None:
    """The rank of any timestamp, and the events of any ranks, are those of the list."""
    tree = Tree(events)
    wanted = [at for at, is_wanted in tree.events if is_wanted]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "SCANNED", scanned)
        for _ in range(5):
            at = data.draw(st.integers(-400, 1000))
            assert rank(tree.spans, at) == bisect_right(wanted, at)
            first = data.draw(st.integers(0, len(wanted)))
            end = data.draw(st.integers(first, len(wanted)))
            assert taken(tree, slices(tree.spans, first, end)) == wanted[first:end]
    assert rank(tree.spans, FOREVER) == len(wanted)


def test_many_events_are_asked_for_at_once() -> None:
    """What lies together is one question to a database, not one for each of its spans."""
    tree = Tree([(at, True) for at in range(1000)])
    assert len(slices(tree.spans, 0, 1000)) == 1
    assert len(slices(tree.spans, 3, 997)) <= 3
