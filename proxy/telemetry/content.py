"""What was said, as the conventions have it: messages of parts, as JSON, with long texts shortened.

Spans take no structure yet in the libraries, so it is JSON in a text, which the conventions allow.
"""

from typing import Any

import msgspec

from proxy.events.fields import Message, text
from proxy.telling.shortening import shorten_value

_LONGEST_TEXT = 8000
"""Characters. Collectors take a few megabytes at once, and a trace is to be read by people; the log has it whole."""
_FINISHED = {"tool_use": "tool_call", "end_turn": "stop", "max_tokens": "length", "refusal": "content_filter"}


def parts_of(data: Message) -> list[Message]:
    """Return the parts of an answer that an event has."""
    if data.get("event") == "tool_started":
        call = {"type": "tool_call", "id": data.get("tool_use_id"), "name": data.get("tool")}
        return [{**call, "arguments": data.get("input")}]
    found: list[Message] = []
    if thought := text(data, "thinking"):
        found.append({"type": "reasoning", "content": thought})
    if content := text(data, "text"):
        found.append({"type": "text", "content": content})
    return found


def answer(parts: list[Message]) -> str:
    """Return what the model has answered."""
    reason = "tool_call" if any(part["type"] == "tool_call" for part in parts) else "stop"
    return _message(parts, reason)


def of_turn(begun: Message, ended: Message) -> dict[str, str]:
    """Return what was asked in a turn, and what was answered in the end."""
    found = {}
    if prompt := text(begun, "prompt"):
        parts = [{"type": "text", "content": prompt}]
        found["gen_ai.input.messages"] = _json([{"role": "user", "parts": parts}])
    if (result := text(ended, "result")) is not None:
        reason = _FINISHED.get(text(ended, "stop_reason") or "", "stop")
        parts = [{"type": "text", "content": result}]
        found["gen_ai.output.messages"] = _message(parts, reason)
    return found


def of_tool(given: Any, ended: Message) -> dict[str, str]:
    """Return what a tool was called with, and what it gave."""
    found = {} if given is None else {"gen_ai.tool.call.arguments": _json(given)}
    if "result" in ended:
        found["gen_ai.tool.call.result"] = _json(ended["result"])
    return found


def _message(parts: list[Message], reason: str) -> str:
    return _json([{"role": "assistant", "parts": parts, "finish_reason": reason}])


def _json(value: Any) -> str:
    shown, _ = shorten_value(value, _LONGEST_TEXT)
    return msgspec.json.encode(shown).decode()
