"""Finds, reads and connects the schema files.

A schema is named by its path below `schemas/`, such as `messages/user.json`. Three idioms are used all over and
understood here: a reference to another file; a *table*, an `allOf` of `if` and `then` that picks a schema by the
value of one string property, and lets values pass that it does not list; and an *open* part, an `anyOf` whose last
member is `{}`: what comes before is what is known of a value that may be anything.
"""

import os
from typing import Any

import msgspec

Schema = dict[str, Any]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_INSTALLED = os.path.join(_PACKAGE, "schemas")
SCHEMA_DIR = _INSTALLED if os.path.isdir(_INSTALLED) else os.path.join(os.path.dirname(_PACKAGE), "schemas")

_loaded: dict[str, Schema] = {}
_caches: list[dict[Any, Any]] = []


def cache() -> dict[Any, Any]:
    """Return a cache for what is derived from schemas: it is emptied when they are forgotten.

    A schema has no name: it is known by its identity, and what is cached must hold it, so that it stays its own.
    """
    _caches.append({})
    return _caches[-1]


_tables: dict[int, tuple[Schema, "Table | None"]] = cache()


def load(name: str) -> Schema:
    """Return the schema file of that name, read once. FileNotFoundError when there is none."""
    schema = _loaded.get(name)
    if schema is None:
        with open(os.path.join(SCHEMA_DIR, *name.split("/")), "rb") as file:
            schema = _loaded[name] = msgspec.json.decode(file.read())
    return schema


def forget() -> None:
    """Read each schema file again when it is next asked for."""
    for one in (_loaded, *_caches):
        one.clear()


def exists(name: str) -> bool:
    """Tell whether there is a schema file of that name."""
    return os.path.isfile(os.path.join(SCHEMA_DIR, *name.split("/")))


def follow(schema: Schema, name: str) -> tuple[Schema, str]:
    """Return what the schema's reference leads to, if it is one, and the name of the file that this is in."""
    while "$ref" in schema:
        path, _, fragment = schema["$ref"].partition("#")
        if path:
            name = os.path.normpath(os.path.join(os.path.dirname(name), path))
        schema = load(name)
        for key in fragment.strip("/").split("/") if fragment else ():
            schema = schema[key]
    return schema, name


def is_open(schema: Schema) -> bool:
    """Tell whether a schema takes any value (of its `type`, where it has one) and only says what is known of it."""
    return "anyOf" in schema and schema["anyOf"][-1] == {}


def known(schema: Schema) -> Schema:
    """Return what an open schema knows of a value; any other schema as it is."""
    if not is_open(schema):
        return schema
    parts: list[Schema] = schema["anyOf"][:-1]
    return parts[0] if len(parts) == 1 else {"anyOf": parts}


class Table(msgspec.Struct):
    """What a schema decides by: a property, the schema for each of its values, and the value that its lack means."""

    tag: str
    rows: dict[str, Schema]
    default: str | None = None


def table(schema: Schema) -> Table | None:
    """Return the table that a schema has; None for none."""
    cached = _tables.get(id(schema))
    if cached is None or cached[0] is not schema:
        cached = _tables[id(schema)] = (schema, _table(schema))
    return cached[1]


def _table(schema: Schema) -> Table | None:
    found = None
    for part in schema.get("allOf", ()):
        if "if" in part:
            ((tag, value),) = part["if"]["properties"].items()
            found = found or Table(tag, {})
            for one in value.get("enum", [value.get("const")]):
                found.rows[one] = part["then"]
                if tag not in part["if"].get("required", ()):
                    found.default = one
    return found
