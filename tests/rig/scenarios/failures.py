"""What goes wrong: errors of the API, retries, broken streams, limits reached, odd lines of the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rig.answers import Dropped, Failure, Reply, Tries, says, text, uses
from tests.rig.scenarios.registry import scenario

if TYPE_CHECKING:
    from tests.rig.stage import Stage

OVERLOADED = Failure(529, "overloaded_error", "Overloaded", {"retry-after": "0"})
BUSY = Failure(429, "rate_limit_error", "Too many", {"retry-after": "0"})
BROKEN = Failure(500, "api_error", "Internal error", {"retry-after": "0"})


@scenario(across=True)
async def api_error(stage: Stage) -> None:
    """The API answers 400."""
    stage.answer({"question": [Failure(400, "invalid_request_error", "no such thing")]})
    async with stage.sdk() as actor:
        await actor.turn("A question?")


@scenario()
async def api_errors(stage: Stage) -> None:
    """Errors that end a turn: no permission, no such model, too large, the credit used up."""
    stage.answer(
        {
            "first question": [Failure(403, "permission_error", "not yours")],
            "second question": [Failure(404, "not_found_error", "model: no-such-model")],
            "third question": [Failure(413, "request_too_large", "Request exceeds the maximum size")],
            "fourth question": [Failure(400, "invalid_request_error", "Your credit balance is too low")],
            "fifth question": [
                Failure(400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum")
            ],
        }
    )
    async with stage.raw() as client:
        for which in ("first", "second", "third", "fourth", "fifth"):
            await client.turn(f"The {which} question?")


@scenario()
async def api_unauthorized(stage: Stage) -> None:
    """The API does not accept the key."""
    stage.answer({"question": [Failure(401, "authentication_error", "invalid x-api-key")]})
    async with stage.sdk(env={"CLAUDE_CODE_MAX_RETRIES": "1"}) as actor:
        await actor.turn("A question?")


@scenario()
async def empty_answer(stage: Stage) -> None:
    """The model says nothing, and nothing again when it is asked to."""
    nothing = Reply((text(""),))
    stage.answer({"question": [nothing, nothing]})
    async with stage.raw() as client:
        await client.turn("A question?")


@scenario()
async def api_retry(stage: Stage) -> None:
    """The API is overloaded, limits the rate and fails before it answers."""
    stage.answer({"question": [Tries((OVERLOADED, BUSY, BROKEN, says("An answer at last.")))]})
    async with stage.sdk() as actor:
        await actor.turn("A question?")


@scenario()
async def api_retries_used_up(stage: Stage) -> None:
    """The API stays overloaded until Claude Code gives up."""
    stage.answer({"question": [OVERLOADED]})
    async with stage.sdk(env={"CLAUDE_CODE_MAX_RETRIES": "2"}) as actor:
        await actor.turn("A question?")


@scenario()
async def fallback_model(stage: Stage) -> None:
    """The model is overloaded; another one answers."""
    stage.answer({"question": [Tries((OVERLOADED, OVERLOADED, OVERLOADED, says("An answer of another.")))]})
    async with stage.sdk(model="claude-opus-4-5", fallback_model="claude-sonnet-4-5") as actor:
        await actor.turn("A question?")


@scenario(ordered=False)
async def api_dropped(stage: Stage) -> None:
    """The stream breaks off, and is asked for again."""
    broken = Dropped((text("This was going to be a long answer."),))
    stage.answer({"question": [Tries((broken, says("An answer.")))]})
    async with stage.sdk(include_partial_messages=True) as actor:
        await actor.turn("A question?")


@scenario()
async def refusal(stage: Stage) -> None:
    """The model refuses."""
    stage.answer({"question": [Reply((text("I"),), stop_reason="refusal")]})
    async with stage.raw() as client:
        await client.turn("A question?")


@scenario()
async def max_tokens(stage: Stage) -> None:
    """The answer is cut off at its longest."""
    cut = Reply((text("As long as it gets"),), stop_reason="max_tokens")
    stage.answer({"question": [cut, cut, cut, says("The end.")]})
    async with stage.raw() as client:
        await client.turn("A question?")


@scenario(across=True)
async def budget(stage: Stage) -> None:
    """Turns that stay within --max-turns 1, and one that does not."""
    stage.answer(
        {
            "first question": [says("An answer.")],
            "second question": [uses("Bash", command="echo one"), says("Never said.")],
        }
    )
    async with stage.sdk(max_turns=1) as actor:
        await actor.turn("A first question?")
        await actor.turn("A second question?")


@scenario(since="2.0.37")
async def budget_spent(stage: Stage) -> None:
    """A turn that costs more than it may."""
    dear = Reply((text("An answer."),), input_tokens=5_000_000)
    stage.answer({"first question": [dear], "second question": [dear]})
    async with stage.sdk(max_budget_usd=0.01) as actor:
        await actor.turn("A first question?")
        await actor.turn("A second question?")


@scenario(since="2.0.76")
async def structured_output_fails(stage: Stage) -> None:
    """A form that the model does not keep to, until Claude Code gives up."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    stage.answer({"largest city": [uses("StructuredOutput", town="Tokyo")] * 8})
    async with stage.sdk(
        output_format={"type": "json_schema", "schema": schema}, env={"MAX_STRUCTURED_OUTPUT_RETRIES": "2"}
    ) as actor:
        await actor.turn("What is the largest city?")


@scenario(across=True)
async def tool_fails(stage: Stage) -> None:
    """Tools that fail: a command, a missing file, wrong arguments, a tool that does not exist."""
    calls = [
        uses("Bash", command="ls no-such-file"),
        uses("Read", file_path=str(stage.project / "none.txt")),
        uses("Read"),
        uses("NoSuchTool", anything=1),
        says("Nothing worked."),
    ]
    stage.answer({"try all": calls})
    async with stage.sdk() as actor:
        await actor.turn("Please try all.")


@scenario(since="2.1.47")
async def lines_ignored(stage: Stage) -> None:
    """Lines that Claude Code passes over: blank, keep-alive, an answer that nobody waits for."""
    stage.answer({"question": [says("An answer.")]})
    late = {"subtype": "success", "request_id": "nobody", "response": {}}
    async with stage.raw() as client:
        await client.send_bytes(b"\n")
        await client.send({"type": "keep_alive"})
        await client.send({"type": "control_response", "response": late})
        await client.send({"type": "control_cancel_request", "request_id": "nobody"})
        await client.send({"type": "update_environment_variables", "variables": {"GREETING": "hello"}})
        await client.turn("A question?")
