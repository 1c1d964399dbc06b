"""What ``--validation enforce`` says in place of the command, for a message that it holds back.

The caller must not be left waiting, so the answer comes in the protocol's own terms:

* a ``control_request`` gets a ``control_response`` of subtype ``error`` with its own request id;
* a ``user`` message, which would have started a turn, gets an error ``result``;
* a ``control_response`` that the command waits for is replaced by an error one, so that the turn goes on.

Anything else was not going to be answered by Claude Code either, and gets no answer.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from proxy.usage import NO_USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.protocol import Violation


class Answer(NamedTuple):
    """Lines (without newline) to be written because a message was held back."""

    to_caller: bytes | None = None
    to_command: bytes | None = None


class _Line(msgspec.Struct):
    """What an answer repeats of the command's own lines."""

    type: str = ""
    session_id: str = ""
    total_cost_usd: Any = 0
    modelUsage: Any = msgspec.field(default_factory=dict)  # noqa: N815 - its name on the wire


_read_line = msgspec.json.Decoder(_Line).decode


class Gate:
    """Answers for held-back messages; watches stdout for what an answer has to fit to."""

    def __init__(self) -> None:
        # Values and not lines, which may be long.
        self._session_id = ""
        self._result = _Line()

    def watch(self, line: bytes) -> None:
        """Take note of one line of stdout."""
        if b'"session_id"' not in line:
            return
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            seen = _read_line(line)
            self._session_id = seen.session_id or self._session_id
            if seen.type == "result":
                self._result = seen

    def answer(self, line: bytes, errors: Sequence[Violation]) -> Answer:
        """Return what to write in place of passing ``line`` on, which is invalid for the reasons given."""
        message = _parse(line)
        reason = "claude-proxy held back an invalid message: " + "; ".join(
            f"{error.path or 'message'}: {error.message}" for error in errors[:3]
        )
        match message.get("type"):
            case "control_request" if isinstance(request_id := message.get("request_id"), str | int | float):
                return Answer(to_caller=_encode(_control_error(request_id, reason)))
            case "user":
                return Answer(to_caller=_encode(self._error_result(reason)))
            case "control_response" if isinstance(response := message.get("response"), dict):
                if isinstance(request_id := response.get("request_id"), str | int | float):
                    return Answer(to_command=_encode(_control_error(request_id, reason)))
        return Answer()

    def _error_result(self, reason: str) -> dict[str, Any]:
        """An error ``result``; the totals run over the whole session, so they repeat those of the last result."""
        return {
            "type": "result",
            "subtype": "error_during_execution",
            "is_error": True,
            "duration_ms": 0,
            "duration_api_ms": 0,
            "num_turns": 0,
            "stop_reason": None,
            "session_id": self._session_id,
            "total_cost_usd": self._result.total_cost_usd,
            "usage": NO_USAGE,
            "modelUsage": self._result.modelUsage,
            "permission_denials": [],
            "errors": [reason],
            "uuid": str(uuid.uuid4()),
        }


def _control_error(request_id: str | float, reason: str) -> dict[str, Any]:
    response = {
        "subtype": "error",
        "request_id": request_id,
        "error": reason,
        "error_code": "invalid_message",
    }
    return {"type": "control_response", "response": response}


def _parse(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _encode(message: dict[str, Any]) -> bytes:
    # ASCII, as a reason may quote lone surrogates of the message.
    return json.dumps(message, separators=(",", ":")).encode()
