"""The status of a session: what it does, what it waits for, how it may be hanging."""

import json

import msgspec
import pytest

from proxy.events import Session, describe
from proxy.protocol import full
from tests.events.test_interpreter import USER, answer, assistant, interpreted, permission, result
from tests.recorded import START_US, LogMaker, scenario

STREAM = ["claude", "--input-format", "stream-json"]
TOOL = assistant({"type": "tool_use", "id": "t", "name": "Bash", "input": {}})


REQUEST = {"type": "control_request", "request_id": "r", "request": {"subtype": "mcp_status"}}


def seen(log: bytes, after_s: float, *, crashed: bool = False) -> dict[str, object]:
    """Return a log's session as it is seen so many seconds after it began."""
    _, session = interpreted(log, crashed=crashed)
    status: dict[str, object] = msgspec.to_builtins(describe(session, START_US + int(after_s * 1_000_000)))
    assert full.judgement("api/session.json", json.dumps(status).encode()).verdict == "valid"
    return status


def kinds(status: dict[str, object]) -> list[str]:
    """Return the kinds of the warnings."""
    warnings = status["warnings"]
    assert isinstance(warnings, list)
    return [warning["kind"] for warning in warnings]


@pytest.mark.parametrize(
    ("stream", "message", "after_s", "kind"),
    [
        (None, None, 31, "no_init"),
        (
            "stdout",
            {"type": "system", "subtype": "init", "uuid": "u", "session_id": "c"},
            121,
            "silent_stream",
        ),
        ("stdout", TOOL, 301, "tool_running_long"),
        ("stdout", permission(), 61, "permission_unanswered"),
        ("stdin", REQUEST, 61, "claude_unanswered"),
    ],
)
def test_known_ways_to_hang(stream: str | None, message: object, after_s: float, kind: str) -> None:
    """Each known way to hang is named once its time is over, and not before."""
    made = LogMaker()
    log = made.started(STREAM) + made.lines("stdin", USER)
    if stream:
        log += made.lines(stream, message)
    found, before = kinds(seen(log, after_s)), kinds(seen(log, after_s - 2))
    assert (kind in found, kind in before) == (True, False)


def test_result_without_exit() -> None:
    """With one prompt, the command is to exit after its result; with a stream of prompts it is to stay."""
    for command, expected in ((["claude", "-p", "hi"], ["result_without_exit"]), (STREAM, [])):
        made = LogMaker()
        log = made.started(command) + made.lines("stdout", result(0.1))
        assert kinds(seen(log, 11)) == expected


def test_after_the_end() -> None:
    """A session that ended without a result, or whose wrapper died, says so and waits for nothing."""
    made = LogMaker()
    log = made.started(STREAM) + made.lines("stdin", USER)
    dead = seen(log, 5, crashed=True)
    assert (dead["outcome"], dead["ended_at"]) == ("crashed", dead["last_record_at"])
    assert (dead["state"], kinds(dead), dead["waits_for"]) == ("failed", ["crashed"], [])
    assert kinds(seen(log + made.ended(), 5)) == ["exit_without_result"]


def test_what_it_waits_for_and_how_long() -> None:
    """The open question, tool or model call is named with the moment from which it is open."""
    made = LogMaker()
    log = made.started(STREAM) + made.lines("stdin", USER)
    model = seen(log, 5)["waits_for"]
    log += made.lines("stdout", TOOL)
    tool = seen(log, 5)["waits_for"]
    log += made.lines("stdout", permission())
    answer = seen(log, 5)["waits_for"]
    assert isinstance(model, list)
    assert isinstance(tool, list)
    assert isinstance(answer, list)
    assert [item["what"] for item in (*model, *tool, *answer)] == ["model", "tool", "answer", "tool"]
    assert tool[0]["for_ms"] == 4998.0


def test_each_wait_is_told_in_words() -> None:
    """The same words in every view; a tool whose permission is asked for does not run, so nobody waits for it."""
    made = LogMaker()
    call = assistant({"type": "tool_use", "id": "t1", "name": "Bash", "input": {}})
    initialize = {**REQUEST, "request": {"subtype": "initialize"}}
    log = made.started(STREAM) + made.lines("stdin", initialize, USER)
    log += made.lines("stdout", call)
    waits = seen(log, 5)["waits_for"]
    assert isinstance(waits, list)
    assert [one["label"] for one in waits] == ["the tool Bash", "Claude Code to answer initialize"]
    waits = seen(log + made.lines("stdout", permission()), 5)["waits_for"]
    assert isinstance(waits, list)
    assert [one["label"] for one in waits] == ["permission to use Bash", "Claude Code to answer initialize"]


def test_a_subagent_in_the_foreground_is_no_background_task() -> None:
    """What a turn waits for by two names, the tool and its task, is called nothing that it is not."""
    log = scenario("subagent").splitlines(keepends=True)
    begun = next(number for number, line in enumerate(log) if b'"task_started"' in line)
    waits = seen(b"".join(log[: begun + 1]), 1)["waits_for"]
    assert isinstance(waits, list)
    assert [one["label"] for one in waits] == ["the tool Agent", "the task count"]


def test_what_claude_code_never_answered() -> None:
    """Regression: an `initialize` without an answer was nowhere; withdrawn or answered, it is waited for no more."""
    made = LogMaker()
    initialize = {**REQUEST, "request": {"subtype": "initialize"}}
    log = made.started(STREAM) + made.lines("stdin", initialize)
    waits = seen(log, 3600)["waits_for"]
    assert isinstance(waits, list)
    assert [(one["what"], one["request"], one["request_id"], one["seq"]) for one in waits] == [
        ("claude", "initialize", "r", 1)
    ]
    assert waits[0]["for_ms"] == 3_599_999.0
    withdrawn = made.lines("stdin", {"type": "control_cancel_request", "request_id": "r"})
    assert seen(log + withdrawn, 3600)["waits_for"] == []
    answered = made.lines("stdout", answer("r"))
    assert seen(log + answered, 3600)["waits_for"] == []
    assert seen(log + made.ended(), 3600)["waits_for"] == []


def test_the_clients_own_work() -> None:
    """A tool that runs in the caller is a tool that runs there, however long: nobody is waited for."""
    made = LogMaker()
    log = made.started(STREAM) + made.lines("stdin", USER)
    call = {"method": "tools/call", "params": {"name": "add", "_meta": {"claudecode/toolUseId": "t"}}}
    request = {"subtype": "mcp_message", "server_name": "calc", "message": call}
    asked = {"type": "control_request", "request_id": "m", "request": request}
    status = seen(log + made.lines("stdout", TOOL, asked), 100)
    waits = status["waits_for"]
    assert isinstance(waits, list)
    assert [(one["what"], one["runs_in"]) for one in waits] == [("tool", "client")]
    assert kinds(status) == []
    made = LogMaker()
    log = made.started(STREAM) + made.lines("stdout", asked)
    waits = seen(log, 100)["waits_for"]
    assert isinstance(waits, list)
    assert [(one["what"], one["server"], one["method"]) for one in waits] == [
        ("client", "calc", "tools/call")
    ]


def test_nothing_known_yet() -> None:
    """A session of which no record was read has a status too."""
    described = msgspec.to_builtins(describe(Session("s"), START_US))
    assert (described["started_at"], described["state_for_ms"]) == (None, None)
