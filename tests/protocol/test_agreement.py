"""One truth, one verdict: fast path, slow path and two implementations of JSON Schema agree on every line."""

import itertools
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from proxy.protocol import Judge, full, library
from proxy.protocol.drift import Finder
from proxy.protocol.fastpath import Compiler
from proxy.protocol.grammar import REFUSALS
from proxy.protocol.shapes import decoder
from proxy.protocol.specifications import judge_for
from tests.protocol import corpus
from tests.protocol.corpus import STREAMS, Stream
from tests.tiers import examples

# Control messages are the same on both streams.
KINDS = [("stdin", *kind) for kind in corpus.kinds("stdin")]
KINDS += [
    ("stdout", *kind)
    for kind in corpus.kinds("stdout")
    if kind == ("user", None) or ("stdin", *kind) not in KINDS
]


def agreed(
    stream: Stream, line: bytes, asked: Callable[[str], corpus.Validator] = corpus.second_reference
) -> str:
    """Return the verdict on a line, after asking each judge and an implementation of JSON Schema; they must agree."""
    judge = Judge(stream)
    verdict = judge.judge(line).verdict
    assert judge.judge(line).verdict == judge.judge(line).verdict == verdict
    assert [one.verdict for one in judge.judge_lines([line] * 3)] == [verdict] * 3
    assert verdict == corpus.second_opinion(stream, line, asked)
    message = json.loads(line)
    if verdict in ("valid", "invalid") and isinstance(message, dict) and isinstance(message.get("type"), str):
        assert verdict == full.judgement(f"{stream}.json", line).verdict
    return verdict


