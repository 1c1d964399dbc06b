"""A report as JUnit XML, for CI: a test suite for each group, a test case for each scenario."""

import re
from xml.etree import ElementTree as ET

from proxy.compliance.report import Outcome, Report

__all__ = ["junit"]

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


def junit(report: Report) -> bytes:
    """Return the document."""
    root = ET.Element("testsuites", name=f"claude-proxy check {_clean(report.wrapper)}")
    ran = []
    for group in report.groups:
        outcomes = [one for one in report.scenarios if one.group == group.group]
        if not outcomes:
            continue
        ran += outcomes
        suite = ET.SubElement(
            root, "testsuite", name=group.group, timestamp=report.started_at.removesuffix("Z")
        )
        _count(suite, outcomes)
        properties = ET.SubElement(suite, "properties")
        ET.SubElement(
            properties, "property", name="score", value="none" if group.score is None else f"{group.score:g}"
        )
        for outcome in outcomes:
            _case(suite, outcome)
    _count(root, ran)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _count(element: ET.Element, outcomes: list[Outcome]) -> None:
    verdicts = [one.verdict for one in outcomes]
    element.set("tests", str(len(outcomes)))
    element.set("failures", str(verdicts.count("failed")))
    element.set("errors", "0")
    if element.tag == "testsuite":  # the element around all has no such attribute
        element.set("skipped", str(verdicts.count("skipped")))
    element.set("time", f"{sum(one.duration_ms for one in outcomes) / 1000:.3f}")


def _case(suite: ET.Element, outcome: Outcome) -> None:
    name = outcome.name.partition("/")[2]
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"compliance.{outcome.group}",
        name=name,
        time=f"{outcome.duration_ms / 1000:.3f}",
    )
    if outcome.verdict == "skipped":
        ET.SubElement(case, "skipped", message="cannot be asked of the real claude")
    elif outcome.verdict == "failed":
        failure = ET.SubElement(case, "failure", message=_clean(outcome.title), type="compliance")
        problems = [f"expected: {problem.expected}\ncame: {problem.came}" for problem in outcome.problems]
        failure.text = _clean("\n".join([*problems, f"why it matters: {outcome.why}"]))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
