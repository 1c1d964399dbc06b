"""The JSON Schemas themselves as judge: slower, complete, and able to say what is wrong.

jsonschema-rs finds the violations; the sentences are made here, for the person who has to mend the message.
"""

import json
from typing import Any

import jsonschema_rs

from proxy.protocol.grammar import MAX_DIGITS, is_deeper_than, without_lone_surrogates
from proxy.protocol.library import Schema, load, table
from proxy.protocol.verdict import VALID, Judgement, Violation

MAX_ERRORS = 20

# Deeper than any schema looks. jsonschema-rs takes 255 levels.
_LOOKED_AT = 64
# A long message could have millions of errors, which would all be looked for at once. Beyond this many bytes of a
# line, they are looked for in this many items of each list.
_LONG = 1 << 18
_ITEMS = 1000
_LONGEST_QUOTE = 60
_LONGEST_REASON = 200
_BASE = "json-schema:///"

# The file of a table, and the value of its tag; None for a message without one.
Row = tuple[str, str | None]

_validators: dict[tuple[str, Row | None], jsonschema_rs.Validator] = {}

_FORMATS = {"date-time": "a time as in RFC 3339, with a zone"}
_NAMES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
    "array": "an array",
}


def judgement(schema: str, line: bytes, row: Row | None = None) -> Judgement:
    """Return the judgement of a schema file on a line of JSON that is within the limits: `valid` or `invalid`.

    `row` is the one row of a table that can apply, where that is known: much less is compiled then.
    """
    value = parse(line)
    if is_deeper_than(_LOOKED_AT, line):
        value = _pruned(value, _LOOKED_AT)
    return _judgement(_validator(schema, row), value, every_error=len(line) <= _LONG)


def judgement_of_value(schema: str, value: Any) -> Judgement:
    """Return the judgement of a schema file on a JSON value that is not nested deep: `valid` or `invalid`."""
    return _judgement(_validator(schema, None), value, every_error=True)


def _judgement(validator: jsonschema_rs.Validator, value: Any, *, every_error: bool) -> Judgement:
    if validator.is_valid(value):
        return VALID
    if not every_error:
        value = _trimmed(value)
    found: dict[tuple[str, str], Violation] = {}
    for error in validator.iter_errors(value):
        for violation in _violations(error, value):
            found.setdefault((violation.path, violation.message), violation)
        if len(found) >= MAX_ERRORS:
            break
    if not found:
        far = Violation(
            "", f"Something beyond the first {_ITEMS} items of a list is not as it must be.", "items"
        )
        return Judgement("invalid", (far,))
    return Judgement("invalid", tuple(found.values())[:MAX_ERRORS])


def parse(line: bytes) -> Any:
    """Return the value of a JSON line, with what Rust cannot hold replaced by its like."""
    return json.loads(without_lone_surrogates(line), parse_float=_finite, parse_int=_bounded)


def _finite(digits: str) -> float:
    value = float(digits)
    return value if abs(value) <= 1.7976931348623157e308 else 1.7976931348623157e308


def _bounded(digits: str) -> int:
    return int(digits) if len(digits) <= MAX_DIGITS else 0


def _validator(schema: str, row: Row | None) -> jsonschema_rs.Validator:
    validator = _validators.get((schema, row))
    if validator is None:
        validator = _validators[schema, row] = jsonschema_rs.Draft202012Validator(
            _restricted(schema, row),
            base_uri=_BASE + schema,
            retriever=lambda uri: _restricted(uri.removeprefix(_BASE), row),
            validate_formats=True,
        )
    return validator


def forget() -> None:
    """Compile each schema again when it is next asked for."""
    _validators.clear()


def _restricted(name: str, row: Row | None) -> Schema:
    """Return a schema file; of the table that the row is in, no other row."""
    schema = load(name)
    if row is None or name != row[0]:
        return schema
    choice = table(schema)
    wanted = [choice[1][row[1]]] if choice is not None and row[1] is not None else []
    return {**schema, "allOf": [True, *wanted, *(part for part in schema["allOf"] if "if" not in part)]}


