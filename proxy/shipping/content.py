"""What leaves this machine: each line of a log becomes one line, so that places are the same on both sides.

``full``           everything, without what is known as a credential (again: the log was cleaned when it was written)
``texts_removed``  prompts, outputs, inputs of tools and whatever else people or models wrote are replaced by their
                   length; kinds, names, ids, times and figures stay, so the same events follow from it
``figures``        what a session cost and how it ended: of all other messages only the kind is left

A text stays only if its field is known to hold none of these: a field that is new is removed. The same line becomes
the same, whenever it is sent. ``redacted`` names the places in each record.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from proxy.events.known_rules import KnownRules
from proxy.protocol.json_pointer import escaped
from proxy.redaction import Redactor
from proxy.redaction.recorded import without_credentials
from proxy.sessions import firings
from proxy.sessions.firings import Firing

Kind = Literal["full", "texts_removed", "figures"]
Content = Callable[[bytes], bytes]
"""Takes whole lines of a log, gives as many."""

_LONGEST_NAME = 256
"""Characters: twice the longest name of a tool that the Messages API takes. What is longer is no name, id or timestamp,
whatever its field is called.
"""


def _fields(names: str) -> frozenset[str]:
    return frozenset(names.split())


_STAYS = _fields(
    # What is said of a record or message itself.
    "seq ts session_id stream verdict keyword type subtype event_type kind mode name cwd file validation interactive"
    " versions platform version claude_code_version clean signal origin status behavior level eol"
    # Ids, and names of tools, models and agents.
    " id uuid request_id tool_use_id toolUseID toolUseId parent_tool_use_id parentToolUseID task_id hook_id agent_id"
    " agentId message_id callback_id tool_name tool_names last_tool_name model models fallback_model subagent_type"
    " task_type hook_name hook_event hook_event_name skills agents tools slash_commands mcp_servers plugins server"
    " claude_session_id promptId leafUuid parentUuid sourceToolAssistantUUID requestId userType entrypoint sessionId"
    " parent_task_id"
    # Enumerations.
    " role stop_reason stop_sequence terminal_reason permissionMode permission_mode apiKeySource output_style"
    " fast_mode_state service_tier inference_geo media_type encoding trigger source decision decision_reason_type"
    " outcome error_status rateLimitType overageStatus overageDisabledReason timestamp resetsAt waitingFor"
    " compact_result proc_start boot_id traceparent"
    # Of transcripts and the registry of interactive sessions.
    " since waiting_for why agent_type operation commandMode promptSource toolDenialKind reasonCode reasonType"
    " claude_proxy python redact"
)
"""Fields whose texts stay, at any depth."""
_GOES = _fields(
    "input tool_input updatedInput updated_input updatedPermissions structured_output tool_response json_schema"
    " jsonSchema settings env headers args variables mcpServers arguments snapshot answers annotations"
)
"""Fields that go as a whole: people or models choose the names in them."""
_OF_RESULTS = frozenset(("tool_use_result", "toolUseResult"))
_STAYS_OF_RESULTS = frozenset(("agentId", "backgroundTaskId", "isAsync", "status"))
"""The same, but for these: whether a call goes on as a task."""
_WORDS = frozenset(("stream-json", "json", "text"))
"""Words of a command line that say how the command talks, and nothing else."""
_RULES = frozenset(("--disallowedTools", "--disallowed-tools", "--settings"))
"""Options that may take tools away."""
_TOOL = re.compile(r"\*|[A-Za-z][A-Za-z0-9_-]{0,127}\*?", re.ASCII)
"""A rule for all calls of a tool: its name, of the 128 characters that the Messages API takes, and nothing of what
calls hold.
"""
_INTERRUPTED = "[Request interrupted by user"
_NOTICE = "<task-notification>"
_IDS = ("task-id", "tool-use-id", "status")
_TAGS = (
    *_IDS,
    *("summary", "command-name", "command-args", "bash-input"),
    *("local-command-stdout", "local-command-stderr", "bash-stdout", "bash-stderr"),
)
"""Of what Claude Code puts into a user's message itself: commands, what they printed, and notices of tasks."""
_MARKED = re.compile(
    r"\s*<(task-notification|command-name|command-message|local-command|bash-input|bash-std)"
)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_FIGURES = ("result", "system")
_OF_ASSISTANT = ("id", "type", "role", "model", "usage", "stop_reason")


def of(kind: Kind, patterns: Sequence[str] = ()) -> Content:
    """Return what makes of lines what may leave. ``patterns``: regular expressions for what is replaced, too."""
    redactor = Redactor("on", patterns=patterns)
    if kind == "full":
        return lambda text: (
            _each(text, lambda line: _clean(line, redactor)) if redactor.may_change(text) else text
        )
    reduce = _without_texts if kind == "texts_removed" else _figures
    return lambda text: _each(text, lambda line: _clean(_reduced(line, reduce), redactor))


def of_firings(kind: Kind, patterns: Sequence[str] = ()) -> Callable[[Firing], bytes]:
    """Return what makes of what a rule found a line that may leave. There are names and figures in it, and no texts."""
    redactor = Redactor("on", patterns=patterns)

    def line_of(firing: Firing) -> bytes:
        if kind == "figures":
            firing = msgspec.structs.replace(firing, running=[])
        return _clean(firings.encoded(firing)[:-1], redactor) + b"\n"

    return line_of


def _each(text: bytes, change: Callable[[bytes], bytes]) -> bytes:
    return b"".join(change(line) + b"\n" for line in text.split(b"\n")[:-1])


