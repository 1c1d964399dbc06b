"""SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/), as code scanning takes it.

What passed is no result, although the format has a kind for it: code scanning takes every result for an alert.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

Level = Literal["error", "warning", "note"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that was checked."""

    id: str
    title: str
    why: str
    level: Level
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """Something that was found: against which rule, and where. A place without a line is turned down."""

    rule: Rule
    text: str
    uri: str
    line: int = 1


def sarif(
    tool: str,
    version: str,
    rules: Sequence[Rule],
    results: Iterable[Result],
    *,
    started_at: str | None = None,
    properties: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the document. ``started_at``: RFC 3339; ``properties``: of the whole run."""
    index = {rule.id: position for position, rule in enumerate(rules)}
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if started_at:
        invocation["startTimeUtc"] = started_at
    run = {
        "tool": {"driver": {"name": tool, "version": version, "rules": [_rule(rule) for rule in rules]}},
        "invocations": [invocation],
        "results": [_result(index[result.rule.id], result) for result in results],
        "properties": properties or {},
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.why},
        "defaultConfiguration": {"level": rule.level},
        "properties": rule.properties,
    }


def _result(index: int, result: Result) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": result.uri}, "region": {"startLine": result.line}}
    return {
        "ruleId": result.rule.id,
        "ruleIndex": index,
        "level": result.rule.level,
        "message": {"text": result.text},
        "locations": [{"physicalLocation": place}],
    }
