"""The configuration file: YAML, and the line in which each section and key stands."""

from collections.abc import Iterator
from typing import Any

import yaml

_LARGEST_BYTES = 1_000_000
"""Many times what every key needs: a file that is larger is another one, and YAML takes seconds for a few of these."""


class UnreadableError(Exception):
    """The file cannot be read, or is not YAML; the sentence says why."""


def read(path: str, faults: list[str]) -> tuple[Any, dict[tuple[str, ...], int]]:
    """Return what a file says, an empty mapping for nothing, and the line of each section and key.

    What is there twice is added to ``faults``. Raises UnreadableError.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(_LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it has no name of a file"
        raise UnreadableError(f"cannot read the configuration {path}: {reason}") from None
    if len(text) > _LARGEST_BYTES:
        raise UnreadableError(f"the configuration {path} is larger than {_LARGEST_BYTES} bytes")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        content = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "not text in UTF-8"
        raise UnreadableError(f"the configuration {path} is not YAML{line}: {problem}") from None
    except Exception as error:
        # The library lets errors of its own through: a date that is none, nesting without end, and others.
        raise UnreadableError(f"the configuration {path} is not YAML: {type(error).__name__}") from None
    return {} if content is None else content, _lines(node, path, faults)


def _lines(node: yaml.Node | None, path: str, faults: list[str]) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}
    for place, line in _places(node):
        if place in found:
            faults.append(
                f"{path}, line {line}: {'.'.join(place)} is there twice, first in line {found[place]}"
            )
        found[place] = line
    return found


def _places(node: yaml.Node | None, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield where each section stands, and each key in it; `<<` merges another mapping, and is none."""
    if not isinstance(node, yaml.MappingNode) or len(above) > 1:
        return
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            place = (*above, key.value)
            yield place, key.start_mark.line + 1
            yield from _places(value, place)
