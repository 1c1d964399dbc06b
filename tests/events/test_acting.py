"""What others did to a session, as its state tells it."""

import json
from typing import Any

import msgspec
import pytest

from proxy.events import Interpreter, Session
from proxy.events.status import describe
from tests.recorded import LogMaker, records

FRAME: dict[str, Any] = {
    "stream": "stdin",
    "verdict": "valid",
    "origin": "claude-proxy",
    "action_id": "a",
    "message": {"type": "control_request", "request_id": "claude-proxy-1", "request": {}},
}


@pytest.mark.parametrize("subtype", ["success", "error"])
def test_a_pause_that_fails_is_none(subtype: str) -> None:
    """A release that does not know the request refuses it: the session was never paused, and can be."""
    made = LogMaker("live")
    command = ["claude", "--input-format", "stream-json", "--permission-prompt-tool", "stdio"]
    log = made.started(command, acting={"grant": "full"})
    log += made.life("action", action_id="a", action="pause", args={}, by={"kind": "api"})
    about = {"subtype": subtype, "request_id": "claude-proxy-1", "error": "unsupported_request"}
    answer = {"type": "control_response", "response": about}
    lines: list[dict[str, Any]] = [
        FRAME,
        {"stream": "stdout", "verdict": "valid", "forwarded": False, "message": answer},
    ]
    start = {"seq": 99, "ts": "2027-01-01T00:00:00Z", "session_id": "live"}
    log += b"".join(json.dumps({**start, **fields}).encode() + b"\n" for fields in lines)
    interpreter = Interpreter(Session("live"))
    for record in records(log):
        interpreter.take(record)
    acting = msgspec.to_builtins(describe(interpreter.session, interpreter.session.last_record_us))["acting"]
    assert acting["paused"] is (subtype == "success")
    assert ("resume" in acting["can"]) is (subtype == "success")
    assert acting["grant"] == "full"
