"""The analysis of one session: every figure from hand-made events whose answer is known."""

import pytest

from tests.analysis.made import Made, analysed, events_of
from tests.recorded import NAMES, scenario


@pytest.mark.parametrize("name", NAMES)
def test_recorded_sessions_are_analysed(name: str) -> None:
    """Whatever Claude Code has been recorded to do gives a report of the published shape that adds up."""
    report = analysed(events_of(scenario(name)))
    assert report.state == "ended"
    assert report.events == report.sequence.length == sum(report.sequence.kinds.values())
    assert sum(one.ms for one in report.time.activities) == pytest.approx(report.time.total_ms)
    assert sum(one.ms for one in report.states.time) == pytest.approx(report.time.total_ms)
    assert len(report.summary) >= 2
    for kind, count in report.cost.tokens.items():
        assert sum(one.tokens.get(kind, 0) for one in report.cost.by_agent) == count


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("interrupt", {"main": 120, "unstated": 120}),
        ("budget_spent", {"unstated": 5_000_000}),
        ("structured_output_fails", {"main": 120, "unstated": 120}),
        ("subagent", {"main": 240, "others": 240}),
        ("compact", {"main": 240, "others": 240}),
    ],
)
def test_whose_tokens_they_are(name: str, expected: dict[str, int]) -> None:
    """Of a turn that was cut short Claude Code states no share of the main agent: no others are made up for it."""
    by_agent = analysed(events_of(scenario(name))).cost.by_agent
    assert {one.agent: one.tokens["input"] for one in by_agent if any(one.tokens.values())} == expected


def test_a_turn_that_was_taken_before_the_prompt() -> None:
    """What was done before its result came is that turn's; the prompt's own has its own tools, time and cost."""
    made = Made().begin(0, "what is it?").call(10, "a").answer(20, "a").call(30, "b").answer(40, "b")
    made.at(50, "run_started", run_id="run-2", unprompted=True, origin="peer", ahead_of="run-1")
    made.at(50, "run_completed", run_id="run-2", subtype="success", outcome="ok", cost_usd=0.25)
    made.call(60, "c").answer(70, "c").end(90, cost_usd=0.5, outcome="ok")
    first, second = made.over(100).report().turns
    assert (first.run_id, first.prompt) == ("run-2", "(begun by Claude Code: peer)")
    assert (first.tool_calls, first.duration_ms, first.cost_usd, first.outcome) == (2, 50, 0.25, "completed")
    assert (second.run_id, second.prompt) == ("run-1", "what is it?")
    assert (second.tool_calls, second.duration_ms, second.cost_usd, second.outcome) == (
        1,
        40,
        0.5,
        "completed",
    )


def test_time_goes_into_exactly_one_thing() -> None:
    """Waiting for the model, for tools, for a permission and for the user are told apart, and nothing counts twice."""
    made = Made().begin(10).call(110, "a").ask(120, "a").decide(620, "a").answer(1620, "a")
    made.call(1620, "b").call(1700, "c").answer(1800, "b").answer(2000, "c").end(2500)
    made.begin(12_500).end(13_000).over(13_010)
    report = made.report()
    spent = {one.activity: one.ms for one in report.time.activities}
    assert spent == pytest.approx(
        {
            "starting": 10,
            "model": 100 + 500 + 500,
            "tools": 10 + 1000 + 380,
            "permission": 500,
            "user": 10_010,
        }
    )
    assert report.time.turns.count == 2
    assert report.time.turns.max == pytest.approx(2490)
    assert report.tools[0].duration.max == pytest.approx(1010)  # without the 500 of its permission
    assert report.turns[0].activities == pytest.approx({"model": 600, "tools": 1390, "permission": 500})


def test_what_goes_on_is_a_stretch_too() -> None:
    """Regression: the wait that a live session is in was in no figure but the sum; a report does not end it."""
    made = Made().begin(10).call(1010, "a").answer(2010, "a")
    for now_ms in (9_002_010, 9_003_010):
        spans = next(one for one in made.report(now_ms).time.activities if one.activity == "model").spans
        assert spans.count == 2
        assert spans.max == pytest.approx(now_ms - 2010)


def test_the_summary_is_true() -> None:
    """What took the tools' time is no subagent's call; waits are those that somebody noticed, the longest first."""
    made = (
        Made().begin(10).call(10, "s", "Agent").call(20, "x", "Read", parent_tool_use_id="s").answer(30, "x")
    )
    made.call(40, "y", parent_tool_use_id="s").answer(4040, "y").answer(60_040, "s")
    made.call(60_040, "b").ask(60_050, "b").decide(70_050, "b").answer(72_050, "b").end(72_060).over(72_070)
    did, time, wrong, waited = made.report().summary
    assert did == "1 turn, 4 tool calls (Bash 2, Agent 1, Read 1), 1 subagent in 1 m 12 s; it has ended."
    assert "tools 8% (6.0 s, most of it Bash)" in time
    assert wrong == "Nothing went wrong, and nothing stood out."
    assert waited == "The longest waits: 10.0 s for a permission, 4.0 s for Bash."


def test_no_tool_took_most_of_what_it_did_not() -> None:
    """Regression: a call that waited for another one, and was denied, made the time of tools that of the longest."""
    made = Made().begin(0).call(0, "a", "Read").answer(200, "a").call(200, "b").answer(300, "b")
    made.call(300, "c").answer(1000, "c", denied=True).end(1000).over(1000)
    assert "tools 100% (1.0 s)" in made.report().summary[1]
