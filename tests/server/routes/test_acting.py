"""Acting through the API: forwarded, refused with a code, done once for a key, told by what the wire shows."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from proxy.acting.address import listen
from proxy.server.access import guard
from proxy.server.access.tokens import TokenFile
from proxy.server.routes import acting
from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.writer import SessionLog
from proxy.store.model import EventQuery, Page
from tests.acting.relays import answering
from tests.server.conftest import Rig, serving

pytestmark = pytest.mark.anyio
SESSION = "/api/v1/monitoring/sessions/live"
ACTIONS, QUESTIONS = f"{SESSION}/actions", f"{SESSION}/questions"
COMMAND = ["claude", "--input-format", "stream-json", "--permission-prompt-tool", "stdio"]
ASKS = {
    "type": "control_request",
    "request_id": "q",
    "request": {
        "subtype": "can_use_tool",
        "tool_name": "Write",
        "tool_use_id": "t1",
        "input": {"file_path": "/a", "content": "x" * 5000},
        "permission_suggestions": [{"type": "setMode", "mode": "acceptEdits", "destination": "session"}],
    },
}
ANSWER_S = 30
"""Longer than anything takes here."""


class Relay:
    """A session that goes on, and what its relay does: it records what it is asked, or refuses."""

    def __init__(self, rig: Rig, grant: str = "full", command: list[str] = COMMAND) -> None:
        self.rig, self.asked = rig, list[dict[str, Any]]()
        self.refusal: dict[str, Any] | None = None
        data = {"format": 1, "command": command, "pid": 7, "acting": {"grant": grant}}
        self.log = SessionLog(str(rig.data_dir), "live", lifecycle("live", "session_started", data))
        self.log.append([])
        self.streams = {name: StreamRecords("live", name) for name in ("stdin", "stdout")}

    def passes(self, stream: str, message: dict[str, Any], **about: Any) -> None:
        """Let a message pass."""
        self.log.append([self.streams[stream].message(json.dumps(message).encode(), "valid", **about)])

    def event(self, event_type: str, **data: Any) -> int:
        """Record something of the wrapper's own; return its number."""
        seq = self.log.append_numbered([lifecycle("live", event_type, data)])
        assert seq is not None
        return seq

    def exits(self) -> None:
        """Let the command exit, as the relay says it."""
        self.event("command_exited", exit_code=0)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request as a relay does."""
        self.asked.append(request)
        if self.refusal is not None:
            return {"ok": False, **self.refusal}
        about = {name: request[name] for name in ("action_id", "action", "args", "by")}
        return {"ok": True, "seq": self.event("action", **about)}


def listening(relay: Relay) -> AbstractContextManager[None]:
    """Listen where a relay does."""
    return answering(
        relay.rig.data_dir, "live", lambda line: json.dumps(relay.answer(json.loads(line))).encode() + b"\n"
    )


@contextlib.asynccontextmanager
async def live(tmp_path: Path, grant: str = "full", **sections: Any) -> AsyncIterator[Relay]:
    """Serve a session that goes on, whose relay listens."""
    async with serving(tmp_path, **sections) as rig:
        relay = Relay(rig, grant)
        with listening(relay):
            yield relay
        relay.log.close()


async def until(rig: Rig, path: str, wanted: Any) -> Any:
    """Ask until the answer is as wanted, and return it."""
    async with asyncio.timeout(ANSWER_S):
        while not wanted(found := await rig.get(path)):  # noqa: ASYNC110 - the index follows the log, and tells nobody
            await asyncio.sleep(0.01)
    return found


async def test_an_action_is_forwarded(tmp_path: Path) -> None:
    """With its author and the token that was given; it is `sent`, and its record is named."""
    async with live(tmp_path) as relay:
        token = TokenFile(str(tmp_path)).create("phone", ["act"])
        header = {"Authorization": f"Bearer {token}"}
        wanted = {"action": "deny", "request_id": "q", "message": "no"}
        told = await relay.rig.post(ACTIONS, wanted, status=202, headers=header, schema="api/action_answer")
        (asked,) = relay.asked
        assert told == {"action_id": asked["action_id"], "seq": 1, "state": "sent"}
        assert (asked["action"], asked["args"]) == ("deny", {"request_id": "q", "message": "no"})
        assert asked["by"] == {"kind": "api", "name": "phone", "address": "127.0.0.1"}
        assert asked["token"] == token
        await relay.rig.post(ACTIONS, {"action": "interrupt"}, status=202)
        assert (relay.asked[1]["by"]["name"], "token" in relay.asked[1]) == (None, False)


async def test_the_same_key_is_the_same_action(tmp_path: Path) -> None:
    """It is done once, at once or one after the other, and by a server that was started anew; of each client."""
    wanted = {"action": "interrupt", "key": "k"}
    async with live(tmp_path) as relay:
        told = await asyncio.gather(*(relay.rig.post(ACTIONS, wanted, status=202) for _ in range(4)))
        assert told == [told[0]] * 4
        async with serving(tmp_path) as anew:
            assert await anew.post(ACTIONS, wanted, status=202) == told[0]
        header = {"Authorization": f"Bearer {TokenFile(str(tmp_path)).create('phone', ['act'])}"}
        other = await relay.rig.post(ACTIONS, wanted, status=202, headers=header)
        assert other["action_id"] != told[0]["action_id"]
    assert len(relay.asked) == 2


async def test_a_refused_key_may_be_tried_again(tmp_path: Path) -> None:
    """Nothing was done, so there is nothing to repeat."""
    wanted = {"action": "interrupt", "key": "k"}
    async with live(tmp_path) as relay:
        relay.refusal = {"error": "busy", "message": "the command does not read"}
        assert await relay.rig.post(ACTIONS, wanted, status=503) == "busy: the command does not read"
        relay.refusal = None
        await relay.rig.post(ACTIONS, wanted, status=202)


async def test_who_waits_is_told_the_outcome(tmp_path: Path) -> None:
    """As soon as the wire shows it; what it does not show stays `sent`."""
    async with live(tmp_path) as relay:
        for wait_s in (0, 1):  # 200 also when it runs out
            told = await relay.rig.post(f"{ACTIONS}?wait={wait_s}", {"action": "stop"})
            assert (told["state"], told.get("effect")) == ("sent", None)
        waiting = asyncio.create_task(relay.rig.post(f"{ACTIONS}?wait=30", {"action": "stop", "key": "k"}))
        await until(relay.rig, ACTIONS, lambda page: page["total"] == 3)
        relay.exits()
        told = await waiting
        assert (told["state"], told["effect"]) == ("confirmed", "exited")


async def test_who_waits_reads_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: each look read up to 1,000 actions; now each outcome is read once, however often it is looked."""
    async with live(tmp_path) as relay:
        for _ in range(3):
            await relay.rig.post(ACTIONS, {"action": "interrupt"}, status=202)
        store, read = relay.rig.shared.store, list[int]()
        events = store.events

        def counted(query: EventQuery) -> Page:
            page = events(query)
            if query.after_us is not None:
                read.append(len(page.events))
            return page

        monkeypatch.setattr(store, "events", counted)
        waiting = asyncio.create_task(relay.rig.post(f"{ACTIONS}?wait=30", {"action": "stop"}))
        await until(relay.rig, ACTIONS, lambda page: page["total"] == 4)
        relay.exits()
        assert (await waiting)["state"] == "confirmed"
        assert sum(read) == 4


