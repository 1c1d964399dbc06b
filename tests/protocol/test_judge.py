"""Each line gets its verdict."""

import functools
import itertools
import json
import subprocess
import sys
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from proxy.protocol import Judge, Judgement, grammar
from proxy.protocol.drift import Finder
from tests.protocol import corpus
from tests.protocol.corpus import STREAMS, Stream
from tests.tiers import in_short

IDS = {"uuid": "u", "session_id": "s"}
USER = {"type": "user", "message": {"role": "user", "content": "hello"}}


def verdict(stream: Stream, message: Any) -> str:
    """Return the verdict on a message as Python writes it."""
    return Judge(stream).judge(json.dumps(message).encode()).verdict


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        ("stdin", {"type": "bash_command"}),
        ("stdin", {"type": "assistant"}),
        ("stdout", {"type": "new_in_the_next_release", "anything": [1]}),
        ("stdout", {"type": "system", "subtype": "new_in_the_next_release"}),
        ("stdout", {"type": "result", "subtype": "error_new", **IDS}),
        ("stdin", {"type": "control_request", "request_id": "1", "request": {"subtype": "new"}}),
        ("stdin", {"type": "control_response", "response": {"subtype": "new"}}),
        ("stdout", {"type": "stream_event", "event": {"type": "ping"}}),
    ],
)
def test_a_kind_that_the_specification_does_not_have_is_unknown(stream: Stream, message: Any) -> None:
    """Type, subtype, subtype of a control request, type of a stream event: whatever else is in it."""
    assert verdict(stream, message) == "unknown"


@pytest.mark.parametrize(
    "message",
    [
        {**USER, "brand_new": {"deep": [1]}},
        {**USER, "message": {"role": "user", "content": [{"type": "hologram", "data": 1}]}},
        {**USER, "priority": "tomorrow"},
        {"type": "control_request", "request_id": "1", "request": {"subtype": "initialize", "hooks": None}},
        {
            "type": "control_request",
            "request_id": "1",
            "request": {
                "subtype": "initialize",
                "hooks": {"NewEvent": [{"matcher": None, "hookCallbackIds": ["h"], "timeout": 1.5}]},
            },
        },
        {
            "type": "control_request",
            "request_id": "1",
            "request": {"subtype": "set_permission_mode", "mode": "new"},
        },
    ],
)
def test_drift_further_in_leaves_a_message_valid(message: Any) -> None:
    """Unknown tags of blocks and hooks, new values of known enumerations and extra fields are no fault."""
    assert verdict("stdin", message) == "valid"


SERVER = {"command": "true"}
REMOTE = {"type": "http", "url": "http://127.0.0.1:9/"}
AGENT = {"description": "d", "prompt": "p"}


def request(subtype: str, **fields: Any) -> dict[str, Any]:
    """Return a control request."""
    return {"type": "control_request", "request_id": "1", "request": {"subtype": subtype, **fields}}


def nulls(names: str) -> dict[str, None]:
    """Return fields of those names that are null."""
    return dict.fromkeys(names.split())


