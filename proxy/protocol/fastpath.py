"""Turns JSON Schemas into shapes, from which msgspec types are built: one typed decode parses and judges a message.

The types accept only what the schema accepts. They may refuse more (a block that no table lists, the second
of two object shapes): what is refused is judged by the schema itself. A schema keyword that is not known here
is an error, never ignored, so that a schema cannot say something that the fast path does not see.
"""

import itertools
from typing import Any

import msgspec

from proxy.protocol.library import Schema, Table, follow, is_open, known, load, table
from proxy.protocol.shapes import SHAPES, USUAL_FILES, Shapes, building

ANNOTATIONS = frozenset(
    ("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "$defs")
)
# By its name on the wire, the shape of a field and whether it is required.
_Fields = dict[str, tuple[int, bool]]
# What msgspec holds a scalar of a type to, by the keyword of JSON Schema.
_OF_STRINGS = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "format": "pattern",
}
_OF_NUMBERS = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt"}
_LIMITS = {"string": _OF_STRINGS, "integer": _OF_NUMBERS, "number": _OF_NUMBERS}
DATE_TIME = (
    r"^(?!0000)[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])\Z"
)
"""A time as in RFC 3339, with a zone, on a day that every year has."""

_KINDS = {str: "string", bool: "boolean", int: "integer"}


class UnsupportedError(Exception):
    """A schema says something that the fast path cannot express."""


