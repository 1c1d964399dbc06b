"""The schemas as judge: what is wrong, where, and in words that help."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.protocol import full, library
from proxy.protocol.sentences import Fault
from proxy.protocol.specifications import judge_for
from tests.protocol import corpus

USER = "messages/user_input.json"
VARIABLES = "messages/update_environment_variables.json"


def sentences(schema: str, value: Any) -> dict[str, str]:
    """Return what is wrong with a value, by path."""
    judgement = full.judgement(schema, json.dumps(value).encode())
    assert (judgement.verdict == "invalid") == bool(judgement.errors)
    return {error.path: error.message for error in judgement.errors}


def user(content: Any) -> dict[str, Any]:
    """Return a user message."""
    return {"type": "user", "message": {"role": "user", "content": content}}


@pytest.mark.parametrize(
    ("schema", "value", "path", "sentence"),
    [
        (USER, {"type": "user"}, "", "The message lacks the required field `message`."),
        (USER, user(7), "/message/content", "`message.content` must be an array or a string, not 7."),
        (
            USER,
            user([{"type": "text", "text": None}]),
            "/message/content/0/text",
            "`message.content[0].text` must be a string, not null.",
        ),
        (
            USER,
            user([{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text"}]}]),
            "/message/content/0/content/0",
            "`message.content[0].content[0]` lacks the required field `text`.",
        ),
        (USER, {**user("x"), "priority": 1}, "/priority", "`priority` must be a string or null, not 1."),
        (USER, {**user("x"), "uuid": {"a": 1}}, "/uuid", "`uuid` must be a string or null, not an object."),
        (USER, {**user("x"), "uuid": ["x" * 99]}, "/uuid", "`uuid` must be a string or null, not an array."),
        ("commands.json", {"action": "x" * 99}, "/action", "a long string"),
        ("commands.json", {"action": "prompt", "prompt": ""}, "/prompt", "a string that is not empty"),
        (
            "config.json",
            {"api": {"host": "x" * 999}},
            "/api/host",
            "must be at most 253 characters",
        ),
        ("config.json", {"api": {"prot": 1}}, "/api", "`api` has no place for `prot`."),
        (
            "messages/update_environment_variables.json",
            {"type": "update_environment_variables", "variables": {"7": 1, "a/b": ""}},
            "/variables/7",
            "`variables.7` must be a string, not 1.",
        ),
    ],
)
def test_an_error_says_what_must_be_where(schema: str, value: Any, path: str, sentence: str) -> None:
    """The path leads to the value, and the sentence names it, what it must be and what it is."""
    found = sentences(schema, value)
    assert sentence in found[path]


@pytest.mark.parametrize(
    ("items", "what"), [([], "fewer than 1"), ([1, 2, 3], "more than 2"), ([1, 2], None)]
)
def test_items_are_counted(items: list[int], what: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No message has such a limit; bodies of the API have."""
    monkeypatch.setitem(library._loaded, "test.json", {"type": "array", "minItems": 1, "maxItems": 2})
    assert sentences("test.json", items) == ({"": f"The message has {what} items."} if what else {})


def test_errors_have_a_limit() -> None:
    """A message with a thousand faults does not become a record of a thousand sentences."""
    assert len(sentences(USER, user([{"type": "text"}] * 1000))) == full.MAX_ERRORS


def test_a_fault_is_found_wherever_it_is() -> None:
    """Also in the last of many items, and its place is right."""
    good = {"type": "text", "text": 'x"[{,' * 20}
    for count in (0, 1, 10_000):
        at = f"/message/content/{count}"
        assert list(sentences(USER, user([*[good] * count, {"type": "text"}, good]))) == [at]
    many = {f"k{number}": "v" for number in range(10_000)}
    values = {**many, "last": 1}
    message = {"type": "update_environment_variables", "variables": values}
    assert list(sentences(VARIABLES, message)) == ["/variables/last"]


