"""Rules as they are enforced: written down once, told, and done through the relay, or not in a dry run."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.server.rules.enforcement import Enforcement
from proxy.sessions import firings
from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.writer import SessionLog
from tests.acting.relays import answering
from tests.server.conftest import Rig, serving
from tests.server.watch.test_monitor import remove_index

pytestmark = pytest.mark.anyio
EVENTS = "/api/v1/monitoring/events"
CALLS: dict[str, Any] = {"calls": {"when": {"calls_in_turn": 2}, "do": "interrupt"}}
ASKS = {
    "type": "control_request",
    "request_id": "q",
    "request": {"subtype": "can_use_tool", "tool_name": "Bash", "tool_use_id": "t1", "input": {}},
}


class Live:
    """A session that goes on, with a rig over it."""

    def __init__(self, rig: Rig, grant: str) -> None:
        self.rig, self.told = rig, list[str]()
        data = {"format": 1, "command": ["claude", "--input-format", "stream-json"], "pid": 7, "name": "mine"}
        self.log = SessionLog(
            str(rig.data_dir),
            "live",
            lifecycle("live", "session_started", {**data, "acting": {"grant": grant}}),
        )
        self.passes("stdin", {"type": "user", "message": {"role": "user", "content": "go"}})
        self.calls = 0
        self.begin()

    def begin(self) -> None:
        """Begin to enforce, as a server does that has just started."""
        self.enforcement = Enforcement(self.rig.shared, lambda *about: self.told.append(about[2]))

    def passes(self, stream: Any, *messages: dict[str, Any]) -> None:
        """Let messages pass."""
        made = StreamRecords("live", stream)
        self.log.append([made.message(json.dumps(one).encode(), "valid") for one in messages])

    def call(self, tool: str = "Bash") -> None:
        """Let the model call a tool."""
        self.calls += 1
        call = {"type": "tool_use", "id": f"t{self.calls}", "name": tool, "input": {"n": self.calls}}
        self.passes("stdout", {"type": "assistant", "message": {"id": f"m{self.calls}", "content": [call]}})

    async def look(self) -> list[dict[str, Any]]:
        """Look once, and return what fired so far, as events."""
        await self.rig.shared.catch_up()
        await self.enforcement.look()
        await self.rig.shared.catch_up()
        answer = await self.rig.get(f"{EVENTS}?session_id=live&event_types=rule_fired")
        return [event["data"] for event in answer["events"]]


@contextlib.asynccontextmanager
async def live(tmp_path: Path, grant: str = "restrain", **rules: Any) -> AsyncIterator[Live]:
    """Serve a session that goes on under rules."""
    async with serving(tmp_path, rules=rules) as rig:
        one = Live(rig, grant)
        yield one
        one.log.close()


@contextlib.contextmanager
def relay(data_dir: Path, answer: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Listen as a relay does, and answer everything in the same way; give what was asked."""
    asked: list[dict[str, Any]] = []

    def take(line: bytes) -> bytes:
        asked.append(json.loads(line))
        return json.dumps(answer).encode() + b"\n"

    with answering(data_dir, "live", take):
        yield asked


async def test_a_rule_acts_once(tmp_path: Path) -> None:
    """In mode `act`, through the relay, in the rule's name; what fires is an event; a restart repeats nothing."""
    with relay(tmp_path, {"ok": True, "seq": 3}) as asked:
        async with live(tmp_path, mode="act", **CALLS) as one:
            one.call()
            assert await one.look() == []
            one.call("Grep")
            (fired,) = await one.look()
            assert (fired["rule"], fired["do"], fired["mode"], fired["value"]) == (
                "calls",
                "interrupt",
                "act",
                2,
            )
            assert (fired["when"], fired["running"]) == ({"calls_in_turn": 2}, ["Bash", "Grep"])
            assert one.told == [
                "Session live (mine): has reached calls_in_turn 2 (rule calls): 2; interrupt was sent."
            ]
            one.begin()
            one.call()
            assert await one.look() == [fired]
    (request,) = asked
    assert (request["action"], request["by"]) == ("interrupt", {"kind": "rule", "name": "calls"})
    assert request["action_id"] == fired["action_id"]


async def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    """It is the default: what would be done is told."""
    with relay(tmp_path, {"ok": True}) as asked:
        async with live(tmp_path, **CALLS) as one:
            one.call()
            one.call()
            (fired,) = await one.look()
            assert (fired["do"], fired["mode"], "action_id" in fired) == ("interrupt", "dry_run", False)
            assert "a dry run" in one.told[0]
    assert asked == []


