"""Takes credentials out of what is recorded.

Some values of the protocol are credentials by definition: environment variables, and the `env` and `headers`
of MCP servers. Each is replaced by the JSON string "[redacted]" and every other byte stays as it is, so the
rest of a record is still evidence. What is passed on is never touched.
"""

import json
import json.decoder
from collections.abc import Iterator, Sequence

import msgspec

from proxy.protocol import grammar

REDACTED = '"[redacted]"'

_Path = tuple[str, ...]
_WHITESPACE = " \t\r\n"

# `*` is any key or position. A path leads to the value that is replaced.
_SERVER = (("env", "*"), ("headers", "*"))
_SERVERS: tuple[_Path, ...] = tuple(("*", *path) for path in _SERVER)
_AGENTS: tuple[_Path, ...] = tuple(
    ("*", "mcpServers", *between, *path) for path in _SERVERS for between in ((), ("*",))
)
_SETTINGS: tuple[_Path, ...] = (("env", "*"), *(("mcpServers", *path) for path in _SERVERS))


def _under(prefix: _Path, paths: tuple[_Path, ...]) -> tuple[_Path, ...]:
    return tuple(prefix + path for path in paths)


_MESSAGES: dict[str, tuple[_Path, ...]] = {
    "update_environment_variables": (("variables", "*"),),
    "control_request": (
        *_under(("request", "mcpServers"), _SERVERS),
        *_under(("request", "servers"), _SERVERS),
        *_under(("request", "agents"), _AGENTS),
        *_under(("request", "settings"), _SETTINGS),
    ),
    "control_response": (
        *_under(("response", "response", "mcpServers", "*", "config"), _SERVER),
        *_under(("response", "response", "effective"), _SETTINGS),
        *_under(("response", "response", "applied"), _SETTINGS),
        *_under(("response", "response", "sources", "*"), _SETTINGS),
        *_under(("response", "response", "sources", "*", "settings"), _SETTINGS),
    ),
}
_ARGUMENTS: dict[str, tuple[_Path, ...]] = {
    "--mcp-config": (*_under(("mcpServers",), _SERVERS), *_SERVERS),
    "--settings": _SETTINGS,
    "--agents": _AGENTS,
}

# How the lines begin that are most of the traffic, and carry no credentials.
_ORDINARY = frozenset(
    opening + type_
    for opening in (b'{"type":"', b'{"type": "')
    for type_ in (b"assistant", b"user", b"system", b"stream_event", b"tool_progress", b"command_lifecycle")
)

# Values are only skipped, so a number of any length will do.
_values = json.JSONDecoder(parse_int=float)
_scan_string = json.decoder.scanstring  # type: ignore[attr-defined]


def may_carry_credentials(line: bytes) -> bool:
    """Tell whether a message that begins like this line is of a type that may carry credentials."""
    return line[: line.find(b'"', 10)] not in _ORDINARY


def redact(line: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return the line without credentials, and JSON pointers to where they were. No JSON: as it is."""
    if not may_carry_credentials(line):
        return line, ()
    if not (b'"env"' in line or b'"headers"' in line or b'"variables"' in line):
        return line, ()
    try:
        header = grammar.header(line)
        paths = _MESSAGES.get(header.get("type")) if header else None
        if paths is None:
            return line, ()
        text, pointers = _redacted(line.decode(), paths)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return line, ()  # malformed: it will be recorded as the raw line that it is
    return (text.encode(), pointers) if pointers else (line, ())


def redact_command(argv: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the command line without credentials, and the positions of the arguments that were changed.

    A value that holds credentials but is not well-formed is replaced as a whole.
    """
    arguments = list(argv)
    changed = []
    for position, option, start in _option_values(arguments):
        value = arguments[position][start:]
        if not value.lstrip(_WHITESPACE).startswith("{"):
            continue  # the path of a file
        try:
            redacted, pointers = _redacted(value, _ARGUMENTS[option])
        except (ValueError, RecursionError):
            redacted, pointers = json.loads(REDACTED), ("",)
        if pointers:
            arguments[position] = arguments[position][:start] + redacted
            changed.append(position)
    return arguments, changed


def _option_values(arguments: list[str]) -> Iterator[tuple[int, str, int]]:
    """Yield each value of an option of interest: its position, the option, and where it starts."""
    option = ""
    for position, argument in enumerate(arguments):
        if argument == "--":
            return
        if argument.startswith("-"):
            option, equals, _ = argument.partition("=")
            if equals and option in _ARGUMENTS:
                yield position, option, len(option) + 1
        elif option in _ARGUMENTS:
            yield position, option, 0


def _redacted(text: str, paths: tuple[_Path, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the JSON text with the values at the paths replaced, and their pointers. ValueError: no JSON."""
    found: list[tuple[int, int, str]] = []
    end = _walk(text, _skip(text, 0), paths, "", found)
    if _skip(text, end) != len(text):
        raise ValueError("something follows the value")
    pieces: list[str] = []
    at = 0
    for start, stop, _ in found:
        pieces += (text[at:start], REDACTED)
        at = stop
    pieces.append(text[at:])
    return "".join(pieces), tuple(dict.fromkeys(pointer for _, _, pointer in found))


def _walk(
    text: str, at: int, paths: tuple[_Path, ...], pointer: str, found: list[tuple[int, int, str]]
) -> int:
    """Note where the values at the paths are in the value that begins here; return where it ends."""
    if () in paths:
        end = _values.raw_decode(text, at)[1]
        found.append((at, end, pointer))
        return end
    opening = text[at : at + 1]
    if not paths or opening not in ("{", "["):
        end = _values.raw_decode(text, at)[1]
        if ("*",) in paths and opening == '"':  # a text where the credentials were to be, by name
            found.append((at, end, pointer))
        return end
    closing = "}" if opening == "{" else "]"
    at = _skip(text, at + 1)
    position = 0
    while text[at : at + 1] != closing:
        if position:
            at = _skip(text, _expect(text, at, ","))
        key = str(position)
        if opening == "{":
            key, at = _scan_string(text, _expect(text, at, '"'))
            at = _skip(text, _expect(text, _skip(text, at), ":"))
        inner = tuple(path[1:] for path in paths if path[0] in ("*", key))
        at = _skip(text, _walk(text, at, inner, f"{pointer}/{_escaped(key)}", found))
        position += 1
    return at + 1


def _expect(text: str, at: int, character: str) -> int:
    if text[at : at + 1] != character:
        raise ValueError(f"{character} expected at {at}")
    return at + 1


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
