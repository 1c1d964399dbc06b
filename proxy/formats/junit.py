"""JUnit XML, as GitLab, Jenkins and GitHub's actions for it take it: suites of cases."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was tested. ``failure``: one line that says what failed, and all of it."""

    classname: str
    name: str
    seconds: float = 0.0
    skipped: str | None = None
    failure: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases that belong together. ``timestamp``: RFC 3339."""

    name: str
    cases: Sequence[Case]
    timestamp: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


def junit(name: str, suites: Sequence[Suite]) -> bytes:
    """Return the document."""
    root = ET.Element("testsuites", name=_clean(name))
    for suite in suites:
        element = ET.SubElement(root, "testsuite", name=_clean(suite.name))
        if suite.timestamp:
            element.set("timestamp", suite.timestamp.removesuffix("Z"))
        _count(element, suite.cases)
        properties = ET.SubElement(element, "properties")
        for key, value in suite.properties.items():
            ET.SubElement(properties, "property", name=key, value=_clean(value))
        for case in suite.cases:
            _case(element, case)
    _count(root, [case for suite in suites for case in suite.cases])
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _count(element: ET.Element, cases: Sequence[Case]) -> None:
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.failure is not None for case in cases)))
    element.set("errors", "0")
    if element.tag == "testsuite":  # the element around all has no such attribute
        element.set("skipped", str(sum(case.skipped is not None for case in cases)))
    element.set("time", f"{sum(case.seconds for case in cases):.3f}")


def _case(suite: ET.Element, case: Case) -> None:
    name, classname = _clean(case.name), _clean(case.classname)
    took = f"{case.seconds:.3f}"
    element = ET.SubElement(suite, "testcase", classname=classname, name=name, time=took)
    if case.skipped is not None:
        ET.SubElement(element, "skipped", message=_clean(case.skipped))
    elif case.failure is not None:
        message, text = case.failure
        failure = ET.SubElement(element, "failure", message=_clean(message), type=classname)
        failure.text = _clean(text)


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
