"""Finds what a message has that the specification does not: how a new release of Claude Code shows itself.

Most messages have no drift, and one typed decode that takes nothing else tells so. The others are walked, message
and schema side by side. What makes a message invalid is not looked for here; drift is what is new, not what is wrong.
In open parts, such as the model server's own objects, nothing is wrong: there whatever differs from what is known is
drift, holes and values of another type among it.
"""

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from proxy.protocol import fastpath, grammar, library, shapes
from proxy.protocol.json_pointer import escaped
from proxy.protocol.judge import TAG_PATHS

Kind = Literal["type", "subtype", "field", "block", "value"]

Stream = Literal["stdin", "stdout"]

LONGEST_VALUE = 100
"""Characters: more than any name or known value of the protocol has (45, in Claude Code 2.1.332)."""
LONGEST_PATH = 1000
"""Characters: names that a client made up may be of any length, and a path consists of them."""

_KINDS = {str: "string", dict: "object", list: "array", bool: "boolean", type(None): "null"}
_OTHER: dict[Stream, Stream] = {"stdin": "stdout", "stdout": "stdin"}
# Requests without a reply that are remembered: a session has a handful, so more of them are somebody's mistake.
_MOST_ASKED = 10_000
_WALKED = 16
"""Messages of a type that are walked before a decoder for them is made: making one takes as long as some fifty
walks, and most of the types that a short log has come up a few times."""


class Drift(msgspec.Struct, frozen=True):
    """One thing that the specification does not have.

    `subtype` is that of the message, or, in a reply, what was asked for. `path` is a JSON pointer into the
    message, with `*` for list positions and for keys that are data, cut to `LONGEST_PATH` characters. `value` is the
    unknown type, tag or value; None for a new field, whose name is in the path. In open parts a field that is not
    there has the value `(missing)`, and a value of another type than is known has its type: `(null)`, `(string)`.
    What is quoted of a message is cut to `LONGEST_VALUE` characters: names that somebody made up may be of any length.
    """

    kind: Kind
    type: str
    subtype: str | None
    path: str
    value: str | None = None


class Finder:
    """Finds drift in the messages of one session. Messages are given in order: a reply is known by its request."""

    def __init__(self, asked: dict[tuple[Stream, str], str] | None = None) -> None:
        """``asked``: what an earlier one had in `asked`, to go on from there."""
        self.asked = asked or {}
        """Requests without a reply: by the stream that it will come on and their id, what was asked for."""

    def find(self, stream: Stream, message: bytes) -> list[Drift]:
        """Return the drift in a message; nothing for a line that is no message."""
        try:
            type_ = _typed.decode(message).type
            if type_ == "control_request":
                self._note_request(_OTHER[stream], message)
            _closed(stream).decoder(type_).decode(message)
            if type_ == "control_response":
                self._pass_over_reply(stream, message)
            return []
        except grammar.REFUSALS:
            pass
        return self._look_into(stream, message)

    def _note_request(self, reply_on: Stream, message: bytes) -> None:
        request = _request.decode(message)
        if len(self.asked) < _MOST_ASKED:
            self.asked[reply_on, request.request_id] = request.request.subtype

    def _pass_over_reply(self, stream: Stream, message: bytes) -> None:
        """Check that a reply has nothing but what is known of it. One of `grammar.REFUSALS` where it has."""
        reply = _reply.decode(message).response
        asked = self.asked.get((stream, reply.request_id))
        if asked is not None and (decoder := _payload(asked)) is not None:
            decoder.decode(reply.response)
        self.asked.pop((stream, reply.request_id), None)

    def _look_into(self, stream: Stream, message: bytes) -> list[Drift]:
        try:
            value = msgspec.json.decode(grammar.without_lone_surrogates(message))
        except grammar.REFUSALS:
            return []
        type_ = value.get("type") if isinstance(value, dict) else None
        if not isinstance(type_, str):
            return []
        row = _closed(stream).rows.get(type_)
        if row is None:
            name = type_[:LONGEST_VALUE]
            return [Drift("type", name, None, "/type", name)]
        path = TAG_PATHS.get(type_, ())
        subtype = _at(value, path) if path else None
        walk = _Walk(type_, subtype if isinstance(subtype, str) else None, "/" + "/".join(path))
        found = list(walk.value(value, row, f"{stream}.json", ""))
        if type_ == "control_response":
            found += self._look_into_reply(stream, value)
        return found

    def _look_into_reply(self, stream: Stream, message: Any) -> Iterator[Drift]:
        asked = self.asked.pop((stream, str(_at(message, ("response", "request_id")))), None)
        name = None if asked is None else _payload_file(asked)
        if name is not None:
            payload = _at(message, ("response", "response"))
            yield from _Walk("control_response", asked, "").value(
                payload, library.load(name), name, "/response/response"
            )


