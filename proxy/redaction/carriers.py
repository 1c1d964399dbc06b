"""Where the protocol, and the command line of Claude Code, carry credentials by definition.

`in_message` and `in_argument` return a JSON text with the values at these places replaced, and every other byte as it
was.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

REDACTED = "[redacted]"

_Path = tuple[str, ...]
_Change = tuple[int, int, str]
"""Where a value begins and ends in a JSON text, and the JSON that takes its place."""

# A path leads to the value that is replaced. `*` is any key or position, `@` says what in the value is replaced.
_SERVER: tuple[_Path, ...] = (("env", "*"), ("headers", "*"), ("args", "@words"), ("url", "@url"))
_BY_NAME = {("*",), ("@words",)}
"""Paths to credentials by name: a text that stands in place of them all is one."""
_SERVERS: tuple[_Path, ...] = tuple(("*", *path) for path in _SERVER)
_AGENTS: tuple[_Path, ...] = tuple(
    ("*", "mcpServers", *between, *path) for path in _SERVERS for between in ((), ("*",))
)
_SETTINGS: tuple[_Path, ...] = (
    ("env", "*"),
    *(("apiKeyHelper",), ("awsAuthRefresh",), ("awsCredentialExport",), ("otelHeadersHelper",)),
    *(("mcpServers", *path) for path in _SERVERS),
)


_REQUEST = {"mcpServers": _SERVERS, "servers": _SERVERS, "agents": _AGENTS, "settings": _SETTINGS}
_RESPONSE = {
    ("mcpServers", "*", "config"): _SERVER,
    **dict.fromkeys(
        (("effective",), ("applied",), ("sources", "*"), ("sources", "*", "settings")), _SETTINGS
    ),
}
_MESSAGES: dict[str, tuple[_Path, ...]] = {
    "update_environment_variables": (("variables", "*"),),
    "control_request": tuple(("request", key, *path) for key, paths in _REQUEST.items() for path in paths),
    "control_response": tuple(
        ("response", "response", *key, *path) for key, paths in _RESPONSE.items() for path in paths
    ),
}
_ARGUMENTS: dict[str, tuple[_Path, ...]] = {
    "--mcp-config": (*(("mcpServers", *path) for path in _SERVERS), *_SERVERS),
    "--settings": _SETTINGS,
    "--agents": _AGENTS,
}
_ANY_ARGUMENT = (*_SETTINGS, *_SERVER, *_AGENTS)


def in_message(line: bytes, type_: str) -> bytes:
    """Return a message of a type without the credentials that it carries. ValueError: it is no JSON."""
    paths = _MESSAGES.get(type_)
    return _changed(line.decode(), paths).encode() if paths else line


def in_argument(value: str, option: str) -> str:
    """Return the JSON value of a command-line option without credentials.

    One that is broken is replaced as a whole if the option is one that carries credentials.
    """
    try:
        return _changed(value, _ARGUMENTS.get(option, _ANY_ARGUMENT))
    except (ValueError, RecursionError):
        return REDACTED if option in _ARGUMENTS else value


def _changed(text: str, paths: tuple[_Path, ...]) -> str:
    """Return the JSON text with the values at the paths replaced. ValueError: it is no JSON."""
    start = _skip(text, 0)
    if _skip(text, _decode(text, start)[1]) != len(text):
        raise ValueError("something follows the value")
    pieces: list[str] = []
    at = 0
    for begin, end, replacement in _changes(text, start, frozenset(paths)):
        pieces += (text[at:begin], replacement)
        at = end
    return "".join((*pieces, text[at:]))


def _changes(text: str, at: int, paths: frozenset[_Path]) -> Iterator[_Change]:
    """Yield what is to be replaced in the object or list that begins here, in order."""
    whole = json.dumps(REDACTED)
    for key, value, start, end in _members(text, at):
        inner = frozenset(path[1:] for path in paths if path[0] in ("*", key))
        opening = text[start]
        if () in inner:
            yield start, end, whole
        elif ("@words",) in inner and opening == "[":
            yield from _arguments(text, start)
        elif ("@url",) in inner and opening == '"':
            if (clean := _without_path(value)) != value:
                yield start, end, json.dumps(clean)
        elif opening in "{[":
            yield from _changes(text, start, inner)
        elif opening == '"' and inner & _BY_NAME:
            yield start, end, whole


def _arguments(text: str, at: int) -> Iterator[_Change]:
    """Yield what is to be replaced in a server's arguments: all but options and the first word, the program's own."""
    program_seen = False
    for _, word, start, end in _members(text, at):
        clean: object = REDACTED
        if isinstance(word, str) and word.startswith("-"):
            name, equals, _ = word.partition("=")
            clean = f"{name}={REDACTED}" if equals else word
        elif not program_seen and isinstance(word, str) and "=" not in word:
            program_seen, clean = True, word
        if clean != word:
            yield start, end, json.dumps(clean)


def _without_path(url: str) -> str:
    """Return scheme, host and port of a URL: tokens stand in its path and query as well as before the host."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return REDACTED
    rest = parts.path.strip("/") or parts.query or parts.fragment
    return f"{parts.scheme}://{parts.hostname or ''}{port}/{REDACTED}" if rest or parts.username else url


def _members(text: str, at: int) -> Iterator[tuple[str, Any, int, int]]:
    """Yield key (empty in a list), value, start and end of each value in the object or list that begins here."""
    is_object = text[at : at + 1] == "{"
    at = _skip(text, at + 1)
    while text[at : at + 1] != ("}" if is_object else "]"):
        key = ""
        if is_object:
            key, end = _decode(text, at)
            at = _skip(text, _skip(text, end) + 1)
        value, end = _decode(text, at)
        yield key, value, at, end
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)


# Only texts are looked at, so a number of any length will do.
_decode = json.JSONDecoder(parse_int=float).raw_decode


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at
