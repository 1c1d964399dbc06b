"""What tool calls and their results say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.telling.calls import call, content_text, one_line, result

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
TOOLS = [
    "Bash",
    "Write",
    "Edit",
    "MultiEdit",
    "NotebookEdit",
    "Agent",
    "ExitPlanMode",
    "TodoWrite",
    "AskUserQuestion",
]
FIELDS = [
    "command",
    "file_path",
    "content",
    "old_string",
    "new_string",
    "edits",
    "prompt",
    "plan",
    "todos",
    "questions",
]


@pytest.mark.parametrize(
    ("tool", "given", "expected"),
    [
        (
            "Bash",
            {"command": "ls -l", "description": "List"},
            {"summary": "ls -l", "fields": {"description": "List"}},
        ),
        (
            "Bash",
            {"command": "cd x\nmake"},
            {"summary": "cd x make", "text": "cd x\nmake", "form": "code", "language": "bash"},
        ),
        (
            "Write",
            {"file_path": "/a/b.py", "content": "x = 1"},
            {"summary": "/a/b.py", "text": "x = 1", "language": "python", "fields": {}},
        ),
        (
            "Edit",
            {"file_path": "/a/b.rs", "old_string": "one", "new_string": "two", "replace_all": False},
            {"diff": [("-", "one"), ("+", "two")], "language": "rust", "fields": {}},
        ),
        (
            "MultiEdit",
            {
                "file_path": "a",
                "edits": [{"old_string": "1", "new_string": "2"}, {"old_string": "3", "new_string": ""}],
            },
            {"diff": [("-", "1"), ("+", "2"), ("@", ""), ("-", "3")], "fields": {}},
        ),
        (
            "Grep",
            {"pattern": "x+", "path": "/src", "glob": "*.py"},
            {"summary": "x+ in /src", "fields": {"glob": "*.py"}},
        ),
        (
            "Agent",
            {"description": "count", "prompt": "**count**"},
            {"summary": "count", "text": "**count**", "form": "markdown"},
        ),
        (
            "TodoWrite",
            {"todos": [{"content": "a", "status": "completed"}, {"content": "b"}]},
            {"text": "☑ a\n☐ b"},
        ),
        ("mcp__x__y", {"deep": {"a": [1]}}, {"summary": "", "fields": {"deep": {"a": [1]}}}),
        ("Odd", "not an object", {"fields": {"input": "not an object"}}),
    ],
)
def test_what_a_call_does_is_told(tool: str, given: Any, expected: dict[str, Any]) -> None:
    """Its command, file, change or plan is set apart; what is left of its input is fields."""
    part = call(tool, given)
    assert part.title == tool
    assert {name: getattr(part, name) for name in expected} == expected


@given(st.sampled_from(TOOLS), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5) | JSON)
def test_no_input_makes_it_fail(tool: str, given: Any) -> None:
    """A model may call a tool with anything, and whatever is said of it is text."""
    part = call(tool, given)
    assert all(isinstance(said, str) for said in (part.title, part.summary, part.text))
    assert "\n" not in part.summary


@pytest.mark.parametrize(
    ("event", "more", "label", "tone"),
    [
        ("tool_completed", {}, "result", "faint"),
        ("tool_failed", {}, "failed", "bad"),
        ("tool_denied", {}, "denied", "warn"),
        ("tool_failed", {"interrupted": True}, "interrupted", "warn"),
    ],
)
def test_what_became_of_a_call(event: str, more: dict[str, Any], label: str, tone: str) -> None:
    """A call that was denied or interrupted is not told as a failure."""
    part = result(event, {"tool": "Bash", "duration_ms": 1500, "result": "out\n", **more})
    assert (part.label, part.tone, part.title, part.text) == (label, tone, "Bash", "out")
    assert part.figures == ["1.5 s"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("plain", "plain"),
        (None, ""),
        ([{"type": "text", "text": "a"}, {"type": "image"}, "b", 7], "a\n[image]\nb\n7"),
        ({"answer": 1}, '{\n  "answer": 1\n}'),
    ],
)
def test_content_is_text(content: object, expected: str) -> None:
    """Blocks that are no text are named in brackets, and values of other kinds are JSON."""
    assert content_text(content) == expected


def test_one_line_is_one_line() -> None:
    """Of a long text the beginning is left."""
    assert one_line("a\n  b\t c") == "a b c"
    assert len(one_line("x " * 1000)) <= 200
