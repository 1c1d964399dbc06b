"""Acting on a live session, as a program does."""

from pathlib import Path

import pytest

from proxy.client import AsyncClient
from proxy.client.errors import RequestError
from tests.server.conftest import serving
from tests.server.routes.test_acting import ASKS, Relay, listening

pytestmark = pytest.mark.anyio


async def test_a_question_is_answered(tmp_path: Path) -> None:
    """The question is found and answered in the caller's place; a refusal has its code."""
    async with serving(tmp_path) as rig, AsyncClient(str(rig.client.make_url("/"))) as client:
        relay = Relay(rig)
        with listening(relay):
            relay.passes("stdin", {"type": "user", "message": {"role": "user", "content": "go"}})
            relay.passes("stdout", ASKS)
            await rig.shared.catch_up()
            (question,) = (await client.questions("live")).questions
            assert question.input == ASKS["request"]["input"]  # type: ignore[index]
            told = await client.answer("live", question.request_id, allow=False, message="no")
            assert told.state == "sent"
            (asked,) = relay.asked
            assert (asked["action"], asked["args"]) == ("deny", {"request_id": "q", "message": "no"})
            assert (await client.interrupt("live", wait=0)).state == "sent"
            assert [one.action for one in (await client.actions("live")).actions] == ["interrupt", "deny"]
            relay.refusal = {"error": "already_answered", "message": "x", "by": "caller"}
            with pytest.raises(RequestError, match="already_answered"):
                await client.answer("live", question.request_id, allow=True)
        relay.log.close()
