"""Typed decodes made from schemas take only what the schema takes."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from proxy.protocol import library
from proxy.protocol.fastpath import Compiler, UnsupportedError
from proxy.protocol.shapes import decoder


def takes(
    schema: Any,
    line: bytes,
    *,
    monkeypatch: pytest.MonkeyPatch,
    closed: bool = False,
    any_tag: bool = False,
) -> bool:
    """Tell whether the typed decode made from a schema takes a line."""
    monkeypatch.setitem(library._loaded, "test.json", schema)
    try:
        decoder(Compiler(closed=closed, any_tag=any_tag).compile("test.json")).decode(line)
    except msgspec.ValidationError:
        return False
    return True


KNOWN = {"anyOf": [{"enum": ["a", "b"]}, {"type": ["string", "null"]}]}
TABLE: dict[str, Any] = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"type": "string"}},
    "allOf": [
        {
            "if": {"required": ["type"], "properties": {"type": {"const": tag}}},
            "then": {
                "type": "object",
                "required": [tag],
                "properties": {"type": {"const": tag}, tag: {"type": "integer"}},
            },
        }
        for tag in ("x", "y")
    ],
}

# Without a type it is an x.
DEFAULTED: dict[str, Any] = {
    "type": "object",
    "properties": TABLE["properties"],
    "allOf": [
        {"if": {"properties": {"type": {"const": "x"}}}, "then": TABLE["allOf"][0]["then"]},
        TABLE["allOf"][1],
    ],
}
# A closed list of tags, of which one needs more than the others.
VOCABULARY: dict[str, Any] = {
    "type": "object",
    "required": ["do"],
    "properties": {"do": {"enum": ["say", "stop"]}, "what": {"type": "string"}},
    "allOf": [
        {"if": {"required": ["do"], "properties": {"do": {"const": "say"}}}, "then": {"required": ["what"]}}
    ],
}
TAGLESS = [b"[]", b"7", b"null", b'{"type":null,"x":1}', b'{"type":7}', b'{"type":["x"],"x":1}']


@pytest.mark.parametrize(
    ("schema", "taken", "refused"),
    [
        ({"type": "number"}, [b"1", b"1.5"], [b'"1"', b"null", b"true"]),
        ({"type": "integer"}, [b"1", b"-1"], [b"1.5", b"true"]),
        ({"type": ["string", "null"]}, [b'"x"', b"null"], [b"1", b"{}"]),
        ({"type": "object"}, [b"{}", b'{"a":[1]}'], [b"[]", b"null"]),
        ({"type": "array"}, [b"[]", b'[1,"a"]'], [b"{}"]),
        ({"type": "object", "additionalProperties": {"type": "string"}}, [b'{"a":"b"}'], [b'{"a":1}']),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {}}},
            [b'{"a":null}', b'{"a":[]}'],
            [b"{}"],
        ),
        (
            {"type": "object", "properties": {"from": {"type": "string"}}},
            [b"{}", b'{"from":"a"}'],
            [b'{"from":1}'],
        ),
        (KNOWN, [b'"a"', b'"c"', b"null"], [b"1"]),
        (
            {"type": "string", "minLength": 1, "maxLength": 2},
            ['"é"'.encode(), b'"ab"'],
            [b'""', b'"abc"', b"1"],
        ),
        ({"type": "string", "pattern": "^a$"}, [b'"a"'], [b'"b"', b'"a\\n"', b'"ba"']),
        ({"type": "number", "exclusiveMinimum": 0}, [b"0.1", b"1"], [b"0", b"-1", b'"1"', b"true"]),
        (
            {"type": ["integer", "null"], "minimum": 0, "maximum": 2},
            [b"0", b"2", b"null"],
            [b"-1", b"3", b"1.5"],
        ),
        (
            {"type": "string", "format": "date-time"},
            [b'"2026-11-22T10:00:00Z"', b'"2028-02-28t23:59:60.123+14:00"'],
            [
                b'"2026-02-29T10:00:00Z"',
                b'"2026-11-31T10:00:00Z"',
                b'"2026-11-22T10:00:00"',
                b'"0000-01-01T00:00:00Z"',
            ],
        ),
        (
            VOCABULARY,
            [b'{"do":"say","what":"x"}', b'{"do":"stop"}', b'{"what":"x","do":"stop"}'],
            [b'{"do":"say"}', b'{"do":"dance"}', b'{"what":"x"}', b'{"do":"stop","what":1}'],
        ),
        (
            TABLE,
            [b'{"type":"x","x":1}', b'{"y":1,"type":"y"}'],
            [b'{"type":"x"}', b'{"x":1}', b'{"type":"z"}'],
        ),
        (
            DEFAULTED,
            [b'{"x":1}', b'{"type":"x","x":1}', b'{"type":"y","y":1}', b'{"type":"z"}'],
            [b"{}", b'{"x":"1"}', b'{"y":1}', b'{"type":"y","x":1}', *TAGLESS],
        ),
    ],
)
def test_a_schema_becomes_a_type(
    schema: Any, taken: list[bytes], refused: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the schema refuses, the type refuses."""
    assert all(takes(schema, line, monkeypatch=monkeypatch) for line in taken)
    assert not any(takes(schema, line, monkeypatch=monkeypatch) for line in refused)


