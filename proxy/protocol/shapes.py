"""What messages consist of, as data: from it msgspec types are built, which parse and judge a message in one decode.

A shape is a flat tuple of its kind and what it consists of; other shapes stand in it by their number. Equal shapes
have one number and one type: many objects of the protocol have the same fields, and a type takes 5 KB. The shapes of
the usual messages come from `usual_shapes.json`, so that most sessions compile no schema: from the schemas, those
types take two and a half times as many instructions.

| shape | is |
| --- | --- |
| `("any",)` | any value, decoded; `("raw",)`: its text; `("object",)`: an object whose fields are skipped |
| `("scalar", TYPE)` | a string, integer, number, boolean or null, as JSON Schema calls them |
| `("limited", TYPE, LIMIT, VALUE, ...)` | the same within limits, as `msgspec.Meta` calls them |
| `("known", JSON)` | one of the values of a list, which is text: as Python values, true is 1 |
| `("list", N)`, `("map", N)` | a list of it; an object with any keys and values of it |
| `("union", N, ...)` | one of several |
| `("struct", CLOSED, TAG_FIELD, TAG, KEY, N, REQUIRED, ...)` | an object with those fields, and no \
others if it is closed. TAG_FIELD and TAG tell it apart from the others of a union |
| `("choice", TAG_FIELD, DEFAULT, OTHER, TAG, N, ...)` | an object that is told apart by a tag. Without one it has \
DEFAULT; with one that is not listed it is OTHER, or refused if that is null |
"""

import _thread
import os
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union

import msgspec

__all__ = ["FILE", "SHAPES", "USUAL", "USUAL_FILES", "Shape", "Shapes", "building", "decoder"]

Shape = tuple[Any, ...]

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "usual_shapes.json")
"""The shapes of the usual messages and, by stream and type of message and by file of a schema, their numbers."""

_SCALARS: dict[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool, "null": None}

# Judges of several threads share types, and what msgspec knows of a type is not to be built by two threads at once.
building = _thread.RLock()


class _AnyObject(msgspec.Struct, gc=False):
    """Any object: all its fields are skipped."""


class _Choice:
    """An object whose tag may be missing, or one that no row lists: msgspec has no tagged union for these.

    msgspec decodes it as `Any` and calls `_checked`, which converts it to the struct of its tag.
    """

    tag: str
    default: str | None
    rows: dict[Any, Any]
    other: Any


def _checked(kind: type[_Choice], value: Any) -> _Choice:
    """Return an instance of the type for a value that it takes. Raise ValidationError or ValueError for any other."""
    picked = kind.rows.get(value.get(kind.tag, kind.default), kind.other) if isinstance(value, dict) else None
    if picked is None:
        raise ValueError("no row for this")
    # msgspec caches what it knows of a struct. For a union it would find that out again with each call.
    with building:
        msgspec.convert(value, picked, dec_hook=_checked)
    return kind()


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Return a decoder for a type that was built from a shape."""
    with building:
        return msgspec.json.Decoder(kind, dec_hook=_checked)


class Shapes:
    """Numbers shapes, and builds their types when they are first asked for."""

    def __init__(self) -> None:
        self._shapes: list[Shape] = []
        self._numbers: dict[Shape, int] = {}
        self._types: dict[int, Any] = {}

    def __iter__(self) -> Iterator[Shape]:
        return iter(self._shapes)

    def __getitem__(self, number: int) -> Shape:
        return self._shapes[number]

    def add(self, *shape: Any) -> int:
        """Return the number of a shape."""
        number = self._numbers.setdefault(shape, len(self._shapes))
        if number == len(self._shapes):
            self._shapes.append(shape)
        return number

    def type(self, number: int) -> Any:
        """Return the type of a shape."""
        with building:
            if number not in self._types:
                kind, *parts = self._shapes[number]
                self._types[number] = getattr(self, f"_{kind}")(*parts)
            return self._types[number]

    def _any(self) -> Any:
        return Any

    def _raw(self) -> Any:
        return msgspec.Raw

    def _object(self) -> Any:
        return _AnyObject

    def _scalar(self, kind: str) -> Any:
        return _SCALARS[kind]

    def _limited(self, kind: str, *limits: Any) -> Any:
        return Annotated[_SCALARS[kind], msgspec.Meta(**dict(_pairs(limits)))]

    def _known(self, values: str) -> Any:
        return Literal[tuple(msgspec.json.decode(values))]

    def _list(self, number: int) -> Any:
        return list[self.type(number)]  # type: ignore[misc]

    def _map(self, number: int) -> Any:
        return dict[str, self.type(number)]  # type: ignore[misc]

    def _union(self, *numbers: int) -> Any:
        return Union[tuple(map(self.type, numbers))]  # noqa: UP007 - made at run time

    def _struct(self, closed: bool, tag_field: str | None, tag: str | None, *fields: Any) -> Any:
        """Attributes are numbered, those that are required first: names on the wire need not be Python's."""
        rename: dict[str, str] = {}
        required: list[Any] = []
        optional: list[Any] = []
        for place in range(0, len(fields), 3):
            key, number, is_required = fields[place : place + 3]
            attribute = f"f{place}"
            rename[attribute] = key
            if is_required:
                required.append((attribute, self.type(number)))
            else:
                optional.append((attribute, self.type(number), None))
        return msgspec.defstruct(
            "Message",
            required + optional,
            gc=False,
            rename=rename,
            forbid_unknown_fields=closed,
            tag_field=tag_field,
            tag=tag,
        )

    def _choice(self, tag: str, default: str | None, other: int | None, *rows: Any) -> Any:
        attributes = {
            "tag": tag,
            "default": default,
            "rows": {value: self.type(number) for value, number in _pairs(rows)},
            "other": None if other is None else self.type(other),
        }
        return type("Choice", (_Choice,), attributes)


def _pairs(flat: tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _read_usual() -> tuple[Shapes, dict[str, dict[str, int]], dict[str, int]]:
    shapes = Shapes()
    with open(FILE, "rb") as file:
        made = msgspec.json.decode(file.read())
    for shape in made["shapes"]:
        shapes.add(*shape)
    return shapes, made["usual"], made["files"]


SHAPES, USUAL, USUAL_FILES = _read_usual()
"""The shapes of this process; the numbers of those that the usual messages have, by stream and type, and of the schema
files that these refer to, by name."""