def _clean(line: bytes, redactor: Redactor) -> bytes:
    if not redactor.may_change(line):
        return line
    try:
        return without_credentials(line, redactor)[0]
    except (ValueError, RecursionError, AttributeError, TypeError):
        return redactor.text(line)  # no record: whatever it is


# -- less than everything --------------------------------------------------------------------------------------

_Reduce = Callable[[Any, list[str]], Any]
"""Takes a message and a list to which it adds pointers to what it has replaced; gives what is left."""


def _reduced(line: bytes, reduce: _Reduce) -> bytes:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        return _length(line.decode(errors="replace")).encode()
    found: list[str] = []
    left = {name: _part(name, value, reduce, found) for name, value in record.items() if name != "redacted"}
    said = record.get("redacted", [])
    before = [one for one in said if isinstance(one, str)] if isinstance(said, list) else []
    if before or found:
        left["redacted"] = sorted({*before, *found})
    # As a log that nobody has touched spells it.
    return json.dumps(left, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _part(name: str, value: Any, reduce: _Reduce, found: list[str]) -> Any:
    match name, value:
        case "message", _:
            inner: list[str] = []
            left = reduce(value, inner)
            found += [f"/message{pointer}" for pointer in inner]
            return left
        case "event", {"event_type": "session_started", "data": {"command": [*words]}}:
            found.append("/event/data/command")
            rest = _texts({**value["data"], "command": []}, "data", "/event/data", found)
            return {**value, "data": {**rest, "command": _command(words)}}
        case "errors", list():
            return [_error(one, f"/errors/{at}", found) for at, one in enumerate(value)]
        case "raw_base64", str():
            found.append("/raw_base64")
            return b64encode(_length(b64decode(value)).encode()).decode()
        case _:
            return _texts(value, name, f"/{name}", found)


def _error(error: Any, pointer: str, found: list[str]) -> Any:
    """Return what is left of a sentence of the judge: where in the message, and against which keyword."""
    if not isinstance(error, dict):
        return _texts(error, "", pointer, found)
    return {
        name: one if name == "path" else _texts(one, name, f"{pointer}/{name}", found)
        for name, one in error.items()
    }


def _without_texts(message: Any, found: list[str]) -> Any:
    return _texts(message, "", "", found)


def _figures(message: Any, found: list[str]) -> Any:
    if not isinstance(message, dict) or message.get("type") in _FIGURES:
        return _texts(message, "", "", found)
    found.append("")
    left = {name: message[name] for name in ("type", "subtype") if isinstance(message.get(name), str)}
    if message.get("type") == "assistant" and isinstance(inner := message.get("message"), dict):
        of_model = {name: inner[name] for name in _OF_ASSISTANT if name in inner}
        left["message"] = {**_texts(of_model, "", "", []), "content": []}
    return _texts(left, "", "", [])


def _texts(value: Any, name: str, pointer: str, found: list[str]) -> Any:
    """Return a value without texts that may be anybody's; ``name`` is the field's that holds it."""
    match value:
        case str() if value and not _stays(value, name):
            found.append(pointer)
            return _removed(value)
        case dict() if name in _OF_RESULTS:
            found.append(pointer)
            return {key: one for key, one in value.items() if key in _STAYS_OF_RESULTS}
        case dict() | list() if name in _GOES | _OF_RESULTS:
            if value:
                found.append(pointer)
            return type(value)()
        case dict():
            return {key: _texts(one, key, f"{pointer}/{escaped(key)}", found) for key, one in value.items()}
        case list():
            return [_texts(one, name, f"{pointer}/{at}", found) for at, one in enumerate(value)]
    return value


def _stays(text: str, name: str) -> bool:
    is_tool = name == "rule" and _TOOL.fullmatch(text) is not None
    return is_tool or (name in _STAYS and len(text) <= _LONGEST_NAME)


def _removed(text: str) -> str:
    """Return what stands for a text. What Claude Code itself says in a user's name can still be told."""
    if text.startswith(_INTERRUPTED):
        return f"{_INTERRUPTED}]"
    if not _MARKED.match(text):
        return "/" * text.startswith("/") + _length(text)  # a prompt that is a command stays one
    parts = [_NOTICE] if text.lstrip().startswith(_NOTICE) else []
    for tag in _TAGS:
        if (match := re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)) is not None:
            words = match[1]
            is_id = tag in _IDS and _ID.fullmatch(words)
            parts.append(f"<{tag}>{words if is_id or not words.strip() else _removed(words)}</{tag}>")
    return "".join(parts)


def _command(words: list[Any]) -> list[str]:
    """Return what is left of a command line, the tools that it takes away included: their calls are denied."""
    said = [word if isinstance(word, str) else "" for word in words]
    denied = set(filter(_TOOL.fullmatch, KnownRules.of_command(said).deny))
    left: list[str] = []
    option = ""
    for at, word in enumerate(said):
        value = word
        if word.startswith("-"):
            option, _, value = word.partition("=")
        rest = _word(at, word)
        if option in _RULES and (kept := sorted(denied.intersection(re.findall(r"[\w*-]+", value)))):
            rules = json.dumps({"permissions": {"deny": kept}}) if option == "--settings" else ",".join(kept)
            rest = rules if value is word else f"{option}={rules}"
        left.append(rest)
    return left


def _word(at: int, word: str) -> str:
    """Return what is left of a word of the command line: the command, names of options, and how it talks."""
    if at == 0 or word in _WORDS or (word.startswith("-") and "=" not in word and " " not in word):
        return word
    option, equals, value = word.partition("=")
    if equals and word.startswith("--"):
        return f"{option}={_length(value)}"
    return _length(word)


def _length(text: str | bytes) -> str:
    unit = "characters" if isinstance(text, str) else "bytes"
    return f"[{len(text)} {unit}]"
