"""What is answered for a message that was held back."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from proxy.protocol import Judge
from proxy.relay.gate import Answer, Gate

ERRORS = Judge("stdin").judge(b'{"type":"user"}').errors
RESULT = {
    "type": "result",
    "session_id": "abc",
    "total_cost_usd": 0.25,
    "modelUsage": {"opus": {"costUSD": 0.25}},
}


def encoded(message: object) -> bytes:
    """Return a message as a line."""
    return json.dumps(message).encode()


def answer(message: object, gate: Gate | None = None) -> Answer:
    """Return the answer for an invalid message."""
    return (gate or Gate()).answer(encoded(message), ERRORS)


def decoded(line: bytes | None) -> dict[str, Any]:
    """Return an answer's message, once it has been found to be one line."""
    assert line is not None
    assert b"\n" not in line
    message: dict[str, Any] = json.loads(line)
    return message


def test_a_control_request_gets_an_error_with_its_id() -> None:
    """The client's promise for this request is rejected, and the reason tells what was wrong."""
    given = answer({"type": "control_request", "request_id": "r-1", "request": {}})
    assert given.to_command is None
    message = decoded(given.to_caller)
    assert message["type"] == "control_response"
    assert message["response"]["subtype"] == "error"
    assert message["response"]["request_id"] == "r-1"
    assert ERRORS[0].message in message["response"]["error"]
    assert Judge("stdout").judge(given.to_caller or b"").verdict == "valid"


def test_a_user_message_gets_an_error_result() -> None:
    """A client that waits for the turn to end sees it end, in a message that is valid itself."""
    gate = Gate()
    gate.watch(encoded({"type": "system", "subtype": "init", "session_id": "abc"}))
    given = answer({"type": "user"}, gate=gate)
    assert given.to_command is None
    message = decoded(given.to_caller)
    assert (message["type"], message["subtype"], message["is_error"]) == (
        "result",
        "error_during_execution",
        True,
    )
    assert message["session_id"] == "abc"
    assert ERRORS[0].message in message["errors"][0]
    assert Judge("stdout").judge(given.to_caller or b"").verdict == "valid"


def test_totals_go_on_from_the_last_result() -> None:
    """Cost and usage are cumulative over a session, so an answer in between repeats what was last said."""
    gate = Gate()
    gate.watch(encoded(RESULT))
    gate.watch(encoded({"type": "assistant", "session_id": "abc"}))
    message = decoded(answer({"type": "user"}, gate=gate).to_caller)
    assert (message["total_cost_usd"], message["modelUsage"]) == (0.25, {"opus": {"costUSD": 0.25}})


def test_no_line_is_held() -> None:
    """What is remembered of a line are values: a line of 100 MB is not kept until the next one comes."""
    gate = Gate()
    line = encoded({**RESULT, "result": "x" * 1000})
    before = sys.getrefcount(line)
    gate.watch(line)
    assert sys.getrefcount(line) == before


def test_an_answer_before_anything_was_heard() -> None:
    """The first message of a session can be held back before the command has said a word."""
    given = answer({"type": "user"})
    assert decoded(given.to_caller)["session_id"] == ""
    assert Judge("stdout").judge(given.to_caller or b"").verdict == "valid"


def test_a_control_response_is_replaced_towards_the_command() -> None:
    """The command waits for this answer: it gets an error in its place, and its turn goes on."""
    given = answer(
        {"type": "control_response", "response": {"subtype": "success", "request_id": "q-1", "response": 1}}
    )
    assert given.to_caller is None
    message = decoded(given.to_command)
    assert message["response"]["subtype"] == "error"
    assert message["response"]["request_id"] == "q-1"
    assert Judge("stdin").judge(given.to_command or b"").verdict == "valid"


@pytest.mark.parametrize(
    "message",
    [
        {"type": "control_request", "request_id": ["7"]},
        {"type": "control_request"},
        {"type": "control_response", "response": "x"},
        {"type": "control_response", "response": {"request_id": None}},
        {"type": "keep_alive"},
        {"type": ["user"]},
        {},
        [],
        "user",
        None,
    ],
)
def test_nobody_waits_for_an_answer(message: object) -> None:
    """What Claude Code would not have answered either is held back in silence."""
    assert answer(message) == Answer()


@pytest.mark.parametrize(
    "line", [b"", b"{", b"\xff", b"[" * 100_000, b'"result" "total_cost_usd" "session_id"']
)
def test_nothing_that_passes_upsets_the_gate(line: bytes) -> None:
    """Lines that are no messages are watched, and held back, without an error."""
    gate = Gate()
    gate.watch(line)
    assert gate.answer(line, ERRORS) == Answer()
    assert decoded(gate.answer(b'{"type":"user"}', ERRORS).to_caller)["session_id"] == ""


def test_lone_surrogates_in_a_reason() -> None:
    """A reason may quote what cannot be encoded; the answer is a line all the same."""
    line = b'{"type":"control_request","request_id":"\\ud800","request":{"subtype":"\\udfff"}}'
    given = Gate().answer(line, ERRORS)
    assert decoded(given.to_caller)["response"]["request_id"] == "\ud800"


def test_an_id_that_is_a_number_is_echoed_as_a_number() -> None:
    """Claude Code answers a request whose id is a number, so the caller waits for that very id."""
    given = answer({"type": "control_request", "request_id": 7, "request": {"subtype": "interrupt"}})
    assert json.loads(given.to_caller or b"")["response"]["request_id"] == 7
