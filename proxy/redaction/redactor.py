"""Replaces credentials in lines and command lines by ``[redacted]``. Every other byte stays as it is.

Three kinds are replaced, so the rest of a record is still evidence:

* what is a credential by definition of the protocol: environment variables; the ``env``, ``headers``, arguments and
  URLs of MCP servers; the commands that print a key;
* the well-known kinds, by their form, wherever they stand;
* values whose name says that they are secret: on a command line always, elsewhere in the mode ``strict``, which also
  replaces what looks random.

Partial messages are searched one by one: a credential that is cut by the end of a piece is found in the whole message
that follows, and not in the pieces.
"""

from __future__ import annotations

from itertools import pairwise

from proxy.redaction import credentials

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its log
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

REDACTED = "[redacted]"

_STRING = rb'"(?:[^"\\]|\\.)*"'


class Redactor:
    """Replaces credentials in the lines and the command line of a session."""

    def __init__(self, mode: str = "on", *, patterns: Sequence[str] = (), fields: Sequence[str] = ()) -> None:
        """``mode``: ``on``, ``strict`` or ``off``.

        ``patterns``: regular expressions for texts that are replaced, too; ``fields``: names of fields.

        Raises:
            re.error: a pattern is no regular expression.
        """
        self._strict = mode == "strict"
        names = [credentials.SECRET_NAMES] if self._strict else []
        self._patterns: list[re.Pattern[str]] = []
        if fields or patterns:
            import re  # noqa: PLC0415 - most sessions have neither

            names = [*(re.escape(name.encode()) for name in fields), *names]
            self._patterns = [re.compile(pattern) for pattern in patterns]
        self._names = b"|".join(names)
        self.may_change: Callable[[bytes], bool] = credentials.may_hold_credentials
        """Tells whether any of the lines in the data may hold a credential: of ordinary traffic, next to none."""
        if mode == "off" or self._names or patterns:
            self.may_change = lambda _data: mode != "off"

    def message(self, line: bytes) -> tuple[bytes, tuple[str, ...]]:
        """Return a line that is JSON without credentials, and JSON pointers to where they were."""
        clean = self._searched(_by_definition(line))
        if self._patterns:
            clean = self._strings_searched(clean)
        return (line, ()) if clean == line else (clean, _differences(line, clean))

    def text(self, line: bytes) -> bytes:
        """Return a line that is not JSON without credentials."""
        clean = self._searched(line)
        if self._patterns:
            clean = self._matched(clean.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        return clean

    def string(self, text: str) -> str:
        """Return a string without credentials. Surrogate escapes, as command lines have them, stay."""
        return self.text(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def command(self, argv: Sequence[str]) -> tuple[list[str], list[int]]:
        """Return a command line without credentials, and the positions of the words that were changed."""
        words = _json_searched(argv)
        pairs = pairwise(("", *words))
        words = [REDACTED if _announces_secret(before) else self._word(word) for before, word in pairs]
        return words, [position for position, word in enumerate(words) if word != argv[position]]

    def _word(self, word: str) -> str:
        name, equals, value = word.partition("=")
        if equals and not any(map(str.isspace, value)) and credentials.is_secret_name(name.lstrip("-")):
            return f"{name}={REDACTED}"
        data = word.encode("utf-8", "surrogateescape")
        if any(byte in data for byte in b"=:"):
            data = _replaced(data, credentials.named(data))
        return self.text(data).decode("utf-8", "surrogateescape")

    def _searched(self, data: bytes) -> bytes:
        spans = list(credentials.well_known(data))
        if self._names:
            spans += credentials.named(data, self._names)
        if self._strict:
            spans += credentials.random(data)
        return _replaced(data, spans) if spans else data

    def _matched(self, text: str) -> str:
        for pattern in self._patterns:
            # `x*` matches between any two characters: where nothing is, nothing is replaced.
            text = pattern.sub(lambda found: REDACTED if found[0] else "", text)
        return text

    def _strings_searched(self, line: bytes) -> bytes:
        """Search the strings of a message as the texts that they stand for: an expression knows nothing of escapes."""
        import json  # noqa: PLC0415 - most sessions have no patterns
        import re  # noqa: PLC0415

        def searched(string: re.Match[bytes]) -> bytes:
            text = json.loads(string[0])
            clean = self._matched(text)
            return string[0] if clean == text else json.dumps(clean).encode()

        return re.sub(_STRING, searched, line)


def _replaced(data: bytes, spans: Iterable[credentials.Span]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for start, end in sorted(spans):
        if start >= at:
            pieces += (data[at:start], REDACTED.encode())
        at = max(at, end)
    return b"".join((*pieces, data[at:]))


def _announces_secret(option: str) -> bool:
    """Tell whether the word behind this one is a secret: `--token`, `--api-key`."""
    return option.startswith("-") and credentials.is_secret_name(option.lstrip("-"))


# -- by definition ---------------------------------------------------------------------------------------------

_NAMES_OF_CARRIERS = (b'"variables"', b'"env"', b'"headers"', b'"args"', b'"url"', b'Helper"', b'"aws')


def _by_definition(line: bytes) -> bytes:
    if not any(name in line for name in _NAMES_OF_CARRIERS):
        return line
    from proxy.protocol import grammar  # noqa: PLC0415 - streams of text never need it
    from proxy.redaction import carriers  # noqa: PLC0415 - most sessions have none

    try:
        type_ = (grammar.header(line) or {}).get("type")
        return carriers.in_message(line, type_) if isinstance(type_, str) else line
    except (ValueError, RecursionError):
        return line  # malformed, or nested so deeply that no reader takes it


def _json_searched(argv: Sequence[str]) -> list[str]:
    """Return the words without what JSON among them carries by definition: a word of its own, or behind `=`."""
    words = list(argv)
    option = ""
    for position, word in enumerate(words):
        start = 0
        if word.startswith("-"):
            option, equals, _ = word.partition("=")
            start = len(option) + len(equals)
        if word[start:].lstrip().startswith("{"):
            from proxy.redaction import carriers  # noqa: PLC0415 - most command lines hold no JSON

            words[position] = word[:start] + carriers.in_argument(word[start:], option)
    return words


# -- where it was ----------------------------------------------------------------------------------------------


def _differences(line: bytes, clean: bytes) -> tuple[str, ...]:
    """Return JSON pointers to the values that differ; to the whole where a reader cannot hold them."""
    import json  # noqa: PLC0415 - most lines hold no credential

    from proxy.protocol.json_pointer import pointer  # noqa: PLC0415

    try:
        before, after = (json.loads(data, parse_int=float) for data in (line, clean))
        return tuple(map(pointer, _different(before, after, ())))
    except (ValueError, RecursionError):
        return ("",)


def _different(before: Any, after: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        for key, value in before.items():
            yield from _different(value, after[key], (*path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _different(one, other, (*path, position))
    elif before != after:
        yield path