async def test_a_refusal_has_a_code(tmp_path: Path) -> None:
    """Then a sentence, under a status of its own: what the relay says is passed on."""
    async with live(tmp_path) as relay:
        for code, status in (("token_needed", 401), ("token_too_new", 403), ("already_answered", 409)):
            relay.refusal = {"error": code, "message": "x", "by": "caller"}
            assert await relay.rig.post(ACTIONS, {"action": "interrupt"}, status=status) == f"{code}: x"
        for wanted in ({"action": "jump"}, {"action": "deny"}, {"action": "mode", "value": 1}, {}):
            said = await relay.rig.post(ACTIONS, wanted, status=422)
            assert said.startswith("bad_arguments: "), said
        missing = "/api/v1/monitoring/sessions/none"
        said = await relay.rig.post(f"{missing}/actions", {"action": "interrupt"}, status=404)
        assert said.startswith("unknown_session: ")
        for path in ("actions", "questions"):
            assert (await relay.rig.get(f"{missing}/{path}", status=404)).startswith("unknown_session: ")


async def test_nobody_listens(tmp_path: Path) -> None:
    """A session without a grant says how to give one; of one that is over, and of a relay that is gone, it is told."""
    async with serving(tmp_path) as rig:
        relay = Relay(rig, "off")
        said = await rig.post(ACTIONS, {"action": "interrupt"}, status=403)
        assert said == "acting_off: start the session with --act"
        relay.log.close()
    async with serving(tmp_path / "other") as rig:
        relay = Relay(rig)
        said = await rig.post(ACTIONS, {"action": "interrupt"}, status=503)
        assert said.startswith("relay_unreachable: ")
        relay.exits()
        relay.event("session_ended", exit_code=0)
        relay.log.close()
        assert (await rig.post(ACTIONS, {"action": "interrupt"}, status=409)).startswith("ended: ")


