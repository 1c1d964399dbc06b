"""Stands in for claude in tests of enforcement: tells on stderr what it reads, and does as it is told.

A stdin line that is a control request is answered with success; a user message by a result. A keep_alive does what its
field ``do`` says: ``begin`` writes the first half of a line, ``finish`` the rest of it.
"""

import json
import os
import sys

RESULT = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "duration_ms": 1,
    "duration_api_ms": 1,
    "num_turns": 1,
    "result": "done",
    "session_id": "s-1",
    "total_cost_usd": 0.5,
    "usage": {},
    "modelUsage": {},
    "permission_denials": [],
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def write(data: bytes) -> None:
    """Write to the caller at once."""
    os.write(1, data)


for line in sys.stdin.buffer:
    os.write(2, line)
    try:
        message = json.loads(line)
    except ValueError:
        continue
    match message.get("type"):
        case "control_request":
            answer = {"subtype": "success", "request_id": message["request_id"]}
            write(json.dumps({"type": "control_response", "response": answer}).encode() + b"\n")
        case "user":
            write(json.dumps(RESULT).encode() + b"\n")
        case "keep_alive" if message.get("do") == "begin":
            write(b'{"type":"keep_alive",')
        case "keep_alive" if message.get("do") == "finish":
            write(b'"n":1}\n')
