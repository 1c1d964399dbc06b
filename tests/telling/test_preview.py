"""What a record says in one line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.telling.preview import preview, snippet
from tests.recorded import NAMES, LogMaker, records, scenario

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
KEYS = [
    "type",
    "message",
    "content",
    "request",
    "response",
    "event",
    "delta",
    "result",
    "tool_name",
    "input",
    "name",
]
TYPES = [
    "user",
    "assistant",
    "result",
    "stream_event",
    "control_request",
    "control_response",
    "system",
    "tool_use",
]


def said(message: Any, stream: str = "stdout") -> str:
    """Return the preview of a message."""
    (record,) = records(LogMaker().lines(stream, message))
    return preview(record)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "user", "message": {"role": "user", "content": "a\n b"}}, "a b"),
        (
            {
                "type": "user",
                "message": {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}],
                },
            },
            "= x",
        ),
        ({"type": "result", "subtype": "success", "result": "done"}, "done"),
        (b"no JSON", "no JSON"),
    ],
)
def test_what_a_line_says(message: Any, expected: str) -> None:
    """Texts as they are, results behind a sign, lines that are none as they stand."""
    stream = "stderr" if isinstance(message, bytes) else "stdin" if message["type"] == "user" else "stdout"
    (record,) = records(LogMaker().lines(stream, message))
    if not record.errors:
        assert preview(record) == expected


def test_what_is_wrong_comes_first() -> None:
    """Of an invalid message the reasons are what a reader looks for."""
    assert said({"type": "assistant"}).startswith("The message lacks the required field")


@pytest.mark.parametrize("name", NAMES[::9])
def test_recorded_lines_have_a_preview(name: str) -> None:
    """Whatever was recorded is one line of a bounded length."""
    for record in records(scenario(name)):
        line = preview(record)
        assert "\n" not in line
        assert len(line) <= 300


@given(st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from(TYPES), max_size=6) | JSON)
def test_no_message_makes_it_fail(message: Any) -> None:
    """Lines may hold anything."""
    assert "\n" not in said(message)


@pytest.mark.parametrize(
    ("log", "wanted", "expected"),
    [
        (
            LogMaker().lines("stdin", {"type": "user", "message": {"content": "Mend\nthe ROOF"}}),
            "roof",
            "Mend the ROOF",
        ),
        (
            LogMaker().lines("stdin", {"type": "user", "message": {"content": "x" * 90 + "roof" + "y" * 90}}),
            "roof",
            f"…{'x' * 80}roof{'y' * 80}…",
        ),
        (
            LogMaker().lines(
                "stdout",
                {
                    "type": "assistant",
                    "message": {
                        "model": "roof",
                        "content": [
                            {
                                "type": "tool_use",
                                "id": "roof",
                                "name": "Bash",
                                "input": {"command": "mend roof"},
                            }
                        ],
                    },
                },
            ),
            "roof",
            "mend roof",
        ),
        (
            LogMaker().lines("stdout", {"type": "result", "subtype": "roof", "result": "done: roof"}),
            "roof",
            "done: roof",
        ),
        (
            LogMaker().lines("stdout", {"type": "result", "subtype": "error", "errors": ["no roof"]}),
            "roof",
            "no roof",
        ),
        (LogMaker().lines("stdout", b"plain roof"), "roof", "plain roof"),
        (LogMaker().started(["claude", "-p", "mend the roof"]), "roof", "mend the roof"),
        (LogMaker().lines("stdin", {"type": "user", "message": {"content": "hi"}}), "content", None),
        (LogMaker().lines("stdin", {"type": "user", "message": {"content": "hi"}}), "user", None),
        (LogMaker().ended(), "exit_code", None),
    ],
)
def test_what_stands_around_a_text(log: bytes, wanted: str, expected: str | None) -> None:
    """Only what is said is found: no name of a field, no type, no id."""
    (record,) = records(log)
    assert snippet(record, wanted) == expected


@given(message=JSON, wanted=st.text(min_size=1))
def test_any_message_is_searched(message: Any, wanted: str) -> None:
    """What anybody wrote is looked through without a failure, and what is found is one line."""
    (record,) = records(LogMaker().lines("stdout", {"type": "user", "message": message}))
    found = snippet(record, wanted)
    assert found is None or "\n" not in found
