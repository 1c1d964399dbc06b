"""What is new on the wire is found, named and placed."""

import json
from typing import Any

import pytest

from proxy.protocol.drift import LONGEST_PATH, LONGEST_VALUE, Drift, Finder
from tests.protocol import corpus
from tests.rig.scenarios import DESERVED_DRIFT

IDS = {"uuid": "u", "session_id": "s"}
USER = {"type": "user", "message": {"role": "user", "content": "x"}, "parent_tool_use_id": None}


def found(stream: corpus.Stream, *messages: Any) -> list[Drift]:
    """Return the drift of the last of some messages."""
    finder = Finder()
    drift: list[Drift] = []
    for message in messages:
        drift = finder.find(stream, json.dumps(message).encode())
    return drift


def test_recorded_sessions_have_no_drift() -> None:
    """The specification has all that these releases send, down to the last field of a reply."""
    for scenario in corpus.recordings():
        finder = Finder()
        deserved = DESERVED_DRIFT.get(scenario.name, [])
        for stream in corpus.STREAMS:
            for line in (scenario / f"{stream}.jsonl").read_bytes().split(b"\n"):
                drift = [one for one in finder.find(stream, line) if (stream, one.kind) not in deserved]
                assert drift == [], scenario.name


@pytest.mark.parametrize(
    ("stream", "message", "drift"),
    [
        ("stdout", {"type": "dream"}, Drift("type", "dream", None, "/type", "dream")),
        ("stdin", {"type": "assistant"}, Drift("type", "assistant", None, "/type", "assistant")),
        (
            "stdout",
            {"type": "system", "subtype": "nap"},
            Drift("subtype", "system", "nap", "/subtype", "nap"),
        ),
        (
            "stdin",
            {"type": "control_request", "request_id": "1", "request": {"subtype": "nap"}},
            Drift("subtype", "control_request", "nap", "/request/subtype", "nap"),
        ),
        (
            "stdout",
            {"type": "stream_event", "event": {"type": "ping"}, "parent_tool_use_id": None, **IDS},
            Drift("subtype", "stream_event", "ping", "/event/type", "ping"),
        ),
        ("stdout", {**USER, "a/b~c": [1, {"deeper": 2}]}, Drift("field", "user", None, "/a~1b~0c")),
        ("stdout", {**USER, "priority": "tomorrow"}, Drift("value", "user", None, "/priority", "tomorrow")),
        (
            "stdout",
            {**USER, "message": {"role": "user", "content": [{"type": "hologram", "x": 1}]}},
            Drift("block", "user", None, "/message/content/*/type", "hologram"),
        ),
        (
            "stdout",
            {**USER, "message": {"role": "user", "content": [{"type": "text", "text": "x", "font": "y"}]}},
            Drift("field", "user", None, "/message/content/*/font"),
        ),
        (
            "stdin",
            {
                "type": "control_request",
                "request_id": "1",
                "request": {
                    "subtype": "initialize",
                    "agents": {"a": {"description": "", "prompt": "", "new": 1}},
                },
            },
            Drift("field", "control_request", "initialize", "/request/agents/*/new"),
        ),
    ],
)
def test_each_kind_of_drift_is_found(stream: corpus.Stream, message: Any, drift: Drift) -> None:
    """Types, subtypes, fields, blocks and values, each with its place and value."""
    assert found(stream, message) == [drift]


ANSWER: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "x"}],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    },
}