class _Stream:
    """The messages of one stream: their schemas, and decoders that take those without drift only."""

    def __init__(self, index: str) -> None:
        choice = library.table(library.load(index))
        self.rows = choice.rows if choice else {}
        self._index = index
        self._compiler = fastpath.Compiler(closed=True)
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}
        self._walked: Counter[str] = Counter()

    def decoder(self, type_: str) -> msgspec.json.Decoder[Any]:
        """Return the decoder for messages of a type; a decoder that takes none for an unknown or a rare one."""
        decoder = self._decoders.get(type_)
        if decoder is None:
            row = self.rows.get(type_)
            if row is None:
                return _none
            self._walked[type_] += 1
            if self._walked[type_] <= _WALKED:
                return _none
            whole = self._compiler.compile(library.follow(row, self._index)[1])
            decoder = self._decoders[type_] = shapes.decoder(whole)
        return decoder


def _payload_file(asked: str) -> str | None:
    """Return the schema of what answers a request of that subtype, None where there is none."""
    name = f"control/responses/{asked}.json"
    return name if "/" not in asked and library.exists(name) else None


@functools.lru_cache(maxsize=256)  # subtypes may be made up
def _payload(asked: str) -> "msgspec.json.Decoder[Any] | None":
    """Return the decoder that takes what answers a request of that subtype, if there is nothing new in it."""
    name = _payload_file(asked)
    return None if name is None else shapes.decoder(fastpath.Compiler(closed=True).compile(name))


@functools.cache
def _closed(stream: Stream) -> _Stream:
    """Return the stream, whose decoders all sessions share: making them takes longer than most sessions do."""
    return _Stream(f"{stream}.json")


class _Walk:
    """Walks one message and its schema side by side."""

    def __init__(self, type_: str, subtype: str | None, subtype_path: str) -> None:
        self._type = type_
        self._subtype = None if subtype is None else subtype[:LONGEST_VALUE]
        self._subtype_path = subtype_path

    def value(
        self, value: Any, schema: library.Schema, name: str, path: str, *, is_open: bool = False
    ) -> Iterator[Drift]:
        """Yield the drift in a value; `is_open`: it is in a part of the message that may hold anything."""
        schema, name = library.follow(schema, name)
        if library.is_open(schema):
            schema, is_open = library.known(schema), True
        shapes = list(_shapes(schema, name))
        kind = _kind(value)
        if is_open and not any(_takes(shape, kind, value) for shape, _ in shapes):
            yield self._drift("value", path, f"({kind})")
        elif isinstance(value, str):
            yield from self._string(value, [shape for shape, _ in shapes], path, is_open=is_open)
        elif kind in ("object", "array"):
            inside: Callable[..., Iterator[Drift]] = self._object if kind == "object" else self._list
            for shape, shape_name in shapes:
                if kind in _kinds(shape):
                    yield from inside(value, shape, shape_name, path, is_open=is_open)
                    return

    def _string(
        self, value: str, shapes: list[library.Schema], path: str, *, is_open: bool
    ) -> Iterator[Drift]:
        """Yield the value if others are known and this is not, but any is allowed."""
        known = [one for shape in shapes for one in _options(shape)]
        takes_any = any("string" in _kinds(shape) for shape in shapes)
        if known and (takes_any or is_open) and value not in known:
            yield self._drift("value", path, value)

    def _list(
        self, value: list[Any], schema: library.Schema, name: str, path: str, *, is_open: bool
    ) -> Iterator[Drift]:
        if "items" in schema:
            for item in value:
                yield from self.value(item, schema["items"], name, f"{path}/*", is_open=is_open)

    def _object(
        self, value: dict[str, Any], schema: library.Schema, name: str, path: str, *, is_open: bool
    ) -> Iterator[Drift]:
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for item in value.values():
                yield from self.value(item, extra, name, f"{path}/*", is_open=is_open)
            return
        fields, required = _fields(schema, name), _required(schema, name)
        choice = library.table(schema)
        if choice is not None:
            chosen = value.get(choice.tag, choice.default)
            tag_path = f"{path}/{choice.tag}"
            if isinstance(chosen, str | bool) and chosen in choice.rows:
                row = library.follow(choice.rows[chosen], name)
                fields, required = fields | _fields(*row), required | _required(*row)
            elif isinstance(chosen, str) and chosen not in _known(fields.get(choice.tag), name):
                yield self._drift("subtype" if tag_path == self._subtype_path else "block", tag_path, chosen)
                return
            elif is_open and not isinstance(chosen, str):  # nobody knows what its other fields are
                value = {key: item for key, item in value.items() if key == choice.tag}
        for key in sorted(required - value.keys()) if is_open else ():
            yield self._drift("field", f"{path}/{escaped(key)}", "(missing)")
        for key, item in value.items() if fields else ():
            if key in fields:
                yield from self.value(item, *fields[key], f"{path}/{escaped(key)}", is_open=is_open)
            else:
                yield self._drift("field", f"{path}/{escaped(key)}", None)

    def _drift(self, kind: Kind, path: str, value: str | None) -> Drift:
        cut = None if value is None else value[:LONGEST_VALUE]
        return Drift(kind, self._type, self._subtype, path[:LONGEST_PATH], cut)


