"""Taking values out of messages that may hold anything: what is not of the wanted kind is as if it were absent."""

from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]

_MOST = 2**53
"""No figure of a session comes near it, and every reader of JSON can hold what is below."""


def text(source: Message, key: str) -> str | None:
    """Return a string."""
    value = source.get(key)
    return value if isinstance(value, str) else None


def identifier(source: Message, key: str) -> str:
    """Return the id of a tool's call as text: a gateway may give a number, or none at all."""
    value = source.get(key)
    return str(value) if isinstance(value, str | int) else "[no id]"


def number(source: Message, key: str) -> float | None:
    """Return a number that is not negative."""
    value = source.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < _MOST else None


def integer(source: Message, key: str) -> int | None:
    """Return a whole number that is not negative."""
    value = source.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST else None


def inner(source: Message, key: str) -> Message:
    """Return an object, an empty one where there is none."""
    value = source.get(key)
    return value if isinstance(value, dict) else {}


def items(source: Message, key: str) -> Iterator[Message]:
    """Yield the objects of a list."""
    value = source.get(key)
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def present(source: Message, *keys: str) -> Message:
    """Return those of the fields that are there and not null."""
    return {key: source[key] for key in keys if source.get(key) is not None}


def known(**fields: Any) -> Message:
    """Return those of the fields that are not None."""
    return {key: value for key, value in fields.items() if value is not None}


def texts(source: Message, *keys: str) -> dict[str, str]:
    """Return those of the fields that are strings."""
    return {key: value for key in keys if isinstance(value := source.get(key), str)}
