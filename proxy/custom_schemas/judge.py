"""Judging by schemas that are not ours, with ``jsonschema``, which is complete and slow where our own judge is neither.

What a schema refers to is in its file, or in another one of its folder: nothing is ever fetched.
"""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec
from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError, UnknownType, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry, Resource, Specification
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT7, DRAFT202012

from proxy.custom_schemas.schemas import PREFIX, CustomSchemas, TimeLimitError, UnusableSchemaError
from proxy.protocol import Judgement, Violation, grammar
from proxy.protocol.json_pointer import pointer

_DIALECTS = {
    "": (Draft202012Validator, DRAFT202012),
    "https://json-schema.org/draft/2020-12/schema": (Draft202012Validator, DRAFT202012),
    "http://json-schema.org/draft-07/schema": (Draft7Validator, DRAFT7),
}
"""By ``$schema``, without its empty fragment."""
_BASE = "file:///"
"""What paths between the files are relative to. Nothing is there, and nobody looks."""
_MOST_ERRORS = 100  # a person mends a few and tries again
_LONGEST_MESSAGE = 300
"""Characters: ``jsonschema`` quotes the whole value that is wrong."""
_LONGEST_S = 2.0
"""Judging by an ordinary schema takes milliseconds; who waits for a thousand times that waits for a mistake."""


class CustomJudge:
    """Judges JSON by one of the schemas. For the main thread alone: nowhere else can judging be bounded."""

    def __init__(self, schemas: CustomSchemas, name: str) -> None:
        """KeyError: there is no schema of that name; says what there is."""
        schemas.content(name)
        self._validator = _validator(schemas, name.removeprefix(PREFIX))

    def judge(self, line: bytes) -> Judgement:
        """Return the judgement: `valid`, `invalid` or `malformed`. TimeLimitError: it takes too long."""
        if fault := grammar.fault(line):
            return fault
        with _time_limit():
            try:
                found = _violations(self._validator, json.loads(line))
            except RecursionError:
                found = [Violation("", "The value is nested too deep to be judged by this schema.", "depth")]
        return Judgement("invalid", tuple(found)) if found else Judgement("valid")

    def judge_lines(self, lines: list[bytes]) -> list[Judgement]:
        """Return the judgement on each line. TimeLimitError: one takes too long."""
        return [self.judge(line) for line in lines]


def violations(schema: object, value: object) -> list[Violation]:
    """Return why a value does not keep a schema that came with a session. For the main thread alone.

    Raises:
        UnusableSchemaError: it is no schema.
        TimeLimitError: judging takes too long.
        ValueError: this is not the main thread.
    """
    if not isinstance(schema, dict):
        raise UnusableSchemaError("it is no object")
    kind = validator_for(schema, default=Draft202012Validator)
    with _time_limit():
        try:
            kind.check_schema(schema)
            return _violations(kind(schema, registry=Registry()), value)
        except (SchemaError, Unresolvable, UnknownType, RecursionError) as error:
            raise UnusableSchemaError(_reason(error)) from None


def check(schemas: CustomSchemas, folder: str) -> None:
    """Find out whether schemas can be used. UnusableSchemaError: one cannot; names its file."""
    for look in (_parsed, _look_up_all):  # what each is, before what they refer to
        for name, _ in schemas.files:
            try:
                with _time_limit():
                    look(schemas, name)
            except (SchemaError, Unresolvable, RecursionError, ValueError, TimeLimitError) as error:
                path = os.path.join(folder, f"{name}.json")
                raise UnusableSchemaError(f"{path} cannot be used as a schema: {_reason(error)}") from None


# -- schemas ---------------------------------------------------------------------------------------------------


def _parsed(schemas: CustomSchemas, name: str) -> Resource[Any]:
    """Return a schema that is one, by the schema of its dialect. SchemaError, ValueError: it is none."""
    resource = _resource(schemas.content(name))
    if isinstance(resource.contents, dict):
        _dialect(resource.contents)[0].check_schema(resource.contents)
    return resource


def _look_up_all(schemas: CustomSchemas, name: str) -> None:
    """Make sure that what a schema refers to is there, and ends. Unresolvable, RecursionError: it is not so."""
    _look_up(_parsed(schemas, name), _registry(schemas).resolver(f"{_BASE}{name}.json"))
    with contextlib.suppress(ValidationError):
        _validator(schemas, name).validate(None)  # one that refers to nothing but itself never ends


def _look_up(resource: Resource[Any], resolver: Any) -> None:
    resolver = resolver.in_subresource(resource)
    if isinstance(resource.contents, dict):
        for keyword in ("$ref", "$dynamicRef"):
            if isinstance(reference := resource.contents.get(keyword), str):
                resolver.lookup(reference)
    for inner in resource.subresources():
        _look_up(inner, resolver)


def _resource(content: bytes) -> Resource[Any]:
    """Return what a file holds. ValueError: that is no schema of a dialect that is taken."""
    try:
        schema = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(schema, dict | bool):
        raise ValueError("it is no object, nor true or false")
    return _dialect(schema)[1].create_resource(schema)


def _dialect(schema: Any) -> tuple[type[Validator], Specification[Any]]:
    named = schema.get("$schema", "") if isinstance(schema, dict) else ""
    found = _DIALECTS.get(str(named).removesuffix("#"))
    if found is None:
        raise ValueError(f"its $schema is {named!r}; it takes {' or '.join(filter(None, _DIALECTS))}")
    return found


@lru_cache(maxsize=2)
def _registry(schemas: CustomSchemas) -> Registry[Any]:
    """Return where references are looked up: in the files, and nowhere else."""
    resources = [(f"{_BASE}{name}.json", _resource(content)) for name, content in schemas.files]
    return Registry().with_resources(resources).crawl()


@lru_cache(maxsize=1000)
def _validator(schemas: CustomSchemas, name: str) -> Validator:
    kind, _ = _dialect(_resource(schemas.content(name)).contents)
    return kind({"$ref": f"{_BASE}{name}.json"}, registry=_registry(schemas))


# -- what is wrong ---------------------------------------------------------------------------------------------


def _violations(validator: Validator, value: Any) -> list[Violation]:
    return [
        Violation(pointer(error.absolute_path), _short(error.message), str(error.validator))
        for error in islice(validator.iter_errors(value), _MOST_ERRORS)
    ]


def _reason(error: Exception) -> str:
    """Return in one line what is wrong with a schema."""
    match error:
        case SchemaError():
            path = pointer(error.absolute_path)
            return _short(f"{path}: {error.message}" if path else error.message)
        case Unresolvable():
            return _short(f"it refers to {error.ref!r}, which is not there; nothing is fetched")
        case RecursionError():
            return "it is nested too deep, or refers to nothing but itself"
    return _short(str(error))


def _short(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}…"


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """Give what is done within a bounded time. The engine of regular expressions stops for signals, as all of Python.

    Raises:
        TimeLimitError: the time is over.
        ValueError: this is not the main thread, where alone signals arrive.
    """

    def over(*_: object) -> None:
        raise TimeLimitError(f"judging takes longer than {_LONGEST_S:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, _LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