class _Typed(msgspec.Struct):
    """What is needed to choose a decoder."""

    type: str


class _Asked(msgspec.Struct):
    """What a control request asks for."""

    subtype: str


class _Request(msgspec.Struct):
    """What is needed to know the reply by."""

    request_id: str
    request: _Asked


class _ReplyBody(msgspec.Struct):
    """What a reply is known by, and what it says."""

    request_id: str
    response: msgspec.Raw = msgspec.Raw(b"null")


class _Reply(msgspec.Struct):
    """A reply, as far as its payload."""

    response: _ReplyBody


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """What no message is like."""


_typed = msgspec.json.Decoder(_Typed)
_request = msgspec.json.Decoder(_Request)
_reply = msgspec.json.Decoder(_Reply)
_none = msgspec.json.Decoder(_Nothing)


def _shapes(schema: library.Schema, name: str) -> Iterator[tuple[library.Schema, str]]:
    """Yield the schemas of which a value has to meet one, without references and alternatives."""
    schema, name = library.follow(schema, name)
    if "anyOf" in schema:
        for part in schema["anyOf"]:
            yield from _shapes(part, name)
    else:
        yield schema, name


def _fields(schema: library.Schema, name: str) -> dict[str, tuple[library.Schema, str]]:
    """Return the schema of each property, those of included schemas among them."""
    fields: dict[str, tuple[library.Schema, str]] = {}
    for part in schema.get("allOf", ()):
        if "$ref" in part:
            fields |= _fields(*library.follow(part, name))
    return fields | {key: (value, name) for key, value in schema.get("properties", {}).items()}


def _required(schema: library.Schema, name: str) -> set[str]:
    """Return the names of the properties that must be there, those of included schemas among them."""
    found = set(schema.get("required", ()))
    for part in schema.get("allOf", ()):
        if "$ref" in part:
            found |= _required(*library.follow(part, name))
    return found


def _kind(value: Any) -> str:
    """Name the type of a value as JSON Schema does."""
    return _KINDS.get(type(value), "number")


def _kinds(shape: library.Schema) -> set[str]:
    """Return the types that a shape takes; none where it says nothing of types."""
    if options := _options(shape):
        return {_kind(one) for one in options}
    kinds = shape.get("type", ())
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _options(shape: library.Schema) -> list[Any]:
    """Return the values that a shape takes, where it lists them."""
    return [shape["const"]] if "const" in shape else shape.get("enum", [])


def _takes(shape: library.Schema, kind: str, value: Any) -> bool:
    """Tell whether a shape takes values of the type of this one."""
    kinds = _kinds(shape)
    return not kinds or kind in kinds or ("integer" in kinds and kind == "number" and value == int(value))


def _known(field: tuple[library.Schema, str] | None, name: str) -> set[str]:
    """Return the values of a tag that are known to have nothing of their own."""
    return set() if field is None else {one for shape, _ in _shapes(*field) for one in shape.get("enum", ())}


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