@pytest.mark.parametrize("stream", STREAMS)
def test_recorded_lines_are_valid_and_take_the_fast_path(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What released clients and Claude Code have written is valid, by one typed decode."""
    monkeypatch.setattr(full, "judgement", lambda *_: pytest.fail("the fast path refused a recorded line"))
    judge = Judge(stream)
    for line in corpus.recorded(stream):
        if b'"event":{"type":7}' in line:
            continue  # a model server that does not say what its event is
        assert judge.judge(line).verdict == "valid", line[:200]


def test_however_an_mcp_server_is_configured_takes_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a type, without one, as most are, and with one that is new; and what is wrong in it is found."""
    command = {"command": "npx", "args": ["-y", "server"], "env": {"A": "b"}}
    servers = {
        "default": command,
        "stdio": {**command, "type": "stdio"},
        "http": {"type": "http", "url": "https://example.com/mcp", "headers": {"A": "b"}},
        "sdk": {"type": "sdk", "name": "mine"},
        "new": {"type": "carrier pigeon", "command": 1},
    }
    judge = Judge("stdin")
    with monkeypatch.context() as patch:
        patch.setattr(full, "judgement", lambda *_: pytest.fail("the fast path refused a server"))
        for chosen in (servers, *({name: one} for name, one in servers.items())):
            assert judge.judge(set_servers(chosen)).verdict == "valid"
    wrong: list[Any] = [{}, {"url": "x"}, {"command": "x", "args": [1]}, {"type": "sdk"}, {"type": None}, 7]
    for broken in wrong:
        assert agreed("stdin", set_servers({**servers, "z": broken})) == "invalid"


def set_servers(servers: dict[str, Any]) -> bytes:
    """Return a request that sets MCP servers."""
    request = {"subtype": "mcp_set_servers", "servers": servers}
    return json.dumps({"type": "control_request", "request_id": "1", "request": request}).encode()


@pytest.mark.parametrize("stream", STREAMS)
def test_every_judge_has_the_same_verdict_on_recorded_lines(stream: Stream) -> None:
    """Both references and the fast path agree on every kind of recorded line."""
    for line in corpus.by_kind(stream).values():
        for asked in (corpus.reference, corpus.second_reference):
            assert agreed(stream, line, asked) == "valid"


@pytest.mark.parametrize("stream", STREAMS)
def test_every_judge_has_the_same_verdict_on_broken_lines(stream: Stream) -> None:
    """Whatever field of a recorded message is taken out or given another type, all judges agree, and on the place.

    The reference implementation takes 30 times as long as the other one, so it is asked about one line in 20.
    """
    judge = Judge(stream)
    numbers = itertools.count()
    for line in corpus.by_kind(stream).values():
        for what, message in corpus.broken(json.loads(line)):
            changed = json.dumps(message).encode()
            judgement = judge.judge(changed)
            asked = corpus.reference if next(numbers) % 20 == 0 else corpus.second_reference
            assert judgement.verdict == corpus.second_opinion(stream, changed, asked), (what, line[:200])
            if judgement.verdict == "invalid" and isinstance(message.get("type"), str):
                wrong, considered = corpus.places(stream, message)
                paths = {error.path for error in judgement.errors}
                assert paths <= considered
                assert all(any(path.startswith(one) for path in paths) for one in wrong)


@pytest.mark.parametrize("stream", STREAMS)
def test_types_for_any_tag_take_what_the_schema_takes(stream: Stream) -> None:
    """Of recorded messages and those with one thing changed they take the valid ones, with tags of no row as well."""
    choice = library.table(library.load(f"{stream}.json"))
    assert choice is not None
    for (type_, _), line in corpus.by_kind(stream).items():
        _, name = library.follow(choice.rows[type_], f"{stream}.json")
        typed = decoder(Compiler(any_tag=True).compile(name))
        for what, message in [("", json.loads(line)), *corpus.broken(json.loads(line))]:
            try:
                typed.decode(json.dumps(message).encode())
                is_taken = True
            except REFUSALS:
                is_taken = False
            assert is_taken == corpus.second_reference(name).is_valid(message), (what, line[:200])


def found(stream: Stream, judge: Judge, message: Any) -> str | None:
    """Tell how a broken message shows: as `invalid`, in an open part as `drift`, or not at all."""
    line = json.dumps(message).encode()
    if judge.judge(line).verdict == "invalid":
        return "invalid"
    return "drift" if Finder().find(stream, line) else None


def test_a_broken_message_is_found() -> None:
    """Of recorded messages with one field of the first levels gone or mistyped, all: invalid, or drift where open."""
    counts: Counter[str | None] = Counter()
    for stream in STREAMS:
        judge = Judge(stream)
        for line in corpus.by_kind(stream).values():
            changes = corpus.without_one_required(stream, json.loads(line))
            counts.update(found(stream, judge, changed) for changed in changes)
    assert counts.total() > 500
    assert counts[None] == 0
    assert counts["invalid"] / counts.total() >= 0.95


def test_a_mistyped_value_is_found_at_every_depth() -> None:
    """Of all values in recorded messages, all but a few have a type to keep: invalid, or drift where open."""
    counts: Counter[str | None] = Counter()
    for stream in STREAMS:
        judge = Judge(stream)
        for line in corpus.by_kind(stream).values():
            changes = corpus.mistyped(json.loads(line))
            counts.update(found(stream, judge, changed) for changed in changes)
    assert counts.total() > 1000
    assert counts[None] / counts.total() <= 0.02
    assert counts["invalid"] / counts.total() >= 0.75


@pytest.mark.parametrize(("stream", "type_", "tag"), KINDS)
@hypothesis.settings(max_examples=examples(10), suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(data=st.data())
def test_every_judge_has_the_same_verdict_on_generated_lines(
    stream: Stream, type_: str, tag: str | None, data: st.DataObject
) -> None:
    """Messages made from the schemas are valid to all judges; one change, and all still agree."""
    message = data.draw(corpus.messages(stream, type_, tag))
    assert agreed(stream, json.dumps(message).encode(), corpus.reference) == "valid"
    changes = list(corpus.broken(message))
    _, changed = data.draw(st.sampled_from(changes))
    agreed(stream, json.dumps(changed, ensure_ascii=False).encode())


@pytest.mark.parametrize(("stream", "type_", "tag"), KINDS)
def test_every_kind_of_message_has_a_fast_path(stream: Stream, type_: str, tag: str | None) -> None:
    """No kind of message is left to the slow path by a keyword that the compiler does not know."""
    choice = library.table(library.load(f"{stream}.json"))
    assert choice is not None
    _, name = library.follow(choice.rows[type_], f"{stream}.json")
    assert Compiler().compile(name) is not None


VOCABULARY: list[tuple[str, Any]] = [
    ("commands", {"action": "prompt", "prompt": "x", "options": {"timeout": 1, "model": "m"}, "model": None}),
    ("commands", {"action": "interrupt", "timeout": 0.5, "session_id": "a-1", "variables": ["A"]}),
    ("commands", {"action": "respond", "outcome": "success", "decision": "deny", "max_thinking_tokens": 7}),
    (
        "events",
        {"event": "error", "timestamp": "2026-11-22T10:00:00Z", "state": "idle", "seq": 0, "usage": {}},
    ),
    ("events", {"event": "run_completed", "timestamp": "2026-11-22T10:00:00Z", "duration_ms": 0, "turns": 1}),
]


@pytest.mark.parametrize(("name", "value"), VOCABULARY)
def test_every_judge_has_the_same_verdict_on_the_vocabularies(name: str, value: Any) -> None:
    """Limits of numbers and strings, and what only some actions need, hold on the fast path as in the schema."""
    judge = judge_for(name)
    assert judge.judge(json.dumps(value).encode()).verdict == "valid"
    limits = [
        {**value, key: limit} for key in value for limit in ("", "x\n", "-", 0, -1, -0.5, 1e300, 10**30)
    ]
    for changed in [*limits, *(changed for _, changed in corpus.broken(value))]:
        line = json.dumps(changed).encode()
        verdict = judge.judge(line).verdict
        assert verdict == full.judgement(f"{name}.json", line).verdict
        # The other reference knows no times without a further library.
        assert corpus.second_reference(f"{name}.json").is_valid(changed) == (verdict == "valid"), changed
