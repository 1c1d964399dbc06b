"""The folder of schemas: which files in it are schemas, and whether they can be used."""

import os
import re
from collections.abc import Iterator

from proxy.custom_schemas.schemas import CustomSchemas, UnusableSchemaError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*", re.ASCII)
_LARGEST_BYTES, _MOST_FILES = 1_000_000, 1000
"""Schemas that people write have kilobytes. All of them are in memory, and go to the process that judges."""


def read_folder(folder: str | None) -> CustomSchemas:
    """Return the schemas of a folder; of none there are none.

    Raises:
        UnusableSchemaError: the folder cannot be read, or a file in it is no schema that can be used.
    """
    schemas = CustomSchemas(() if folder is None else tuple(sorted(_files(folder))))
    if schemas.files:
        from proxy.custom_schemas.judge import check  # noqa: PLC0415 - see the package's docstring

        check(schemas, folder or "")
    return schemas


def _files(folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each file."""

    def fail(error: OSError) -> None:
        raise UnusableSchemaError(f"schemas.directory: {error.filename} cannot be read: {error.strerror}")

    count = 0
    for place, _, names in os.walk(folder, onerror=fail):
        for file in names:
            if not file.endswith(".json") or file.startswith("."):
                continue
            count += 1
            if count > _MOST_FILES:
                why = f"{folder} holds more than {_MOST_FILES} schemas"
                raise UnusableSchemaError(f"schemas.directory: {why}")
            path = os.path.join(place, file)
            name = os.path.relpath(path, folder).removesuffix(".json").replace(os.sep, "/")
            if not _NAME.fullmatch(name):
                raise UnusableSchemaError(f"{path} needs a name of letters, digits, `_`, `-` and dots")
            yield name, _content(path)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise UnusableSchemaError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > _LARGEST_BYTES:
        raise UnusableSchemaError(f"{path} is larger than {_LARGEST_BYTES} bytes")
    return content
