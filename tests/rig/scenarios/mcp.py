"""MCP servers: in the client, as processes of their own, failing, asking, changed in mid-session."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import create_sdk_mcp_server, tool

from tests.rig.answers import says, uses
from tests.rig.scenarios.registry import scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rig.raw_client import Message
    from tests.rig.stage import Stage

SERVER = Path(__file__).parents[1] / "stdio_mcp_server.py"


@tool("add", "Add two numbers", {"a": float, "b": float})
async def add(arguments: dict[str, Any]) -> dict[str, Any]:
    """Add, in the client's own process."""
    return {"content": [{"type": "text", "text": str(arguments["a"] + arguments["b"])}]}


@tool("big", "Return a large text", {"size": int})
async def big(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a text of so many characters."""
    return {"content": [{"type": "text", "text": "0123456789" * (arguments["size"] // 10)}]}


@tool("fail", "Always fails", {})
async def fail(arguments: dict[str, Any]) -> dict[str, Any]:
    """Raise, as a faulty tool does."""
    raise ValueError("the tool is broken")


def calculator() -> Any:
    """Return a server of the client's own process."""
    return create_sdk_mcp_server("calc", tools=[add, big, fail])


def stdio_server(stage: Stage) -> dict[str, Any]:
    """Return the configuration of a server that is a process of its own, and put it into the project."""
    shutil.copyfile(SERVER, stage.project / "server.py")
    return {"type": "stdio", "command": "python3", "args": ["-I", "-S", "server.py"]}


def mcp_config(stage: Stage) -> tuple[str, ...]:
    """Return the options that give Claude Code the stdio server, and leave to use it."""
    servers = {"mcpServers": {"sums": stdio_server(stage)}}
    return ("--mcp-config", json.dumps(servers), "--allowedTools", "mcp__sums")


@scenario(ordered=False, across=True)
async def sdk_mcp(stage: Stage) -> None:
    """An in-process MCP server, reached through the client."""
    stage.answer({"add them": [uses("mcp__calc__add", a=2, b=3), says("Five.")]})
    async with stage.sdk(mcp_servers={"calc": calculator()}, allowed_tools=["mcp__calc__add"]) as actor:
        await actor.turn("Please add them.")


@scenario(ordered=False)
async def sdk_mcp_fails(stage: Stage) -> None:
    """An in-process tool that raises."""
    stage.answer({"try it": [uses("mcp__calc__fail"), says("It failed.")]})
    async with stage.sdk(mcp_servers={"calc": calculator()}, allowed_tools=["mcp__calc"]) as actor:
        await actor.turn("Please try it.")


@scenario(fixture=False, ordered=False)
async def large_tool_result(stage: Stage) -> None:
    """An in-process tool whose result has five megabytes."""
    stage.answer({"a lot": [uses("mcp__calc__big", size=5_000_000), says("That was a lot.")]})
    async with stage.sdk(
        mcp_servers={"calc": calculator()}, allowed_tools=["mcp__calc"], max_buffer_size=64 * 2**20
    ) as actor:
        await actor.turn("Please give me a lot.")


@scenario(ordered=False)
async def mcp_stdio(stage: Stage) -> None:
    """An MCP server that is a process: a result with structure, an image, an error."""
    calls = [
        uses("mcp__sums__add", a=2, b=3),
        uses("mcp__sums__picture"),
        uses("mcp__sums__fail"),
        says("Five."),
    ]
    stage.answer({"add them": calls})
    async with stage.sdk(mcp_servers={"sums": stdio_server(stage)}, allowed_tools=["mcp__sums"]) as actor:
        await actor.turn("Please add them.")


@scenario(ordered=False)
async def mcp_elicitation(stage: Stage) -> None:
    """An MCP server that asks the user; once the client answers, once it declines."""
    stage.answer({"ask me": [uses("mcp__sums__ask"), uses("mcp__sums__ask"), says("Hello.")]})
    replies: Iterator[Message] = iter(
        [{"action": "accept", "content": {"name": "Ada"}}, {"action": "decline"}]
    )
    async with stage.raw(*mcp_config(stage), answers={"elicitation": lambda _: next(replies)}) as client:
        await client.control("initialize")
        await client.turn("Please ask me.")


@scenario(ordered=False, since="2.1.20")
async def mcp_failed(stage: Stage) -> None:
    """MCP servers that cannot be reached: no such program, and one that ends at once."""
    stage.answer({"question": [says("An answer.")]})
    servers = {
        "missing": {"type": "stdio", "command": "no-such-program"},
        "ending": {"type": "stdio", "command": "false"},
    }
    async with stage.raw("--mcp-config", json.dumps({"mcpServers": servers})) as client:
        await client.control("initialize")
        await client.turn("A question?")
        await client.control("mcp_status")
        await client.control("mcp_reconnect", serverName="ending")
        await client.control("mcp_reconnect", serverName="no-such-server")


@scenario(ordered=False, since="2.1.47")
async def mcp_control(stage: Stage) -> None:
    """Control requests about MCP servers: status, call, resource, off and on, another set."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw(*mcp_config(stage)) as client:
        await client.control("initialize")
        await client.turn("A question?")
        await client.control("mcp_status")
        await client.control("mcp_call", tool="mcp__sums__add", arguments={"a": 2, "b": 3})
        await client.control("mcp_call", tool="mcp__sums__nothing", arguments={})
        await client.control("mcp_read_resource", serverName="sums", uri="ui://sums/page")
        await client.control("mcp_toggle", serverName="sums", enabled=False)
        await client.control("mcp_toggle", serverName="sums", enabled=True)
        await client.control("mcp_reconnect", serverName="sums")
        await client.control("mcp_set_servers", servers={"more": stdio_server(stage)})
        await client.control("mcp_set_servers", servers={})
        await client.control("mcp_status", liveReply=True)


@scenario(since="2.1.332")
async def mcp_call_soft_error(stage: Stage) -> None:
    """A tool that fails, called by a control request: an error, or its result where that is asked for."""
    async with stage.raw(*mcp_config(stage)) as client:
        await client.control("initialize")
        await client.control("mcp_call", tool="mcp__sums__fail", arguments={})
        await client.control("mcp_call", tool="mcp__sums__fail", arguments={}, soft_error_result=True)
        for tool in ("add", "fail"):
            call = {"tool": f"mcp__sums__{tool}", "arguments": {"a": 2, "b": 3}, "timeout_ms": 10_000}
            await client.control("mcp_call", **call, soft_error_result=True)
