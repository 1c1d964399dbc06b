"""Scenarios are files: the shipped ones are usable, a user's own are checked, and both can be chosen."""

from pathlib import Path

import pytest

from proxy.compliance import scenario
from proxy.replay import script

OWN = """
- name: behaviour/mine
  title: A truth
  why: A reason
  stand_in: [{expect: user}, {reply: Hello}]
  caller: [{send: {type: user}}, {await: {type: result}}]
  expect: [{status: 0}]
"""


def test_each_shipped_scenario_has_a_script_that_the_stand_in_takes() -> None:
    """What is shipped can be played, in each group, under names of their own."""
    shipped = scenario.shipped()
    for one in shipped:
        script.parse(one.stand_in)
        assert one.title, one.why
    assert len({one.name for one in shipped}) == len(shipped)
    assert {one.group for one in shipped} == set(scenario.GROUPS)


def test_shipped_scenarios_come_by_groups() -> None:
    """A report reads from schema over behaviour to performance."""
    groups = [one.group for one in scenario.shipped()]
    assert groups == sorted(groups, key=scenario.GROUPS.index)


def test_a_folder_of_scenarios_is_read(tmp_path: Path) -> None:
    """A user's scenarios are files of their own, and one takes the place of its namesake."""
    (tmp_path / "one.yaml").write_text(OWN)
    (tmp_path / "notes.txt").write_text("no scenario")
    (own,) = scenario.load(str(tmp_path))
    assert (own.name, own.weight, own.arguments) == ("behaviour/mine", 1, list(scenario.SESSION))
    other = scenario.load(str(tmp_path / "one.yaml"))
    assert scenario.merged([own], other) == other


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {name: behaviour/x, title: t, why: w, weigth: 3}", "unknown field `weigth`"),
        ("- {name: x, title: t, why: w}", "'x' is not GROUP/NAME"),
        ("- {name: behaviour/x, title: t, why: w}", "neither `caller` nor `expect`"),
        ("- {name: behaviour/x, title: t, why: w, weight: 0, expect: [{status: 1}]}", "1 or more"),
        ("- {name: performance/x, title: t, why: w, expect: [{status: 1}]}", "have `measure`"),
        ("- {name: behaviour/x, title: t, why: w, expect: [{status: 1, stdout: valid}]}", "one key of"),
        ("- {name: behaviour/x, title: t, why: w, caller: [{}]}", "not none"),
        ("- {name: behaviour/x, title: t, why: w, caller: [{signal: TERM}]}", "SIGTERM"),
        (
            "- {name: behaviour/x, title: t, why: w, stand_in: [{exepct: user}], expect: [{status: 0}]}",
            "did you mean expect",
        ),
        ("- [", "is not YAML"),
        ("7", "scenario 1"),
    ],
)
def test_a_scenario_that_says_something_wrong_is_refused(text: str, said: str, tmp_path: Path) -> None:
    """A mistake is told before anything is run, with the file and what to change."""
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(scenario.ScenarioError) as error:
        scenario.load(str(path))
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A path that leads nowhere, or to a folder without scenarios, gives a sentence."""
    with pytest.raises(scenario.ScenarioError, match="cannot read the scenario"):
        scenario.load(str(tmp_path / "none.yaml"))
    with pytest.raises(scenario.ScenarioError, match="there are no scenarios"):
        scenario.load(str(tmp_path))


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("behaviour/sigterm", 1), ("sigterm*", 2), ("performance", 4), ("*", len(scenario.shipped()))],
)
def test_scenarios_are_chosen_by_name_pattern_or_group(pattern: str, count: int) -> None:
    """A name can be written with its group or without, as a pattern, and a group stands for all of it."""
    assert len(scenario.choose(scenario.shipped(), [pattern])) == count


def test_a_pattern_that_fits_nothing_is_told() -> None:
    """A typing error does not pass for a check without failures."""
    with pytest.raises(scenario.ScenarioError, match="did you mean behaviour/sigterm"):
        scenario.choose(scenario.shipped(), ["sigterm", "sigtrem"])


def test_each_of_several_at_once_has_its_number() -> None:
    """What runs at the same time can be told apart."""
    (one,) = scenario.choose(scenario.shipped(), ["concurrency"])
    assert "I am number 3" in str(scenario.instance(one, 3).caller)
