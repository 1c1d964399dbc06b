"""The schemas of a folder: their names and contents."""

import os
import re
from collections.abc import Iterator

import msgspec

from proxy.nearest import nearest
from proxy.protocol.specifications import Specification

__all__ = ["PREFIX", "CustomSchemas", "TimeLimitError", "UnusableSchemaError"]

PREFIX = "user/"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*", re.ASCII)
_LARGEST_BYTES, _MOST_FILES = 1_000_000, 1000
"""Schemas that people write have kilobytes. All of them are in memory, and go to the process that judges."""


class UnusableSchemaError(Exception):
    """A schema, or the folder, cannot be used; the sentence names the file."""


class TimeLimitError(Exception):
    """Judging takes too long; the sentence says how long that is."""


class CustomSchemas(msgspec.Struct, frozen=True):
    """The schemas of a folder, as they were when it was read."""

    files: tuple[tuple[str, bytes], ...] = ()
    """By name, without the prefix, in order."""

    @classmethod
    def read(cls, folder: str | None) -> "CustomSchemas":
        """Return the schemas of a folder; of none there are none.

        Raises:
            UnusableSchemaError: the folder cannot be read, or a file in it is no schema that can be used.
        """
        schemas = cls(() if folder is None else tuple(sorted(_files(folder))))
        if schemas.files:
            from proxy.custom_schemas.judge import check  # noqa: PLC0415 - see the package's docstring

            check(schemas, folder or "")
        return schemas

    def names(self) -> list[str]:
        """Return the names under which they are specifications."""
        return [PREFIX + name for name, _ in self.files]

    def specifications(self) -> list[Specification]:
        """Return what is said of each in a list; its version changes when its content does."""
        import hashlib  # noqa: PLC0415 - `validate` does without

        found = []
        for name, content in self.files:
            schema = msgspec.json.decode(content)
            title = schema.get("title") if isinstance(schema, dict) else None
            version = hashlib.sha256(content).hexdigest()[:12]
            found.append(Specification(PREFIX + name, "user", version, str(title or name)))
        return found

    def content(self, name: str) -> bytes:
        """Return a schema as it is in its file. KeyError: there is none of that name; says what there is."""
        content = dict(self.files).get(name.removeprefix(PREFIX))
        if content is None:
            near = nearest(name, self.names())
            hint = f"did you mean {near!r}?" if near else f"there are {', '.join(self.names()) or 'none'}"
            raise KeyError(f"no schema is named {name!r}; {hint}")
        return content


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
                raise UnusableSchemaError(
                    f"schemas.directory: {folder} holds more than {_MOST_FILES} schemas"
                )
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
