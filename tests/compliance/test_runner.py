"""The check tells the truth: who is sound has all points, and each fault costs its own and no others."""

import sys
import threading
from pathlib import Path

import msgspec
import pytest

from proxy.compliance import scenario
from proxy.compliance.processes import MARK
from proxy.compliance.report import Problem, Report
from proxy.compliance.runner import CancelledError, Check
from proxy.compliance.target import Target
from tests.compliance.wrappers import AMONG_OTHERS, EXACT, STUCK, imperfect
from tests.tiers import in_short

WATCHED = [one for one in scenario.shipped() if one.measure is None]
MEASURED = [one for one in scenario.shipped() if one.measure is not None]
PROXY = str(Path(sys.executable).with_name("claude-proxy"))
PATIENCE_S = 60.0
SHORT_PATIENCE_S = 4.0


def failed(report: Report) -> set[str]:
    """Return the names of what failed."""
    return {one.name for one in report.scenarios if one.verdict == "failed"}


def told(report: Report) -> list[str]:
    """Return what came instead, for a failing test's message."""
    return [f"{one.name}: {problem.came}" for one in report.scenarios for problem in one.problems]


def chosen(*names: str, runs: int = 1) -> list[scenario.Scenario]:
    """Return scenarios; those that measure with so many runs."""
    found = scenario.choose(scenario.shipped(), names)
    return [
        msgspec.structs.replace(one, measure=msgspec.structs.replace(one.measure, runs=runs))
        if one.measure
        else one
        for one in found
    ]


@pytest.mark.slow  # of these faults the short tier plays none; of the others, two, the next test
@pytest.mark.parametrize("fault", EXACT)
def test_each_fault_costs_exactly_its_points(fault: str) -> None:
    """Each broken wrapper fails what its fault breaks and nothing else, and a sound one nothing."""
    # What comes never is not waited for long, what comes late on a loaded machine is.
    waits = {one.name for one in WATCHED if fault in STUCK and one.name in EXACT[fault]}
    parts = [
        (SHORT_PATIENCE_S, [one for one in WATCHED if one.name in waits]),
        (PATIENCE_S, [one for one in WATCHED if one.name not in waits]),
    ]
    reports = [Check(imperfect(fault), part, patience_s=seconds).run() for seconds, part in parts if part]
    said = [sentence for report in reports for sentence in told(report)]
    assert set().union(*map(failed, reports)) == EXACT[fault], said
    assert all(report.passed for report in reports) == (fault == "none")
    points = {one.name: one.weight for one in WATCHED}
    behaviour = [group for report in reports for group in report.groups if group.group == "behaviour"]
    lost = sum(points[name] for name in EXACT[fault] if name.startswith("behaviour/"))
    assert sum(group.of - group.points for group in behaviour) == lost


@pytest.mark.parametrize("fault", in_short(AMONG_OTHERS, names={"decodes text", "reorders the input"}))
def test_further_faults_are_found(fault: str) -> None:
    """A fault that is not among the twelve is found by the scenarios that are there for it."""
    report = Check(
        imperfect(fault),
        [one for one in WATCHED if one.name in AMONG_OTHERS[fault]],
        patience_s=SHORT_PATIENCE_S if fault in STUCK else PATIENCE_S,
    ).run()
    assert failed(report) == AMONG_OTHERS[fault]


def test_no_scenario_is_there_that_nothing_can_fail() -> None:
    """Each scenario fails for at least one of the wrappers above."""
    assert {one.name for one in WATCHED} == frozenset().union(*EXACT.values(), *AMONG_OTHERS.values())


@pytest.mark.slow  # the short tier has it behind a wrapper, the next test
def test_the_bare_stand_in_has_all_points() -> None:
    """What the others are held against fails nothing, in any group."""
    report = Check(Target(), chosen("*"), patience_s=PATIENCE_S).run()
    assert (report.score, told(report)) == (100, [])
    assert all(group.score == 100 for group in report.groups)


def test_this_program_has_all_points() -> None:
    """claude-proxy passes its own check."""
    report = Check(Target((PROXY,)), chosen("*"), patience_s=PATIENCE_S).run()
    assert (report.score, told(report)) == (100, [])
    assert report.as_argument


@pytest.mark.slow  # the short tier has claude-proxy, and wrappers with one fault each
def test_a_shell_wrapper_has_all_points(tmp_path: Path) -> None:
    """`exec claude "$@"`, with the claude that is first on PATH, is what a sound wrapper can be."""
    path = tmp_path / "wrapper"
    path.write_text('#!/bin/sh\nexec claude "$@"\n')
    path.chmod(0o755)
    report = Check(Target((str(path),)), WATCHED, patience_s=PATIENCE_S).run()
    assert (report.score, told(report), report.as_argument) == (100, [], False)


@pytest.mark.parametrize(
    ("fault", "name"), [("starts late", "performance/start"), ("hoards memory", "performance/memory")]
)
def test_what_is_slow_or_large_is_found(fault: str, name: str) -> None:
    """Seconds at each start, or 150 MB for each session, are beyond a limit."""
    (one,) = chosen(name)
    assert one.measure is not None
    strict = msgspec.structs.replace(one, measure=msgspec.structs.replace(one.measure, limit=3.0))
    report = Check(imperfect(fault), [strict], patience_s=PATIENCE_S).run()
    assert failed(report) == {name}
    assert "times" in report.scenarios[0].problems[0].came


def test_a_measurement_that_gets_stuck_fails() -> None:
    """A wrapper that holds lines cannot be measured, and the check ends all the same."""
    report = Check(imperfect("holds lines"), chosen("performance/latency"), patience_s=1.0).run()
    assert failed(report) == {"performance/latency"}
    assert "nothing came for 1 s" in report.scenarios[0].problems[0].came


def test_a_wrapper_that_vanishes_is_no_fault_of_the_check(tmp_path: Path) -> None:
    """A program that is gone when a scenario starts costs the points and gives a sentence."""
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\nrm "$0"\nexec claude "$@"\n')
    wrapper.chmod(0o755)
    report = Check(Target((str(wrapper),)), chosen("behaviour/exit-status"), patience_s=PATIENCE_S).run()
    assert report.scenarios[0].problems[0].came == "the wrapper cannot be started: No such file or directory"


def test_a_cancelled_check_ends_and_leaves_no_process() -> None:
    """Stopped in the middle, with a wrapper that hangs, it ends within moments, and so do its processes."""
    begun = threading.Event()

    class Told(Check):
        def _problems(self, one: scenario.Scenario) -> tuple[Problem, ...]:
            begun.set()
            return super()._problems(one)

    check = Told(imperfect("holds lines"), chosen("control-request", "output-at-once"), patience_s=60.0)
    ended: list[BaseException] = []

    def run() -> None:
        try:
            check.run()
        except CancelledError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(PATIENCE_S)
    check.cancel()
    thread.join(PATIENCE_S)
    assert ended
    assert not _marked_children()


def _marked_children() -> list[int]:
    """Return the children of this process that belong to a scenario."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    found = []
    for pid in children:
        try:
            if f"{MARK}=".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(int(pid))
        except OSError:
            continue
    return found
