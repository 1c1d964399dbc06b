"""The timeline: bars of what lasted, never too many, and nothing lost."""

import itertools

import pytest

from benchmarks.analysis import long_session
from proxy.analysis import SessionAnalysis
from proxy.analysis.spans import Span
from proxy.analysis.timeline import MOST_BARS, Bars
from tests.analysis.made import Made, analysed
from tests.recorded import START_US


def test_bars_are_where_things_were() -> None:
    """Each bar has its record, its parent and its ends; waiting is a bar of its own."""
    made = Made().begin(10, "do it").call(110, "a", "Bash", {"command": "ls -l"})
    made.ask(120, "a").decide(620, "a").answer(1620, "a").end(2000).over(2100)
    bars = {bar.kind: bar for bar in reversed(made.report().timeline.bars)}
    assert {kind: (bar.label, bar.seq, bar.parent) for kind, bar in bars.items()} == {
        "turn": ("do it", 1, None),
        "model": ("model", 1, "run-1"),
        "tool": ("Bash: ls -l", 2, "run-1"),
        "permission": ("permission: Bash", 3, "run-1"),
        "user": ("user", 6, None),
    }
    assert bars["tool"].start == "2026-01-02T03:04:05.110000Z"
    assert bars["tool"].end == "2026-01-02T03:04:06.620000Z"


def test_subagents_are_parents() -> None:
    """What a subagent does is a part of it."""
    made = Made().begin(0).call(10, "x", "Agent", {"description": "count"})
    made.call(20, "y", "Bash", parent_tool_use_id="x").answer(30, "y").answer(50, "x").end(60).over(70)
    bars = {bar.id: bar for bar in made.report().timeline.bars}
    assert bars["y"].parent == "agent:x"
    assert (bars["agent:x"].kind, bars["agent:x"].parent, bars["agent:x"].label) == (
        "subagent",
        "run-1",
        "Agent: count",
    )


def test_what_goes_on_has_no_end() -> None:
    """A live session's open spans are drawn up to now."""
    timeline = Made().begin(0).call(10, "a").report(now_ms=510).timeline
    still_open = {bar.kind: bar for bar in timeline.bars if bar.end is None}
    assert set(still_open) == {"turn", "tool"}
    assert still_open["tool"].busy_ms == 500


def test_a_huge_session_has_few_bars() -> None:
    """Short bars become one that stands for many; all are counted, and parents are there."""
    analysis = SessionAnalysis("made")
    started = {"turn": 0, "tool": 0}
    for event in itertools.islice(long_session(), 40_000):
        analysis.take(event)
        started["turn"] += event.event_type == "run_started"
        started["tool"] += event.event_type == "tool_started"
    timeline = analysis.report().timeline
    assert MOST_BARS / 8 < len(timeline.bars) <= MOST_BARS
    assert timeline.resolution_ms > 0
    for kind, count in started.items():
        assert sum(bar.count for bar in timeline.bars if bar.kind == kind) == count
    ids = {bar.id for bar in timeline.bars}
    assert all(bar.parent is None or bar.parent in ids for bar in timeline.bars)
    assert [bar.start for bar in timeline.bars] == sorted(bar.start for bar in timeline.bars)


def test_reports_change_nothing() -> None:
    """A report of a session that goes on leaves what later reports say as it is."""
    once, often = SessionAnalysis("made"), SessionAnalysis("made")
    for number, event in enumerate(itertools.islice(long_session(), 12_000)):
        once.take(event)
        often.take(event)
        if number % 1500 == 0:
            often.report()
    assert once.report() == often.report()


def test_what_lasted_stays_a_bar_of_its_own() -> None:
    """Among thousands of short calls the one of an hour is not swallowed."""
    made = Made().begin(0)
    for number in range(6000):
        made.call(number * 10, f"t{number}").answer(number * 10 + 5, f"t{number}")
    made.call(60_000, "long", "Build").answer(3_660_000, "long").end(3_660_010).over(3_660_020)
    bars = analysed(made.events).timeline.bars
    (long,) = [bar for bar in bars if bar.label.startswith("Build")]
    assert long.count == 1
    assert long.busy_ms == pytest.approx(3_600_000)


def test_bars_are_as_coarse_as_the_session_is_long() -> None:
    """Regression: how coarse bars become depends on their number, not on how often they were put together."""
    bars, many = Bars(), 50 * MOST_BARS
    for number in range(many):
        at = START_US + 2000 * number
        bars.add(Span("tool", str(number), at, number, "Bash", end_us=at + 1000, outcome="completed"))
    timeline = bars.timeline([], START_US, START_US + 2000 * many)
    assert MOST_BARS / 4 < len(timeline.bars) <= MOST_BARS
    assert sum(bar.count for bar in timeline.bars) == many
    assert timeline.resolution_ms <= 4 * (2 * many) / MOST_BARS


def test_what_is_part_of_nothing_stays_so() -> None:
    """Regression: a call with an empty id that was put together with another one became the parent of outer bars."""
    bars = Bars(most=2)
    for number, (name, kind) in enumerate([("one", "tool"), ("", "tool"), ("a", "turn"), ("b", "turn")]):
        start_us = START_US + number * 100
        bars.add(Span(kind, name, start_us, number, name, end_us=start_us + 10, outcome="completed"))  # type: ignore[arg-type]
    drawn = bars.timeline([], START_US, START_US + 1000).bars
    assert {bar.kind: (bar.parent, bar.count) for bar in drawn} == {"tool": (None, 2), "turn": (None, 2)}
    assert bars.timeline([], START_US, START_US + 1000).bars == drawn
