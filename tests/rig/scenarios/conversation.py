"""Talking: turns, partial messages, thinking, what a prompt may carry, interrupting, slash commands."""

from __future__ import annotations

import base64
import os
import zlib
from struct import pack
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from tests.rig.answers import Gate, Reply, redacted_thinking, says, text, thinking, tool, uses
from tests.rig.scenarios.registry import scenario

if TYPE_CHECKING:
    from tests.rig.stage import Stage

MESSAGE_ID = "6a1f0c52-7d1e-4c58-9a57-0c8d2f3e4b61"


def png(width: int = 2, height: int = 2) -> str:
    """Return a red image as base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\xff\0\0" * width for _ in range(height))
    header = pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()


def pdf() -> str:
    """Return an empty one-page document as base64."""
    page = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    )
    return base64.b64encode(page).decode()


@scenario()
async def simple(stage: Stage) -> None:
    """Two turns."""
    stage.answer({"first question": [says("The first answer.")], "second question": [says("The second.")]})
    async with stage.sdk() as actor:
        await actor.turn("A first question?")
        await actor.turn("And a second question?")


@scenario(across=True)
async def partial(stage: Stage) -> None:
    """One turn with partial messages."""
    stage.answer({"tell a story": [says("Once upon a time there was a protocol, and it grew and grew.")]})
    async with stage.sdk(include_partial_messages=True) as actor:
        await actor.turn("Please tell a story.")


@scenario(across=True)
async def raw_simple(stage: Stage) -> None:
    """Two turns of a client that sends no initialize, no ids and no parent_tool_use_id."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw() as client:
        await client.turn("A question?")
        await client.turn([{"type": "text", "text": "Another question?"}])


@scenario()
async def prompt_on_command_line(stage: Stage) -> None:
    """The prompt comes as an argument; standard input carries nothing."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw(
        "--print", "--output-format", "stream-json", "--verbose", "A question?", streaming=False
    ) as client:
        await client.close()


@scenario(since="2.1.101")
async def thinking_partial(stage: Stage) -> None:
    """A turn with thinking, streamed."""
    blocks = (thinking("Let me think about this for a while, step by step."), text("Forty-two."))
    stage.answer({"the answer": [Reply(blocks)]})
    async with stage.sdk(
        include_partial_messages=True,
        thinking={"type": "enabled", "budget_tokens": 2048, "display": "summarized"},
    ) as actor:
        await actor.turn("What is the answer?")


@scenario(since="2.0.37")
async def thinking_redacted(stage: Stage) -> None:
    """A turn whose thinking the client cannot read, before a tool and after it."""
    first = Reply((redacted_thinking(), tool("Bash", command="echo one")), stop_reason="tool_use")
    stage.answer({"think secretly": [first, Reply((redacted_thinking(), text("One.")))]})
    async with stage.sdk(max_thinking_tokens=2048) as actor:
        await actor.turn("Please think secretly.")


@scenario(ordered=False)
async def several_blocks(stage: Stage) -> None:
    """One answer of several blocks, two of them tools that run side by side."""
    blocks = (text("Two at once."), tool("Bash", command="echo one"), tool("Bash", command="echo two"))
    stage.answer({"both": [Reply(blocks, stop_reason="tool_use"), says("Both are done.")]})
    async with stage.sdk(include_partial_messages=True) as actor:
        await actor.turn("Run both, please.")


@scenario()
async def unusual_text(stage: Stage) -> None:
    """Text with line separators, other scripts, emoji, quotes and control characters, in both directions."""
    words = 'line\u2028separator\u2029 zażółć 漢字 \U0001f980 "quoted" back\\slash \t tab \u0007 bell \x7f'
    stage.answer({"unusual": [says(words)]})
    async with stage.sdk() as actor:
        await actor.turn(f"unusual: {words}")


@scenario()
async def image(stage: Stage) -> None:
    """A prompt with an image, beside text."""
    stage.answer({"picture": [says("It is red.")]})
    source = {"type": "base64", "media_type": "image/png", "data": png()}
    async with stage.raw() as client:
        await client.turn(
            [{"type": "image", "source": source}, {"type": "text", "text": "What picture is it?"}]
        )


@scenario()
async def document(stage: Stage) -> None:
    """A prompt with a PDF and a text document."""
    stage.answer({"documents": [says("They are short.")]})
    pages = {"type": "base64", "media_type": "application/pdf", "data": pdf()}
    words = {"type": "text", "media_type": "text/plain", "data": "A plain document."}
    content: list[dict[str, Any]] = [
        {"type": "document", "source": pages, "title": "Pages"},
        {"type": "document", "source": words, "context": "for comparison", "citations": {"enabled": True}},
        {"type": "text", "text": "Compare the documents."},
    ]
    async with stage.raw() as client:
        await client.turn(content)


@scenario()
async def image_read(stage: Stage) -> None:
    """A tool result that is an image."""
    stage.answer({"look at it": [uses("Read", file_path=str(stage.project / "red.png")), says("Red.")]})
    (stage.project / "red.png").write_bytes(base64.b64decode(png(16, 16)))
    async with stage.sdk() as actor:
        await actor.turn("Please look at it.")


@scenario(since="2.0.76")
async def structured_output(stage: Stage) -> None:
    """An answer in a form that the client has asked for."""
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
        "required": ["city", "people"],
    }
    stage.answer({"largest city": [uses("StructuredOutput", city="Tokyo", people=37), says("Tokyo.")]})
    async with stage.sdk(output_format={"type": "json_schema", "schema": schema}) as actor:
        await actor.turn("What is the largest city?")


@scenario()
async def replay(stage: Stage) -> None:
    """User messages with ids of their own, which Claude Code repeats and whose course it reports."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw("--replay-user-messages") as client:
        await client.control("initialize")
        await client.turn("A question?", uuid=MESSAGE_ID, session_id="", parent_tool_use_id=None)


