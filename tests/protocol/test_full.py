"""The schemas as judge: what is wrong, where, and in words that help."""

import json
from typing import Any

import pytest

from proxy.protocol import full

USER = "messages/user_input.json"


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
        (USER, {**user("x"), "priority": 1}, "/priority", "`priority` must be a string, not 1."),
        (USER, {**user("x"), "uuid": {"a": 1}}, "/uuid", "`uuid` must be a string, not an object."),
        (USER, {**user("x"), "uuid": ["x" * 99]}, "/uuid", "`uuid` must be a string, not an array."),
        ("commands.json", {"action": "x" * 99}, "/action", "a long string"),
        ("commands.json", {"action": "prompt", "prompt": ""}, "/prompt", "a string that is not empty"),
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


def test_errors_have_a_limit() -> None:
    """A message with a thousand faults does not become a record of a thousand sentences."""
    assert len(sentences(USER, user([{"type": "text"}] * 1000))) == full.MAX_ERRORS


def test_a_long_message_is_searched_for_errors_only_at_the_beginning_of_its_lists() -> None:
    """It is invalid wherever the fault is, and the error says when it is too far in to be named."""
    good = {"type": "text", "text": "x" * 500}
    assert "/message/content/2" in sentences(USER, user([good, good, {"type": "text"}, *[good] * 1000]))
    assert sentences(USER, user([*[good] * 1500, {"type": "text"}])) == {
        "": "Something beyond the first 1000 items of a list is not as it must be."
    }


@pytest.mark.parametrize("value", ["\\ud800", "\\udc00\\ud800"])
def test_values_that_rust_cannot_hold_are_judged_all_the_same(value: str) -> None:
    """Lone surrogates, numbers beyond a double, nesting beyond what jsonschema-rs takes."""
    deep = "[" * 400 + "1" + "]" * 400
    line = f'{{"type":"user","message":{{"role":"user","content":"{value}"}},"tool_use_result":[1e999,-1e999,{deep}]}}'
    assert full.judgement(USER, line.encode()).verdict == "valid"
    assert full.judgement(USER, line.replace("user", "u", 1).encode()).verdict == "invalid"
