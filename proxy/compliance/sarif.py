"""A report as SARIF 2.1.0, for code scanning: a rule for each scenario, a result for each that failed.

What passed is no result, although the format has a kind for it: code scanning takes every result for an alert. The
verdict of each scenario is among the properties of its rule.
"""

from pathlib import Path
from typing import Any

import msgspec

from proxy.compliance.report import Outcome, Report

__all__ = ["sarif"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(report: Report, wrapper: str) -> bytes:
    """Return the document; ``wrapper`` is the path of the program, where results are placed."""
    uri = Path(wrapper).absolute().as_uri()
    driver = {
        "name": "claude-proxy check",
        "version": report.version,
        "rules": [_rule(outcome) for outcome in report.scenarios],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "startTimeUtc": report.started_at}],
        "results": [
            _result(index, outcome, uri)
            for index, outcome in enumerate(report.scenarios)
            if outcome.verdict == "failed"
        ],
        "properties": {"score": report.score, "groups": {one.group: one.score for one in report.groups}},
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


def _rule(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.name,
        "shortDescription": {"text": outcome.title},
        "fullDescription": {"text": outcome.why},
        "help": {"text": outcome.why},
        "defaultConfiguration": {"level": _level(outcome)},
        "properties": {"tags": [outcome.group], "weight": outcome.weight, "verdict": outcome.verdict},
    }


def _result(index: int, outcome: Outcome, uri: str) -> dict[str, Any]:
    said = [f"Expected: {problem.expected}. Came: {problem.came}." for problem in outcome.problems]
    return {
        "ruleId": outcome.name,
        "ruleIndex": index,
        "level": _level(outcome),
        "message": {"text": " ".join([f"{outcome.title}.", *said])},
        # A place without a line is turned down by code scanning.
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}}],
    }


def _level(outcome: Outcome) -> str:
    return "warning" if outcome.group == "performance" else "error"
