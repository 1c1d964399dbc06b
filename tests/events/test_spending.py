"""What a session cost: totals that fall start a new base."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.events.spending import Spending, Usage
from tests.events.test_interpreter import interpreted, run_ends
from tests.recorded import scenario


def test_a_total_that_falls_starts_a_new_base() -> None:
    """Regression: after `/clear` the session had cost what its last turns cost."""
    spending = Spending()
    assert [spending.take(total, None) for total in (0.00108, 0, 0.00108)] == [0.00108, 0, 0.00108]
    assert spending.cost_usd == 0.00216


def test_what_nobody_stated_is_unknown() -> None:
    """Without a total there is no cost, and a result that states none changes nothing."""
    spending = Spending()
    assert (spending.take(None, None), spending.cost_usd, spending.models) == (None, None, {})
    spending.take(0.5, {"m": {"input": 3}})
    assert (spending.take(None, None), spending.cost_usd, spending.models) == (None, 0.5, {"m": {"input": 3}})


def test_models_follow_the_same_rule() -> None:
    """Tokens and costs by model begin anew with the total, also where a model took more than all before."""
    spending = Spending()
    spending.take(0.5, {"m": {"input": 10, "cost_usd": 0.5}})
    spending.take(0, {})
    spending.take(0.9, {"m": {"input": 20, "cost_usd": 0.9}})
    assert spending.models == {"m": {"input": 30, "cost_usd": 1.4}}
    assert spending.cost_usd == 1.4


def test_a_number_that_is_not_stated_is_no_fall() -> None:
    """Regression: a gateway that gave a count as a text once made the model count twice."""
    spending = Spending()
    spending.take(0.5, {"m": {"input": 10, "output": 5, "cost_usd": 0.5}})
    spending.take(0.75, {"m": {"input": 15, "cost_usd": 0.75}})
    assert spending.models == {"m": {"input": 15, "output": 5, "cost_usd": 0.75}}


@given(st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=5), min_size=1, max_size=5))
def test_the_sum_is_what_the_turns_cost(processes: list[list[int]]) -> None:
    """However often the totals begin anew: the cost of the session is the sum of its turns, model by model too."""
    spending, costs = Spending(), []
    for turns in processes:
        spending.take(0, {})
        total = 0
        for cost in turns:
            total += cost
            models: dict[str, Usage] = {"m": {"cost_usd": total / 1000, "input": total}}
            costs.append(spending.take(total / 1000, models))
    expected = sum(map(sum, processes))
    assert spending.cost_usd == pytest.approx(expected / 1000)
    assert sum(cost or 0 for cost in costs) == pytest.approx(expected / 1000)
    assert spending.models["m"]["input"] == expected


def test_a_real_session_after_clear() -> None:
    """Events, session and models of a recorded session say one cost."""
    events, session = interpreted(scenario("clear"))
    ends = run_ends(events)
    assert [data["cost_usd"] for data in ends] == [0.00108, 0, 0.00108]
    assert [data["total_cost_usd"] for data in ends] == [0.00108, 0.00108, 0.00216]
    assert session.figures.cost_usd == events[-1].data["cost_usd"] == 0.00216
    assert ends[-1]["model_usage"]["claude-opus-5-5"]["cost_usd"] == 0.00216
    assert session.figures.tokens == {"input": 240, "output": 60, "cache_read": 0, "cache_creation": 0}
