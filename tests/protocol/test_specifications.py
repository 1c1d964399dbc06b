"""The published schemas: complete, sound, and usable alone."""

import json
import re
from typing import Any

import jsonschema
import pytest

from proxy.protocol import full, library, specifications
from tests.protocol import corpus

NAMES = specifications.names()
DAY = "2026-11-22T10:00:00"
PROMPT = {"action": "prompt", "prompt": "hello"}
EVENT = {
    "event": "run_started",
    "timestamp": f"{DAY}Z",
    "state": "executing",
    "run_id": "r1",
    "prompt": "hello",
}
RECORD = {
    "seq": 0,
    "ts": f"{DAY}.000000Z",
    "session_id": "a-1",
    "stream": "stdin",
    "verdict": "valid",
    "message": {},
}


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_says_what_it_is(name: str) -> None:
    """A title, a sentence, an id that is its place, and nothing that a JSON Schema must not have."""
    schema = library.load(f"{name}.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"/{name}.json"
    assert schema["title"]
    assert re.search(r"[.!]$", schema["description"])


def test_every_schema_file_is_published() -> None:
    """The list is what is in the folder."""
    assert sorted(f"{name}.json" for name in NAMES) == corpus.schema_files()
    listed = specifications.specifications()
    assert [one.name for one in listed] == NAMES
    assert all(one.title and one.type and one.version == specifications.version() for one in listed)


def test_no_schema_is_left_over() -> None:
    """Each part is referred to by something, or is an entry: a stream, a vocabulary, a reply, a body of the API."""
    used = {found for name in NAMES for found in _referred(library.load(f"{name}.json"), f"{name}.json")}
    entries = ("stdin", "stdout", "commands", "events", "record", "config", "api/", "control/responses/")
    assert [name for name in NAMES if f"{name}.json" not in used and not name.startswith(entries)] == []


def _referred(schema: Any, name: str) -> list[str]:
    if isinstance(schema, list):
        return [found for item in schema for found in _referred(item, name)]
    if not isinstance(schema, dict):
        return []
    own = [library.follow(schema, name)[1]] if "$ref" in schema else []
    return own + [found for item in schema.values() for found in _referred(item, name)]


@pytest.mark.parametrize("name", ["stdin", "stdout", "api/events_answer"])
def test_a_schema_can_be_used_alone(name: str) -> None:
    """What is published holds all that it refers to, and judges as the files do."""
    alone = jsonschema.Draft202012Validator(specifications.specification(name))
    assert not alone.is_valid({"type": "user"}) or name.startswith("api/")
    for stream in corpus.STREAMS:
        if stream == name:
            assert all(alone.is_valid(json.loads(line)) for line in corpus.by_kind(stream).values())


def test_an_unknown_name_is_met_with_the_nearest_one() -> None:
    """The sentence helps whoever mistyped it."""
    with pytest.raises(specifications.UnknownSpecificationError, match="did you mean 'stdout'"):
        specifications.judge_for("stdot")
    with pytest.raises(specifications.UnknownSpecificationError, match=r"'\.\./x'; usual ones are stdout"):
        specifications.specification("../x")


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("commands", {"action": "prompt", "prompt": "hello", "timeout": 0.5, "extra": 1}, None),
        ("commands", {"action": "interrupt", "timestamp": f"{DAY}.5+02:00"}, None),
        ("commands", {**PROMPT, "options": {"timeout": 0.5, "model": None, "extra": 1}}, None),
        ("commands", {**PROMPT, "options": {"timeout": -5}}, "/options/timeout"),
        ("commands", {**PROMPT, "options": {"timeout": "30000"}}, "/options/timeout"),
        ("commands", {**PROMPT, "options": {"model": 5}}, "/options/model"),
        ("commands", {**PROMPT, "options": []}, "/options"),
        ("commands", {**PROMPT, "options": None}, "/options"),
        ("commands", {**PROMPT, "timeout": "30000"}, "/timeout"),
        ("commands", {**PROMPT, "timeout": True}, "/timeout"),
        ("commands", {**PROMPT, "timeout": -0.5}, "/timeout"),
        ("commands", {**PROMPT, "model": 5}, "/model"),
        ("commands", {**PROMPT, "prompt": None}, "/prompt"),
        ("commands", {"action": "interrupt", "options": {"timeout": 0}}, "/options/timeout"),
        ("commands", {"action": "prompt"}, ""),
        ("commands", {"action": "prompt", "prompt": ""}, "/prompt"),
        ("commands", {"action": "dance"}, "/action"),
        ("commands", {"action": "prompt", "prompt": "x", "timeout": 0}, "/timeout"),
        ("commands", {"action": "interrupt", "timestamp": DAY}, "/timestamp"),
        ("commands", {}, ""),
        ("commands", ["prompt"], ""),
        ("events", EVENT, None),
        ("events", {**EVENT, "event": "run_dreamt"}, "/event"),
        ("events", {**EVENT, "state": "bored"}, "/state"),
        ("events", {**EVENT, "timestamp": "yesterday"}, "/timestamp"),
        ("record", RECORD, None),
        ("record", {**RECORD, "stream": "proxy"}, ""),
        ("record", {**RECORD, "stream": "proxy", "event": {"event_type": "session_ended", "data": {}}}, None),
        ("record", {**RECORD, "ts": f"{DAY}Z"}, "/ts"),
        ("record", {key: RECORD[key] for key in ("seq", "ts", "session_id", "stream")}, ""),
        ("config", {"api": {"port": 0}, "security": {"rate_limit": "1000/hour"}}, None),
        ("config", {"api": {"prot": 0}}, "/api"),
        ("config", {"validation": {"max_validation_size": "10 MB"}}, None),
        ("config", {"validation": {"max_validation_size": "ten"}}, "/validation/max_validation_size"),
        ("api/answer", {"success": True}, ""),
        ("api/answer", {"success": False, "error": "No session is named x."}, None),
        ("control/responses/can_use_tool", {"behavior": "allow"}, None),
        ("control/responses/can_use_tool", {"behavior": "deny"}, ""),
        ("hooks/output", {"continue": True}, None),
    ],
)
def test_the_vocabularies_and_bodies_take_what_they_promise(name: str, value: Any, path: str | None) -> None:
    """Closed where the words are ours, open to further fields, and the error says where."""
    judgement = specifications.judge_for(name).judge(json.dumps(value).encode())
    assert judgement.verdict == ("valid" if path is None else "invalid")
    assert path is None or path in [error.path for error in judgement.errors]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (
            "commands",
            {**PROMPT, "options": {"timeout": 30000}, "timestamp": f"{DAY}+02:00", "session_id": "a-1"},
        ),
        ("commands", {"action": "keep_alive"}),
        ("events", {**EVENT, "duration_ms": 1.5, "turns": None, "seq": 7}),
    ],
)
def test_the_vocabularies_take_the_fast_path(name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of small objects costs no more than one of messages: one typed decode for each."""
    monkeypatch.setattr(full, "judgement", lambda *_: pytest.fail("the fast path refused it"))
    assert specifications.judge_for(name).judge(json.dumps(value).encode()).verdict == "valid"


def test_what_is_no_json_is_malformed_for_every_schema() -> None:
    """Whether there is a stream or not."""
    for name in ("commands", "stdin", "record"):
        assert specifications.judge_for(name).judge(b'{"x": NaN}').verdict == "malformed"