async def test_without_a_grant_it_is_told(tmp_path: Path) -> None:
    """And why nothing is done."""
    async with live(tmp_path, "off", mode="act", **CALLS) as one:
        one.call()
        one.call()
        (fired,) = await one.look()
        assert fired["refused"] == "acting_off"
        assert "without --act" in one.told[0]


async def test_a_refusal_is_told(tmp_path: Path) -> None:
    """With the relay's sentence."""
    refusal = {"ok": False, "error": "ended", "message": "the command has exited"}
    with relay(tmp_path, refusal):
        async with live(tmp_path, mode="act", **CALLS) as one:
            one.call()
            one.call()
            await one.look()
            assert one.told[0].endswith("interrupt was refused: the command has exited.")


async def test_what_a_busy_relay_refuses_is_tried_again(tmp_path: Path) -> None:
    """While the occasion lasts, as the same action; it is told once that it was refused, and that it was done."""
    answer: dict[str, Any] = {"ok": False, "error": "busy", "message": "the command does not read"}
    with relay(tmp_path, answer) as asked:
        async with live(tmp_path, mode="act", **CALLS) as one:
            one.call()
            one.call()
            await one.look()
            await one.look()
            answer |= {"ok": True, "seq": 3}
            (fired,) = await one.look()
            assert await one.look() == [fired]
            assert [said.rpartition("; ")[2] for said in one.told] == [
                "interrupt was refused: the command does not read.",
                "interrupt was sent.",
            ]
    assert [request["action_id"] for request in asked] == [fired["action_id"]] * 3


async def test_a_question_that_nobody_answers_is_denied(tmp_path: Path) -> None:
    """Each question is an occasion of its own."""
    nobody: dict[str, Any] = {"nobody": {"when": {"question_minutes": 0.0000001}, "do": "deny"}}
    with relay(tmp_path, {"ok": True, "seq": 3}) as asked:
        async with live(tmp_path, mode="act", **nobody) as one:
            one.call()
            one.passes("stdout", ASKS)
            (fired,) = await one.look()
            assert fired["request_id"] == "q"
            one.passes("stdout", {**ASKS, "request_id": "p"})
            assert len(await one.look()) == 2
    assert [request["args"]["request_id"] for request in asked] == ["q", "p"]
    assert all(request["args"]["stop_turn"] for request in asked)


async def test_the_running_cost_is_asked_for(tmp_path: Path) -> None:
    """Where a rule needs it, in a turn, and not more often than is set."""
    with relay(tmp_path, {"ok": True}) as asked:
        async with live(tmp_path, ask_every=3600, budget={"when": {"cost_usd": 1}}) as one:
            await one.look()
            await one.look()
            stated = {
                "session": {"total_cost_usd": 1.5, "model_usage": {"m": {"outputTokens": 5, "costUSD": 1.5}}}
            }
            response = {"subtype": "success", "request_id": "claude-proxy-1", "response": stated}
            line = json.dumps({"type": "control_response", "response": response}).encode()
            one.log.append([StreamRecords("live", "stdout").message(line, "valid", held_back=True)])
            (fired,) = await one.look()
            assert fired["value"] == 1.5
            session = one.rig.shared.store.session("live")
            assert session is not None
            assert session.figures.cost_usd == 1.5
    assert [request["action"] for request in asked] == ["usage"]


async def test_what_fired_outlives_the_index(tmp_path: Path) -> None:
    """It is beside the log; an index that is made anew has the same events in the same order."""
    async with live(tmp_path, **CALLS) as one:
        one.call()
        one.call()
        before = await one.look()
        one.call()
        await one.rig.shared.catch_up()
        events = (await one.rig.get(f"{EVENTS}?session_id=live"))["events"]
    remove_index(tmp_path)
    async with serving(tmp_path) as rig:
        after = (await rig.get(f"{EVENTS}?session_id=live"))["events"]
    assert [event["event_type"] for event in after[: len(events)]] == [
        event["event_type"] for event in events
    ]
    assert before[0]["rule"] in [event["data"].get("rule") for event in after]


async def test_one_sessions_fault_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that goes wrong with one session ends the job."""
    async with live(tmp_path, **CALLS) as one:
        monkeypatch.setattr(firings, "read", lambda *_: 1 / 0)
        assert await one.enforcement.look() == pytest.approx(2)