def test_objects_that_are_alike_share_a_type() -> None:
    """Whichever message of whichever direction has them: types are most of what the judges of a session hold."""
    made = [Compiler(closed=closed).compile("content/text.json") for closed in (False, False, True)]
    assert made[0] is made[1] is not made[2]


@pytest.mark.parametrize(
    ("schema", "taken", "refused"),
    [
        (KNOWN, [b'"a"', b"null"], [b'"c"']),
        ({"type": "object", "properties": {"a": {}}}, [b"{}", b'{"a":1}'], [b'{"b":1}']),
        ({"type": "object"}, [b'{"b":1}'], []),
        (TABLE, [b'{"type":"x","x":1}'], [b'{"type":"x","x":1,"y":1}']),
        (DEFAULTED, [b'{"x":1}', b'{"type":"x","x":1}'], [b'{"type":"z"}', b'{"x":1,"y":1}', *TAGLESS]),
    ],
)
def test_a_closed_type_takes_only_what_is_named(
    schema: Any, taken: list[bytes], refused: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Further fields and values are drift."""
    assert all(takes(schema, line, closed=True, monkeypatch=monkeypatch) for line in taken)
    assert not any(takes(schema, line, closed=True, monkeypatch=monkeypatch) for line in refused)


ROW: dict[str, Any] = {
    "type": "object",
    "required": ["in"],
    "properties": {"in": {"items": TABLE, "type": "array"}},
}
NESTED = {**TABLE, "allOf": [{**TABLE["allOf"][0], "then": ROW}]}


@pytest.mark.parametrize(
    ("schema", "taken", "refused"),
    [
        (TABLE, [b'{"type":"x","x":1}', b'{"type":"z","x":"1"}'], [b'{"type":"x"}', b'{"x":1}', *TAGLESS]),
        (DEFAULTED, [b'{"x":1}', b'{"type":"z"}'], [b"{}", b'{"y":1}', *TAGLESS]),
        (
            NESTED,
            [b'{"type":"x","in":[{"type":"z"},{"type":"y","y":1}]}', b'{"type":"z","in":1}'],
            [b'{"type":"x","in":[{"type":"z"},{"type":"y"}]}', b'{"type":"x","in":[{}]}'],
        ),
        ({"type": "object", "required": ["a"], "properties": {"a": {}}}, [b'{"a":[{}]}'], [b"{}"]),
    ],
)
def test_a_type_may_take_tags_of_no_row(
    schema: Any, taken: list[bytes], refused: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the schema does: what such an object has in common with the others is asked of it all the same."""
    assert all(takes(schema, line, any_tag=True, monkeypatch=monkeypatch) for line in taken)
    assert not any(takes(schema, line, any_tag=True, monkeypatch=monkeypatch) for line in refused)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "multipleOf": 2},
        {"type": "object", "minProperties": 1},
        {"type": "array", "maxItems": 1},
        {"not": {"type": "string"}},
        {"type": "object", "properties": {"a": KNOWN}, "allOf": [{"properties": {"a": {"type": "string"}}}]},
        {**TABLE, "properties": {**TABLE["properties"], "x": {"type": "string"}}},
    ],
)
def test_what_a_type_cannot_say_is_an_error(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyword that the compiler does not know is never passed over."""
    with pytest.raises(UnsupportedError):
        takes(schema, b"1", monkeypatch=monkeypatch)


THREADS = """
import threading, time, typing
from proxy.protocol.judge import Judge
from tests.protocol import corpus

remember = typing._BaseGenericAlias.__setattr__

def remember_slowly(self, name, value):
    if name == "__msgspec_cache__":
        time.sleep(0.001)
    remember(self, name, value)

typing._BaseGenericAlias.__setattr__ = remember_slowly

def judge(stream):
    judge = Judge(stream)
    for line in corpus.by_kind(stream).values():
        assert judge.judge(line).verdict == "valid"

threads = [threading.Thread(target=judge, args=[stream]) for stream in ("stdin", "stdout") * 2]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_judges_of_several_threads_share_types() -> None:
    """Regression: a thread that used a type which another was still building ended the process, by SIGSEGV."""
    ran = subprocess.run([sys.executable, "-c", THREADS], check=False, capture_output=True, timeout=240)
    assert (ran.returncode, ran.stderr) == (0, b"")