# Held against Claude Code itself in `tests/end_to_end/test_raw_cli.py`.
NULL_FOR_ABSENT: list[Any] = [
    {
        **USER,
        **nulls("uuid session_id parent_tool_use_id isSynthetic tool_use_result priority origin shouldQuery"),
    },
    {**USER, **nulls("timestamp client_composed pasted_content inline_pastes agent_id subagent_type")},
    {**USER, **nulls("task_description file_attachments isReplay")},
    {
        **USER,
        "origin": {"kind": "peer", "from": "x", **nulls("fromMode name fromSession body verifiedPeerPid")},
    },
    {**USER, "origin": {"kind": "task-notification", **nulls("subkind fireReason runId producer")}},
    {"type": "keep_alive", "startup_mark": None},
    {"type": "update_environment_variables", "variables": {}, "request_id": None},
    request(
        "initialize", **nulls("hooks sdkMcpServers sdkMcpServerConfigs jsonSchema systemPrompt agents title")
    ),
    request("initialize", **nulls("toolAliases plugins mcpServers promptSuggestions supportedDialogKinds")),
    request("initialize", hooks={"Stop": [{"hookCallbackIds": ["h"], **nulls("matcher timeout onFailure")}]}),
    request("initialize", sdkMcpServers=["a"], sdkMcpServerConfigs={"a": nulls("timeout tools")}),
    request("mcp_set_servers", servers={"a": {**SERVER, **nulls("args env timeout alwaysLoad")}}),
    request("mcp_set_servers", servers={"a": {**REMOTE, **nulls("headers timeout alwaysLoad tools")}}),
    request("mcp_set_servers", servers={"a": {"type": "sdk", "name": "a", **nulls("timeout tools")}}),
    request("set_model", model=None),
    request("reload_plugins", **nulls("hold_on_cache_impact add_plugins refuse_if_busy")),
]
NULL_REFUSED: list[Any] = [
    {"type": "user", "message": None},
    {"type": "user", "message": {"role": None, "content": "x"}},
    {"type": "control_request", "request_id": "1", "request": None},
    request("initialize", skills=None),
    request("initialize", hooks={"Stop": None}),
    *(request("initialize", agents={"a": {**AGENT, name: None}}) for name in ("tools", "model", "maxTurns")),
    request("mcp_set_servers", servers=None),
    request("mcp_set_servers", servers={"a": None}),
    request("mcp_set_servers", servers={"a": {**SERVER, "type": None}}),
    request("mcp_call", tool="t", check_permissions=None),
    request("rename_session", title="t", session_id=None),
    request("reload_plugins", add_plugins=[{"type": "local", "path": "/", "skipMcpDiscovery": None}]),
]


@pytest.mark.parametrize("message", NULL_FOR_ABSENT)
def test_null_stands_for_an_absent_field(message: Any) -> None:
    """Wherever Claude Code takes it so: clients with typed models send what they have not set as null."""
    assert verdict("stdin", message) == "valid"


@pytest.mark.parametrize("message", NULL_REFUSED)
def test_null_that_claude_code_refuses_is_invalid(message: Any) -> None:
    """It ends, answers with an error, or leaves out the server or agent that has it."""
    assert verdict("stdin", message) == "invalid"


USAGES: list[Any] = [
    *({}, None, [], 7, "none", {"prompt_tokens": 5}, {"input_tokens": "120", "output_tokens": None}),
    {"input_tokens": 0.5, "output_tokens": True, "cache_creation": 7, "iterations": [{}], "speed": []},
]
API_MESSAGES: list[dict[str, Any]] = [
    {},
    dict.fromkeys(("id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage")),
    {"id": 7, "model": ["m"], "role": "model", "stop_reason": 1, "content": "text"},
    *({"content": [7]}, {"content": [{}]}, {"content": [{"type": 7}]}),
    {"content": [{"type": "thinking", "thinking": "x"}]},
    *({"content": [{"type": "tool_use", "name": "T", "input": {}, **more}]} for more in ({}, {"id": 7})),
    *({"usage": usage} for usage in USAGES),
]
API_EVENTS: list[Any] = [
    *({}, [], 7, None, {"type": None}, {"type": 7}, {"type": ["ping"]}),
    *({"type": "message_start", "message": message} for message in (None, *API_MESSAGES)),
    *({"type": "message_delta", **more} for more in ({}, {"delta": None}, {"delta": {"stop_reason": 7}})),
    *({"type": "message_delta", "delta": {}, "usage": usage} for usage in USAGES),
    {"type": "content_block_start", "index": "0", "content_block": None},
    {"type": "content_block_start", "content_block": {}},
    {"type": "content_block_delta", "delta": {"type": "text_delta"}},
    {"type": "content_block_stop"},
]