async def test_no_answer_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been done: the state is unknown, and not a failure."""
    monkeypatch.setattr("proxy.acting.asking.ask.__defaults__", (0.05,))
    async with serving(tmp_path) as rig:
        relay = Relay(rig)
        with listen(str(tmp_path), "live"):  # takes connections, and never reads
            said = await rig.post(ACTIONS, {"action": "interrupt"}, status=504)
        assert said.startswith("unconfirmed: ")
        relay.log.close()


async def test_actions_have_a_rate_of_their_own(tmp_path: Path) -> None:
    """`acting.rate` holds for each client, and counts what is refused; asking goes on."""
    async with live(tmp_path, acting={"rate": "2/hour"}) as relay:
        await relay.rig.post(ACTIONS, {"action": "interrupt"}, status=202)
        await relay.rig.post(ACTIONS, {"action": "jump"}, status=422)
        said = await relay.rig.post(ACTIONS, {"action": "interrupt"}, status=429)
        assert said.startswith("too_many: ")
        await relay.rig.get(ACTIONS)
        header = {"Authorization": f"Bearer {TokenFile(str(tmp_path)).create('phone', ['act'])}"}
        await relay.rig.post(ACTIONS, {"action": "interrupt"}, status=202, headers=header)


async def test_who_may_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From elsewhere a token with the scope `act`, which may also look; no other, and no page of another origin."""
    async with live(tmp_path) as relay:
        foreign = {"Origin": "https://evil.example"}
        await relay.rig.post(ACTIONS, {"action": "interrupt"}, status=403, headers=foreign)
        monkeypatch.setattr(guard, "is_same_user", lambda _: False)
        said = await relay.rig.post(ACTIONS, {"action": "interrupt"}, status=401)
        assert said.startswith("token_needed: ")
        file = TokenFile(str(tmp_path))
        header = {"Authorization": f"Bearer {file.create('w', ['read', 'write'])}"}
        said = await relay.rig.post(ACTIONS, {"action": "interrupt"}, status=403, headers=header)
        assert said.startswith("token_needed: ")
        assert "--scope act" in said
        header = {"Authorization": f"Bearer {file.create('phone', ['act'])}"}
        await relay.rig.post(ACTIONS, {"action": "interrupt"}, status=202, headers=header)
        for path in (ACTIONS, QUESTIONS, "/status"):
            await relay.rig.get(path, headers=header)
        await relay.rig.post("/api/v1/monitoring/sessions", {}, status=403, headers=header)


async def test_actions_are_listed_with_what_became_of_them(tmp_path: Path) -> None:
    """Newest first, in pages, refusals too."""
    async with live(tmp_path) as relay:
        relay.event("action_refused", action_id="a0", action="allow", args={}, by={}, error="token_needed")
        for action in ("interrupt", "stop"):
            await relay.rig.post(ACTIONS, {"action": action}, status=202)
        relay.exits()
        page = await until(relay.rig, ACTIONS, lambda page: page["actions"][0]["state"] != "sent")
        await relay.rig.get(ACTIONS, schema="api/actions_answer")
        assert [(one["action"], one["state"]) for one in page["actions"]] == [
            ("stop", "confirmed"),
            ("interrupt", "failed"),
            ("allow", "refused"),
        ]
        assert (page["total"], page["actions"][2]["error"]) == (3, "token_needed")
        second = await relay.rig.get(f"{ACTIONS}?limit=1&offset=1")
        assert second == {"actions": [page["actions"][1]], "total": 3}


async def test_questions_have_the_whole_input(tmp_path: Path) -> None:
    """Those that nobody has answered; the session says what may be done."""
    async with live(tmp_path) as relay:
        assert await relay.rig.get(QUESTIONS) == {"questions": []}
        relay.passes("stdin", {"type": "user", "message": {"role": "user", "content": "go"}})
        relay.passes("stdout", ASKS)
        page = await until(relay.rig, QUESTIONS, lambda page: page["questions"])
        await relay.rig.get(QUESTIONS, schema="api/questions_answer")
        (question,) = page["questions"]
        assert (question["request_id"], question["tool"], question["held"]) == ("q", "Write", False)
        assert question["input"] == ASKS["request"]["input"]  # type: ignore[index]
        assert question["suggestions"] == ASKS["request"]["permission_suggestions"]  # type: ignore[index]
        (session,) = (await relay.rig.get("/status"))["sessions"]
        assert session["acting"]["grant"] == "full"
        assert set(session["acting"]["can"]) == {
            *("interrupt", "deny", "allow", "pause", "stop", "mode", "model"),
        }
        answered = {"subtype": "success", "request_id": "q", "response": {"behavior": "allow"}}
        relay.passes("stdin", {"type": "control_response", "response": answered})
        await until(relay.rig, QUESTIONS, lambda page: not page["questions"])


async def test_an_action_among_many_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the newest is; of an older one the key has no memory, and its action is done once more."""
    monkeypatch.setattr(acting, "MOST_ACTIONS", 2)
    async with live(tmp_path) as relay:
        for key in ("a", "b", "a", "c", "a"):
            await relay.rig.post(ACTIONS, {"action": "interrupt", "key": key}, status=202)
    assert len(relay.asked) == 4
