"""What leaves a machine, and what does not."""

import json
from typing import Any

import pytest

from proxy.events import Interpreter, Session
from proxy.server.access.tokens import StoredTokens
from proxy.sessions.reader import Entry, read_items
from proxy.shipping.content import of
from tests.recorded import NAMES, LogMaker, scenario
from tests.server.conftest import Rig
from tests.shipping.hosts import Host, address
from tests.store.postgres.contents import contents

SECRET = "the quick brown fox jumps over"


def events_of(log: bytes) -> list[tuple[str, int]]:
    """Return types and timestamps of the events of a log."""
    interpreter = Interpreter(Session("made"))
    items = read_items(log.splitlines(keepends=True), 0)
    records = [item.record for item in items if isinstance(item, Entry)]
    return [
        (event.event_type, event.timestamp_us) for record in records for event in interpreter.take(record)
    ]


def spoken(value: Any) -> set[str]:
    """Return the texts of a message's content that people or models wrote."""
    found: set[str] = set()
    if isinstance(value, dict):
        for name, one in value.items():
            if name in ("text", "thinking", "prompt", "content", "result") and isinstance(one, str):
                found.add(one)
            found |= spoken(one)
    elif isinstance(value, list):
        for one in value:
            found |= spoken(one)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_texts_removed(name: str) -> None:
    """The same events follow, in the same lines; no text of a message is left."""
    log = scenario(name)
    left = of("texts_removed")(log)
    assert left.count(b"\n") == log.count(b"\n")
    assert events_of(left) == events_of(log)
    texts = {text for line in log.splitlines() for text in spoken(json.loads(line).get("message"))}
    for text in texts:
        if len(text) > 20 and not text.startswith("[Request interrupted by user"):  # Claude Code's own words
            assert json.dumps(text)[1:-1].encode() not in left
            assert text.encode() not in left


@pytest.mark.parametrize("kind", ["texts_removed", "figures"])
@pytest.mark.parametrize(
    ("given", "left"),
    [
        (["--disallowedTools", "Write,Bash(rm secret)"], ["--disallowedTools", "Write"]),
        (["--disallowedTools=Write mcp__x"], ["--disallowedTools=Write,mcp__x"]),
        (["--disallowedTools", "Bash(rm secret)"], ["--disallowedTools", "[15 characters]"]),
        (["--allowedTools", "Write"], ["--allowedTools", "[5 characters]"]),
        (
            ["--settings", '{"env":{"A":"secret"},"permissions":{"deny":["Edit(secret)","Edit"]}}'],
            ["--settings", '{"permissions": {"deny": ["Edit"]}}'],
        ),
        (
            ["--disallowedTools", "Write", "-p", "Write secret"],
            ["--disallowedTools", "Write", "-p", "[12 characters]"],
        ),
    ],
)
def test_tools_that_are_taken_away(kind: Any, given: list[str], left: list[str]) -> None:
    """Their names stay, as calls of them are denied; what a rule says of calls does not."""
    line = of(kind)(LogMaker().started(["claude", *given]))
    assert json.loads(line)["event"]["data"]["command"] == ["claude", *left]


@pytest.mark.parametrize("kind", ["texts_removed", "figures"])
@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_what_is_no_message(kind: Any, stream: str) -> None:
    """Lines that are no JSON, on any stream, and unknown fields leave their length alone."""
    maker = LogMaker()
    log = maker.started(["claude", "-p", SECRET])
    log += maker.lines(
        "stdout", {"type": "user", "novel": SECRET, "message": {"role": "user", "content": SECRET}}
    )
    log += b'{"seq":9,"ts":"2026-01-02T03:04:05.000000Z","session_id":"made","stream":"%b","raw":"%b"}\n' % (
        stream.encode(),
        SECRET.encode(),
    )
    log += SECRET.encode() + b"\n"
    left = of(kind)(log)
    assert SECRET.encode() not in left
    assert left.count(b"\n") == log.count(b"\n")


def test_patterns_of_ones_own() -> None:
    """`ship.redact` takes away more than known credentials, in whatever leaves."""
    log = LogMaker().lines(
        "stdout", {"type": "user", "message": {"role": "user", "content": "at PROJECT-7 now"}}
    )
    assert b"PROJECT-7" not in of("full", [r"PROJECT-\d"])(log)
    assert of("full")(log) == log


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("settings", "is_there"),
    [
        ({}, True),
        ({"content": "texts_removed"}, False),
        ({"content": "figures"}, False),
        ({"redact": ["the quick [a-z ]*over"]}, False),
    ],
)
async def test_what_is_removed_is_in_no_column(
    centre: Rig, host: Host, url: str, settings: dict[str, Any], is_there: bool
) -> None:
    """Neither as it was sent, nor in anything that the centre derives from it; nor is the token that pushed it."""
    for name in ("subagent", "tool_deny"):
        log = host.record(name, name)
        spoken_log = log.replace(b'"text":"', b'"text":"' + SECRET.encode() + b" ")
        assert spoken_log != log
        host.log(name).write_bytes(spoken_log.replace(b'"result":"', b'"result":"' + SECRET.encode() + b" "))
    assert centre.shared.fleet is not None
    token = StoredTokens(centre.shared.fleet.store).create("laptops", ["push"])
    assert await host.ship(address(centre), token=token, **settings)
    values = list(contents(url))
    assert any(b"session_started" in value for value in values)
    assert any(SECRET.encode() in value for value in values) is is_there
    assert not any(token.encode() in value for value in values)
