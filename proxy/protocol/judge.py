"""Gives every line of a stream its verdict, at the price of parsing it once.

A line goes as far down this list as it must:

1. one typed decode, made from the schema of its kind, chosen by the line's first bytes: accepted is valid;
2. the grammar: what is not JSON is malformed, what breaks a limit invalid;
3. its kind, wherever in the line that is written: one that the specification does not have is unknown, and
   one that is seen for the first time gets its typed decode now;
4. the JSON Schema itself, which decides, and says what is wrong and where.

On standard input one byte order mark before a line is passed over, as Claude Code does on every line (what is blank
before it is not). Clients read none on standard output: there it is malformed.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec

from proxy.protocol import grammar, library
from proxy.protocol.fastpath import Compiler
from proxy.protocol.shapes import SHAPES, USUAL, decoder
from proxy.protocol.verdict import UNKNOWN, VALID, Judgement, invalid

Stream = Literal["stdin", "stdout"]

# Where the messages of a type name what they are in particular.
TAG_PATHS: dict[str, tuple[str, ...]] = {
    "system": ("subtype",),
    "result": ("subtype",),
    "control_request": ("request", "subtype"),
    "control_response": ("response", "subtype"),
    "stream_event": ("event", "type"),
}

# What nearly every session has, or, of the tool results, every other one: as recorded in `fixtures/`. Their shapes are
# made ahead: `python -m tools.generate_schemas` after a change.
USUAL_TAGS: dict[Stream, dict[str, tuple[str | None, ...]]] = {
    "stdin": {"user": (None,), "control_request": ("initialize",)},
    "stdout": {
        "control_response": ("success",),
        "system": ("init", "session_state_changed"),
        "assistant": (None,),
        "user": (None,),
        "result": ("success",),
    },
}
_TOGETHER = "stream_event"
"""A type whose messages come with all of its tags or not at all."""

# The first bytes of a message as JavaScript and as Python's json write it.
_OPENINGS = (b'{"type":"', b'{"type": "')
# The type's quotation mark is behind these bytes, in both ways of writing; before it stands the head of a line.
_AFTER_OPENING = 10
# Bytes and number of the heads that are learned: real ones have at most 38 bytes, those of the longest type, and there
# are as many as types and first fields.
_LONGEST_HEAD = 40
_MOST_HEADS = 100
_MOST_AT_ONCE = 2 * grammar.LONG  # a read, and what was left of the one before

_Decode = Callable[[bytes], Any]


class Kind:
    """The messages of one type: what tells them apart, and the decoder for those of them that were seen.

    No schema is read before a message comes that is not one of the usual.
    """

    def __init__(self, stream: Stream, type_: str, compiler: Compiler) -> None:
        self._stream = stream
        self._type = type_
        self._compiler = compiler
        self._seen: set[str | None] = set()
        self.decoder: msgspec.json.Decoder[Any]

    @functools.cached_property
    def schema(self) -> str:
        """The file of their schema."""
        return schemas(self._stream)[self._type]

    @functools.cached_property
    def _table(self) -> tuple[str, frozenset[str]]:
        """The file with the table that tells them apart, and the tags in it; no file where nothing does."""
        if self._type not in TAG_PATHS:
            return "", frozenset()
        found, name = library.load(self.schema), self.schema
        for key in TAG_PATHS[self._type][:-1]:
            found, name = library.follow(library.known(found["properties"][key]), name)
        choice = library.table(found)
        if choice is None:
            raise LookupError(f"{name} has no table")
        return name, frozenset(choice.rows)

    @property
    def tags(self) -> frozenset[str]:
        """The tags that tell them apart."""
        return self._table[1]

    def has(self, tag: str) -> bool:
        """Tell whether the specification has messages with that tag."""
        return tag in self._seen or tag in self.tags

    def expect(self, tags: Iterable[str | None], shape: int) -> None:
        """Make the decoder for messages with those tags, whose shape is known."""
        self._seen.update(tags)
        self.decoder = decoder(SHAPES.type(shape))

    def learn(self, tags: Iterable[str | None]) -> bool:
        """Extend the decoder to messages with those tags; False if it takes them already."""
        if self._seen.issuperset(tags):
            return False
        self.expect(tags, self.shape({*self._seen, *tags}))
        return True

    def shape(self, tags: Iterable[str | None]) -> int:
        """Return the shape of messages with those tags."""
        only = {self._table[0]: {tag for tag in tags if tag is not None}}
        return self._compiler.shape(self.schema, only)


@functools.cache
def schemas(stream: Stream) -> dict[str, str]:
    """Return, by type of message, the file of its schema."""
    index = f"{stream}.json"
    choice = library.table(library.load(index))
    if choice is None:
        raise LookupError(f"{index} has no table")
    return {type_: library.follow(row, index)[1] for type_, row in choice.rows.items()}


class Judge:
    """Judges the lines of one stream of a session. Not for use by two threads at once."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._passed_over = grammar.BYTE_ORDER_MARK if stream == "stdin" else b""
        self._compiler = Compiler()
        self._kinds: dict[str, Kind] = {}
        # By the first bytes of a line, as far as they were seen.
        self._decoders: dict[bytes, msgspec.json.Decoder[Any]] = {}
        self._decode: dict[bytes, _Decode] = {}

    def prepare(self) -> None:
        """Make the decoders for the usual messages: the first of them would wait for theirs, up to 4 ms each."""
        for type_, tags in USUAL_TAGS[self._stream].items():
            kind = self._kind(type_)
            kind.expect(tags, USUAL[self._stream][type_])
            self._expect_type(type_, kind)

    def judge(self, line: bytes) -> Judgement:
        """Return the judgement on a line, which is given without its newline."""
        if len(line) > grammar.LONG:
            return self._judge_long(line)
        return VALID if self.accepts(line) else self._judge_refused(line)

    def _judge_long(self, line: bytes) -> Judgement:
        """Judge a line by what is left of it without the inside of its long strings; decode no more."""
        text = grammar.shortened(line)
        if text is not line and (line.isascii() or grammar.is_utf8(line)):
            judgement = VALID if self.accepts(text) else self._judge_refused(text)
            if judgement.verdict != "malformed":
                return judgement
        # This looks at the grammar first, and says where in the line it is broken.
        return self._judge_refused(line)

    def accepts(self, line: bytes) -> bool:
        """Tell whether a line is valid, by no more than one decode. False says nothing: some need more."""
        decode = self._decode.get(line[: line.find(b'"', _AFTER_OPENING)])
        is_long = len(line) > grammar.SHORT
        if decode is None or (is_long and grammar.is_crowded(line)):
            return False
        try:
            decode(line)
        except grammar.REFUSALS:
            return False
        return (line.isascii() or grammar.is_utf8(line)) and (not is_long or grammar.is_within_limits(line))

    def judge_lines(self, lines: Sequence[bytes]) -> list[Judgement]:
        """Return the judgement on each line: the same as `judge` gives, faster for many."""
        judgements: list[Judgement] = []
        run: list[bytes] = []
        run_head = b""
        for line in lines:
            head = line[: line.find(b'"', _AFTER_OPENING)]
            if head != run_head or len(line) > grammar.SHORT:
                judgements += self._judge_run(run_head, run)
                run = []
                run_head = head
            if len(line) > grammar.LONG:
                judgements.append(self._judge_long(line))
            else:
                run.append(line)
        judgements += self._judge_run(run_head, run)
        return judgements

    def accepts_all(self, lines: Sequence[bytes], data: bytes) -> bool:
        """Tell whether all lines are valid and begin with the same type; faster than to judge them.

        `data` is the lines, each with its newline. False says nothing: some may need more than one decode.
        """
        head = lines[0][: lines[0].find(b'"', _AFTER_OPENING)]
        decoder = self._decoders.get(head)
        sizes = [*map(len, lines)]
        return (
            decoder is not None
            and len(data) <= _MOST_AT_ONCE
            # The decoder takes a value for a line, wherever it ends. No value goes on past a `}` at a line's end when
            # the next line begins with `{`, and then as many values as lines are one on each.
            and len(data) == sum(sizes) + len(lines)
            and data.startswith(head)
            and data.count(b"}\n" + head) == len(lines) - 1
            and data.endswith(b"}\n")
            and _count(decoder, data) == len(lines)
            and (data.isascii() or grammar.is_utf8(data))
            and (max(sizes) <= grammar.SHORT or all(map(grammar.is_within_limits, lines)))
        )

    def _judge_run(self, head: bytes, run: list[bytes]) -> list[Judgement]:
        """Judge lines that begin alike, all but the first of them short, with one decode if all are valid."""
        if len(run) > 1 and head in self._decoders and self.accepts_all(run, b"\n".join((*run, b""))):
            return [VALID] * len(run)
        return [self.judge(line) for line in run]

    def _judge_refused(self, line: bytes) -> Judgement:
        """Judge a line that no decoder was ready for, or that its decoder refused."""
        if self._passed_over and line.startswith(self._passed_over):
            line = line.removeprefix(self._passed_over)
            if self.accepts(line):
                return VALID
        examined = grammar.examine(line)
        if isinstance(examined, Judgement):
            return examined
        line = examined
        header = grammar.header(line)
        if header is None:
            return invalid("", f"A message is a JSON object; this line is {_shape(line)}.", "type")
        type_ = header.get("type")
        if not isinstance(type_, str):
            return invalid("", "A message has a `type`, which is a string.", "required")
        is_known = type_ in self._kinds or type_ in schemas(self._stream)
        return self._judge_typed(line, type_, header) if is_known else UNKNOWN

    def _judge_typed(self, line: bytes, type_: str, header: dict[str, Any]) -> Judgement:
        """Judge a line of JSON whose type is known."""
        kind = self._kind(type_)
        has_tag = type_ in TAG_PATHS
        tag = _tag(header, TAG_PATHS[type_]) if has_tag else None
        if tag is not None and not kind.has(tag):
            return UNKNOWN
        if (
            (tag is not None or not has_tag)
            and not grammar.is_crowded(line)
            and self._accepts(type_, kind, tag, line)
        ):
            return VALID
        from proxy.protocol.full import judgement  # noqa: PLC0415 - most sessions never need it

        return judgement(kind.schema, line)

    def _accepts(self, type_: str, kind: Kind, tag: str | None, line: bytes) -> bool:
        """Tell whether the typed decode takes the line, for which it is first extended if need be."""
        self._learn(type_, kind, kind.tags if type_ == _TOGETHER else (tag,))
        try:
            kind.decoder.decode(line)
        except grammar.REFUSALS:
            return False
        # A message that begins with another field than its type: the next that begins so may be its like.
        head = line[: line.find(b'"', _AFTER_OPENING)]
        if len(head) <= _LONGEST_HEAD and len(self._decode) < _MOST_HEADS:
            self._expect(head, kind.decoder)
        return True

    def _kind(self, type_: str) -> Kind:
        if type_ not in self._kinds:
            self._kinds[type_] = Kind(self._stream, type_, self._compiler)
        return self._kinds[type_]

    def _learn(self, type_: str, kind: Kind, tags: Iterable[str | None]) -> None:
        if kind.learn(tags):
            # As Python objects the files take 0.5 MB after the usual messages; what the next kind needs is read again.
            library.forget()
            self._expect_type(type_, kind)

    def _expect_type(self, type_: str, kind: Kind) -> None:
        for opening in _OPENINGS:
            self._expect(opening + type_.encode(), kind.decoder)

    def _expect(self, head: bytes, decoder: msgspec.json.Decoder[Any]) -> None:
        self._decoders[head] = decoder
        self._decode[head] = decoder.decode


def _count(decoder: msgspec.json.Decoder[Any], data: bytes) -> int:
    """Return how many values the decoder takes, 0 if it refuses one."""
    try:
        return len(decoder.decode_lines(data))
    except grammar.REFUSALS:
        return 0


def _tag(header: Any, path: tuple[str, ...]) -> str | None:
    for key in path:
        header = header.get(key) if isinstance(header, dict) else None
    return header if isinstance(header, str) else None


def _shape(line: bytes) -> str:
    """Name the kind of JSON value that a line is."""
    names = {"[": "an array", '"': "a string", "t": "true", "f": "false", "n": "null"}
    return names.get(line.lstrip()[:1].decode(), "a number")
