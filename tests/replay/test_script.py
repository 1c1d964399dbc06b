"""A script is checked as a whole before anything happens, and says in one sentence what is wrong with it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proxy.replay.acting import Actor
from proxy.replay.script import STEPS, ScriptError, load, parse

DOCS = (Path(__file__).parents[2] / "docs/replay.md").read_text()

WRONG: list[tuple[Any, str]] = [
    ({}, "a script is a list of steps"),
    ({"steps": [], "step": []}, "unknown key 'step'; did you mean steps"),
    ([{"sned": {}}], "steps/0: unknown step 'sned'; did you mean send"),
    ([{"delay": 1, "exit": 0}], "steps/0: a step is a mapping with one key"),
    ([{"delay": -1}], "steps/0/delay: takes a number from 0"),
    ([{"exit": 256}], "steps/0/exit: takes an exit status"),
    ([{"die": "SIGNOT"}], "steps/0/die: 'SIGNOT' is no signal"),
    ([{"die": "SIG_IGN"}], "no signal"),
    ([{"hex": "fg"}], "pairs of hexadecimal digits"),
    ([{"hex": 10}], "in quotation marks"),
    ([{"send": "text"}], "takes an object"),
    ([{"expect": {"typ": "user"}}], "takes user"),
    ([{"flood": {"lines": 1}}], "takes the bytes of a line"),
    ([{"flood": {"lines": 1, "bytes": 3}}], "flood/bytes: takes a number from"),
    ([{"close": "all"}], "takes stdin, stdout or stderr"),
    ([{"repeat": {"steps": [{"delay": 1}]}}], "without times"),
    ([{"repeat": {"times": 1, "steps": [{"exit": "x"}]}}], "steps/0/repeat/steps/0/exit"),
    ({"steps": [], "signals": {"SIGKILL": "ignore"}}, "neither caught nor ignored"),
    ({"steps": [], "signals": {"SIGTERM": "no"}}, "signals/SIGTERM: takes ignore, die or"),
    ({"steps": [], "answers": "on"}, "answers: takes"),
    (yaml.safe_load("[{send: {day: 2026-01-02}}]"), "put it in quotation marks"),
]


@pytest.mark.parametrize(("script", "sentence"), WRONG)
def test_what_is_wrong_is_said_with_its_place(script: Any, sentence: str) -> None:
    """Nobody has to guess which step of a script is meant."""
    with pytest.raises(ScriptError, match=sentence):
        parse(script)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(STEPS)),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(sorted(STEPS)), inner),
    )
)
def test_no_value_is_more_than_wrong(value: Any) -> None:
    """Whatever a file holds, it is a script or a sentence."""
    for candidate in (value, [value], {"steps": [value]}, [{name: value} for name in sorted(STEPS)]):
        with contextlib.suppress(ScriptError):
            parse(candidate)


def test_each_step_can_be_performed_and_is_documented() -> None:
    """What a script may say is done, and is on the page."""
    for name in STEPS:
        assert hasattr(Actor, f"_do_{name}")
        assert f"`{name}" in DOCS


def test_yaml_and_json_are_one_format(tmp_path: Path) -> None:
    """The same script in either spelling has the same steps; a bare `off` of YAML means what it says."""
    (tmp_path / "a.yaml").write_text("answers: off\nsteps:\n- read: off\n- expect: user/x\n- hang\n")
    (tmp_path / "a.json").write_text(
        '{"answers":"off","steps":[{"read":"off"},{"expect":"user/x"},{"hang":{}}]}'
    )
    one, other = load(str(tmp_path / "a.yaml")), load(str(tmp_path / "a.json"))
    assert one.steps == other.steps
    assert one.answers is other.answers is None


@pytest.mark.parametrize(
    ("name", "text"), [("a.yaml", "a: [\n"), ("a.json", "[1,"), ("b.yaml", ""), ("b.json", "[" * 99_999)]
)
def test_a_file_that_is_no_script_is_named(name: str, text: str, tmp_path: Path) -> None:
    """A broken file is named in what is said about it."""
    (tmp_path / name).write_text(text)
    with pytest.raises(ScriptError, match=name):
        load(str(tmp_path / name))
    with pytest.raises(ScriptError, match="cannot read the script"):
        load(str(tmp_path / "missing.json"))


def test_the_script_of_the_page_is_one() -> None:
    """The example of the documentation can be used as it stands."""
    example = DOCS.partition("```yaml\n")[2].partition("```")[0]
    assert [name for name, _ in parse(yaml.safe_load(example)).steps] == ["expect", "reply", "expect", "exit"]