@pytest.mark.parametrize(
    ("path", "value", "drift"),
    [
        (("id",), None, ("value", "/id", "(null)")),
        (("role",), "model", ("value", "/role", "model")),
        (("content",), "x", ("value", "/content", "(string)")),
        (
            ("content", 0),
            {"type": "thinking", "thinking": ""},
            ("field", "/content/*/signature", "(missing)"),
        ),
        (("content", 0), {"type": "hologram"}, ("block", "/content/*/type", "hologram")),
        (("content", 0), {"text": "x"}, ("field", "/content/*/type", "(missing)")),
        (("usage",), None, ("value", "/usage", "(null)")),
        (("usage", "input_tokens"), "1", ("value", "/usage/input_tokens", "(string)")),
        (("usage", "output_tokens"), 0.5, ("value", "/usage/output_tokens", "(number)")),
        (("usage", "total_tokens"), 2, ("field", "/usage/total_tokens", None)),
        (("stop_reason",), "because", ("value", "/stop_reason", "because")),
    ],
)
def test_whatever_is_odd_in_an_open_part_is_drift(
    path: tuple[Any, ...], value: Any, drift: tuple[Any, str, str | None]
) -> None:
    """Where the model server is free to say anything, what differs from the Messages API is told, holes included."""
    message = json.loads(json.dumps(ANSWER))
    inner = message
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    line = {"type": "assistant", "message": message, "parent_tool_use_id": None, **IDS}
    kind, where, shown = drift
    assert found("stdout", line) == [Drift(kind, "assistant", None, f"/message{where}", shown)]
    assert found("stdout", {**line, "message": ANSWER}) == []


def test_a_field_in_a_reply_is_found_by_what_was_asked() -> None:
    """A reply has no type of its own; the request with its id says what it must be like."""
    finder = Finder()
    request = {"type": "control_request", "request_id": "1", "request": {"subtype": "get_session_cost"}}
    response = {"subtype": "success", "request_id": "1", "response": {"text": "x", "currency": "y"}}
    reply = json.dumps({"type": "control_response", "response": response}).encode()
    assert finder.find("stdout", reply) == []
    assert finder.find("stdin", json.dumps(request).encode()) == []
    expected = Drift("field", "control_response", "get_session_cost", "/response/response/currency")
    assert finder.find("stdout", reply) == [expected]
    assert finder.find("stdout", reply) == []


def test_what_is_wrong_or_free_is_no_drift() -> None:
    """Drift is what is new; the rest is for the judge, or for nobody."""
    finder = Finder()
    for line in (
        b"",
        b'{"type":"control_response","response":{"subtype":["x"]}}',
        b'{"type":"control_request","request_id":"1","request":{"subtype":{"x":1}}}',
        b"x",
        b"[1]",
        b'{"type":1}',
        b"{}",
        b'{"type":"user","message":7}',
        b"[" * 5000,
        b'{"type":"\xff"}',
    ):
        assert finder.find("stdin", line) == []
    tool = {"type": "tool_use", "id": "t", "name": "T", "input": {"anything": {"goes": 1}}}
    start = {"type": "content_block_start", "index": 0, "content_block": tool}
    assert found("stdout", {"type": "stream_event", "event": start, "parent_tool_use_id": None, **IDS}) == []


def test_a_value_is_cut_short() -> None:
    """A value may be long, or private beyond its beginning."""
    (drift,) = found("stdout", {**USER, "priority": "x" * 1000})
    assert drift.value == "x" * LONGEST_VALUE
    for message in (
        {**USER, "x" * 9000: 1},
        {"type": "x" * 9000},
        {"type": "system", "subtype": "x" * 9000},
    ):
        (drift,) = found("stdout", message)
        assert len(drift.path) <= LONGEST_PATH
        assert len(drift.type) <= LONGEST_VALUE >= len(drift.subtype or "")


def test_lone_surrogates_do_not_hide_drift() -> None:
    """A line that strict parsers refuse is looked into all the same."""
    assert [one.path for one in Finder().find("stdin", b'{"type":"keep_alive","new":"\\ud800"}')] == ["/new"]


def test_a_message_without_drift_costs_one_typed_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large logs are mostly such messages: when there are enough of a type, no schema is looked at for them."""
    monkeypatch.setattr("proxy.protocol.drift._WALKED", 0)
    monkeypatch.setattr(
        Finder, "_look_into", lambda *_: pytest.fail("the typed decode refused a recorded line")
    )
    finder = Finder()
    for line in corpus.recorded("stdout", ordinary=True):
        if b'"control_response"' not in line:
            assert finder.find("stdout", line) == []
