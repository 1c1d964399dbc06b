"""Control requests from the client: every one that needs no service but the Messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rig.answers import Gate, says, uses
from tests.rig.scenarios.registry import scenario

if TYPE_CHECKING:
    from tests.rig.stage import Stage

QUEUED_ID = "2d7e4f3a-5b6c-4d8e-af90-1b2c3d4e5f6a"


@scenario(since="2.1.101")
async def control(stage: Stage) -> None:
    """MCP status, context usage, permission mode and model, by the Agent SDK's own calls."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.sdk() as actor:
        actor.keep("mcp status", await actor.client.get_mcp_status())
        actor.keep("context usage", await actor.client.get_context_usage())
        actor.keep("server info", await actor.client.get_server_info())
        await actor.client.set_permission_mode("acceptEdits")
        await actor.client.set_model("claude-haiku-4-5")
        await actor.turn("A question?")


@scenario(since="2.1.101")
async def control_facts(stage: Stage) -> None:
    """What Claude Code tells about itself: version, models, cost, usage, context."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw() as client:
        await client.control("initialize")
        await client.turn("A question?")
        await client.control("get_binary_version")
        await client.control("list_models")
        await client.control("get_session_cost")
        await client.control("get_usage", skip_behaviors=True)
        await client.control("get_context_usage", detail="summary")
        await client.control("get_status")
        await client.control("get_plan")


@scenario(since="2.1.101")
async def control_settings(stage: Stage) -> None:
    """Settings, permission rules and hooks: read and changed."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw() as client:
        await client.control("initialize")
        await client.control("get_settings")
        await client.control("get_hooks_listing")
        await client.control("list_permission_rules")
        await client.control("apply_flag_settings", settings={"outputStyle": "Explanatory"})
        await client.control(
            "update_settings", source="localSettings", settings={"permissions": {"allow": ["Bash(ls:*)"]}}
        )
        await client.control("list_permission_rules")
        await client.turn("A question?")


@scenario(since="2.0.76")
async def control_model(stage: Stage) -> None:
    """Model and thinking: set, and set back."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw() as client:
        await client.control("initialize")
        await client.control("set_model", model="claude-haiku-4-5")
        await client.control(
            "set_max_thinking_tokens", max_thinking_tokens=2048, thinking_display="summarized"
        )
        await client.turn("A question?")
        await client.control("set_model", model=None)
        await client.control("set_max_thinking_tokens", max_thinking_tokens=None)
        await client.turn("Another question?")


@scenario(since="2.1.101")
async def control_files(stage: Stage) -> None:
    """Files: read, suggested, said to be known; another folder added."""
    (stage.project / "some.txt").write_text("one\ntwo\n")
    (stage.surroundings.home / "more").mkdir()
    async with stage.raw() as client:
        await client.control("initialize")
        await client.control("read_file", path="some.txt")
        await client.control("read_file", path="some.txt", max_bytes=2, encoding="base64")
        await client.control("read_file", path="none.txt")
        await client.control("file_suggestions", query="some")
        await client.control("seed_read_state", path=str(stage.project / "some.txt"), mtime=1_700_000_000_000)
        await client.control("register_repo_root", directory=str(stage.surroundings.home / "more"))


@scenario(since="2.1.47")
async def control_reload(stage: Stage) -> None:
    """Plugins, skills and output styles read again."""
    async with stage.raw() as client:
        await client.control("initialize", appendSystemPrompt="Be brief.", supportedDialogKinds=[])
        await client.control("reload_plugins")
        await client.control("reload_skills")
        await client.control("reload_output_styles")
        await client.control("set_has_subscribers", has_subscribers=True)
        await client.control("initialize")


@scenario(ordered=False, since="2.1.101")
async def control_session(stage: Stage) -> None:
    """The session's title and colour, a question on the side, the end of the session."""
    stage.answer({"question": [says("An answer.")], "on the side": [says("A short one.")]})
    async with stage.raw() as client:
        await client.control("initialize")
        await client.turn("A question?")
        await client.control("rename_session", title="A title", source="host")
        await client.control("set_color", color="red")
        await client.control("generate_session_title", description="a talk about questions", persist=False)
        await client.control("side_question", question="And on the side?")
        await client.control("end_session", reason="done")


