"""JUnit XML and SARIF: what their readers rely on holds, whatever a wrapper has written."""

import json
from xml.etree import ElementTree as ET

import pytest

from proxy.compliance.documents import junit, sarif
from proxy.compliance.report import Measured, Outcome, Problem, Report, grouped, overall

ODD = "a \x00\x1b[31m <tag> & \ufffe ]]> é 世界"


def report(*outcomes: Outcome) -> Report:
    """Return a report of these outcomes."""
    groups = grouped(outcomes)
    score = overall(groups)
    return Report(
        "/a b/wrapper",
        False,
        None,
        "0.1.0",
        "2026-01-01T00:00:00Z",
        5,
        100,
        score,
        score >= 100,
        groups,
        outcomes,
    )


def outcome(name: str, verdict: str, weight: int = 1) -> Outcome:
    """Return an outcome with texts that no format likes."""
    problems = (Problem(ODD, ODD),) if verdict == "failed" else ()
    group = name.partition("/")[0]
    measured = Measured(1.0, 2.0, "ms", 2.0, 15.0) if group == "performance" else None
    return Outcome(name, group, "A truth", "A reason", weight, verdict, 12, problems, measured)  # type: ignore[arg-type]


ALL = report(
    outcome("schema/one", "passed", 3),
    outcome("schema/two", "skipped", 9),
    outcome("behaviour/three", "failed", 1),
    outcome("behaviour/four", "passed", 3),
    outcome("performance/five", "failed", 2),
)


def test_scores_are_shares_of_points_by_the_groups_weights() -> None:
    """Schema 3 of 3, behaviour 3 of 4, performance 0 of 2: weighed 30, 50 and 20."""
    assert [group.score for group in ALL.groups] == [100, 75, 0]
    assert ALL.score == pytest.approx((100 * 30 + 75 * 50) / 100)


def test_a_group_that_was_not_run_counts_for_nothing() -> None:
    """One group alone decides, and nothing at all is no pass."""
    assert report(outcome("behaviour/one", "passed")).score == 100
    assert report(outcome("schema/one", "skipped")).score == 0


def test_junit_counts_and_orders_as_the_format_wants() -> None:
    """Suites have the counts, properties come before cases, a case has at most one child, and all parses."""
    root = ET.fromstring(junit(ALL))
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("skipped")) == (
        "testsuites",
        "5",
        "2",
        None,
    )
    for suite in root:
        assert suite.tag == "testsuite"
        assert {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"} == set(suite.keys())
        assert [child.tag for child in suite] == ["properties"] + ["testcase"] * int(suite.get("tests", "0"))
        for case in suite.iter("testcase"):
            assert {"classname", "name", "time"} == set(case.keys())
            assert [child.tag for child in case] in ([], ["failure"], ["skipped"])
    failure = root.find(".//failure")
    assert failure is not None
    assert "<tag> &" in (failure.text or "")
    assert "why it matters: A reason" in (failure.text or "")


def test_sarif_has_a_result_for_each_failure() -> None:
    """What passed is no alert; each result points to its rule and has a level, a message and a place with a line."""
    document = json.loads(sarif(ALL, "/a b/wrapper"))
    assert (document["version"], document["$schema"].rpartition("/")[2]) == ("2.1.0", "sarif-2.1.0.json")
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) == len(ALL.scenarios)
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
    verdicts = {rule["id"]: rule["properties"]["verdict"] for rule in rules}
    assert verdicts == {one.name: one.verdict for one in ALL.scenarios}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        (place,) = result["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == "file:///a%20b/wrapper"
        assert place["physicalLocation"]["region"] == {"startLine": 1}
    levels = [(result["ruleId"], result["level"]) for result in run["results"]]
    assert levels == [("behaviour/three", "error"), ("performance/five", "warning")]
