"""The Python Agent SDK and the wrapper: the shim as cli_path, enforcement, an unusable data directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeSDKClient,
    PermissionResultDeny,
    ResultMessage,
    query,
)

from tests.end_to_end.checks import assert_faithful, unexpected_verdicts
from tests.rig.answers import says, uses
from tests.rig.environment import Surroundings
from tests.rig.stage import Stage
from tests.rig.wrapping import Wrapped, claude_proxy, read_logs
from tests.tiers import first_in_short

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claude_agent_sdk.types import ToolPermissionContext

    from tests.rig.messages_api import MessagesApi
    from tests.rig.raw_client import RawClient

pytestmark = pytest.mark.anyio

ANSWERS = {"first question": [says("The first answer.")], "second question": [says("The second answer.")]}


@pytest.fixture
def enforcing(api: MessagesApi, claude: Path, tmp_path: Path) -> tuple[Stage, Wrapped]:
    """A stage whose wrapper holds back what is invalid."""
    wrapped = Wrapped(tmp_path, claude, ["--validation", "enforce"])
    return Stage(api, wrapped.command, Surroundings(tmp_path / "home")), wrapped


async def test_query_with_a_shim(stage: Stage, claude: Path, tmp_path: Path) -> None:
    """With the executable of `claude-proxy shim` as cli_path, `query()` works and is on record."""
    await anyio.run_process([*claude_proxy(), "shim", str(tmp_path), "--claude", str(claude)])
    stage.answer(ANSWERS)
    env = {"CLAUDE_PROXY_SERVER": "off", "CLAUDE_PROXY_DATA_DIR": str(tmp_path / "data")}
    stage.command = tmp_path / "claude"
    options = stage.options(env=env)

    texts = [
        block.text
        async for message in query(prompt="A first question?", options=options)
        if isinstance(message, AssistantMessage)
        for block in message.content
        if hasattr(block, "text")
    ]

    assert texts == ["The first answer."]
    (log,) = read_logs(tmp_path / "data")
    assert unexpected_verdicts(log) == []
    assert log.event("session_started")["command"][0] == str(claude)
    assert log.event("session_ended")["exit_code"] == 0


async def test_enforced_session_of_the_sdk_is_not_disturbed(enforcing: tuple[Stage, Wrapped]) -> None:
    """Enforcement changes nothing for a released client: what it sends is valid."""
    stage, wrapped = enforcing
    path = str(stage.project / "a.txt")
    stage.answer({"write it": [uses("Write", file_path=path, content="x"), says("Not written.")], **ANSWERS})

    async def deny(name: str, data: dict[str, Any], _: ToolPermissionContext) -> PermissionResultDeny:
        return PermissionResultDeny(message="not today")

    async with stage.sdk(can_use_tool=deny, include_partial_messages=True) as actor:
        await actor.turn("Please write it.")
        await actor.client.set_permission_mode("acceptEdits")
        result = await actor.turn("A first question?")

    assert isinstance(result, ResultMessage)
    assert result.result == "The first answer."
    assert_faithful(wrapped)
    assert [line for log in wrapped.logs() for line in unexpected_verdicts(log)] == []


async def test_enforcement_answers_a_wrong_control_request(enforcing: tuple[Stage, Wrapped]) -> None:
    """An invalid control request gets an error answer to its id, never arrives; the next turn works."""
    stage, wrapped = enforcing
    stage.answer(ANSWERS)
    async with stage.raw() as client:
        await client.control("initialize")
        refused = await client.control("set_permission_mode", mode=17)
        result = await client.turn("A first question?")

    assert refused["subtype"] == "error"
    assert "mode" in refused["error"]
    assert result["result"] == "The first answer."
    assert held_back(wrapped) == [{"subtype": "set_permission_mode", "mode": 17}]


WRONG_PROMPTS: list[Callable[[RawClient], Any]] = [
    lambda client: client.send({"type": "user"}),
    lambda client: client.send({"type": "user", "message": "just text"}),
    lambda client: client.send({"type": "user", "message": {"role": "user", "content": 7}}),
]


@pytest.mark.parametrize(
    "wrong", first_in_short(WRONG_PROMPTS), ids=["no message", "message is text", "content is a number"]
)
async def test_enforcement_answers_a_wrong_prompt(
    wrong: Callable[[RawClient], Any], enforcing: tuple[Stage, Wrapped]
) -> None:
    """An invalid user message gets an error result and never arrives; the next turn works."""
    stage, wrapped = enforcing
    stage.answer(ANSWERS)
    async with stage.raw() as client:
        await client.control("initialize")
        await client.turn("A first question?")
        await wrong(client)
        refused = await client.result()
        result = await client.turn("A second question?")

    assert refused["is_error"] is True
    assert refused["subtype"] == "error_during_execution"
    assert "claude-proxy" in refused["errors"][0]
    assert refused["session_id"] == result["session_id"]
    assert result["result"] == "The second answer."
    assert len(held_back(wrapped)) == 1
    assert client.process.returncode == 0


@pytest.mark.slow
async def test_sdk_client_gets_the_error_result(enforcing: tuple[Stage, Wrapped]) -> None:
    """The Agent SDK reads the wrapper's error result as a ResultMessage, and goes on to the next turn."""
    stage, _ = enforcing
    stage.answer(ANSWERS)

    async def wrong_prompt() -> Any:
        yield {
            "type": "user",
            "message": {"role": "user", "content": {"not": "content"}},
            "parent_tool_use_id": None,
        }

    async with ClaudeSDKClient(stage.options()) as client:
        await client.query(wrong_prompt())
        refused = [message async for message in client.receive_response()][-1]
        await client.query("A second question?")
        result = [message async for message in client.receive_response()][-1]

    assert isinstance(refused, ResultMessage)
    assert refused.is_error
    assert isinstance(result, ResultMessage)
    assert result.result == "The second answer."


