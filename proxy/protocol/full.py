"""The JSON Schemas themselves as judge: slower than the fast path, complete, and able to say what is wrong.

A value stays the text that it is until a schema looks into it, and then one level of it is decoded: what no schema
looks at is passed over. Schemas have no cycles, so it is they that bound how deep the search goes, not the message.
"""

import calendar
import functools
import itertools
import json
import operator
import re
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any

import msgspec

from proxy.protocol import fastpath, shapes
from proxy.protocol.grammar import REFUSALS, without_lone_surrogates
from proxy.protocol.library import Schema, Table, cache, follow, is_open, load, table
from proxy.protocol.pieces import LONGEST_OF_MANY, pieces
from proxy.protocol.sentences import Fault, Path, violation
from proxy.protocol.verdict import VALID, Judgement, Violation

MAX_ERRORS = 20
"""Of one message. A person mends a few and looks again; with a thousand a record would be longer than its line."""

KEYWORDS = fastpath.ANNOTATIONS | {
    *("$ref", "type", "const", "enum", "anyOf", "allOf", "if", "then"),
    *("properties", "required", "additionalProperties", "items", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength"),
    *("pattern", "format"),
}
"""What a schema may say. A test holds the files to it."""

_KINDS = {b'"': "string", b"{": "object", b"[": "array", b"t": "boolean", b"f": "boolean", b"n": "null"}
# Bytes of a value that may be one of a few known ones: of at most 45 characters, for each of which an escape takes six.
_LONGEST_OPTION = 1 << 10

_Faults = Iterator[Fault]

_string = msgspec.json.Decoder(str)
_raw = msgspec.json.Decoder(msgspec.Raw)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_map = msgspec.json.Decoder(dict[str, msgspec.Raw])
# By container and schema, decoders for many values of it, the fastest first. The schema is kept for its id.
_quick: dict[tuple[type, int], tuple[Schema, list[msgspec.json.Decoder[Any]]]] = cache()


def judgement(schema: str, line: bytes) -> Judgement:
    """Return the judgement of a schema file on a line of JSON that is within the limits: `valid` or `invalid`."""
    found: dict[tuple[str, str], Violation] = {}
    for fault in _faults(load(schema), schema, memoryview(_raw.decode(without_lone_surrogates(line))), ()):
        one = violation(fault)
        found.setdefault((one.path, one.message), one)
        if len(found) == MAX_ERRORS:
            break
    return Judgement("invalid", tuple(found.values())) if found else VALID


def _faults(schema: Schema, name: str, value: memoryview, path: Path) -> _Faults:
    """Yield what is wrong with a value under a schema of that file."""
    schema, name = follow(schema, name)
    kind = _KINDS.get(bytes(value[:1]), "number")
    types = schema.get("type", kind)
    types = [types] if isinstance(types, str) else types
    if kind not in types and not ("integer" in types and kind == "number" and _is_integer(value)):
        yield Fault(path, "type", types, value)
        return
    if "const" in schema and not _is_one_of([schema["const"]], kind, value):
        yield Fault(path, "const", schema["const"], value)
    if "enum" in schema and not _is_one_of(schema["enum"], kind, value):
        yield Fault(path, "enum", schema["enum"], value)
    if "anyOf" in schema and not is_open(schema):
        yield from _of_branches(schema["anyOf"], name, value, path)
    match kind:
        case "object":
            yield from _of_object(schema, name, value, path)
        case "array":
            yield from _of_array(schema, name, value, path)
        case "string":
            yield from _of_string(schema, value, path)
        case "number":
            yield from _of_number(schema, value, path)


def _of_branches(branches: Sequence[Schema], name: str, value: memoryview, path: Path) -> _Faults:
    """Of several shapes that a value may have and has not, speak of the one that was meant; else of all."""
    found = []
    for branch in branches:
        found.append(list(itertools.islice(_faults(branch, name, value, path), MAX_ERRORS)))
        if not found[-1]:
            return
    meant = [faults for faults in found if not any(fault.is_about_shape_at(path) for fault in faults)]
    types = [one for faults in found for fault in faults if fault.keyword == "type" for one in fault.expected]
    if len(meant) == 1:
        yield from meant[0]
    elif types and not meant:
        yield Fault(path, "type", list(dict.fromkeys(types)), value)
    else:
        yield Fault(path, "anyOf", None, value)


def _of_object(schema: Schema, name: str, value: memoryview, path: Path) -> _Faults:
    properties = schema.get("properties", {})
    choice = table(schema)
    wanted = {*properties, *schema.get("required", ()), *([choice.tag] if choice else ())}
    fields = _fields(tuple(sorted(wanted)), value) if wanted else {}
    for key in schema.get("required", ()):
        if key not in fields:
            yield Fault(path, "required", key, value)
    for key, inner in properties.items():
        if key in fields:
            yield from _faults(inner, name, fields[key], (*path, key))
    for part in schema.get("allOf", ()):
        if "if" not in part:
            yield from _faults(part, name, value, path)
    if choice is not None:
        yield from _of_row(choice, fields.get(choice.tag), name, value, path)
    if schema.get("additionalProperties") is False:
        unexpected = (key for piece in pieces(value) for key in _map.decode(piece) if key not in properties)
        if few := list(itertools.islice(unexpected, MAX_ERRORS)):
            yield Fault(path, "additionalProperties", few, value)
    elif "additionalProperties" in schema:
        yield from _of_map(schema["additionalProperties"], name, value, path, properties)


def _of_row(choice: Table, tag: memoryview | None, name: str, value: memoryview, path: Path) -> _Faults:
    """Yield what the row of a table that an object's tag picks has against the object."""
    picked = choice.default
    if tag is not None:
        picked = _scalar(tag) if bytes(tag[:1]) in b'"tf' and len(tag) <= _LONGEST_OPTION else None
    if picked in choice.rows:
        yield from _faults(choice.rows[picked], name, value, path)


def _of_map(schema: Schema, name: str, value: memoryview, path: Path, known: Container[str] = ()) -> _Faults:
    """Yield what is wrong with the values of an object whose keys are data, but for those that are known.

    Of equal keys the last counts.
    """
    found: dict[str, list[Fault]] = {}
    for piece in pieces(value):
        accepted = _accepted(dict, schema, name, piece)
        for key in found.keys() & accepted.keys() if accepted else ():
            del found[key]
        for key, item in _map.decode(piece).items() if accepted is None else ():
            if key in known:
                continue
            found.pop(key, None)
            faults = _faults(schema, name, memoryview(item), (*path, key))
            if some := list(itertools.islice(faults, MAX_ERRORS)):
                found[key] = some
            if len(found) > MAX_ERRORS:
                break
        if len(found) > MAX_ERRORS:
            break
    yield from itertools.chain.from_iterable(found.values())


def _of_array(schema: Schema, name: str, value: memoryview, path: Path) -> _Faults:
    wanted = [keyword for keyword in ("minItems", "maxItems") if keyword in schema]
    count = sum(len(_list.decode(piece)) for piece in pieces(value)) if wanted else 0
    for keyword in wanted:
        if not _MEETS[keyword](count, schema[keyword]):
            yield Fault(path, keyword, schema[keyword], value)
    if "items" in schema:
        yield from _of_items(schema["items"], name, value, path)


def _of_items(schema: Schema, name: str, value: memoryview, path: Path) -> _Faults:
    number = 0
    for piece in pieces(value):
        accepted = _accepted(list, schema, name, piece)
        if accepted is not None:
            number += len(accepted)
            continue
        for item in _list.decode(piece):
            yield from _faults(schema, name, memoryview(item), (*path, number))
            number += 1


def _accepted(container: Any, schema: Schema, name: str, piece: bytes | memoryview) -> Any:
    """Return the decoded piece of a long container if the fast path takes it, else None."""
    if isinstance(piece, memoryview) or len(piece) > LONGEST_OF_MANY:
        return None
    key = (container, id(schema))
    cached = _quick.get(key)
    if cached is None:
        cached = _quick[key] = (schema, list(_decoders(container, schema, name)))
    for decoder in cached[1]:
        try:
            return decoder.decode(piece)
        except REFUSALS:
            pass
    return None


def _decoders(container: Any, schema: Schema, name: str) -> Iterator[msgspec.json.Decoder[Any]]:
    """Yield what decoders there can be: one that wants known tags, and one that takes what may be new."""
    for any_tag in (False, True):
        try:
            kind = fastpath.Compiler(any_tag=any_tag).compile_part(schema, name)
            yield shapes.decoder(container[kind] if container is list else container[str, kind])
        except fastpath.UnsupportedError:
            pass


def _of_string(schema: Schema, value: memoryview, path: Path) -> _Faults:
    wanted = [keyword for keyword in ("minLength", "maxLength", "pattern", "format") if keyword in schema]
    text = _scalar(value) if wanted else ""
    for keyword in wanted:
        if not _MEETS[keyword](text, schema[keyword]):
            yield Fault(path, keyword, schema[keyword], value)


def _of_number(schema: Schema, value: memoryview, path: Path) -> _Faults:
    for keyword in ("minimum", "maximum", "exclusiveMinimum"):
        if keyword in schema and not _MEETS[keyword](_scalar(value), schema[keyword]):
            yield Fault(path, keyword, schema[keyword], value)


def _is_date_time(text: str, _: str) -> bool:
    """Tell whether a text is a time as in RFC 3339, on a day that exists."""
    if text[4:10] == "-02-29" and text[:4].isdecimal() and calendar.isleap(int(text[:4])):
        text = f"{text[:8]}28{text[10:]}"
    return re.search(fastpath.DATE_TIME, text) is not None


_MEETS: dict[str, Callable[[Any, Any], bool]] = {
    "minLength": lambda text, length: len(text) >= length,
    "maxLength": lambda text, length: len(text) <= length,
    "pattern": lambda text, pattern: re.search(fastpath.python_pattern(pattern), text) is not None,
    "format": _is_date_time,
    "minItems": operator.ge,
    "maxItems": operator.le,
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
}


def _is_integer(value: memoryview) -> bool:
    """Tell whether a number is whole, however it is written."""
    digits = bytes(value)
    return not re.search(rb"[.eE]", digits) or float(digits).is_integer()


def _is_one_of(options: Sequence[Any], kind: str, value: memoryview) -> bool:
    """Tell whether a value is one of some that are neither objects nor arrays; true is not 1."""
    if kind in ("object", "array") or len(value) > _LONGEST_OPTION:
        return False
    found = _scalar(value)
    return any(found == option and isinstance(found, bool) == isinstance(option, bool) for option in options)


def _scalar(value: memoryview) -> Any:
    """Return a value that is neither object nor array. What msgspec finds out of range, Python takes."""
    return _string.decode(value) if bytes(value[:1]) == b'"' else json.loads(bytes(value))


def _fields(names: tuple[str, ...], value: memoryview) -> dict[str, memoryview]:
    """Return those of the fields that an object has."""
    found = msgspec.structs.astuple(_struct(names).decode(value))
    return {name: memoryview(raw) for name, raw in zip(names, found, strict=True) if raw}


@functools.cache
def _struct(names: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Return a decoder of the fields of those names, which passes over all others."""
    attributes = [f"f{number}" for number in range(len(names))]
    fields = [(attribute, msgspec.Raw, msgspec.Raw()) for attribute in attributes]
    rename = dict(zip(attributes, names, strict=True))
    return msgspec.json.Decoder(msgspec.defstruct("Fields", fields, rename=rename, gc=False))
