"""What was written is held against what arrived, in the strength that the scenario asks for."""

import pytest

from proxy.compliance.evidence import Evidence, Seen
from proxy.compliance.expectations import problems
from proxy.compliance.processes import Found
from proxy.compliance.scenario import Expectation

A, B, C = b'{"type":"keep_alive","n":1}\n', b'{"type":"keep_alive","n":2}\n', b'{"type":"keep_alive","n":3}\n'
A_OTHERWISE = b'{ "n": 1, "type": "keep_alive" }\n'


def evidence(written: bytes = b"", arrived: bytes = b"", **seen: object) -> Evidence:
    """Return what was seen of an output."""
    found = Evidence(["-p"], {"A": "1", "PATH": "/bin"}, "/here", stdout=arrived, status=0)
    found.seen = Seen(True, ["-p"], {"A": "1", "PATH": "/bin"}, "/here", stdout=written)
    for name, value in seen.items():
        setattr(found.seen, name, value)
    return found


def said(found: Evidence, **expected: object) -> str:
    """Return what came instead of what was expected, nothing if it holds."""
    return "; ".join(one.came for one in problems(found, [Expectation(**expected)]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arrived", "fails"),
    [
        (A + B + C, ""),
        (A_OTHERWISE + B + C, "identical unchanged"),
        (A + C, "identical unchanged complete"),
        (A + C + B, "identical ordered"),
        (A + B + b"hello\n" + C, "identical nothing-added added-valid"),
        (A + B + A + C, "identical ordered nothing-added"),
        (A + B + C[:-1], "identical unchanged"),
        (A + B + C[:-5], "identical unchanged complete nothing-added added-valid"),
        (b"", "identical unchanged complete"),
    ],
)
def test_each_comparison_finds_its_own_fault_and_no_other(arrived: bytes, fails: str) -> None:
    """A lost line, another order, another spelling and an addition are told apart."""
    comparisons = ["identical", "unchanged", "complete", "ordered", "added-valid", "nothing-added"]
    found = {one for one in comparisons if said(evidence(A + B + C, arrived), stdout=one)}
    assert found == set(fails.split())


def test_what_is_told_names_the_place() -> None:
    """Somebody who reads a finding can look for the fault."""
    assert said(evidence(A + B, A), stdout="complete").startswith("1 did not; the first is line 2: ")
    assert said(evidence(A + B, A + B[:-3] + b"4}\n"), stdout="identical").startswith("at byte 53 ")
    assert said(evidence(A + B, A + B[:-3]), stdout="identical") == "the first 53 bytes; missing is `2}\\n`"
    assert said(evidence(A, A + b"x"), stdout="identical") == "all of them, and then `x`"
    assert said(evidence(A + B, B + A), stdout="ordered") == "line 1 came behind line 2"
    assert "came as `{ " in said(evidence(A, A_OTHERWISE), stdout="unchanged")


def test_lines_that_are_equal_count_by_number() -> None:
    """One of two equal messages can be lost too."""
    assert said(evidence(A + A, A), stdout="complete")
    assert not said(evidence(A + A, A + A), stdout="complete")


def test_validity_is_judged_by_the_specification() -> None:
    """A line that no client understands is told with the reason."""
    assert not said(evidence(arrived=A + b"\n"), stdout="valid")
    assert "malformed: `hello`" in said(evidence(arrived=b"hello\n"), stdout="valid")
    assert "invalid" in said(evidence(stdin=b'{"type":"user"}\n'), stdin="valid")


@pytest.mark.parametrize(
    ("expected", "came", "holds"),
    [
        (7, 7, True),
        (7, 0, False),
        (-9, -9, True),
        (-9, 137, True),
        (-9, 247, False),
        (143, -15, False),
        (0, None, False),
    ],
)
def test_a_status_is_told_in_the_two_ways_that_are_true(expected: int, came: int | None, holds: bool) -> None:
    """Death by a signal may be told as a shell tells it; everything else is another status."""
    found = evidence()
    found.status = came
    assert (not said(found, status=expected)) == holds


def test_signals_are_counted() -> None:
    """Once is once."""
    assert not said(evidence(signals={"SIGTERM": 1}), signals={"SIGTERM": 1})
    assert said(evidence(signals={"SIGTERM": 2}), signals={"SIGTERM": 1}) == "it came twice"
    assert said(evidence(), signals={"SIGTERM": 1}) == "it came not at all"


@pytest.mark.parametrize(
    ("environment", "holds"),
    [
        ({"A": "1", "PATH": "/bin", "MORE": "x", "SHLVL": "2"}, True),
        ({"A": "1", "PATH": "/opt:/bin"}, True),
        ({"A": "1", "PATH": "/opt"}, False),
        ({"A": "2", "PATH": "/bin"}, False),
        ({"PATH": "/bin"}, False),
    ],
)
def test_the_environment_keeps_what_the_caller_gave(environment: dict[str, str], holds: bool) -> None:
    """A wrapper may add, and may not change."""
    assert (not said(evidence(environment=environment), same="environment")) == holds


def test_further_surroundings_are_compared() -> None:
    """Arguments, directory, the end of the input and what is left each have a sentence."""
    assert said(evidence(arguments=["-p", "x"]), same="arguments") == "['-p', 'x']"
    assert said(evidence(directory="/"), same="directory") == "'/'"
    assert said(evidence(), input_ended=True) == "it was not"
    assert said(evidence(arrived=b"hello"), stdout_text="") == "`hello`"
    found = evidence()
    found.left = [Found(7, "sleep 60", 7)]
    assert said(found, nothing_left=True) == "1 lived on: 7 (`sleep 60`)"


def test_a_dialogue_that_got_stuck_hides_its_consequences() -> None:
    """The status of what was killed says nothing; what is missing does."""
    found = evidence(A + B, A)
    found.stuck, found.status = "step 1, await: nothing came", -9
    expected = [Expectation(status=0), Expectation(stdout="complete")]
    assert [one.came.partition(";")[0] for one in problems(found, expected)] == [found.stuck, "1 did not"]


def test_a_claude_that_never_ran_proves_nothing() -> None:
    """A wrapper that runs nothing at all loses no line, and fails all the same."""
    assert said(evidence(started=False), stdout="complete") == "it did not run it"
    assert not said(evidence(started=False), status=0)


def test_what_only_a_journal_tells_is_not_asked_of_the_real_claude() -> None:
    """Without a journal there is nothing to compare with."""
    found = evidence(A, b"")
    found.seen = None
    for expected in (
        {"stdout": "complete"},
        {"signals": {"SIGTERM": 1}},
        {"same": "environment"},
        {"input_ended": True},
    ):
        assert not said(found, **expected)