@pytest.mark.parametrize(
    "block",
    [
        '{"type":"x%d"}',
        '{"type":"text","text":""},{"type":"x%d","text":1}',
        '{"type":"tool_result","tool_use_id":"t","content":[{"type":"x%d"}]}',
    ],
)
def test_many_blocks_of_unknown_kinds_are_not_searched_one_by_one(
    block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is valid as far as anyone knows; to find that out takes no search of each, wherever it is."""
    searched = 0

    def counted(*args: Any) -> Iterator[Fault]:
        nonlocal searched
        searched += 1
        return search(*args)

    search = full._faults
    monkeypatch.setattr(full, "_faults", counted)
    content = ",".join(block % number for number in range(10_000))
    blocks = json.loads(f"[{content}]")
    assert sentences(USER, user(blocks)) == {}
    assert searched < 100


@pytest.mark.parametrize("count", [1, 10_000])
def test_of_equal_keys_the_last_counts_in_a_map_of_any_length(count: int) -> None:
    """An earlier one may be as wrong as it likes."""
    more = b",".join(b'"k%d":"v"' % number for number in range(count))
    line = b'{"type":"update_environment_variables","variables":{"a":%b,%b,"a":%b}}'
    assert full.judgement(VARIABLES, line % (b"1", more, b'"x"')).verdict == "valid"
    assert full.judgement(VARIABLES, line % (b'"x"', more, b"1")).errors[0].path == "/variables/a"
    assert (
        full.judgement(VARIABLES, line % (b"1", b'"b":[],' + more, b'"x"')).errors[0].path == "/variables/b"
    )


@pytest.mark.parametrize("value", ["\\ud800", "\\udc00\\ud800"])
def test_values_in_poor_taste_are_judged_all_the_same(value: str) -> None:
    """Lone surrogates, numbers beyond a double, deep nesting."""
    deep = "[" * 400 + "1" + "]" * 400
    line = f'{{"type":"user","message":{{"role":"user","content":"{value}"}},"tool_use_result":[1e999,-1e999,{deep}]}}'
    assert full.judgement(USER, line.encode()).verdict == "valid"
    assert full.judgement(USER, line.replace("user", "u", 1).encode()).verdict == "invalid"


@pytest.mark.parametrize(
    ("text", "is_time"),
    [
        ("2026-11-22T10:00:00Z", True),
        ("2028-02-29t10:00:00.123456789+14:00", True),
        ("2026-12-31T23:59:60Z", True),
        ("2026-02-29T10:00:00Z", False),
        ("2026-11-22T24:00:00Z", False),
        ("2026-11-22T10:00:00", False),
        ("2026-11-22 10:00:00Z", False),
        ("2026-11-22T10:00:00Z\\n", False),
        ("0000-01-01T00:00:00Z", False),
        ("٢026-11-22T10:00:00Z", False),
    ],
)
def test_a_time_is_one_that_exists(text: str, is_time: bool) -> None:
    """RFC 3339, with a zone, on a day of the calendar."""
    command = {"action": "interrupt", "timestamp": text}
    assert bool(sentences("commands.json", command)) == (not is_time)
    assert (judge_for("commands").judge(json.dumps(command).encode()).verdict == "valid") == is_time


@pytest.mark.parametrize(
    ("number", "is_whole"),
    [("1", True), ("1.0", True), ("1e2", True), ("1.5", False), ("1e999", False), ("-0", True)],
)
def test_a_whole_number_may_be_written_in_any_way(number: str, is_whole: bool) -> None:
    """As JSON Schema has it: 1.0 is an integer."""
    line = f'{{"event":"error","timestamp":"2026-11-22T10:00:00Z","exit_code":{number}}}'
    assert (full.judgement("events.json", line.encode()).verdict == "valid") == is_whole


@pytest.mark.parametrize("name", corpus.schema_files())
def test_every_keyword_of_the_schemas_is_understood(name: str) -> None:
    """No schema says anything that would be passed over, and what a table decides by is one string or truth value."""
    for schema in inside(library.load(name)):
        assert schema.keys() <= full.KEYWORDS
        assert "allOf" not in schema or schema["type"] == "object"
        for condition in (part["if"] for part in schema.get("allOf", ()) if "if" in part):
            assert condition.keys() <= {"required", "properties"}
            ((tag, value),) = condition["properties"].items()
            assert value.keys() <= {"const", "enum"}
            assert condition.get("required", [tag]) == [tag]
            assert all(isinstance(one, str | bool) for one in value.get("enum", [value.get("const")]))


def inside(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield a schema and all schemas inside it, but for conditions."""
    yield schema
    for one in (*schema.get("properties", {}).values(), *schema.get("allOf", ()), *schema.get("anyOf", ())):
        yield from inside({key: value for key, value in one.items() if key not in ("if", "then")})
        if "then" in one:
            yield from inside(one["then"])
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from inside(schema[key])
