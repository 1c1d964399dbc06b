"""What a record of a log says, in one line."""

from collections.abc import Iterator
from typing import Any

from proxy.events.fields import inner, text
from proxy.sessions.reader import Record
from proxy.telling.calls import call, content_text, one_line

_LONGEST = 300  # characters: what a row of the page shows
_HEAD = ("type", "subtype", "session_id", "uuid")
"""What a row shows beside the preview, or never."""
_UNSAID = (*_HEAD, "id", "tool_use_id", "parent_tool_use_id", "signature", "data", "media_type", "modelUsage")
"""Fields of messages and their blocks that tell programs something; ``data`` is that of images."""
_AROUND = 80
"""Characters of a snippet on each side of what was looked for."""


def preview(record: Record) -> str:
    """Return the beginning of what a record says, in one line."""
    if record.errors:
        errors = (f"{error.get('path') or ''}: {error.get('message') or ''}" for error in record.errors)
        return one_line("; ".join(error.lstrip(": ") for error in errors), _LONGEST)
    if record.event is not None:
        return one_line(record.event.data, _LONGEST)
    if not record.has_message:
        return one_line(record.raw or record.raw_base64 or "", _LONGEST)
    message = _value(record)
    return one_line(_message(message) if isinstance(message, dict) else message, _LONGEST)


def snippet(record: Record, wanted: str) -> str | None:
    """Return in one line what stands around a text, in capital or small letters; None where nobody says it.

    Names of fields, types and ids are no part of what is said.
    """
    lowered = wanted.lower()
    for words in _said(record):
        if (at := words.lower().find(lowered)) >= 0:
            start, end = max(0, at - _AROUND), at + len(wanted) + _AROUND
            around = " ".join(words[start:end].split())
            return f"{'…' * (start > 0)}{around}{'…' * (end < len(words))}"
    return None


def _said(record: Record) -> Iterator[str]:
    """Yield what a record says to people: the texts of a message, a line that is none, the words of a command line."""
    if record.event is not None:
        yield from _texts(record.event.data.get("command"))
    elif record.has_message:
        message = _value(record)
        if isinstance(message, dict) and message.get("type") in ("user", "assistant"):
            message = inner(message, "message").get("content")
        yield from _texts(message)
    else:
        yield record.line().decode(errors="replace")


def _value(record: Record) -> Any:
    """Return the message; as it stands where a reader cannot hold it."""
    try:
        return record.value()
    except (ValueError, RecursionError):
        return bytes(record.message).decode(errors="replace")


def _texts(value: object) -> Iterator[str]:
    """Yield all texts of a value that say something, in their order."""
    stack = [value]
    while stack:
        match stack.pop():
            case str() as words:
                yield words
            case list() as items:
                stack += reversed(items)
            case dict() as fields:
                stack += reversed([value for name, value in fields.items() if name not in _UNSAID])


def _message(message: dict[str, Any]) -> Any:
    rest = {name: value for name, value in message.items() if name not in _HEAD}
    match message.get("type"):
        case "user" | "assistant":
            content = inner(message, "message").get("content")
            blocks = "  ".join(map(_block, content)) if isinstance(content, list) else ""
            return content if isinstance(content, str) else blocks or rest
        case "result":
            return text(message, "result") or message.get("errors") or message.get("subtype") or rest
        case "stream_event":
            delta = inner(inner(message, "event"), "delta")
            words = (text(delta, name) for name in ("text", "thinking", "partial_json"))
            return next(filter(None, words), None) or text(inner(message, "event"), "type") or rest
        case "control_request":
            request = inner(message, "request")
            tool = text(request, "tool_name")
            return _call(tool, request.get("input")) if tool else message.get("request") or rest
        case "control_response":
            response = inner(message, "response")
            return response.get("response") or response or rest
        case _:
            return rest


def _block(block: object) -> str:
    if not isinstance(block, dict):
        return one_line(block, _LONGEST)
    match block.get("type"):
        case "thinking":
            return f"(thinking) {text(block, 'thinking') or ''}"
        case "tool_use":
            return _call(text(block, "name") or "", block.get("input"))
        case "tool_result":
            return f"= {content_text(block.get('content'))}"
        case _:
            return content_text([block])


def _call(tool: str, given: object) -> str:
    part = call(tool, given)
    words = part.summary or (one_line(part.fields) if part.fields else "")
    return f"{tool}: {words}" if words else tool
