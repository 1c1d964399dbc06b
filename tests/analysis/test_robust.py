"""Nothing that a session or a client says can make the analysis fail, or grow without end."""

import itertools
import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.analysis import long_session
from proxy.analysis import SessionAnalysis
from proxy.events import Event
from proxy.events.vocabulary import EVENTS as NAMES
from proxy.events.vocabulary import STATES
from tests.analysis.made import Made, analysed
from tests.recorded import START_US

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(("a", "b", "")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "event", "timestamp", "state", "seq", "run_id", "tool", "tool_use_id", "parent_tool_use_id", "request_id", "input",
    "decision", "task_id", "usage", "model_usage", "cost_usd", "errors", "command", "prompt", "kind", "limit", "result",
    "ahead_of", "outcome", "problems", "origin",
    "source", "error", "retry_delay_ms", "subtype", "signal", "exit_code", "name", "model",
)  # fmt: skip
EVENTS = st.builds(
    lambda kind, us, data: Event(kind, START_US + us, data),
    st.sampled_from((*NAMES, "of-my-own")),
    st.integers(-(10**12), 10**12),
    st.dictionaries(st.sampled_from(FIELDS), VALUES | st.sampled_from(sorted(STATES)), max_size=8),
)


@given(st.lists(EVENTS, max_size=30))
def test_events_may_hold_anything(events: list[Event]) -> None:
    """Any event of any shape at any time is taken, and the report keeps its published shape."""
    report = analysed(events, START_US + 10**13)
    assert report.events == len(events)


def test_an_empty_session() -> None:
    """Of a session without events there is nothing to say, and that is said."""
    report = analysed([])
    assert report.summary == ["Nothing is known of this session yet."]
    assert not report.timeline.bars
    assert not report.anomalies


def test_events_of_a_clients_own_have_no_record() -> None:
    """Where a client posts our names, its data is not taken for a record's."""
    events = [Event("run_started", START_US, {"seq": 7}), Event("run_failed", START_US + 5, {"seq": 8})]
    (turn,) = analysed(events).turns
    assert (turn.seq, turn.outcome) == (None, "unfinished")


def test_what_is_open_is_bounded() -> None:
    """Calls, permissions and subagents that never end give way to newer ones, and are counted."""
    made = Made().begin(0)
    for number in range(5000):
        made.call(number, f"t{number}").at(number, "task_started", task_id=f"k{number}")
        made.at(number, "permission_requested", request_id=f"p{number}", tool="Bash")
    report = made.report()
    assert report.tools[0].calls == report.tools[0].unfinished == 5000
    assert report.permissions.requested == 5000
    assert len(report.timeline.bars) <= 2000


def test_memory_is_bounded() -> None:
    """Eight times as many events take hardly more memory."""
    tracemalloc.start()
    try:
        analysis, grown = SessionAnalysis("made"), []
        for number, event in enumerate(itertools.islice(long_session(), 24_000), 1):
            analysis.take(event)
            if number in (3000, 24_000):
                grown.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert grown[1] < grown[0] + 4_000_000
