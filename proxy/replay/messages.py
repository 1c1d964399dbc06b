"""Messages of Claude Code that are made, not recorded: what a script's short words and automatic answers send.

Each is valid under ``schemas/``, and no larger than it has to be.
"""

from __future__ import annotations

import json

from proxy.usage import NO_USAGE

TYPE_CHECKING = False  # `typing` takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VERSION = "2.1.332 (Claude Code)"
"""What ``claude --version`` says, where nothing else is known."""
SESSION_ID = "00000000-0000-4000-8000-000000000000"
MODEL = "claude-sonnet-4-5"
_USAGE = {
    "input_tokens": 1,
    "output_tokens": 1,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
}
_TURN_USAGE = {**NO_USAGE, **_USAGE}


def encoded(message: object) -> bytes:
    """Return a message as Claude Code writes it: compact, UTF-8, without its newline."""
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def decoded(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a line is, or None."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _ids(number: int) -> dict[str, str]:
    """Return the ids of the message of that number, and of the session."""
    return {"session_id": SESSION_ID, "uuid": f"00000000-0000-4000-8000-{number:012d}"}


def init(number: int) -> dict[str, Any]:
    """Return the message that opens a turn."""
    return {
        "type": "system",
        "subtype": "init",
        "apiKeySource": "none",
        "claude_code_version": VERSION.partition(" ")[0],
        "cwd": "/",
        "tools": [],
        "mcp_servers": [],
        "model": MODEL,
        "permissionMode": "default",
        "slash_commands": [],
        "output_style": "default",
        "skills": [],
        "plugins": [],
        "agents": [],
        **_ids(number),
    }


def assistant(number: int, text: str) -> dict[str, Any]:
    """Return an answer of text."""
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": text}],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _USAGE,
    }
    return {
        "type": "assistant",
        "message": message,
        "parent_tool_use_id": None,
        **_ids(number),
    }


def result(number: int, text: str) -> dict[str, Any]:
    """Return the message that ends a turn."""
    return {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "duration_ms": 1,
        "duration_api_ms": 1,
        "num_turns": 1,
        "result": text,
        "stop_reason": "end_turn",
        "total_cost_usd": 0.0,
        "usage": _TURN_USAGE,
        "modelUsage": {},
        "permission_denials": [],
        **_ids(number),
    }


_BIG = (
    b'{"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
    b'"text":"%%s"}},"parent_tool_use_id":null,"session_id":"%s","uuid":"00000000-0000-4000-8000-%%012d"}\n'
    % SESSION_ID.encode()
)
SMALLEST = 64
"""The fewest bytes that a line of a flood can have, its newline included."""


def flood_line(size: int) -> Callable[[int], bytes]:
    """Return a function that makes the line of a number: valid messages of ``size`` bytes, the newline included.

    Where there is room for it, it is a piece of streamed text whose uuid ends in the number; else a ``keep_alive``.
    """
    shortest = len(_BIG % (b"", 0))
    if size < shortest:
        start = b'{"type":"keep_alive","n":%d,"pad":"'
        return lambda number: (start % number).ljust(size - 3, b"x") + b'"}\n'
    pad = b"x" * (size - shortest)
    return lambda number: _BIG % (pad, number)


def subtype_of(request: dict[str, Any]) -> Any:
    """Return the subtype of a control request, None where it has none."""
    asked = request.get("request")
    return asked.get("subtype") if isinstance(asked, dict) else None


def answer(request: dict[str, Any], answers: dict[str, Any]) -> bytes:
    """Return the line that answers a control request of the client's.

    ``answers`` has the payload by subtype, or a text under ``error``; what it lacks gets an empty success.
    """
    subtype = str(subtype_of(request))
    payload = answers.get(subtype, _PAYLOADS.get(subtype, {}))
    response: dict[str, Any] = {"subtype": "success", "request_id": request.get("request_id")}
    if isinstance(payload, dict) and payload.keys() == {"error"}:
        response |= {"subtype": "error", "error": payload["error"]}
    elif subtype == "set_permission_mode" and subtype not in answers:
        response["response"] = {"mode": request["request"].get("mode")}
    else:
        response["response"] = payload
    return encoded({"type": "control_response", "response": response})


_PAYLOADS: dict[str, dict[str, Any]] = {
    "initialize": {
        "commands": [],
        "agents": [],
        "output_style": "default",
        "available_output_styles": ["default"],
        "models": [],
        "account": {},
    },
    "interrupt": {"still_queued": []},
    "mcp_status": {"mcpServers": []},
}
