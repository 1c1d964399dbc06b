"""Turns JSON Schemas into msgspec types, so that one typed decode both parses and judges a message.

The types accept only what the schema accepts. They may refuse more (a block that no table lists, the second
of two object shapes): what is refused is judged by the schema itself. A schema keyword that is not known here
is an error, never ignored, so that a schema cannot say something that the fast path does not see.
"""

import _thread
import re
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from proxy.protocol.library import Schema, Table, follow, is_open, known, load, table

ANNOTATIONS = frozenset(
    ("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "$defs")
)
# By its name on the wire, the type of a field and whether it is required.
_Fields = dict[str, tuple[Any, bool]]
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
_SCALARS: dict[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool, "null": None}


class UnsupportedError(Exception):
    """A schema says something that the fast path cannot express."""


class _AnyObject(msgspec.Struct, gc=False):
    """Any object: all its fields are skipped."""


class _Discriminated:
    """An object whose tag may be missing, or one that no row lists: msgspec has no tagged union for these.

    msgspec decodes it as `Any` and calls `_checked`, which converts it to the struct of its tag.
    """

    tag: str
    default: str | None
    rows: dict[Any, Any]
    other: Any


# All types so far, by what they consist of: many objects of the protocol have the same fields, and a type takes 5 KB.
_types: dict[object, Any] = {}
# Judges of several threads share types, and what msgspec knows of a type is not to be built by two threads at once.
_building = _thread.RLock()


def _checked(kind: type[_Discriminated], value: Any) -> _Discriminated:
    """Return an instance of the type for a value that it takes. Raise ValidationError or ValueError for any other."""
    picked = kind.rows.get(value.get(kind.tag, kind.default), kind.other) if isinstance(value, dict) else None
    if picked is None:
        raise ValueError("no row for this")
    # msgspec caches what it knows of a struct. For a union it would find that out again with each call.
    with _building:
        msgspec.convert(value, picked, dec_hook=_checked)
    return kind()


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Return a decoder for a type that a compiler has made."""
    with _building:
        return msgspec.json.Decoder(kind, dec_hook=_checked)


class Compiler:
    """Compiles schemas. The type of a schema file is cached, so that messages which share a part share its type.

    `closed`: the types take only what the schema names, no further fields, and of strings with known values only
    those. A message that such a type takes has no drift; the others get a closer look.

    `any_tag`: the types also take objects with a tag that no row lists. They need more time and memory, as such
    an object is decoded completely.
    """

    def __init__(self, *, closed: bool = False, any_tag: bool = False) -> None:
        self._closed = closed
        self._any_tag = any_tag
        # An object that is decoded completely has no raw parts.
        self._anything: Any = Any if any_tag else msgspec.Raw
        self._only: dict[str, set[str]] = {}
        self._of_files: dict[str, Any] = {}

    def compile(self, name: str, only: dict[str, set[str]] | None = None) -> Any:
        """Return the type for the schema file of that name.

        `only` restricts tables, by the name of their file, to the rows that are wanted so far.
        """
        self._only = only or {}
        return self._type(load(name), name)

    def compile_part(self, schema: Schema, name: str) -> Any:
        """Return the type for a schema inside the file of that name."""
        self._only = {}
        return self._type(schema, name)

    def _file(self, name: str) -> Any:
        if name in self._only:
            return self._type(load(name), name)
        if name not in self._of_files:
            self._of_files[name] = self._type(load(name), name)
        return self._of_files[name]

    def _type(self, schema: Schema, name: str) -> Any:
        if "$ref" in schema:
            _allow(schema, "$ref")
            target, name = follow(schema, name)
            return self._file(name) if target is load(name) else self._type(target, name)
        if "const" in schema or "enum" in schema:
            _allow(schema, "type", "const", "enum")
            return Literal[tuple(schema.get("enum", (schema.get("const"),)))]
        if "anyOf" in schema:
            return self._any_of(schema, name)
        kinds = schema.get("type", [])
        if isinstance(kinds, str):
            return self._of_kind(kinds, schema, name)
        if kinds:
            return self._union([self._of_kind(kind, {**schema, "type": kind}, name) for kind in kinds])
        _allow(schema)
        return self._anything

    def _of_kind(self, kind: str, schema: Schema, name: str) -> Any:
        if kind == "object":
            return self._object(schema, name)
        if kind == "array":
            _allow(schema, "type", "items")
            return list[self._type(schema.get("items", {}), name)]  # type: ignore[misc]
        # What is said of other types does not concern this one.
        concerned = ("type", "properties", "required", "items", "additionalProperties")
        _allow(schema, *concerned, *_OF_STRINGS, *_OF_NUMBERS)
        known = _LIMITS.get(kind, {})
        limits = {known[key]: _limit(key, value) for key, value in schema.items() if key in known}
        return Annotated[_SCALARS[kind], msgspec.Meta(**limits)] if limits else _SCALARS[kind]

    def _object(self, schema: Schema, name: str) -> Any:
        choice = table(schema)
        if choice is not None:
            return self._tagged(schema, name, choice)
        if "additionalProperties" in schema:
            _allow(schema, "type", "additionalProperties")
            return dict[str, self._type(schema["additionalProperties"], name)]  # type: ignore[misc]
        fields = self._fields(schema, name)
        return self._struct(fields) if fields else _AnyObject

    def _any_of(self, schema: Schema, name: str) -> Any:
        if not is_open(schema):
            _allow(schema, "anyOf")
            return self._union([self._type(part, name) for part in schema["anyOf"]])
        _allow(schema, "anyOf", "type")
        if self._closed:
            return self._type(known(schema), name)
        target, target_name = follow(known(schema), name)
        choice = table(target) if target_name in self._only else None
        if choice is not None:  # messages are told apart by a tag in here: that much is looked at
            return self._of_tags(choice.tag, {value: {} for value in self._only[target_name]})
        return self._type({"type": schema["type"]}, name) if "type" in schema else self._anything

    def _tagged(self, schema: Schema, name: str, choice: Table) -> Any:
        tag = choice.tag
        common = self._fields({**schema, "allOf": [s for s in schema["allOf"] if "if" not in s]}, name)
        if self._any_tag or choice.default is not None:
            return self._discriminated(common, name, choice)
        common.pop(tag)
        # Of a closed vocabulary also the tags that have nothing of their own.
        tags = choice.rows.keys() | set(schema["properties"][tag].get("enum", ()))
        if not all(isinstance(value, str) for value in tags):
            raise UnsupportedError(f"{name} is told apart by something else than a string")
        wanted = self._only.get(name, tags) & tags
        return self._of_tags(tag, {value: self._row(common, name, choice, value) for value in wanted})

    def _of_tags(self, tag: str, rows: dict[str, _Fields]) -> Any:
        """Return the union of objects with those tags and, by tag, those fields."""
        if len(rows) == 1:  # msgspec lets the tag be missing where there is no choice
            ((value, fields),) = rows.items()
            return self._struct({**fields, tag: (Literal[value], True)})
        return Union[  # noqa: UP007 - made at run time
            tuple(self._struct(rows[value], tag_field=tag, tag=value) for value in sorted(rows))
        ]

    def _discriminated(self, common: _Fields, name: str, choice: Table) -> Any:
        tag = choice.tag
        rest = {key: field for key, field in common.items() if key != tag}
        rows = {}
        for value in choice.rows:
            fields = self._row(rest, name, choice, value)
            rows[value] = self._struct({**fields, tag: (type(value), value != choice.default)})
        other = None if self._closed else self._struct(common)
        parts = (tag, choice.default, frozenset(rows.items()), other)
        if parts not in _types:
            attributes = {"tag": tag, "default": choice.default, "rows": rows, "other": other}
            _types[parts] = type("Discriminated", (_Discriminated,), attributes)
        return _types[parts]

    def _row(self, common: _Fields, name: str, choice: Table, value: str) -> _Fields:
        """Return the fields of objects with that tag, but for the tag itself."""
        if value not in choice.rows:
            return common
        row, row_name = follow(choice.rows[value], name)
        own = self._fields(row, row_name)
        own.pop(choice.tag, None)
        for key, (kind, _) in own.items():
            # A row that requires a field and does not define it.
            if kind is self._anything and key in common:
                own[key] = (common[key][0], True)
                common = {**common, key: own[key]}
        if any(own[key] != common[key] for key in own.keys() & common.keys()):
            raise UnsupportedError(f"{row_name} defines otherwise what {name} defines")
        return common | own

    def _fields(self, schema: Schema, name: str) -> _Fields:
        """Return the type of each property, and whether it is required. Any type and optional: left out."""
        _allow(schema, "type", "properties", "required", "allOf")
        fields: _Fields = {}
        for part in schema.get("allOf", ()):
            fields |= self._fields(*follow(part, name))
        required = schema.get("required", ())
        for key, value in schema.get("properties", {}).items():
            if key in fields:
                raise UnsupportedError(f"{name}: {key!r} is defined twice")
            kind = self._type(value, name)
            if key in required or kind is not self._anything or self._closed:
                fields[key] = (kind, key in required)
        for key in required:
            fields[key] = (fields[key][0] if key in fields else self._anything, True)
        return fields

    def _struct(self, fields: _Fields, **tags: Any) -> Any:
        """Make a struct. Its attributes are numbered: names on the wire need not be Python's."""
        parts = (self._closed, frozenset(fields.items()), frozenset(tags.items()))
        if parts in _types:
            return _types[parts]
        ordered = sorted(fields, key=lambda key: not fields[key][1])
        attributes = {key: f"f{number}" for number, key in enumerate(ordered)}
        specs = [
            (attributes[key], fields[key][0]) if fields[key][1] else (attributes[key], fields[key][0], None)
            for key in ordered
        ]
        rename = {attribute: key for key, attribute in attributes.items()}
        _types[parts] = msgspec.defstruct(
            "Message", specs, gc=False, rename=rename, forbid_unknown_fields=self._closed, **tags
        )
        return _types[parts]

    def _union(self, members: list[Any]) -> Any:
        """Return the union of the members, less those that msgspec cannot tell apart from an earlier one."""
        if self._anything in members:
            return self._anything
        by_group: dict[str, Any] = {}
        for member in (part for whole in members for part in _parts(whole)):
            group = _group(member)
            # A string of any value includes the known ones, and a number the integers.
            if group not in by_group or member is float or (member is str and not self._closed):
                by_group[group] = member
        return Union[tuple(by_group.values())]  # noqa: UP007 - made at run time


def python_pattern(pattern: str) -> str:
    """Return a pattern of a schema as Python has it, where `$` also matches before a newline at the end."""
    return re.sub(r"\$$", r"\\Z", pattern)


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


def _parts(member: Any) -> tuple[Any, ...]:
    """Return the members of a union of scalars and lists, and anything else as it is."""
    parts = get_args(member) if get_origin(member) is Union else ()
    return parts if parts and not any(_group(part) == "object" for part in parts) else (member,)


def _group(member: Any) -> str:
    """Name what msgspec would see first: two members of one group cannot be in one union."""
    if get_origin(member) is Annotated:
        member = get_args(member)[0]
    if member is None or member is type(None):
        return "null"
    if member is bool:
        return "boolean"
    if member in (int, float):
        return "number"
    origin = get_origin(member)
    if member is str or origin is Literal:
        return "string"
    return "array" if origin is list else "object"
