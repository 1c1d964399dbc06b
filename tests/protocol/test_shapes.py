"""Shapes become types; those of the usual messages are made ahead."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from proxy.protocol import library, shapes
from proxy.protocol.judge import USUAL_TAGS, Judge, Stream
from proxy.protocol.shapes import Shapes, decoder
from tests.protocol import corpus
from tools.generate_schemas import usual_shapes


def test_the_usual_messages_are_as_the_schemas_say() -> None:
    """Whoever changes a schema runs ``python -m tools.generate_schemas``."""
    assert Path(shapes.FILE).read_text(encoding="utf-8") == usual_shapes()


@pytest.mark.parametrize("stream", get_args(Stream))
def test_a_usual_message_needs_no_schema(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the schemas takes as long as the rest of a session's start."""

    def load(name: str) -> Any:
        raise AssertionError(f"{name} is read")

    judge = Judge(stream)
    monkeypatch.setattr(library, "load", load)
    judge.prepare()
    lines = [
        line
        for (type_, tag), line in corpus.by_kind(stream).items()
        if tag in USUAL_TAGS[stream].get(type_, ())
    ]
    assert len(lines) >= len(USUAL_TAGS[stream])
    assert all(judge.judge(line).verdict == "valid" for line in lines)


def test_equal_shapes_are_one() -> None:
    """Whichever message has them."""
    made = Shapes()
    numbers = [made.add("list", made.add("scalar", "string")) for _ in range(2)]
    assert numbers == [1, 1]
    assert made.type(1) is made.type(1)
    assert list(made) == [("scalar", "string"), ("list", 0)]


TEXT, NUMBER, ANY, RAW = range(4)


@pytest.mark.parametrize(
    ("shape", "taken", "refused"),
    [
        (("any",), [b"1", b"{}"], []),
        (("raw",), [b"1", b"{}"], []),
        (("object",), [b"{}", b'{"a":1}'], [b"[]", b"null"]),
        (("scalar", "boolean"), [b"true"], [b"1"]),
        (("limited", "integer", "ge", 1, "le", 2), [b"1", b"2"], [b"0", b"3", b'"1"']),
        (("known", '["a",1,null]'), [b'"a"', b"1", b"null"], [b'"b"', b"2"]),
        (("list", TEXT), [b"[]", b'["a"]'], [b"[1]", b"{}"]),
        (("map", NUMBER), [b"{}", b'{"a":1.5}'], [b'{"a":"1"}']),
        (("union", TEXT, NUMBER), [b'"a"', b"1"], [b"null"]),
        (
            ("struct", False, None, None, "a b", TEXT, True, "c", ANY, False),
            [b'{"a b":"","d":1}'],
            [b'{"c":1}'],
        ),
        (("struct", True, None, None, "a", RAW, True), [b'{"a":null}'], [b'{"a":1,"b":1}']),
        (("struct", False, "type", "x", "a", TEXT, False), [b'{"type":"x","a":""}'], [b'{"type":"y"}']),
    ],
)
def test_a_shape_becomes_a_type(shape: shapes.Shape, taken: list[bytes], refused: list[bytes]) -> None:
    """One decode tells whether a value has it."""
    made = Shapes()
    for scalar in ("string", "number"):
        made.add("scalar", scalar)
    made.add("any")
    made.add("raw")
    decode = decoder(made.type(made.add(*shape))).decode
    for line in taken:
        decode(line)
    for line in refused:
        with pytest.raises(msgspec.ValidationError):
            decode(line)


@pytest.mark.parametrize(("other", "verdict"), [(None, False), (1, True)])
def test_a_choice_is_told_apart_by_a_tag_that_may_be_missing(other: int | None, verdict: bool) -> None:
    """A tag that is not listed is refused, unless there is a shape for the others."""
    made = Shapes()
    text = made.add("scalar", "string")
    rest = made.add("struct", False, None, None, "a", text, False)
    row = made.add("struct", False, None, None, "b", text, True, "type", text, False)
    assert rest == 1
    decode = decoder(made.type(made.add("choice", "type", "x", other, "x", row))).decode

    def takes(line: bytes) -> bool:
        try:
            decode(line)
        except msgspec.ValidationError:
            return False
        return True

    assert [
        takes(line) for line in (b'{"b":"1"}', b'{"type":"x","b":"1"}', b'{"type":"x"}', b"{}", b"7")
    ] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert takes(b'{"type":"z"}') is verdict
