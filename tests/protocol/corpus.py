"""Messages to try a judge on: recorded ones, made-up ones, broken ones; and a second opinion about each."""

import functools
import itertools
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, Literal

import jsonschema
import jsonschema_rs
import referencing
from hypothesis import strategies as st
from referencing.jsonschema import DRAFT202012

from proxy.protocol import library
from proxy.protocol.judge import TAG_PATHS

Stream = Literal["stdin", "stdout"]
Validator = jsonschema.Draft202012Validator | jsonschema_rs.Validator
STREAMS: tuple[Stream, Stream] = ("stdin", "stdout")
_FIXTURES = pathlib.Path(__file__).parents[2] / "fixtures"
SCENARIOS = _FIXTURES / "scenarios"


def schema_files() -> list[str]:
    """Return the name of every schema file."""
    root = pathlib.Path(library.SCHEMA_DIR)
    found = (path.relative_to(root) for path in root.rglob("*.json"))
    outside = ("package.json", "package-lock.json", "node_modules")
    return sorted(str(path) for path in found if path.parts[0] not in outside)


def recordings() -> list[pathlib.Path]:
    """Return the folder of every recording, those of other releases too."""
    return sorted(path.parent for path in (*SCENARIOS.glob("*/argv"), *_FIXTURES.glob("releases/*/*/argv")))


@functools.cache
def recorded(stream: Stream, *, ordinary: bool = False) -> tuple[bytes, ...]:
    """Return every line of real traffic of that stream, except what was sent to see it refused.

    `ordinary`: of the release that the specification is held to alone, with the Messages API as the model server.
    """
    folders = [
        folder
        for folder in recordings()
        if not ordinary or (folder.parent == SCENARIOS and not folder.name.startswith("gateway_"))
    ]
    lines = (line for folder in folders for line in (folder / f"{stream}.jsonl").read_bytes().split(b"\n"))
    return tuple(line for line in lines if line.strip() and b'"no_such_request"' not in line)


def by_kind(stream: Stream) -> dict[tuple[str, str | None], bytes]:
    """Return the shortest ordinary line of each kind."""
    found: dict[tuple[str, str | None], bytes] = {}
    for line in sorted(recorded(stream, ordinary=True), key=len, reverse=True):
        found[kind_of(json.loads(line))] = line
    return found


def kind_of(message: Any) -> tuple[str, str | None]:
    """Return the type of a message and what it says more closely."""
    value = message
    for key in TAG_PATHS.get(message["type"], ()):
        value = value.get(key) if isinstance(value, dict) else None
    return message["type"], value if isinstance(value, str) else None


@functools.cache
def reference(name: str) -> jsonschema.Draft202012Validator:
    """Return the reference implementation's validator for a schema file."""
    resources = [
        (library.load(file)["$id"], DRAFT202012.create_resource(library.load(file)))
        for file in schema_files()
    ]
    registry: referencing.Registry[Any] = referencing.Registry().with_resources(resources)
    return jsonschema.Draft202012Validator(
        library.load(name), registry=registry, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


@functools.cache
def second_reference(name: str) -> jsonschema_rs.Validator:
    """Return another implementation's validator for a schema file."""
    return jsonschema_rs.Draft202012Validator(
        library.load(name),
        base_uri=f"json-schema:///{name}",
        retriever=lambda uri: library.load(uri.removeprefix("json-schema:///")),
        validate_formats=True,
    )


def places(stream: Stream, message: Any) -> tuple[set[str], set[str]]:
    """Return JSON pointers to what the second reference finds wrong, and to all that it considers on the way."""
    errors = list(second_reference(f"{stream}.json").iter_errors(message))
    wrong = {_pointer(error) for error in errors}
    considered: set[str] = set()
    while errors:
        error = errors.pop()
        considered.add(_pointer(error))
        errors += itertools.chain.from_iterable(getattr(error.kind, "context", ()))
    return wrong, considered


def _pointer(error: jsonschema_rs.ValidationError) -> str:
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in error.instance_path)


