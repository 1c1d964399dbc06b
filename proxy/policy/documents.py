"""Findings as SARIF and as JUnit XML: a rule for each kind of finding, a suite for each session."""

from collections.abc import Sequence
from pathlib import Path

from proxy import __version__
from proxy.formats.junit import Case, Suite
from proxy.formats.junit import junit as junit_document
from proxy.formats.sarif import Result, Rule
from proxy.formats.sarif import sarif as sarif_document
from proxy.policy.check import KINDS, Finding, Kind


def sarif(findings: Sequence[Finding], logs: dict[str, str], failing: frozenset[Kind]) -> bytes:
    """Return the findings as SARIF, each placed at its record; ``logs``: the path of each session's log."""
    rules = {
        kind: Rule(f"policy/{kind}", meaning, meaning, "error" if kind in failing else "warning")
        for kind, meaning in KINDS.items()
    }
    # Records are numbered from 0, lines from 1.
    places = {session_id: Path(log).absolute().as_uri() for session_id, log in logs.items()}
    results = [
        Result(rules[one.kind], _said(one), places[one.session_id], (one.seq or 0) + 1) for one in findings
    ]
    return sarif_document("claude-proxy policy check", __version__, list(rules.values()), results)


def junit(findings: Sequence[Finding], calls: dict[str, int], failing: frozenset[Kind]) -> bytes:
    """Return the findings as JUnit XML; ``calls``: how many calls ran in each session.

    A case for each finding, which fails if its kind does, and one for the calls of a session that nothing was found in.
    """
    suites = []
    for session_id, count in calls.items():
        found = [one for one in findings if one.session_id == session_id]
        cases = [_case(one, fails=one.kind in failing) for one in found]
        cases.append(Case("policy", f"{count} calls ran"))
        suites.append(Suite(session_id, cases))
    return junit_document("claude-proxy policy check", suites)


def _case(finding: Finding, *, fails: bool) -> Case:
    name = f"{finding.tool or 'record'} at record {finding.seq}"
    said = (f"{finding.kind}: {KINDS[finding.kind]}", _said(finding))
    return Case(f"policy.{finding.kind}", name, failure=said if fails else None)


def _said(finding: Finding) -> str:
    by = f" ({finding.rule})" if finding.rule else ""
    return f"{finding.tool or 'The log'}: {finding.text}: {KINDS[finding.kind]}{by}."
