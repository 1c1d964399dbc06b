"""What schemas of users say of values, and that nothing of theirs can keep anybody waiting."""

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.custom_schemas import CustomSchemas, TimeLimitError, UnusableSchemaError, read_folder
from proxy.custom_schemas import judge as module
from proxy.custom_schemas.judge import CustomJudge, violations

ORDER = {
    "type": "object",
    "properties": {"to": {"$ref": "address.json"}, "items": {"items": {"type": "integer"}}},
    "required": ["to"],
}
ADDRESS = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "definitions": {"short": {"maxLength": 3}},
    "properties": {"city": {"type": "string"}, "zip": {"$ref": "#/definitions/short"}},
}
SLOW = {"pattern": "^(a+)+$"}
HOSTILE = json.dumps("a" * 60 + "b").encode()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> CustomSchemas:
    """Schemas of both dialects, one that refers to another, one for trees, and one that takes for ever."""
    folder = tmp_path_factory.mktemp("schemas")
    tree = {"type": "array", "items": {"$ref": "#"}}
    for name, schema in {
        "order": ORDER,
        "address": ADDRESS,
        "slow": SLOW,
        "tree": tree,
        "never": False,
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(schema))
    return read_folder(str(folder))


def judged(schemas: CustomSchemas, name: str, line: bytes) -> tuple[str, list[tuple[str, str]]]:
    """Return the verdict, and where and by which rule a value is wrong."""
    judgement = CustomJudge(schemas, name).judge(line)
    return judgement.verdict, [(one.path, one.keyword) for one in judgement.errors]


def test_verdicts(schemas: CustomSchemas) -> None:
    """Values are valid, invalid with each reason, or malformed; dialects may be mixed."""
    assert judged(schemas, "user/order", b'{"to":{"city":"x","zip":"123"},"items":[1]}') == ("valid", [])
    wrong = b'{"to":{"city":5,"zip":"1234"},"items":[1,"x"]}'
    expected = [("/to/city", "type"), ("/to/zip", "maxLength"), ("/items/1", "type")]
    assert judged(schemas, "user/order", wrong) == ("invalid", expected)
    assert judged(schemas, "user/order", b"{}") == ("invalid", [("", "required")])
    assert judged(schemas, "user/order", b"{")[0] == "malformed"
    assert judged(schemas, "user/never", b"1")[0] == "invalid"
    assert judged(schemas, "user/tree", b'[[],["x"]]') == ("invalid", [("/1/0", "type")])


def test_errors_are_bounded(schemas: CustomSchemas) -> None:
    """However much is wrong, and however large it is, the answer stays one that can be read."""
    line = json.dumps({"to": {"city": [1] * 100_000}, "items": ["x"] * 1000}).encode()
    judgement = CustomJudge(schemas, "user/order").judge(line)
    assert len(judgement.errors) == 100
    assert all(len(one.message) <= 301 for one in judgement.errors)


def test_a_value_that_is_nested_too_deep_for_its_schema(schemas: CustomSchemas) -> None:
    """A schema that refers to itself is followed as far as is possible, and then says so."""
    verdict, errors = judged(schemas, "user/tree", b"[" * 400 + b"]" * 400)
    assert (verdict, errors) == ("invalid", [("", "depth")])


@given(VALUES)
def test_no_value_makes_it_fail(schemas: CustomSchemas, value: Any) -> None:
    """Whatever is judged, there is a judgement."""
    for name in schemas.names():
        if name != "user/slow" or not isinstance(value, str):
            assert CustomJudge(schemas, name).judge(json.dumps(value).encode()).verdict in (
                "valid",
                "invalid",
            )


def test_a_pattern_that_takes_for_ever_is_stopped(
    schemas: CustomSchemas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judging ends after a while, whatever a pattern does; the next value is judged as ever."""
    monkeypatch.setattr(module, "_LONGEST_S", 0.05)
    with pytest.raises(TimeLimitError, match=r"longer than 0.05 s"):
        CustomJudge(schemas, "user/slow").judge(HOSTILE)
    monkeypatch.undo()
    assert judged(schemas, "user/slow", b'"aaa"') == ("valid", [])


def test_schemas_that_come_with_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are judged by alike, and what cannot be used of them is told, never fetched."""
    assert violations({"required": ["x"]}, {"x": 1}) == []
    (one,) = violations({"properties": {"a/b": {"type": "null"}}}, {"a/b": 1})
    assert (one.path, one.keyword) == ("/a~1b", "type")
    for schema in (5, {"type": "x"}, {"$ref": "https://example.com/"}, {"$ref": "#"}, {"pattern": "("}):
        with pytest.raises(UnusableSchemaError):
            violations(schema, {})
    monkeypatch.setattr(module, "_LONGEST_S", 0.05)
    with pytest.raises(TimeLimitError):
        violations(SLOW, json.loads(HOSTILE))


def test_where_judging_cannot_be_bounded_it_is_not_done() -> None:
    """In another thread nothing could stop it."""
    found: list[Exception] = []

    def ask() -> None:
        try:
            violations({}, {})
        except ValueError as error:
            found.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert len(found) == 1
