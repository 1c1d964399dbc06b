"""Events as JSON, whatever a message may have brought into them."""

import json
import math
from typing import Any

import msgspec


class Envelope(msgspec.Struct):
    """An event as `envelope` encodes it, without its session."""

    event_type: str
    timestamp: str
    data: dict[str, Any]


decode_envelope = msgspec.json.Decoder(Envelope).decode


def envelope(event_type: str, timestamp: str, session_id: str, data: bytes) -> bytes:
    """Return an event as the API gives it; ids and timestamps are such that they need no escapes in JSON."""
    rest = f',"timestamp":"{timestamp}","session_id":"{session_id}","data":'
    return b'{"event_type":%b%b%b}' % (msgspec.json.encode(event_type), rest.encode(), data)


def as_json(value: object) -> bytes:
    """Return a value as JSON, whatever a message may have brought into it (lone surrogates, huge numbers)."""
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError, RecursionError, msgspec.MsgspecError):
        return json.dumps(_finite(msgspec.to_builtins(value)), separators=(",", ":")).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