@pytest.mark.parametrize("message", API_MESSAGES)
def test_an_answer_of_any_model_server_is_valid(message: dict[str, Any]) -> None:
    """Claude Code passes on what a gateway sent: holes and odd values in it are drift, not its own fault."""
    judge, finder = Judge("stdout"), Finder()
    for _ in range(2):
        line = json.dumps(
            {"type": "assistant", "message": message, "parent_tool_use_id": None, **IDS}
        ).encode()
        assert judge.judge(line).verdict == "valid"
        assert finder.find("stdout", line) != []


@pytest.mark.parametrize("event", API_EVENTS)
def test_an_event_of_any_model_server_is_valid(event: Any) -> None:
    """Whatever is in it; only a type that the specification does not have makes it unknown."""
    judge, finder = Judge("stdout"), Finder()
    for _ in range(2):
        line = json.dumps({"type": "stream_event", "event": event, "parent_tool_use_id": 7, **IDS}).encode()
        assert judge.judge(line).verdict == "valid"
        assert finder.find("stdout", line) != []
    assert verdict("stdout", {"type": "stream_event", "event": {"type": "ping"}}) == "unknown"


@pytest.mark.parametrize(
    "copied",
    [
        *({"usage": usage} for usage in USAGES if isinstance(usage, dict)),
        {"modelUsage": {"m": {}}, "model_usage_since_last_result": {"m": {"inputTokens": "0120"}}},
        {"stop_reason": 7},
        {"permission_denials": [{"tool_name": "T", "tool_input": {}}]},
        {"permission_denials": [{"tool_name": "T", "tool_use_id": 7, "tool_input": {}}]},
    ],
)
def test_a_result_of_any_model_server_is_valid(copied: dict[str, Any]) -> None:
    """Numbers of tokens, ids of tool calls and the stop reason are the server's also where they are repeated."""
    result = json.loads(corpus.by_kind("stdout")["result", "success"])
    assert verdict("stdout", {**result, **copied}) == "valid"


@pytest.mark.parametrize("tool", [{}, {"tool_use_id": None}, {"tool_use_id": 7}, {"tool_use_id": {}}])
def test_the_id_of_a_tool_call_may_be_anything(tool: dict[str, Any]) -> None:
    """It is the model server's, in whatever message Claude Code names the call."""
    result = {"type": "user", "message": {"role": "user", "content": [{"type": "tool_result", **tool}]}}
    assert verdict("stdout", {**result, "parent_tool_use_id": 7, **IDS}) == "valid"
    for kind in (
        ("control_request", "can_use_tool"),
        ("system", "task_started"),
        ("system", "task_notification"),
    ):
        message = json.loads(corpus.by_kind("stdout")[kind])
        where = message.get("request", message)
        where.pop("tool_use_id")
        where.update(tool)
        assert verdict("stdout", message) == "valid"


@pytest.mark.parametrize(
    ("stream", "message", "path", "keyword"),
    [
        ("stdin", [], "", "type"),
        ("stdin", 42, "", "type"),
        ("stdin", "text", "", "type"),
        ("stdin", None, "", "type"),
        ("stdin", {}, "", "required"),
        ("stdin", {"type": 1}, "", "required"),
        ("stdin", {"type": "user"}, "", "required"),
        ("stdin", {"type": "user", "message": "hello"}, "/message", "type"),
        (
            "stdin",
            {"type": "user", "message": {"role": "assistant", "content": "x"}},
            "/message/role",
            "const",
        ),
        ("stdin", {"type": "user", "message": {"role": "user", "content": 1}}, "/message/content", "type"),
        (
            "stdin",
            {"type": "user", "message": {"role": "user", "content": [{"type": "text"}]}},
            "/message/content/0",
            "required",
        ),
        ("stdin", {"type": "control_request", "request_id": "1"}, "", "required"),
        (
            "stdin",
            {"type": "control_request", "request_id": "1", "request": {"subtype": 1}},
            "/request/subtype",
            "type",
        ),
        ("stdin", {"type": "control_request", "request_id": "1", "request": {}}, "/request", "required"),
        ("stdout", {"type": "system", **IDS}, "", "required"),
        (
            "stdout",
            {"type": "stream_event", "event": {}, **IDS},
            "",
            "required",
        ),
        (
            "stdout",
            {"type": "assistant", "message": 7, "parent_tool_use_id": None, **IDS},
            "/message",
            "type",
        ),
    ],
)
def test_a_broken_message_is_invalid_and_the_error_says_where(
    stream: Stream, message: Any, path: str, keyword: str
) -> None:
    """The path is a JSON pointer to the value at fault, and a sentence goes with it."""
    judgement = Judge(stream).judge(json.dumps(message).encode())
    assert judgement.verdict == "invalid"
    assert (path, keyword) in [(error.path, error.keyword) for error in judgement.errors]
    assert all(error.message.endswith(".") for error in judgement.errors)


