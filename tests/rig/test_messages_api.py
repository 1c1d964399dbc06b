"""The stand-in for the Messages API answers by its script alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.rig.answers import Answer, Dropped, Failure, Reply, Tries, says, text, thinking, uses
from tests.rig.messages_api import MessagesApi, Play

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    """A running server."""
    with MessagesApi() as running:
        yield running


def ask(play: Play, *messages: tuple[str, Any], stream: bool = True) -> list[dict[str, Any]]:
    """Send a conversation; return the events of the answer, or the answer itself as the only one."""
    body = {"model": "m", "stream": stream, "messages": [{"role": r, "content": c} for r, c in messages]}
    request = urllib.request.Request(f"{play.base_url}/v1/messages", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as response:
        data = response.read().decode()
    if not stream:
        return [json.loads(data)]
    return [
        json.loads(line.removeprefix("data: ")) for line in data.splitlines() if line.startswith("data: ")
    ]


def said(events: list[dict[str, Any]]) -> str:
    """Return the text of a streamed answer."""
    return "".join(
        event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta"
    )


def test_answers_follow_the_conversation(api: MessagesApi) -> None:
    """Which answer is due depends on the last known prompt and on how many answers came since."""
    play = api.play({"one": [says("first"), says("second")], "two": [says("third")]})

    assert said(ask(play, ("user", "one"))) == "first"
    assert (
        said(ask(play, ("user", "one"), ("assistant", "x"), ("user", [{"type": "text", "text": "go"}])))
        == "second"
    )
    assert said(ask(play, ("user", "one"), ("assistant", "x"), ("user", "two"))) == "third"
    assert said(ask(play, ("user", "unknown"))) == "All done."


def test_runs_do_not_share_answers(api: MessagesApi) -> None:
    """Two runs on one server have an address and a script each."""
    one, other = api.play({"hello": [says("one")]}), api.play({"hello": [says("other")]})

    assert (said(ask(one, ("user", "hello"))), said(ask(other, ("user", "hello")))) == ("one", "other")


@pytest.mark.parametrize(
    "block", [text("words " * 50), thinking("thoughts " * 50), uses("T", a="x" * 99).blocks[0]]
)
def test_blocks_come_in_pieces_that_make_the_whole(block: dict[str, Any], api: MessagesApi) -> None:
    """The deltas of a block add up to the block."""
    events = ask(api.play({"go": [Reply((block,))]}), ("user", "go"))
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    whole = "".join(d.get("text", d.get("thinking", d.get("partial_json", ""))) for d in deltas)

    assert len(deltas) > 2
    assert whole == block.get("text", block.get("thinking")) or json.loads(whole) == block["input"]
    assert [e["type"] for e in events if e["type"] != "content_block_delta"] == [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_tries_are_given_one_after_the_other(api: MessagesApi) -> None:
    """A request that is tried again gets the next answer, and the last one for ever."""
    busy: Answer = Tries((Failure(529, "overloaded_error", "busy", {"retry-after": "0"}), says("now")))
    play = api.play({"go": [busy]})

    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(play, ("user", "go"))
    with refused.value as error:
        assert (error.code, error.headers["retry-after"]) == (529, "0")
    assert said(ask(play, ("user", "go"))) == "now"
    assert said(ask(play, ("user", "go"))) == "now"


def test_dropped_stream_ends_early(api: MessagesApi) -> None:
    """A stream that breaks off has begun, and has no end."""
    events = ask(api.play({"go": [Dropped((text("words " * 50),))]}), ("user", "go"))

    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
    ]


def test_whole_answers_for_those_who_do_not_stream(api: MessagesApi) -> None:
    """Without `stream` the same answer comes as one message."""
    (answer,) = ask(api.play({"go": [says("words")]}), ("user", "go"), stream=False)

    assert (answer["content"], answer["stop_reason"]) == ([text("words")], "end_turn")
