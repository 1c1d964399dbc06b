"""What the events of a session tell of how far it has gone."""

from typing import Any

import pytest

from proxy.events import Event, Interpreter, Session
from proxy.server.rules.progress import Progress
from tests.recorded import LogMaker, records


def progress(*calls: tuple[str, dict[str, Any], str]) -> Progress:
    """Return that of one turn with these calls: tool, input and result."""
    made = LogMaker()
    log = made.started(["claude", "--input-format", "stream-json"])
    log += made.lines("stdin", {"type": "user", "message": {"role": "user", "content": "go"}})
    for number, (tool, given, result) in enumerate(calls):
        call = {"type": "tool_use", "id": f"t{number}", "name": tool, "input": given}
        log += made.lines("stdout", {"type": "assistant", "message": {"id": f"m{number}", "content": [call]}})
        answer: dict[str, Any] = {"type": "tool_result", "tool_use_id": f"t{number}", "content": result}
        answer |= {"is_error": True} if result == "error" else {}
        log += made.lines("stdout", {"type": "user", "message": {"role": "user", "content": [answer]}})
    interpreter, one = Interpreter(Session("made")), Progress()
    for record in records(log):
        for event in interpreter.take(record):
            one.take(Event(*event))
    return one


def bash(command: str, result: str = "ok") -> tuple[str, dict[str, Any], str]:
    """Return a call of Bash."""
    return "Bash", {"command": command}, result


@pytest.mark.parametrize("times", [3, 10, 50])
def test_the_same_call_with_the_same_answer(times: int) -> None:
    """Is counted in a row, with its records."""
    count, evidence = progress(*[bash("ls")] * times).repeated(rounds=False)
    assert count == times
    assert 3 <= len(evidence) <= 20


def test_a_round_of_calls() -> None:
    """Of two to five calls, whose answers are the same."""
    one = progress(*[bash("a"), bash("b")] * 5)
    assert one.repeated(rounds=True)[0] == 5
    assert one.repeated(rounds=False)[0] == 0


def test_what_makes_headway_is_no_loop() -> None:
    """Edits between test runs, answers that change, tools that are to be asked again."""
    work = [
        [("Edit", {"file_path": "a", "old_string": str(i)}, "ok"), bash("test", f"{i}")] for i in range(50)
    ]
    assert progress(*[call for pair in work for call in pair]).repeated(rounds=True)[0] == 0
    assert progress(*[bash("date", str(i)) for i in range(20)]).repeated(rounds=False)[0] == 0
    assert progress(*[("TaskOutput", {"task_id": "a"}, "running")] * 100).repeated(rounds=False)[0] == 0


def test_calls_and_files() -> None:
    """Calls are those of the turn; a file counts once, and only where it was written."""
    one = progress(
        ("Write", {"file_path": "a"}, "ok"),
        ("Edit", {"file_path": "a"}, "ok"),
        ("NotebookEdit", {"notebook_path": "b"}, "ok"),
        ("Write", {"file_path": "c"}, "error"),
        ("Write", {"content": "no path"}, "ok"),
        bash("touch d"),
    )
    assert (one.calls, one.files) == (6, 2)