def test_the_last_of_two_equal_keys_counts_on_every_path() -> None:
    """As for every other reader of JSON; the fast path and the slow one must not differ here."""
    valid = b'{"type":"user","message":1,"message":{"role":"user","content":"x"}}'
    invalid = b'{"type":"user","message":{"role":"user","content":"x"},"message":1}'
    retyped = b'{"type":"keep_alive","type":"user"}'
    for _ in range(2):
        judge = Judge("stdin")
        judge.judge(json.dumps(USER).encode())  # now the fast path is ready
        judge.judge(b'{"type":"keep_alive"}')
        assert judge.judge(valid).verdict == "valid"
        assert judge.judge(invalid).verdict == "invalid"
        assert judge.judge(retyped).verdict == "invalid"


def test_the_order_of_keys_is_free_and_learned() -> None:
    """A message that begins with another field than its type is judged the same, the first time and later."""
    line = json.dumps(dict(reversed(USER.items()))).encode()
    judge = Judge("stdin")
    assert [judge.judge(line).verdict for _ in range(3)] == ["valid"] * 3
    assert judge.judge(line.replace(b'"user"}', b'"other"}')).verdict == "unknown"


def test_valid_lines_share_one_judgement() -> None:
    """The ordinary case allocates nothing."""
    line = json.dumps(USER).encode()
    judge = Judge("stdin")
    assert judge.judge(line) is judge.judge(line)
    assert judge.judge(line) == Judgement("valid", (), spliceable=True)


@functools.cache
def warm(stream: Stream) -> Judge:
    """Return a judge that has seen lines before."""
    return Judge(stream)


@pytest.mark.parametrize("stream", STREAMS)
@hypothesis.given(data=st.data())
def test_lines_together_are_judged_as_one_by_one(stream: Stream, data: st.DataObject) -> None:
    """However good and bad lines are mixed in a batch."""
    odd = [
        b"",
        b"{",
        b"[1]",
        b'{"type":"x"}',
        b'{"type":"user","message":"\xff"}',
        b'{"type":"user"}',
        b'{"a":"\xff"}',
    ]
    lines = data.draw(st.lists(st.sampled_from([*odd, *corpus.by_kind(stream).values()]), max_size=12))
    repeated = [line for line in lines for _ in range(data.draw(st.integers(1, 3)))]
    together = Judge(stream)
    together.judge_lines(lines)
    assert together.judge_lines(repeated) == [warm(stream).judge(line) for line in repeated]


