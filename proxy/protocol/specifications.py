"""The published specifications by name, and the judge for each.

`stdin` and `stdout` are judged as in a session: the same code, the same verdicts. Everything else is judged by its
schema alone, and is `valid`, `invalid` or `malformed`.
"""

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from proxy.nearest import nearest
from proxy.protocol import fastpath, full, grammar, library
from proxy.protocol.judge import Judge
from proxy.protocol.shapes import decoder
from proxy.protocol.verdict import VALID, Judgement

_TYPES = {
    "api": "api",
    "commands": "vocabulary",
    "config": "configuration",
    "content": "content",
    "control": "control",
    "events": "vocabulary",
    "hooks": "hook",
    "messages": "message",
    "record": "record",
    "shared": "part",
    "stdin": "stream",
    "stdout": "stream",
    "stream": "event",
    "system": "message",
}


class UnknownSpecificationError(LookupError):
    """No specification has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nearest = nearest(name, names())

    def __str__(self) -> str:
        hint = (
            f"; did you mean {self.nearest!r}?"
            if self.nearest
            else "; usual ones are stdout, stdin, commands, events"
        )
        return f"no schema is named {self.name!r}{hint}"


class Specification(msgspec.Struct, frozen=True):
    """What is said of a schema in a list: its name, what kind of thing it describes, version and title."""

    name: str
    type: str
    version: str
    title: str


def names() -> list[str]:
    """Return the name of every schema: the path of its file below `schemas/`, without the ending."""
    found = []
    for folder, inner, files in os.walk(library.SCHEMA_DIR):
        inner[:] = sorted(name for name in inner if name not in ("node_modules", "types"))
        parts = os.path.relpath(folder, library.SCHEMA_DIR).split(os.sep)
        prefix = "" if parts == ["."] else "/".join(parts) + "/"
        found += [
            prefix + file.removesuffix(".json")
            for file in files
            if file.endswith(".json") and not file.startswith("package")
        ]
    return sorted(found)


def version() -> str:
    """Return the version of the specifications, which is one for all."""
    return str(library.load("package.json")["version"])


def specifications() -> list[Specification]:
    """Return what is published."""
    return [
        Specification(name, _TYPES[name.split("/")[0]], version(), library.load(f"{name}.json")["title"])
        for name in names()
    ]


def specification(name: str) -> library.Schema:
    """Return a schema with all that it refers to inside it, so that it can be used alone."""
    file = _file(name)
    wanted = [file]
    found: dict[str, library.Schema] = {}
    while wanted:
        one = wanted.pop()
        if one not in found:
            found[one] = library.load(one)
            wanted += _references(found[one], one)
    whole = dict(found.pop(file))
    if found:
        whole["$defs"] = {one.removesuffix(".json"): schema for one, schema in sorted(found.items())}
    return whole


class SchemaJudge:
    """Judges JSON lines by one schema, and by nothing else."""

    def __init__(self, name: str) -> None:
        self._file = _file(name)
        self._decode = _decode(self._file)

    def judge(self, line: bytes) -> Judgement:
        """Return the judgement on a line: `valid`, `invalid` or `malformed`."""
        return VALID if self._accepts(line) else grammar.fault(line) or full.judgement(self._file, line)

    def _accepts(self, line: bytes) -> bool:
        """Tell whether a line is valid, by no more than one decode. False says nothing."""
        is_long = len(line) > grammar.SHORT
        if self._decode is None or (is_long and grammar.is_crowded(line)):
            return False
        try:
            self._decode(line)
        except grammar.REFUSALS:
            return False
        return (line.isascii() or grammar.is_utf8(line)) and (not is_long or grammar.is_within_limits(line))

    def judge_lines(self, lines: Sequence[bytes]) -> list[Judgement]:
        """Return the judgement on each line."""
        return [self.judge(line) for line in lines]


def judge_for(name: str) -> Judge | SchemaJudge:
    """Return the judge for the lines of a schema. Not for use by two threads at once."""
    match name:
        case "stdin" | "stdout":
            return Judge(name)
    return SchemaJudge(name)


def forget() -> None:
    """Read and compile every schema again when it is next asked for."""
    library.forget()
    _decode.cache_clear()


@functools.cache
def _decode(file: str) -> Callable[[bytes], Any] | None:
    """Return the typed decode made from a schema; None for one that says what a type cannot."""
    try:
        return decoder(fastpath.Compiler().compile(file)).decode
    except fastpath.UnsupportedError:
        return None


def _file(name: str) -> str:
    if name not in names():
        raise UnknownSpecificationError(name)
    return f"{name}.json"


def _references(schema: Any, name: str) -> list[str]:
    """Return the names of the files that a schema refers to."""
    if isinstance(schema, list):
        return [found for item in schema for found in _references(item, name)]
    if not isinstance(schema, dict):
        return []
    if "$ref" in schema:
        return [library.follow({"$ref": schema["$ref"].partition("#")[0]}, name)[1]]
    return [found for item in schema.values() for found in _references(item, name)]
