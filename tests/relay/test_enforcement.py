"""``--validation enforce``: what is invalid does not reach the command, and nobody is left waiting."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.relay.wrapper import (
    BOUND_S,
    CHILDREN,
    PYTHON,
    Running,
    Wrapper,
    read_all,
    read_exactly,
    read_line,
    write_all,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENFORCE = ["--validation", "enforce"]
STREAM_JSON = ["--input-format", "stream-json", "--output-format", "stream-json"]
USER = {
    "type": "user",
    "message": {"role": "user", "content": "hello"},
    "parent_tool_use_id": None,
    "session_id": "",
}
BAD_USER = {"type": "user", "message": {"role": "nobody"}}
REQUEST = {"type": "control_request", "request_id": "good", "request": {"subtype": "interrupt"}}
BAD_REQUEST = {"type": "control_request", "request_id": "bad", "request": {"subtype": "set_permission_mode"}}
BAD_RESPONSE = {
    "type": "control_response",
    "response": {"subtype": "success", "request_id": "q", "response": 7},
}


def encoded(message: object) -> bytes:
    """Return a message as a line."""
    return json.dumps(message).encode() + b"\n"


class Session:
    """A wrapped stand-in for claude, spoken to in messages."""

    def __init__(self, running: Running) -> None:
        self.running = running
        assert running.stderr
        self.errors = running.stderr.fileno()

    def send(self, *messages: object) -> None:
        """Send messages in one write."""
        write_all(self.running.writer, b"".join(map(encoded, messages)))

    def receive(self) -> dict[str, Any]:
        """Return the next message from the wrapper."""
        message: dict[str, Any] = json.loads(read_line(self.running.reader))
        return message

    def reached(self) -> dict[str, Any]:
        """Return the next message that reached the command."""
        message: dict[str, Any] = json.loads(read_line(self.errors))
        return message


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """The stand-in, by the name of ``claude``."""
    program = tmp_path / "claude"
    program.write_text(f"#!/bin/sh\nexec {' '.join(PYTHON)} {CHILDREN / 'standin.py'}\n")
    program.chmod(0o755)
    return [str(program), *STREAM_JSON]


@pytest.fixture
def session(wrapper: Wrapper, program: list[str]) -> Iterator[Session]:
    """A running session with enforcement."""
    with wrapper.start(*program, options=ENFORCE, stderr=subprocess.PIPE) as running:
        yield Session(running)


def test_what_is_valid_or_unknown_passes(session: Session, wrapper: Wrapper) -> None:
    """Enforcement is no whitelist: valid messages, new types and text pass as they are."""
    session.send(USER)
    assert session.reached() == USER
    assert session.receive()["subtype"] == "success"
    session.send({"type": "novelty"})
    assert session.reached() == {"type": "novelty"}
    write_all(session.running.writer, b"no json\n")
    assert read_line(session.errors) == b"no json\n"
    assert session.running.end() == 0
    assert [record.verdict for record in wrapper.log().of("stdin")] == ["valid", "unknown", "malformed"]
    assert all("forwarded" not in record.fields for record in wrapper.log().records)


def test_an_invalid_control_request_is_answered(session: Session, wrapper: Wrapper) -> None:
    """It gets an error with its own id and never reaches the command; the next one works."""
    session.send(BAD_REQUEST)
    answer = session.receive()["response"]
    assert (answer["subtype"], answer["request_id"]) == ("error", "bad")
    session.send(REQUEST)
    assert session.reached() == REQUEST
    assert session.receive()["response"] == {"subtype": "success", "request_id": "good"}
    assert session.running.end() == 0
    log = wrapper.log()
    first, second = log.of("stdin")
    assert (first.verdict, first.fields["forwarded"]) == ("invalid", False)
    assert "forwarded" not in second.fields
    own, theirs = log.of("stdout")
    assert (own.verdict, own.fields["origin"]) == ("valid", "claude-proxy")
    assert "origin" not in theirs.fields


def test_an_invalid_user_message_gets_an_error_result(session: Session, wrapper: Wrapper) -> None:
    """The turn that it would have begun ends in an error; the next turn works."""
    session.send(BAD_USER)
    result = session.receive()
    assert (result["type"], result["is_error"], result["subtype"]) == (
        "result",
        True,
        "error_during_execution",
    )
    session.send(USER)
    assert session.reached() == USER
    assert session.receive()["subtype"] == "success"
    session.send(BAD_USER)
    result = session.receive()
    assert (result["session_id"], result["total_cost_usd"]) == ("s-1", 0.5)  # as the session had it by then
    assert session.running.end() == 0


def test_an_invalid_answer_is_replaced(session: Session, wrapper: Wrapper) -> None:
    """The command waits for it: it gets an error in its place, with the same id."""
    session.send(BAD_RESPONSE)
    reached = session.reached()
    assert (reached["type"], reached["response"]["subtype"], reached["response"]["request_id"]) == (
        "control_response",
        "error",
        "q",
    )
    assert session.running.end() == 0
    held_back, own = wrapper.log().of("stdin")
    assert (held_back.verdict, held_back.fields["forwarded"]) == ("invalid", False)
    assert (own.verdict, own.fields["origin"]) == ("valid", "claude-proxy")


def test_good_and_bad_in_one_write(session: Session, wrapper: Wrapper) -> None:
    """Lines of one read are told apart: what may pass passes, in order."""
    session.send(
        {"type": "keep_alive", "n": 1}, BAD_REQUEST, {"type": "keep_alive", "n": 2}, BAD_RESPONSE, USER
    )
    assert [session.reached().get("n") for _ in range(2)] == [1, 2]
    assert session.reached()["response"]["request_id"] == "q"
    assert session.reached() == USER
    types = {session.receive()["type"] for _ in range(2)}
    assert types == {"control_response", "result"}
    assert session.running.end() == 0
    assert [record.fields.get("forwarded", True) for record in wrapper.log().of("stdin")] == [
        True,
        False,
        True,
        False,
        True,
        True,
    ]


def test_an_answer_waits_for_the_end_of_a_line(session: Session) -> None:
    """The command is in the middle of a line: the answer comes after it, not into it."""
    session.send({"type": "keep_alive", "do": "begin"})
    assert session.reached()["do"] == "begin"
    session.send(BAD_REQUEST, {"type": "keep_alive", "do": "finish"})
    assert session.reached()["do"] == "finish"
    received = [session.receive(), session.receive()]
    assert sorted(message["type"] for message in received) == ["control_response", "keep_alive"]
    assert session.running.end() == 0


def test_an_answer_waits_for_the_end_of_text(wrapper: Wrapper, claude: Path) -> None:
    """Text passes at once; an answer to a message comes only when its line has ended."""
    script = "printf 'no message'; read -r line; read -r line; printf ' at all\\n'; cat"
    with wrapper.start(claude, "-c", script, "claude", *STREAM_JSON, options=ENFORCE) as running:
        assert read_exactly(running.reader, 10) == b"no message"
        write_all(running.writer, encoded(BAD_REQUEST) + encoded(REQUEST) + encoded(REQUEST))
        assert read_line(running.reader) == b" at all\n"
        answer = json.loads(read_line(running.reader))
        assert answer["response"]["request_id"] == "bad"
        assert running.end() == 0


@pytest.mark.parametrize(
    ("message", "answered"), [(BAD_REQUEST, True), (BAD_USER, True), ({"type": "keep_alive", "n": 1}, False)]
)
def test_a_last_line_without_newline(
    session: Session, wrapper: Wrapper, message: object, answered: bool
) -> None:
    """What comes without a newline is judged like any other line, and marked in the record."""
    write_all(session.running.writer, encoded(message)[:-1])
    assert session.running.stdin
    session.running.stdin.close()
    output = read_all(session.running.reader)
    assert bool(output) == answered
    assert session.running.wait(BOUND_S) == 0
    assert read_all(session.errors) == (b"" if answered else encoded(message)[:-1])
    (record,) = wrapper.finished_log().of("stdin")
    assert record.fields["truncated"] is True
    assert record.fields.get("forwarded", True) is not answered


def test_a_last_invalid_answer_without_newline(session: Session) -> None:
    """The replacement reaches the command although its input ends with it."""
    write_all(session.running.writer, encoded(BAD_RESPONSE)[:-1])
    assert session.running.stdin
    session.running.stdin.close()
    assert json.loads(read_all(session.errors))["response"]["subtype"] == "error"


def test_output_is_never_held_back(wrapper: Wrapper, claude: Path) -> None:
    """Whatever the command says reaches the caller, be it invalid."""
    data = encoded(BAD_USER) + b"{\n" + encoded({"type": "result"})
    source = wrapper.data_dir.with_name("source")
    source.write_bytes(data)
    done = wrapper.run(claude, "-c", f"cat {source}", "claude", *STREAM_JSON, options=ENFORCE)
    assert done.stdout == data


def test_a_prompt_of_text_is_not_enforced(wrapper: Wrapper, claude: Path) -> None:
    """An input that carries no messages is passed at once, as ever."""
    with wrapper.start(
        claude, "-c", "cat", "claude", "--output-format", "stream-json", options=ENFORCE
    ) as running:
        write_all(running.writer, b"a prompt")
        assert read_exactly(running.reader, 8) == b"a prompt"
        assert running.end() == 0


def test_nobody_to_answer_to(wrapper: Wrapper, program: list[str]) -> None:
    """With standard output closed, invalid messages are held back all the same, and others pass."""
    words = wrapper.command(*program, options=ENFORCE)
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *words]
    with Running(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as running:
        assert running.stderr
        write_all(running.writer, encoded(BAD_REQUEST) + encoded({"type": "keep_alive"}))
        assert read_line(running.stderr.fileno()) == encoded({"type": "keep_alive"})


def test_a_caller_that_does_not_read_its_answers(wrapper: Wrapper, claude: Path) -> None:
    """An answer that cannot be delivered holds up no further input: the command gets what comes after it."""
    # One process floods its output; another tells, apart, that a line has come in.
    script = "yes some output <&- & read -r line; echo $line >&2; kill $!; wait"
    command = [str(claude), "-c", script, "claude", *STREAM_JSON]
    with wrapper.start(*command, options=ENFORCE, stderr=subprocess.PIPE) as running:
        assert running.stderr
        assert read_exactly(running.reader, 1) == b"s"  # the flood has begun, and now nobody reads
        write_all(running.writer, encoded(BAD_REQUEST) * 3 + encoded(REQUEST))
        assert read_line(running.stderr.fileno()) == encoded(REQUEST)
        assert read_all(running.reader).count(b'"bad"') == 3
        assert running.wait(BOUND_S) == 0