@scenario(since="2.1.101")
async def control_errors(stage: Stage) -> None:
    """Requests that Claude Code turns down: unknown, without what they need, about nothing."""
    async with stage.raw() as client:
        await client.control("initialize", hooks=None)
        await client.control("no_such_request")
        await client.control("stop_task", task_id="no-such-task")
        await client.control("mcp_toggle", serverName="no-such-server", enabled=True)
        await client.control("cancel_async_message", message_uuid=QUEUED_ID)


@scenario(ordered=False, since="2.1.47")
async def queued(stage: Stage) -> None:
    """A message that waits while a turn runs, and is withdrawn."""
    gate = Gate()
    stage.answer({"long story": [says("A very long story that takes its time. " * 5, gate=gate)]})
    async with stage.raw("--include-partial-messages") as client:
        await client.control("initialize")
        await client.say("Tell a long story.")
        await gate.reached()
        await client.say("And another one.", uuid=QUEUED_ID, priority="next")
        await client.control("cancel_async_message", message_uuid=QUEUED_ID)
        gate.open()
        await client.result()


@scenario()
async def not_a_query(stage: Stage) -> None:
    """A message that is for the record and asks nothing, then one that asks."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw() as client:
        await client.control("initialize")
        await client.turn("Just so that you know.", shouldQuery=False)
        await client.turn("A question?", timestamp="2026-01-02T03:04:05.678Z")


@scenario(since="2.1.101")
async def environment_update(stage: Stage) -> None:
    """The client changes environment variables in mid-session, before a tool runs."""
    stage.answer({"greet": [uses("Bash", command="printenv GREETING"), says("Greeted.")]})
    async with stage.raw("--allowedTools", "Bash") as client:
        await client.control("initialize")
        await client.send({"type": "update_environment_variables", "variables": {"GREETING": "hello"}})
        await client.turn("Please greet.")


@scenario(ordered=False, since="2.1.101")
async def control_dialogs(stage: Stage) -> None:
    """What the TypeScript SDK's hosts ask for to fill their dialogs, and small changes that they make."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw() as client:
        await client.control("initialize", promptSuggestions=False, forwardSubagentText=True)
        await client.turn("A question?")
        await client.control("get_memory_dialog")
        await client.control("get_skills_dialog")
        await client.control("get_sandbox_dialog")
        await client.control("export_conversation")
        await client.control("set_prompt_suggestions_paused", paused=True)
        await client.control("set_mcp_permission_mode_override", serverName="none", mode=None)
        await client.control("set_cwd", path=str(stage.project))


@scenario(since="2.0.37")
async def startup_marks(stage: Stage) -> None:
    """A client that follows Claude Code's start, and its authentication."""
    stage.answer({"question": [says("An answer.")]})
    env = {"CLAUDE_CODE_SDK_READS_STARTUP_MARKS": "1"}
    async with stage.raw("--enable-auth-status", env=env) as client:
        await client.control("initialize")
        await client.turn("A question?")


@scenario(since="2.1.173")
async def agents_and_prompts_given(stage: Stage) -> None:
    """An initialize request that says nearly all it can say."""
    stage.answer({"question": [says("An answer.")]})
    agent = {"description": "Counts things", "prompt": "You count.", "tools": ["Bash"], "model": "inherit"}
    async with stage.raw() as client:
        await client.control(
            "initialize",
            hooks={"PreToolUse": [{"matcher": None, "hookCallbackIds": ["one"], "timeout": 5}]},
            sdkMcpServers=[],
            jsonSchema={"type": "object", "properties": {"city": {"type": "string"}}},
            systemPrompt=["You answer questions."],
            appendSystemPrompt="Be brief.",
            planModeInstructions="Plan well.",
            toolAliases={},
            excludeDynamicSections=True,
            agents={"counter": agent},
            title="A title",
            promptSuggestions=False,
            agentProgressSummaries=False,
        )
        await client.turn("A question?")


@scenario(since="2.1.332")
async def prompt_being_typed(stage: Stage) -> None:
    """The client tells that a prompt is being typed, and then sends it."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw() as client:
        await client.control("initialize")
        await client.control("prompt_draft_activity")
        await client.turn("A question?")
