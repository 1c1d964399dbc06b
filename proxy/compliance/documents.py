"""A report as SARIF and as JUnit XML: each scenario is a rule or a case, each that failed a result or a failure."""

from pathlib import Path

from proxy.compliance.report import Outcome, Report
from proxy.formats.junit import Case, Suite
from proxy.formats.junit import junit as junit_document
from proxy.formats.sarif import Result, Rule
from proxy.formats.sarif import sarif as sarif_document


def sarif(report: Report, wrapper: str) -> bytes:
    """Return the report as SARIF; ``wrapper`` is the path of the program, where results are placed."""
    uri = Path(wrapper).absolute().as_uri()
    rules = {outcome.name: _rule(outcome) for outcome in report.scenarios}
    failed = [outcome for outcome in report.scenarios if outcome.verdict == "failed"]
    results = [Result(rules[outcome.name], _said(outcome), uri) for outcome in failed]
    return sarif_document(
        "claude-proxy check",
        report.version,
        list(rules.values()),
        results,
        started_at=report.started_at,
        properties={"score": report.score, "groups": {one.group: one.score for one in report.groups}},
    )


def junit(report: Report) -> bytes:
    """Return the report as JUnit XML: a suite for each group that has scenarios."""
    suites = []
    for group in report.groups:
        cases = [_case(outcome) for outcome in report.scenarios if outcome.group == group.group]
        score = "none" if group.score is None else f"{group.score:g}"
        if cases:
            suites.append(Suite(group.group, cases, report.started_at, {"score": score}))
    return junit_document(f"claude-proxy check {report.wrapper}", suites)


def _rule(outcome: Outcome) -> Rule:
    about = {"tags": [outcome.group], "weight": outcome.weight, "verdict": outcome.verdict}
    level = "warning" if outcome.group == "performance" else "error"
    return Rule(outcome.name, outcome.title, outcome.why, level, about)  # type: ignore[arg-type]


def _said(outcome: Outcome) -> str:
    sentences = [f"Expected: {problem.expected}. Came: {problem.came}." for problem in outcome.problems]
    return " ".join([f"{outcome.title}.", *sentences])


def _case(outcome: Outcome) -> Case:
    problems = [f"expected: {problem.expected}\ncame: {problem.came}" for problem in outcome.problems]
    return Case(
        f"compliance.{outcome.group}",
        outcome.name.partition("/")[2],
        outcome.duration_ms / 1000,
        skipped="cannot be asked of the real claude" if outcome.verdict == "skipped" else None,
        failure=(outcome.title, "\n".join([*problems, f"why it matters: {outcome.why}"]))
        if outcome.verdict == "failed"
        else None,
    )