def kinds(stream: Stream) -> dict[tuple[str, str | None], None]:
    """Return every kind of message that the specification has for a stream."""
    found: dict[tuple[str, str | None], None] = {}
    for type_, row in _rows(f"{stream}.json").items():
        schema, name = library.follow(row, f"{stream}.json")
        path = TAG_PATHS.get(type_)
        for key in path[:-1] if path else ():
            schema, name = library.follow(library.known(schema["properties"][key]), name)
        choice = library.table(schema) if path else None
        for tag in choice.rows if choice else (None,):
            found[type_, tag] = None
    return found


def _rows(name: str) -> dict[str, Any]:
    choice = library.table(library.load(name))
    assert choice is not None
    return choice.rows


def is_known(stream: Stream, message: Any) -> bool:
    """Tell whether the specification has messages of this kind, or this message does not say its kind."""
    type_ = message["type"]
    if type_ not in _rows(f"{stream}.json"):
        return False
    tag = kind_of(message)[1]
    return tag is None or (type_, tag) in kinds(stream)


def keywords(name: str) -> set[str]:
    """Return every keyword that a schema file uses, or another that it refers to."""
    found: set[str] = set()
    waiting, seen = [(library.load(name), name)], set()
    while waiting:
        schema, name = waiting.pop()
        if id(schema) in seen:
            continue
        seen.add(id(schema))
        found |= schema.keys()
        inner = [schema[key] for key in ("items", "additionalProperties", "if", "then") if key in schema]
        inner += [*schema.get("properties", {}).values(), *schema.get("allOf", ()), *schema.get("anyOf", ())]
        waiting += [(one, name) for one in inner if isinstance(one, dict)]
        if "$ref" in schema:
            waiting.append(library.follow(schema, name))
    return found


def second_opinion(
    stream: Stream,
    line: bytes,
    validator: Callable[[str], Validator] = reference,
) -> str:
    """Return the verdict on a line of JSON as an implementation of JSON Schema has it, by default the reference."""
    message = json.loads(line)
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return "invalid"
    if not is_known(stream, message):
        return "unknown"
    return "valid" if validator(f"{stream}.json").is_valid(message) else "invalid"


def without_one_required(stream: Stream, message: Any) -> Iterator[Any]:
    """Yield the message with one field gone that its kind or its body requires, and with that field mistyped."""
    type_, tag = kind_of(message)
    schema, name = library.follow(_rows(f"{stream}.json")[type_], f"{stream}.json")
    path: tuple[str, ...] = ()
    for key in (*TAG_PATHS.get(type_, ()), ""):
        choice = library.table(schema)
        if choice is not None and tag is not None:
            schema, name = library.follow(choice.rows[tag], name)
        value = _within(message, path)
        for field in _required(schema, name):
            yield _changed(message, (*path, field), remove=True)
            yield _changed(
                message, (*path, field), "wrong" if isinstance(value[field], dict | list) else {"wrong": 1}
            )
        if not isinstance(value.get(key), dict):
            return
        schema, name = library.follow(library.known(schema["properties"][key]), name)
        path = (*path, key)


def _within(message: Any, path: tuple[str, ...]) -> Any:
    return functools.reduce(lambda value, key: value[key], path, message)


def _required(schema: Any, name: str) -> set[str]:
    found = set(schema.get("required", ()))
    for part in schema.get("allOf", ()):
        if "$ref" in part:
            found |= _required(*library.follow(part, name))
    return found


WRONG: tuple[Any, ...] = (None, True, 7, "wrong", ["wrong"], {"wrong": 1})


def broken(message: Any) -> Iterator[tuple[str, Any]]:
    """Yield the message with one thing changed: a field taken out, or a value of another type put in."""
    for path in _paths(message, ()):
        shown = "/".join(map(str, path))
        yield f"{shown} removed", _changed(message, path, remove=True)
        for value in WRONG:
            yield f"{shown} = {value!r}", _changed(message, path, value)


