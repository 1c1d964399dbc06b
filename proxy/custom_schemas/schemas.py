"""Schemas that are not ours: their names and contents, and why they cannot be used."""

import msgspec

from proxy.nearest import nearest
from proxy.protocol.specifications import Specification

PREFIX = "user/"


class UnusableSchemaError(Exception):
    """A schema, or the folder, cannot be used; the sentence names the file."""


class TimeLimitError(Exception):
    """Judging takes too long; the sentence says how long that is."""


class CustomSchemas(msgspec.Struct, frozen=True):
    """The schemas of a folder, as they were when it was read."""

    files: tuple[tuple[str, bytes], ...] = ()
    """By name, without the prefix, in order."""

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