class Compiler:
    """Compiles schemas. The shape of a schema file is cached, so that messages which share a part share its type.

    `closed`: the types take only what the schema names, no further fields, and of strings with known values only
    those. A message that such a type takes has no drift; the others get a closer look.

    `any_tag`: the types also take objects with a tag that no row lists. They need more time and memory, as such
    an object is decoded completely.
    """

    def __init__(self, *, closed: bool = False, any_tag: bool = False, shapes: Shapes = SHAPES) -> None:
        self._closed = closed
        self._any_tag = any_tag
        self._shapes = shapes
        # An object that is decoded completely has no raw parts.
        self._anything = shapes.add("any" if any_tag else "raw")
        self._only: dict[str, set[str]] = {}
        is_usual = shapes is SHAPES and not closed and not any_tag
        self.files: dict[str, int] = dict(USUAL_FILES) if is_usual else {}
        """The shapes of schema files so far."""

    def compile(self, name: str, only: dict[str, set[str]] | None = None) -> Any:
        """Return the type for the schema file of that name.

        `only` restricts tables, by the name of their file, to the rows that are wanted so far.
        """
        return self._shapes.type(self.shape(name, only))

    def compile_part(self, schema: Schema, name: str) -> Any:
        """Return the type for a schema inside the file of that name."""
        self._only = {}
        with building:
            shape = self._shape(schema, name)
        return self._shapes.type(shape)

    def shape(self, name: str, only: dict[str, set[str]] | None = None) -> int:
        """Return the shape whose type `compile` returns."""
        self._only = only or {}
        with building:
            return self._shape(load(name), name)

    def _file(self, name: str) -> int:
        if name in self._only:
            return self._shape(load(name), name)
        if name not in self.files:
            self.files[name] = self._shape(load(name), name)
        return self.files[name]

    def _shape(self, schema: Schema, name: str) -> int:
        if "$ref" in schema:
            _allow(schema, "$ref")
            target, name = follow(schema, name)
            return self._file(name) if target is load(name) else self._shape(target, name)
        if "const" in schema or "enum" in schema:
            _allow(schema, "type", "const", "enum")
            return self._known(schema.get("enum", [schema.get("const")]))
        if "anyOf" in schema:
            return self._any_of(schema, name)
        kinds = schema.get("type", [])
        if isinstance(kinds, str):
            return self._of_kind(kinds, schema, name)
        if kinds:
            return self._union([self._of_kind(kind, {**schema, "type": kind}, name) for kind in kinds])
        _allow(schema)
        return self._anything

    def _known(self, values: list[Any]) -> int:
        return self._shapes.add("known", msgspec.json.encode(values).decode())

    def _of_kind(self, kind: str, schema: Schema, name: str) -> int:
        if kind == "object":
            return self._object(schema, name)
        if kind == "array":
            _allow(schema, "type", "items")
            return self._shapes.add("list", self._shape(schema.get("items", {}), name))
        # What is said of other types does not concern this one.
        concerned = ("type", "properties", "required", "items", "additionalProperties")
        _allow(schema, *concerned, *_OF_STRINGS, *_OF_NUMBERS)
        known = _LIMITS.get(kind, {})
        limits = [(known[key], _limit(key, value)) for key, value in schema.items() if key in known]
        if limits:
            return self._shapes.add("limited", kind, *itertools.chain.from_iterable(limits))
        return self._shapes.add("scalar", kind)

    def _object(self, schema: Schema, name: str) -> int:
        choice = table(schema)
        if choice is not None:
            return self._tagged(schema, name, choice)
        if "additionalProperties" in schema:
            _allow(schema, "type", "additionalProperties")
            return self._shapes.add("map", self._shape(schema["additionalProperties"], name))
        fields = self._fields(schema, name)
        return self._struct(fields) if fields else self._shapes.add("object")

    def _any_of(self, schema: Schema, name: str) -> int:
        if not is_open(schema):
            _allow(schema, "anyOf")
            return self._union([self._shape(part, name) for part in schema["anyOf"]])
        _allow(schema, "anyOf", "type")
        if self._closed:
            return self._shape(known(schema), name)
        target, target_name = follow(known(schema), name)
        choice = table(target) if target_name in self._only else None
        if choice is not None:  # messages are told apart by a tag in here: that much is looked at
            return self._of_tags(choice.tag, {value: {} for value in sorted(self._only[target_name])})
        return self._shape({"type": schema["type"]}, name) if "type" in schema else self._anything

    def _tagged(self, schema: Schema, name: str, choice: Table) -> int:
        tag = choice.tag
        common = self._fields({**schema, "allOf": [s for s in schema["allOf"] if "if" not in s]}, name)
        if self._any_tag or choice.default is not None:
            return self._choice(common, name, choice)
        common.pop(tag)
        # Of a closed vocabulary also the tags that have nothing of their own.
        tags = choice.rows.keys() | set(schema["properties"][tag].get("enum", ()))
        if not all(isinstance(value, str) for value in tags):
            raise UnsupportedError(f"{name} is told apart by something else than a string")
        wanted = self._only.get(name, tags) & tags
        return self._of_tags(tag, {value: self._row(common, name, choice, value) for value in sorted(wanted)})

    def _of_tags(self, tag: str, rows: dict[str, _Fields]) -> int:
        """Return the union of objects with those tags and, by tag, those fields."""
        if len(rows) == 1:  # msgspec lets the tag be missing where there is no choice
            ((value, fields),) = rows.items()
            return self._struct({**fields, tag: (self._known([value]), True)})
        return self._shapes.add(
            "union", *(self._struct(fields, tag, value) for value, fields in rows.items())
        )

    def _choice(self, common: _Fields, name: str, choice: Table) -> int:
        tag = choice.tag
        rest = {key: field for key, field in common.items() if key != tag}
        rows: list[Any] = []
        for value in choice.rows:
            kind = self._shapes.add("scalar", _KINDS[type(value)])
            fields = {**self._row(rest, name, choice, value), tag: (kind, value != choice.default)}
            rows += (value, self._struct(fields))
        other = None if self._closed else self._struct(common)
        return self._shapes.add("choice", tag, choice.default, other, *rows)

    def _row(self, common: _Fields, name: str, choice: Table, value: str) -> _Fields:
        """Return the fields of objects with that tag, but for the tag itself."""
        if value not in choice.rows:
            return common
        row, row_name = follow(choice.rows[value], name)
        own = self._fields(row, row_name)
        own.pop(choice.tag, None)
        for key, (kind, _) in own.items():
            # A row that requires a field and does not define it.
            if kind == self._anything and key in common:
                own[key] = (common[key][0], True)
                common = {**common, key: own[key]}
        if any(own[key] != common[key] for key in own.keys() & common.keys()):
            raise UnsupportedError(f"{row_name} defines otherwise what {name} defines")
        return common | own

    def _fields(self, schema: Schema, name: str) -> _Fields:
        """Return the shape of each property, and whether it is required. Any value and optional: left out."""
        _allow(schema, "type", "properties", "required", "allOf")
        fields: _Fields = {}
        for part in schema.get("allOf", ()):
            fields |= self._fields(*follow(part, name))
        required = schema.get("required", ())
        for key, value in schema.get("properties", {}).items():
            if key in fields:
                raise UnsupportedError(f"{name}: {key!r} is defined twice")
            kind = self._shape(value, name)
            if key in required or kind != self._anything or self._closed:
                fields[key] = (kind, key in required)
        for key in required:
            fields[key] = (fields[key][0] if key in fields else self._anything, True)
        return fields

    def _struct(self, fields: _Fields, tag_field: str | None = None, tag: str | None = None) -> int:
        flat = ((key, *fields[key]) for key in sorted(fields))
        return self._shapes.add("struct", self._closed, tag_field, tag, *itertools.chain.from_iterable(flat))

    def _union(self, members: list[int]) -> int:
        """Return the union of the members, less those that msgspec cannot tell apart from an earlier one."""
        if self._anything in members:
            return self._anything
        by_group: dict[str, int] = {}
        for member in (part for whole in members for part in self._parts(whole)):
            group = self._group(member)
            # A string of any value includes the known ones, and a number the integers.
            wider = [("scalar", "number")] if self._closed else [("scalar", "number"), ("scalar", "string")]
            if group not in by_group or self._shapes[member] in wider:
                by_group[group] = member
        members = [*by_group.values()]
        return self._shapes.add("union", *members) if len(members) > 1 else members[0]

    def _parts(self, member: int) -> tuple[int, ...]:
        """Return the members of a union of scalars and lists, and anything else as it is."""
        kind, *parts = self._shapes[member]
        if kind == "union" and not any(self._group(part) == "object" for part in parts):
            return tuple(parts)
        return (member,)

    def _group(self, member: int) -> str:
        """Name what msgspec would see first: two members of one group cannot be in one union."""
        kind, *parts = self._shapes[member]
        if kind in ("scalar", "limited"):
            return "number" if parts[0] == "integer" else str(parts[0])
        return {"known": "string", "list": "array"}.get(kind, "object")


def python_pattern(pattern: str) -> str:
    """Return a pattern of a schema as Python has it, where `$` also matches before a newline at the end."""
    return pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern


def _limit(keyword: str, value: Any) -> Any:
    match keyword:
        case "pattern":
            return python_pattern(value)
        case "format":
            return {"date-time": DATE_TIME}[value]
    return value


def _allow(schema: Schema, *keywords: str) -> None:
    unknown = schema.keys() - ANNOTATIONS - set(keywords)
    if unknown:
        raise UnsupportedError(f"no fast path for {', '.join(sorted(unknown))}")