@pytest.mark.parametrize("line", [b'{"type":"keep_alive"}', b'{"type":"assistant"}', b"{"])
def test_a_session_imports_no_library_to_judge(line: bytes) -> None:
    """Whatever its verdict, a line makes the wrapper import nothing large."""
    program = """
import sys
from proxy.protocol import Judge
judge = Judge("stdout")
for line in sys.stdin.buffer:
    judge.judge(line.rstrip(b"\\n"))
unwanted = "jsonschema_rs", "jsonschema", "pydantic", "asyncio", "pathlib", "typing_extensions"
print([name for name in unwanted if name in sys.modules])
"""
    lines = b"\n".join((*corpus.recorded("stdout"), line))
    done = subprocess.run([sys.executable, "-c", program], input=lines, capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_lines_that_only_together_are_as_many_values_are_not_taken_for_messages() -> None:
    """Two values on one line and one over two lines are three lines that are all malformed."""
    judge = Judge("stdout")
    good = b'{"type":"keep_alive"}'
    assert judge.judge(good).verdict == "valid"
    lines = [good + b" " + good, b'{"type":"keep_alive","more":', good + b"}"]
    assert [judgement.verdict for judgement in judge.judge_lines(lines)] == ["malformed"] * 3
    lines = [good + good, b'{"type":"keep_alive","more":[{}', b'{"type":"keep_alive"}]}']
    assert "valid" not in [judgement.verdict for judgement in judge.judge_lines(lines)]


@hypothesis.given(
    st.lists(
        st.sampled_from(
            [
                b'{"type":"keep_alive"}',
                b'{"type":"keep_alive"',
                b',"a":',
                b"{}",
                b"}",
                b" ",
                b"\n",
                b"\r\n",
                b'"\xff"',
                b"[",
                b"]",
            ]
        ),
        max_size=20,
    )
)
def test_many_lines_are_judged_as_each_by_itself(pieces: list[bytes]) -> None:
    """However a read is cut, a batch gets the verdicts of its lines."""
    judge = Judge("stdout")
    judge.judge(b'{"type":"keep_alive"}')
    lines = b"".join(pieces).split(b"\n")
    assert judge.judge_lines(lines) == [judge.judge(line) for line in lines]
    if judge.accepts_all(lines, b"\n".join((*lines, b""))):
        assert {judge.judge(line).verdict for line in lines} == {"valid"}


LONG_TEXTS = [
    "x" * 70_000,
    '     1\u2192line \\ "quoted"\t\n' * 3_000,
    "\u0430\u4e00\U0001f600" * 10_000,
    "{[,:]}" * 12_000,
    "9" * 70_000,
]


@pytest.mark.parametrize("text", in_short(LONG_TEXTS, names={LONG_TEXTS[1]}))
@pytest.mark.parametrize("stream", STREAMS)
def test_a_long_line_is_judged_like_a_short_one(
    stream: Stream, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a string of a message long, in whatever script, the verdict and its reasons are as if all were decoded.

    One string in three is, as a line of 70 KB for each takes long to judge in three ways.
    """
    lines = [
        json.dumps(message, ensure_ascii=number % 2 == 0).encode()
        for line in corpus.by_kind(stream).values()
        for number, message in enumerate(
            itertools.islice(corpus.lengthened(json.loads(line), text), 0, None, 3)
        )
    ]
    shortened = [Judge(stream), Judge(stream)]
    found = [shortened[0].judge(line) for line in lines]
    assert shortened[1].judge_lines(lines) == found
    monkeypatch.setattr(grammar, "LONG", 1 << 40)
    whole = Judge(stream)
    assert found == [whole.judge(line) for line in lines]


@pytest.mark.parametrize(
    "flaw",
    [
        b"\x01",
        b"\\x",
        b"\\u12",
        b"\xff",
        b"\xed\xa0\x80",
        b"\\ud800",
        b'"',
        b'\\"',
        b"\\\\",
        b"\xe4\xb8",
        b"\\",
    ],
)
@pytest.mark.parametrize("at", [0, 1_020, 1_023, 30_000, 69_999, 70_000])
def test_what_is_wrong_inside_a_long_string_is_found(
    flaw: bytes, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that no string may have, wherever they are, have the verdict and the reason of a line decoded whole."""
    line = b'{"type":"keep_alive","x":"' + b"." * at + flaw + b"." * (70_000 - at) + b'","y":[]}'
    found = Judge("stdout").judge(line)
    monkeypatch.setattr(grammar, "LONG", 1 << 40)
    assert found == Judge("stdout").judge(line)


def test_schemas_ask_no_more_of_strings_than_can_be_told_from_their_beginnings() -> None:
    """Patterns, formats and greatest lengths would need the whole of a string, which long lines are judged without."""
    for stream in STREAMS:
        assert not {"pattern", "format", "maxLength"} & corpus.keywords(f"{stream}.json")