def _pruned(value: Any, levels: int) -> Any:
    """Return the value with everything that is nested deeper than so many levels left out."""
    if isinstance(value, dict):
        return {key: _pruned(item, levels - 1) for key, item in value.items()} if levels else {}
    if isinstance(value, list):
        return [_pruned(item, levels - 1) for item in value] if levels else []
    return value


def _trimmed(value: Any) -> Any:
    """Return the value with long lists cut."""
    if isinstance(value, dict):
        return {key: _trimmed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_trimmed(item) for item in value[:_ITEMS]]
    return value


def _violations(error: jsonschema_rs.ValidationError, value: Any) -> list[Violation]:
    """Say in sentences what one error of the validator means."""
    if error.kind.name in ("anyOf", "oneOf"):
        return _no_branch_fits(error, value)
    path, found = _located(value, error.instance_path)
    return [Violation(pointer(path), _sentence(error, path, found), error.kind.name)]


def _no_branch_fits(error: jsonschema_rs.ValidationError, value: Any) -> list[Violation]:
    """Of several shapes that a value may have, speak of the one that was meant; else of all."""
    path, found = _located(value, error.instance_path)
    branches: list[list[jsonschema_rs.ValidationError]] = error.kind.context  # type: ignore[attr-defined]
    meant = [branch for branch in branches if not any(_is_about_shape(one, error) for one in branch)]
    if len(meant) == 1:
        return [violation for one in meant[0] for violation in _violations(one, value)]
    types: list[str] = []
    for branch in branches:
        for one in branch:
            if one.kind.name == "type":
                types += [name for name in one.kind.types if name not in types]  # type: ignore[attr-defined]
    if types and not meant:
        sentence = f"{_name(path)} must be {_either(types)}, not {_quote(found)}."
        return [Violation(pointer(path), sentence, "type")]
    return [Violation(pointer(path), f"{_name(path)} has none of the shapes that it may have.", "anyOf")]


def _is_about_shape(error: jsonschema_rs.ValidationError, whole: jsonschema_rs.ValidationError) -> bool:
    return error.instance_path == whole.instance_path and error.kind.name in ("type", "enum", "const")


def _sentence(error: jsonschema_rs.ValidationError, path: list[str | int], value: Any) -> str:
    kind: Any = error.kind
    match error.kind.name:
        case "required":
            return f"{_name(path)} lacks the required field `{kind.property}`."
        case "additionalProperties":
            return f"{_name(path)} has no place for {', '.join(f'`{key}`' for key in kind.unexpected)}."
        case "type":
            expected = _either(list(kind.types))
        case "const":
            expected = _quote(kind.expected_value)
        case "enum":
            expected = "one of " + ", ".join(_quote(option) for option in kind.options)
        case "minLength":
            expected = "a string that is not empty"
        case "exclusiveMinimum":
            expected = f"greater than {kind.limit}"
        case "format":
            expected = _FORMATS.get(kind.format, f"a {kind.format}")
        case _:
            return f"{_name(path)} is not what it must be: {error.message[:_LONGEST_REASON]}."
    return f"{_name(path)} must be {expected}, not {_quote(value)}."


def _name(path: list[str | int]) -> str:
    if not path:
        return "The message"
    return "`" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".") + "`"


def _either(types: list[str]) -> str:
    names = [_NAMES.get(name, name) for name in types]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _quote(value: Any) -> str:
    """Show a short value as JSON, a long one by its kind."""
    if isinstance(value, dict | list) and value:
        return "an object" if isinstance(value, dict) else "an array"
    if isinstance(value, str) and len(value) > _LONGEST_QUOTE:
        return "a long string"
    return json.dumps(value, ensure_ascii=False)[:_LONGEST_QUOTE]


def _located(value: Any, path: list[str | int]) -> tuple[list[str | int], Any]:
    """Return the path as it really is, and what is there.

    The validator gives keys that look like numbers as numbers, and leaves empty keys out.
    """
    keys: list[str | int] = []
    for key in path:
        while isinstance(value, dict) and str(key) not in value and "" in value:
            keys.append("")
            value = value[""]
        keys.append(str(key) if isinstance(value, dict) else key)
        try:
            value = value[keys[-1]]
        except (LookupError, TypeError):
            return keys[:-1], value
    return keys, value


def pointer(path: list[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)
