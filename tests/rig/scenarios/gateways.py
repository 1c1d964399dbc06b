"""Model servers that are not Anthropic's: what they leave out or say otherwise, Claude Code passes on."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from tests.rig.answers import Reply, says, text, thinking, tool
from tests.rig.scenarios.registry import scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.rig.stage import Stage

Event = dict[str, Any]

MISSING = object()


def put(event: Event, *, of: str, at: tuple[str, ...], value: Any) -> Event:
    """Return an event of a stream; one of that type with another value at a place, or with none for `MISSING`."""
    if event["type"] != of or not at:
        return event
    changed = inner = dict(event)
    for key in at[:-1]:
        inner[key] = inner = dict(inner[key])
    inner[at[-1]] = value
    if value is MISSING:
        del inner[at[-1]]
    return changed


def altered(answer: Reply, of: str, *at: str, value: Any = MISSING) -> Reply:
    """Return the answer as a gateway gives it that has another value there, or none."""
    return dataclasses.replace(answer, alter=functools.partial(put, of=of, at=at, value=value))


def without(*keys: str) -> Callable[[Event], Event]:
    """Return what takes these fields out of the message at the start of a stream."""

    def alter(event: Event) -> Event:
        for key in keys:
            event = put(event, of="message_start", at=("message", key), value=MISSING)
        return event

    return alter


@scenario()
async def gateway_usage(stage: Stage) -> None:
    """A model server that counts tokens in its own way, or not at all."""
    usages = {
        "one": MISSING,
        "two": None,
        "three": {},
        "four": {"prompt_tokens": 5, "completion_tokens": 6},
        "five": {"input_tokens": "0", "output_tokens": "0"},
        "six": {"input_tokens": 0, "output_tokens": 0},
    }
    answer = says("An answer.")
    script = {
        f"question {number}": [altered(answer, "message_start", "message", "usage", value=usage)]
        for number, usage in usages.items()
    }
    script["question seven"] = [altered(answer, "message_delta", "usage")]
    script["question eight"] = [altered(answer, "message_delta", "usage", value={"output_tokens": "0"})]
    stage.answer(script)
    async with stage.raw("--include-partial-messages") as client:
        for prompt in script:
            await client.turn(f"This is {prompt}.")


@scenario()
async def gateway_fields(stage: Stage) -> None:
    """A model server that leaves fields of the message out, or fills them otherwise."""
    answer = Reply((thinking("Let me think."), text("An answer.")))
    keys = ("id", "type", "role", "model", "stop_reason", "stop_sequence", "content")
    script = {
        "question one": [dataclasses.replace(answer, alter=without(*keys))],
        "question two": [altered(answer, "message_start", "message", "content", value=None)],
        "question three": [altered(answer, "message_start", "message", "id", value=7)],
        "question four": [altered(answer, "message_delta", "delta", "stop_reason", value="stop")],
        "question five": [altered(answer, "content_block_start", "content_block", "signature", value=None)],
        "question six": [altered(answer, "message_stop", "type", value=7)],
    }
    stage.answer(script)
    async with stage.raw("--include-partial-messages") as client:
        for prompt in script:
            await client.turn(f"This is {prompt}.")


@scenario()
async def gateway_tools(stage: Stage) -> None:
    """A model server whose tool calls have no id, or one that is a number."""
    call = Reply((tool("Bash", command="echo one"),), stop_reason="tool_use")
    block = ("content_block_start", "content_block", "id")
    stage.answer(
        {
            "no id": [altered(call, *block), says("One.")],
            "a number": [altered(call, *block, value=7), says("One.")],
        }
    )
    async with stage.raw("--include-partial-messages", "--allowedTools", "Bash") as client:
        await client.turn("Run it with no id.")
        await client.turn("Run it with a number.")
