"""JSON pointers: the places of values in a JSON text, as in RFC 6901."""

from collections.abc import Iterable


def escaped(key: str) -> str:
    """Return the name of a field as a pointer has it."""
    return key.replace("~", "~0").replace("/", "~1")


def pointer(path: Iterable[str | int]) -> str:
    """Return the pointer to the end of a path of names and positions."""
    return "".join(f"/{escaped(str(key))}" for key in path)