@scenario(since="2.1.173")
async def session_states(stage: Stage) -> None:
    """A client that asks for session states, tool summaries and suggestions."""
    stage.answer({"run it": [uses("Bash", command="echo one"), says("Done.")]})
    env = {
        "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1",
        "CLAUDE_CODE_EMIT_TOOL_USE_SUMMARIES": "1",
    }
    async with stage.raw("--prompt-suggestions", "true", env=env) as client:
        await client.control("initialize", promptSuggestions=True)
        await client.turn("Please run it.")
        await client.until(lambda m: m.get("subtype") == "session_state_changed" and m["state"] == "idle")


@scenario(ordered=False, across=True)
async def interrupt(stage: Stage) -> None:
    """An interrupt in mid-stream, then another turn."""
    gate = Gate()
    long = says("A very long story that nobody wants to hear to its end. " * 20, gate=gate)
    stage.answer({"long story": [long], "short one": [says("The end.")]})
    async with stage.sdk(include_partial_messages=True) as actor:
        await actor.client.query("Tell a long story.")
        await actor.until_streaming()
        await actor.client.interrupt()
        gate.open()
        await actor.result()
        await actor.turn("Now a short one.")


@scenario(ordered=False)
async def interrupt_partial(stage: Stage) -> None:
    """An interrupt in mid-stream with partial messages and another message waiting, which lives on."""
    gate = Gate()
    long = says("A very long story that nobody wants to hear to its end. " * 20, gate=gate)
    stage.answer({"long story": [long], "short one": [says("The end.")]})
    async with stage.raw("--include-partial-messages") as client:
        await client.control("initialize")
        await client.say("Tell a long story.")
        await client.until(
            lambda m: m["type"] == "stream_event" and m["event"]["type"] == "content_block_delta"
        )
        await client.say("Now a short one.", uuid=MESSAGE_ID)
        await client.control("interrupt")
        gate.open()
        await client.result()
        await client.result()


@scenario(ordered=False)
async def interrupt_tool(stage: Stage) -> None:
    """An interrupt while a tool runs."""
    stage.answer({"wait for it": [uses("Bash", command="echo started > flag; sleep 60")]})
    flag = stage.project / "flag"
    os.mkfifo(flag)  # reading it waits until the tool runs
    async with stage.raw("--permission-mode", "bypassPermissions", env={"IS_SANDBOX": "1"}) as client:
        await client.control("initialize")
        await client.say("Please wait for it.")
        await client.until(lambda m: m["type"] == "assistant")
        with anyio.fail_after(30):
            await anyio.to_thread.run_sync(flag.read_bytes, abandon_on_cancel=True)
        await client.control("interrupt")
        await client.result()


@scenario()
async def interrupt_idle(stage: Stage) -> None:
    """An interrupt when nothing runs."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw() as client:
        await client.control("initialize")
        await client.control("interrupt", cancel_queued=True)
        await client.turn("A question?")


@scenario()
async def slash(stage: Stage) -> None:
    """Slash commands that need no model: /context, /cost, one that does not exist."""
    async with stage.sdk() as actor:
        await actor.turn("/context")
        await actor.turn("/cost")
        await actor.turn("/no-such-command")


@scenario()
async def slash_custom(stage: Stage) -> None:
    """A slash command of the project's own, with arguments."""
    stage.answer({"Greet Ada": [says("Hello Ada.")]})
    commands = stage.project / ".claude/commands"
    commands.mkdir(parents=True)
    (commands / "greet.md").write_text("---\ndescription: Greets\n---\nGreet $ARGUMENTS politely.\n")
    async with stage.sdk(setting_sources=["project"]) as actor:
        await actor.turn("/greet Ada")


@scenario(fixture=False)
async def large_prompt(stage: Stage) -> None:
    """A prompt and an answer of a megabyte each."""
    words = "All work and no play makes a dull protocol. " * 24_000
    stage.answer({"repeat this": [says(words)]})
    async with stage.raw() as client:
        await client.turn("Please repeat this: " + words)


@scenario(fixture=False)
async def many_deltas(stage: Stage) -> None:
    """A long answer in hundreds of partial messages."""
    stage.answer({"at length": [says("word " * 4_000)]})
    async with stage.raw("--include-partial-messages") as client:
        await client.turn("Please speak at length.")