def mistyped(message: Any) -> Iterator[Any]:
    """Yield the message with one value of another type than it was."""
    for path in _paths(message, ()):
        value = functools.reduce(lambda inner, key: inner[key], path, message)
        yield _changed(message, path, "wrong" if isinstance(value, dict | list) else {"wrong": 1})


def lengthened(message: Any, text: str) -> Iterator[Any]:
    """Yield the message with one of its strings replaced by a text."""
    for path in _paths(message, ()):
        if isinstance(functools.reduce(lambda inner, key: inner[key], path, message), str):
            yield _changed(message, path, text)


def _paths(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _changed(message: Any, path: tuple[str | int, ...], value: Any = None, *, remove: bool = False) -> Any:
    copy = json.loads(json.dumps(message))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_OBJECTS = st.dictionaries(st.text(), _ANYTHING, max_size=3)
_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=8),
    "integer": st.integers(),
    "number": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "null": st.none(),
}


@functools.cache
def messages(stream: Stream, type_: str, tag: str | None) -> st.SearchStrategy[Any]:
    """Return a strategy for valid messages of a kind."""
    whole = _made(
        *library.follow(_rows(f"{stream}.json")[type_], f"{stream}.json"), tag, TAG_PATHS.get(type_, ())
    )
    return whole.filter(lambda message: kind_of(message) == (type_, tag))


def _made(
    schema: Any, name: str, tag: str | None = None, path: tuple[str, ...] = ()
) -> st.SearchStrategy[Any]:
    """Return a strategy for values of a schema; at the path, the table's row for the tag is taken."""
    schema, name = library.follow(schema, name)
    if library.is_open(schema):
        known = _made(library.known(schema), name, tag, path)
        return known if path else known | (_OBJECTS if "type" in schema else _ANYTHING)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([_made(part, name) for part in schema["anyOf"]])
    types = schema.get("type")
    if types is None:
        return _ANYTHING
    choices = [types] if isinstance(types, str) else types
    return st.one_of([_of_type(one, schema, name, tag, path) for one in choices])


def _of_type(
    one: str, schema: Any, name: str, tag: str | None, path: tuple[str, ...]
) -> st.SearchStrategy[Any]:
    if one == "array":
        return st.lists(_made(schema.get("items", {}), name), max_size=2)
    if one != "object":
        return _SCALARS[one]
    choice = library.table(schema)
    if choice is not None:
        key, rows = choice.tag, choice.rows
        values = [tag] if len(path) == 1 and tag is not None else list(rows)
        return st.one_of(
            [_row(schema, name, *library.follow(rows[value], name), **{key: value}) for value in values]
        )
    return _object(schema, name, schema, name, tag=tag, path=path)


def _row(common: Any, common_name: str, row: Any, name: str, **tag: str) -> st.SearchStrategy[Any]:
    return _object(common, common_name, row, name).map(lambda made: {**made, **tag})


def _object(
    common: Any,
    common_name: str,
    schema: Any,
    name: str,
    *,
    tag: str | None = None,
    path: tuple[str, ...] = (),
) -> st.SearchStrategy[Any]:
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for part, part_name in _parts(common, common_name, schema, name):
        for key, value in part.get("properties", {}).items():
            made = _field(value, part_name, tag, key, path)
            (required if key in part.get("required", ()) else optional)[key] = made
    extra = schema.get("additionalProperties")
    if extra is not None:
        return st.dictionaries(st.text(max_size=4), _made(extra, name), max_size=2)
    return st.fixed_dictionaries(required, optional={k: v for k, v in optional.items() if k not in required})


def _field(value: Any, name: str, tag: str | None, key: str, path: tuple[str, ...]) -> st.SearchStrategy[Any]:
    return _made(value, name, tag, path[1:]) if path[:1] == (key,) else _made(value, name)


def _parts(common: Any, common_name: str, schema: Any, name: str) -> Iterator[tuple[Any, str]]:
    for one, one_name in ((common, common_name), (schema, name)):
        for part in one.get("allOf", ()):
            if "$ref" in part:
                yield library.follow(part, one_name)
        yield one, one_name
