"""What a session cost: totals that fall start a new base."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.events.spending import Spending, Usage
from proxy.events.status import describe
from tests.events.test_interpreter import USER, interpreted, result, run_ends
from tests.recorded import NAMES, RELEASES, LogMaker, scenario


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


@pytest.mark.parametrize("name", ["resume", "fork", "continued"])
def test_a_resumed_session_costs_what_it_took_itself(name: str) -> None:
    """Regression: a resumed session cost what its conversation had cost before, too: sums counted that twice."""
    events, session = interpreted(scenario(name))
    (end,) = run_ends(events)
    assert end["cost_usd"] == end["total_cost_usd"] == session.figures.cost_usd == 0.00108
    assert (
        end["tokens"]
        == session.figures.tokens
        == {"input": 120, "output": 30, "cache_read": 0, "cache_creation": 0}
    )


def test_models_of_before_are_no_part_of_a_resumed_session() -> None:
    """A model that only earlier processes used is not told, and `/clear` begins anew as ever."""
    spending = Spending()
    ours: dict[str, Usage] = {"b": {"input": 3, "cost_usd": 0.25}}
    paid = spending.take_result(0.75, {"a": {"input": 9, "cost_usd": 0.5}, **ours}, ours)
    assert (paid, spending.cost_usd, spending.models) == (0.25, 0.25, ours)
    assert spending.take_result(0, {}, {}) == 0
    assert spending.take_result(0.125, {"b": {"input": 1, "cost_usd": 0.125}}, None) == 0.125
    assert (spending.cost_usd, spending.models) == (0.375, {"b": {"input": 4, "cost_usd": 0.375}})


def test_the_running_cost_of_a_resumed_session_is_its_own() -> None:
    """Regression: a rule with a budget stopped a resumed session for what its conversation had cost before."""

    def asked(total: float) -> bytes:
        usage = {
            "total_cost_usd": total,
            "model_usage": {"m": {"inputTokens": int(total * 1000), "costUSD": total}},
        }
        response = {"request_id": "ours", "subtype": "success", "response": {"session": usage}}
        line = maker.lines("stdout", {"type": "control_response", "response": response})
        return line.replace(b'"verdict"', b'"forwarded":false,"verdict"')

    maker = LogMaker()
    log = maker.started(["claude", "-p", "--input-format", "stream-json", "--resume", "x"])
    log += maker.lines("stdin", USER) + asked(5.0) + asked(5.25)
    updates = [event.data for event in interpreted(log)[0] if event.event_type == "cost_updated"]
    assert [update["total_cost_usd"] for update in updates] == [0, 0.25]
    totals = {"modelUsage": {"m": {"inputTokens": 5500, "costUSD": 5.5}}}
    since = {"model_usage_since_last_result": {"m": {"inputTokens": 750, "costUSD": 0.75}}}
    for more, cost, tokens in ((since, 0.75, 750), ({}, 5.5, 5500)):
        figures = interpreted(log + maker.lines("stdout", result(5.5, **totals, **more)))[1].figures
        assert (figures.cost_usd, figures.tokens["input"]) == (cost, tokens)


@pytest.mark.parametrize("name", [*NAMES, *RELEASES])
def test_the_tokens_of_turns_add_up_to_those_of_the_session(name: str) -> None:
    """What all turns took is what the session took, subagents included, as it is with cost."""
    events, session = interpreted(scenario(name))
    found = Counter[str]()
    for end in run_ends(events):
        found.update(end.get("tokens", {}))
    if session.figures.tokens:
        assert {**found} == session.figures.tokens


@pytest.mark.parametrize(("option", "cost"), [("--resume", None), ("--verbose", 0.75)])
def test_a_total_that_nobody_can_take_apart_is_not_told(option: str, cost: float | None) -> None:
    """Regression: a resumed session that printed its result as JSON cost what its conversation had cost before, too."""
    maker = LogMaker(prints="json")
    usage = {"input_tokens": 120, "output_tokens": 30}
    printed = result(0.75, num_turns=1, result="done", result_index=0, usage=usage)
    printed |= {"modelUsage": {"m": {"inputTokens": 360, "costUSD": 0.75}}}
    log = maker.started(["claude", "-p", "hi", "--output-format", "json", option]) + maker.lines(
        "stdout", printed
    )
    events, session = interpreted(log + maker.ended())
    (end,) = run_ends(events)
    told = describe(session, session.last_record_us)
    assert end["cost_usd"] == told.cost == cost
    assert end["tokens"]["input"] == (120 if cost is None else 360)
    assert (told.cost_reason is None) is (cost is not None)
