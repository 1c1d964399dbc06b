"""Which rules apply: each condition at its limit and not below, once a turn, and again after a pause is lifted."""

from typing import Any

import pytest

from proxy.config import settings_of
from proxy.events import Session
from proxy.events.figures import Figures
from proxy.events.session import Question, Run, Tool
from proxy.server.rules.occurrences import Occurrence, Resumed, needed, occurrences, rules_for
from proxy.server.rules.progress import Progress

NOW_US = 3_600_000_000


def session(**fields: Any) -> Session:
    """Return a session in its second turn, which began an hour ago."""
    return Session("s", run=Run("run-2", 5, 0), runs=2, grant="restrain", **fields)


def found(
    one: Session,
    when: dict[str, float],
    progress: Progress | None = None,
    resumed: Resumed | None = None,
    **rule: Any,
) -> list[Occurrence]:
    """Return what applies of one rule."""
    rules = settings_of({"rules": {"mine": {"when": when, **rule}}}).rules
    return list(occurrences(one, rules_for(one, rules), progress or Progress(), NOW_US, resumed or Resumed()))


QUESTION = Question("can_use_tool", 9, 0, tool="Bash")


@pytest.mark.parametrize(
    ("condition", "limit", "below", "one"),
    [
        ("cost_usd", 5, 5.01, session(figures=Figures(cost_usd=5.0))),
        (
            "output_tokens",
            100,
            101,
            session(figures=Figures(models={"m": {"output": 60}, "n": {"output": 40}})),
        ),
        ("turn_minutes", 60, 61, session()),
        ("silent_seconds", 3600, 3601, session()),
        ("question_minutes", 60, 61, session(questions={"q": QUESTION})),
    ],
)
def test_a_condition_is_met_at_its_limit(condition: str, limit: float, below: float, one: Session) -> None:
    """And not below; what has fired names the turn, or the question."""
    (occurrence,) = found(one, {condition: limit})
    assert (occurrence.name, occurrence.value) == ("mine", limit)
    assert occurrence.occasion == ("2:q" if condition == "question_minutes" else "2")
    assert found(one, {condition: below}) == []


def test_silence_is_not_what_somebody_works_in() -> None:
    """A tool that runs, or a question that is open, is no silence; nor is the time between turns.

    Nor is a turn whose answer alone is printed.
    """
    assert found(session(tools={"t": Tool("Bash", 1, 0)}), {"silent_seconds": 1}) == []
    assert found(session(questions={"q": QUESTION}), {"silent_seconds": 1}) == []
    assert found(session(last_output_us=NOW_US - 900_000), {"silent_seconds": 1}) == []
    assert found(Session("s", runs=2), {"silent_seconds": 1}) == []
    assert found(session(prints="text"), {"silent_seconds": 1}) == []


def test_a_warning_comes_before() -> None:
    """Once the share is reached; then the rule itself, which is another occasion."""
    (near,) = found(session(figures=Figures(cost_usd=4.0)), {"cost_usd": 5}, warn_at=0.8)
    assert (near.warning, near.occasion) == (True, "2:warning")
    (there,) = found(session(figures=Figures(cost_usd=5.0)), {"cost_usd": 5}, warn_at=0.8)
    assert (there.warning, there.occasion) == (False, "2")


def test_a_cost_that_nobody_can_ask_for_is_known_at_results() -> None:
    """And the occurrence says so; it is asked for where there is a grant, a turn is open and a rule needs it."""
    paid = session(figures=Figures(cost_usd=9.0))
    rules = settings_of({"rules": {"b": {"when": {"cost_usd": 5}}}}).rules
    mine = rules_for(paid, rules)
    assert [one.known for one in occurrences(paid, mine, Progress(), 0, Resumed())] == [None]
    assert needed(paid, mine)
    paid.grant = "off"
    assert [one.known for one in occurrences(paid, mine, Progress(), 0, Resumed())] == ["at results only"]
    assert not needed(paid, mine)
    assert not needed(Session("s", grant="full"), mine)


def test_the_first_rule_of_a_condition_that_matches_counts() -> None:
    """By name and folder, with a shell's patterns."""
    rules = settings_of(
        {
            "rules": {
                "nightly": {"when": {"cost_usd": 1}, "match": {"name": "nightly-*"}},
                "server": {"when": {"cost_usd": 2}, "match": {"cwd": "/srv/*"}},
                "others": {"when": {"cost_usd": 3}},
                "calls": {"when": {"calls_in_turn": 3}},
            }
        }
    ).rules

    def names(**about: str) -> list[str]:
        return [name for name, _ in rules_for(Session("s", **about), rules).values()]  # type: ignore[arg-type]

    assert names(name="nightly-build", cwd="/srv/a") == ["nightly", "calls"]
    assert names(cwd="/srv/a") == ["server", "calls"]
    assert names() == ["others", "calls"]


def test_who_lifts_a_pause_lets_it_go_as_far_once_more() -> None:
    """Else the rule would pause the session again at once."""
    one = session(figures=Figures(cost_usd=5.5))
    rules = rules_for(one, settings_of({"rules": {"mine": {"when": {"cost_usd": 5}}}}).rules)
    resumed = Resumed().again(one, rules, Progress(), NOW_US)
    assert found(one, {"cost_usd": 5}, resumed=resumed) == []
    one.figures.cost_usd = 10.5
    (again,) = found(one, {"cost_usd": 5}, resumed=resumed)
    assert again.occasion == "2.1"