@pytest.mark.slow
async def test_observed_session_goes_on_after_an_invalid_message(stage: Stage, wrapped: Wrapped) -> None:
    """Without enforcement an invalid request passes and is judged; Claude Code answers it itself."""
    stage.answer(ANSWERS)
    async with stage.raw() as client:
        await client.control("initialize")
        answer = await client.control("set_permission_mode", mode=17)
        await client.turn("A first question?")

    assert answer["subtype"] == "error"
    assert_faithful(wrapped)
    (log,) = wrapped.logs()
    (invalid,) = [record for record in log.lines("stdin") if record.verdict == "invalid"]
    assert invalid.errors is not None
    assert invalid.errors[0]["path"] == "/request/mode"
    assert set(invalid.errors[0]) >= {"path", "message", "keyword"}


@pytest.mark.slow
async def test_validation_off_records_without_verdicts(
    api: MessagesApi, claude: Path, tmp_path: Path
) -> None:
    """`--validation off`: every line is on record, none has a verdict."""
    wrapped = Wrapped(tmp_path, claude, ["--validation", "off"])
    stage = Stage(api, wrapped.command, Surroundings(tmp_path / "home"))
    stage.answer(ANSWERS)
    async with stage.sdk() as actor:
        await actor.turn("A first question?")

    (log,) = wrapped.logs()
    (inside,) = wrapped.inside()
    assert b"".join(r.line + b"\n" for r in log.lines("stdin")) == inside.stdin
    assert b"".join(r.line + b"\n" for r in log.lines("stdout")) == inside.stdout
    assert {r.verdict for stream in ("stdin", "stdout") for r in log.lines(stream)} == {None}


@pytest.mark.slow
async def test_unusable_data_directory_disturbs_nothing(
    api: MessagesApi, claude: Path, tmp_path: Path
) -> None:
    """Where nothing can be recorded, the session takes place all the same."""
    (tmp_path / "data").write_text("a file where a folder should be")
    wrapped = Wrapped(tmp_path, claude)
    stage = Stage(api, wrapped.command, Surroundings(tmp_path / "home"))
    stage.answer(ANSWERS)
    async with stage.sdk() as actor:
        result = await actor.turn("A first question?")

    assert isinstance(result, ResultMessage)
    assert result.result == "The first answer."
    (outside,), (inside,) = wrapped.outside(), wrapped.inside()
    assert (outside.stdin, outside.stdout, outside.exit) == (inside.stdin, inside.stdout, inside.exit)


async def test_credentials_are_kept_out_of_the_record_only(stage: Stage, wrapped: Wrapped) -> None:
    """Tokens in environment updates and MCP settings reach Claude Code, and are replaced in the log."""
    secret = "tok-0123456789abcdef"
    server = {"type": "stdio", "command": "true", "env": {"SERVICE_TOKEN": secret}}
    stage.answer(ANSWERS)
    async with stage.raw("--mcp-config", json.dumps({"mcpServers": {"one": server}})) as client:
        await client.control("initialize")
        await client.send({"type": "update_environment_variables", "variables": {"API_TOKEN": secret}})
        await client.control("mcp_set_servers", servers={"two": server})
        await client.turn("A first question?")

    (inside,) = wrapped.inside()
    (log,) = wrapped.logs()
    assert inside.stdin.count(secret.encode()) == 2
    assert any(secret in argument for argument in inside.argv)
    stdin = [record for record in log.lines("stdin") if record.redacted]
    assert [record.redacted for record in stdin] == [
        ["/message/variables/API_TOKEN"],
        ["/message/request/servers/two/env/SERVICE_TOKEN"],
    ]
    assert secret.encode() not in b"".join(record.line for record in log.lines("stdin"))
    assert secret not in json.dumps(log.event("session_started"))


async def test_one_name_for_the_session_in_log_and_child(stage: Stage, wrapped: Wrapped) -> None:
    """Claude Code's own tools see the session's id in their environment: the one that its log bears."""
    stage.answer({"tell me": [uses("Bash", command="printenv CLAUDE_PROXY_SESSION_ID"), says("There.")]})
    async with stage.sdk(allowed_tools=["Bash"]) as actor:
        await actor.turn("Please tell me.")

    (log,) = wrapped.logs()
    assert f'"{log.path.stem}"' in json.dumps(actor.seen, default=str)


def held_back(wrapped: Wrapped) -> list[Any]:
    """Return the messages that were not passed on; check that they never arrived and that all others did."""
    (log,), (inside,) = wrapped.logs(), wrapped.inside()
    held = [record for record in log.lines("stdin") if not record.forwarded]
    passed = [record.line for record in log.lines("stdin") if record.forwarded]
    assert b"".join(line + b"\n" for line in passed) == inside.stdin
    messages = [json.loads(record.line) for record in held]
    return [message.get("request", message) for message in messages]
