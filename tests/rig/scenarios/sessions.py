"""Sessions over time: resumed, forked, continued, compacted, cleared, mirrored, rewound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_agent_sdk import InMemorySessionStore, ResultMessage

from tests.rig.answers import says
from tests.rig.scenarios.permissions import write_file
from tests.rig.scenarios.registry import scenario

if TYPE_CHECKING:
    from tests.rig.stage import Stage

ANSWERS = {"first question": [says("The first answer.")], "second question": [says("The second answer.")]}
SESSION_ID = "0b5c2d1e-3f4a-4b6c-8d7e-9f0a1b2c3d4e"
PROMPT_ID = "1c6d3e2f-4a5b-4c7d-9e8f-0a1b2c3d4e5f"


async def one_turn(stage: Stage) -> str:
    """Have a session of one turn; return its id."""
    stage.answer(ANSWERS)
    async with stage.sdk() as actor:
        result = await actor.turn("A first question?")
    assert isinstance(result, ResultMessage)
    return result.session_id


@scenario()
async def resume(stage: Stage) -> None:
    """A session that is taken up again by another process."""
    session_id = await one_turn(stage)
    async with stage.sdk(resume=session_id) as actor:
        await actor.turn("A second question?")


@scenario()
async def fork(stage: Stage) -> None:
    """A session that is taken up again as a copy with an id of its own."""
    session_id = await one_turn(stage)
    async with stage.sdk(resume=session_id, fork_session=True) as actor:
        await actor.turn("A second question?")


@scenario()
async def continued(stage: Stage) -> None:
    """The last session of a folder is continued."""
    await one_turn(stage)
    async with stage.sdk(continue_conversation=True) as actor:
        await actor.turn("A second question?")


@scenario(since="2.1.47")
async def session_id_given(stage: Stage) -> None:
    """The client chooses the session's id, and its title."""
    stage.answer(ANSWERS)
    async with stage.raw("--session-id", SESSION_ID) as client:
        await client.control("initialize", title="A title")
        await client.turn("A first question?")
        await client.control("rename_session", title="Another title")


@scenario()
async def resume_unknown(stage: Stage) -> None:
    """A session that does not exist cannot be resumed."""
    async with stage.raw("--resume", SESSION_ID) as client:
        await client.close()


@scenario(across=True)
async def compact(stage: Stage) -> None:
    """A conversation is compacted, and goes on."""
    stage.answer(ANSWERS)
    async with stage.sdk(include_partial_messages=True) as actor:
        await actor.turn("A first question?")
        await actor.turn("/compact keep the answers")
        await actor.turn("A second question?")


@scenario()
async def clear(stage: Stage) -> None:
    """A conversation is cleared, and another begins in the same process."""
    stage.answer(ANSWERS)
    async with stage.raw() as client:
        await client.control("initialize")
        await client.turn("A first question?")
        await client.turn("/clear")
        await client.turn("A second question?")


@scenario(ordered=False, since="2.1.101")
async def session_mirror(stage: Stage) -> None:
    """The client keeps the transcript itself."""
    stage.answer(ANSWERS)
    # The SDK must know the folder that Claude Code writes to, so as to tell what belongs to the session.
    env = {"CLAUDE_CONFIG_DIR": str(stage.surroundings.home / ".claude")}
    async with stage.sdk(session_store=InMemorySessionStore(), env=env) as actor:
        await actor.turn("A first question?")


@scenario(since="2.0.76")
async def not_persisted(stage: Stage) -> None:
    """A session that leaves nothing on disk, told that it runs remotely."""
    stage.answer(ANSWERS)
    async with stage.raw("--no-session-persistence", env={"CLAUDE_CODE_REMOTE": "true"}) as client:
        await client.control("initialize")
        await client.turn("A first question?")


@scenario(since="2.0.76")
async def rewind(stage: Stage) -> None:
    """Files are put back to where they were before a prompt."""
    stage.answer({"write it": [write_file(stage), says("Written.")]})
    env = {"CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING": "true"}
    async with stage.raw("--replay-user-messages", "--permission-mode", "acceptEdits", env=env) as client:
        await client.control("initialize")
        await client.turn("Please write it.", uuid=PROMPT_ID)
        await client.control("rewind_files", user_message_id=PROMPT_ID, dry_run=True)
        await client.control("rewind_files", user_message_id=PROMPT_ID)
        await client.control("rewind_files", user_message_id=SESSION_ID)
