"""Says what is wrong with a message in a sentence for the person who has to mend it."""

import json
from typing import Any

import msgspec

from proxy.protocol.json_pointer import pointer
from proxy.protocol.verdict import Violation

Path = tuple[str | int, ...]

_LONGEST_QUOTE = 60  # bytes: a sentence with it fits on a line of 120
_FORMATS = {"date-time": "a time as in RFC 3339, with a zone"}
_BOUNDS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "greater than {}",
}
_NAMES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
    "array": "an array",
}


class Fault(msgspec.Struct):
    """What a keyword of a schema has against the value at a path: `expected` is what the keyword asks for."""

    path: Path
    keyword: str
    expected: Any
    value: memoryview

    def is_about_shape_at(self, path: Path) -> bool:
        """Tell whether the value there is of another shape than was asked for, and not something inside it."""
        return self.path == path and self.keyword in ("type", "enum", "const")


def violation(fault: Fault) -> Violation:
    """Return a fault as it is shown and recorded."""
    return Violation(pointer(fault.path), _sentence(fault), fault.keyword)


def _sentence(fault: Fault) -> str:
    name, asked = _name(fault.path), fault.expected
    match fault.keyword:
        case "required":
            return f"{name} lacks the required field `{asked}`."
        case "additionalProperties":
            return f"{name} has no place for {', '.join(f'`{key}`' for key in asked)}."
        case "minItems" | "maxItems":
            return f"{name} has {'fewer' if fault.keyword == 'minItems' else 'more'} than {asked} items."
        case "anyOf":
            return f"{name} has none of the shapes that it may have."
        case "type":
            expected = _listed([_NAMES[one] for one in asked])
        case "const":
            expected = json.dumps(asked)
        case "enum":
            expected = _listed([json.dumps(one) for one in asked])
        case "minLength" if asked == 1:
            expected = "a string that is not empty"
        case keyword if keyword in _BOUNDS:
            expected = _BOUNDS[keyword].format(asked)
        case "format":
            expected = _FORMATS[asked]
        case _:
            expected = f"as `{asked}` describes"
    return f"{name} must be {expected}, not {_quote(fault.value)}."


def _name(path: Path) -> str:
    if not path:
        return "The message"
    return "`" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".") + "`"


def _listed(options: list[str]) -> str:
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"


def _quote(value: memoryview) -> str:
    """Show a short value as it is, a long one by its kind."""
    first = bytes(value[:1])
    if len(value) <= _LONGEST_QUOTE and (first not in b"[{" or not bytes(value[1:-1]).strip()):
        return bytes(value).decode()
    return {b"{": "an object", b"[": "an array", b'"': "a long string"}.get(first, "a long number")
