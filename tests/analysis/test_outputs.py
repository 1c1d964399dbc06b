"""Structured output is held to the schema that its caller asked for."""

import json
from typing import Any

import pytest

from proxy.analysis.report import Anomaly
from proxy.custom_schemas import judge
from tests.analysis.made import Made, analysed, events_of
from tests.recorded import scenario

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def found(schema: object, *outputs: Any, words: tuple[str, ...] | None = None) -> list[Anomaly]:
    """Return what is told of turns with such outputs; ``...`` for a turn without one."""
    asked = ("--json-schema", json.dumps(schema)) if words is None else words
    made = Made(started=False)
    made.at(0, "session_started", command=["claude", "-p", *asked], kind="wrapped")
    for number, output in enumerate(outputs):
        fields = {} if output is ... else {"structured_output": output}
        made.begin(1000 * (number + 1)).end(1000 * (number + 1) + 500, turns=1, **fields)
    return made.report().anomalies


@pytest.mark.parametrize(
    "words",
    [
        None,
        (f"--json-schema={json.dumps(SCHEMA)}",),
        ("--json-schema", "{}", "--json-schema", json.dumps(SCHEMA)),
    ],
)
def test_what_does_not_keep_it_is_told(words: tuple[str, ...] | None) -> None:
    """Each output that does not keep the schema is told, with where and why; one that does is not worth a word."""
    first, second = found(SCHEMA, {"city": "Bern"}, {"city": 5}, {}, words=words)
    assert (first.kind, first.severity) == ("structured_output", "warning")
    assert "/city: 5 is not of type 'string'" in first.sentence
    assert first.evidence.facts["errors"] == [{"path": "/city", "message": "5 is not of type 'string'"}]
    assert "'city' is a required property" in second.sentence


def test_a_schema_that_initialize_asks_for() -> None:
    """The Agent SDKs may name the schema when they begin to talk."""
    made = Made().at(1, "command_received", command={"action": "initialize", "json_schema": SCHEMA})
    made.at(2, "command_received", command={"action": "interrupt"})
    made.begin(1000).end(2000, turns=1, structured_output={})
    assert [one.kind for one in made.report().anomalies] == ["structured_output"]


def test_output_that_is_missing() -> None:
    """A turn that succeeds without what was asked for is told; a command of Claude Code's own is no such turn."""
    (one,) = found(SCHEMA, ...)
    assert "has no structured output" in one.sentence
    made = Made(started=False)
    made.at(0, "session_started", command=["claude", "--json-schema", json.dumps(SCHEMA)], kind="wrapped")
    assert made.begin(1000).end(1100, turns=0).report().anomalies == []


def test_without_a_schema_nothing_is_held_to_one() -> None:
    """A session that asks for no structure may give any; a schema that is no JSON is refused by Claude Code itself."""
    for words in ((), ("--json-schema", "{"), ("--json-schema",), ("--json-schema", "[]")):
        assert found(SCHEMA, {"x": 1}, words=words) == []


def test_failed_turns_are_told_as_failed() -> None:
    """What a turn that failed lacks is no second anomaly."""
    made = Made(started=False)
    made.at(0, "session_started", command=["claude", "--json-schema", json.dumps(SCHEMA)], kind="wrapped")
    made.begin(1000).end(2000, "run_failed", subtype="error_during_execution", turns=1, errors=["x"])
    assert [one.kind for one in made.report().anomalies] == ["failed_turn"]


@pytest.mark.parametrize(
    ("schema", "output", "said"),
    [
        ({"$ref": "https://example.com/"}, {}, "nothing is fetched"),
        ({"type": "strnig"}, {}, "'strnig' is not valid"),
        ({"pattern": "^(a+)+$"}, "a" * 60 + "b", "takes longer than 0.05 s"),
    ],
)
def test_what_cannot_be_judged_is_told_once(
    schema: object, output: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schema that cannot be used, or that takes too long, keeps nobody waiting twice."""
    monkeypatch.setattr(judge, "_LONGEST_S", 0.05)
    (one,) = found(schema, output, output)
    assert (one.kind, one.severity) == ("structured_output", "info")
    assert said in one.sentence


def test_a_real_session() -> None:
    """What the real Claude Code gives keeps the schema; the same session with another answer does not."""
    log = scenario("structured_output")
    assert [one.kind for one in analysed(events_of(log)).anomalies] == []
    changed = log.replace(
        b'"structured_output":{"city":"Tokyo","people":37}', b'"structured_output":{"city":"Tokyo"}'
    )
    assert changed != log
    assert [one.kind for one in analysed(events_of(changed)).anomalies] == ["structured_output"]
