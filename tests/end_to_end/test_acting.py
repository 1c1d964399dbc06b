"""Acting on the real Claude Code, with both kinds of clients that its users have."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import psutil
import pytest

from proxy.acting.address import connect
from proxy.server.access.tokens import TokenFile
from tests.end_to_end.test_typescript_sdk import CLIENT, SDK
from tests.rig.answers import Gate, Reply, says, text, tool, uses
from tests.rig.environment import Surroundings
from tests.rig.npm import installed
from tests.rig.stage import Stage
from tests.rig.wrapping import Wrapped
from tests.server.conftest import serving
from tests.tiers import first_in_short, in_short

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claude_agent_sdk import PermissionResultAllow

    from tests.rig.messages_api import MessagesApi

pytestmark = pytest.mark.anyio
TOKEN = "cp_token"
BOUND_S = 120.0
"""Longer than anything takes: what meets it has failed."""
ASKS = ("--permission-prompt-tool", "stdio")


async def until(is_so: Callable[[], bool]) -> None:
    """Return when something is so; TimeoutError: it has not come to be within the bound."""

    def look() -> None:
        limit = time.monotonic() + BOUND_S
        while not is_so():
            if time.monotonic() > limit:
                raise TimeoutError
            time.sleep(0.02)  # what is waited for needs the processor

    await anyio.to_thread.run_sync(look)


class Acted:
    """A stage whose sessions others act on."""

    def __init__(self, api: MessagesApi, claude: Path, folder: Path, *options: str) -> None:
        self.wrapped = Wrapped(folder, claude, options)
        self.stage = Stage(api, self.wrapped.command, Surroundings(folder / "home"))
        self.wrapped.data_dir.mkdir(mode=0o700)
        token = {"name": "phone", "scopes": ["act"], "sha256": hashlib.sha256(TOKEN.encode()).hexdigest()}
        token["created_at"] = "2027-01-01T00:00:00Z"
        tokens = self.wrapped.data_dir / "tokens.json"
        tokens.write_text(json.dumps({"version": 1, "tokens": [token]}))
        tokens.chmod(0o600)

    async def act(self, action: str, **arguments: Any) -> Any:
        """Do an action on the only session."""
        return await anyio.to_thread.run_sync(self._act, action, arguments)

    async def until(self, *parts: bytes) -> None:
        """Return when a record that has these parts is in the log."""
        sessions = self.wrapped.data_dir / "sessions"

        def is_there() -> bool:
            lines = (line for path in sessions.glob("*.jsonl") for line in path.read_bytes().splitlines())
            return any(all(part in line for part in parts) for line in lines)

        await until(is_there)

    def questions(self) -> list[str]:
        """Return the questions that Claude Code has asked."""
        (log,) = self.wrapped.logs()
        lines = [json.loads(record.line) for record in log.lines("stdout")]
        asked = [one for one in lines if one.get("request", {}).get("subtype") == "can_use_tool"]
        return [one["request_id"] for one in asked]

    def _act(self, action: str, arguments: dict[str, Any]) -> Any:
        (log,) = [
            path for path in (self.wrapped.data_dir / "sessions").glob("*.jsonl") if not path.is_symlink()
        ]
        asked = {"action_id": f"a-{action}", "action": action, "args": arguments, "token": TOKEN}
        with connect(str(self.wrapped.data_dir), log.stem, 60) as connection:
            connection.sendall(json.dumps(asked).encode() + b"\n")
            return json.loads(connection.makefile().readline())


@pytest.fixture(scope="session")
def sdk() -> Path:
    """A folder with the TypeScript Agent SDK in it."""
    return installed(SDK)


@pytest.fixture
def acted(api: MessagesApi, claude: Path, tmp_path: Path) -> Acted:
    """A stage with the whole grant."""
    return Acted(api, claude, tmp_path, "--act", "full")


async def test_a_question_is_answered_from_elsewhere(acted: Acted) -> None:
    """The tool runs, the caller's dialog is withdrawn, and the next question is the caller's own."""
    stage = acted.stage
    first, second = stage.project / "a", stage.project / "b"
    stage.answer(
        {
            "one": [uses("Write", file_path=str(first), content="x"), says("One.")],
            "two": [uses("Write", file_path=str(second), content="x"), says("Two.")],
        }
    )
    answers = {
        "can_use_tool": lambda request: (
            None if "a" in request["input"]["file_path"][-1] else {"behavior": "allow"}
        )
    }
    async with stage.raw(*ASKS, answers=answers) as client:
        await client.say("one")
        question = await client.until(lambda message: message["type"] == "control_request")
        assert (await acted.act("allow", request_id=question["request_id"]))["ok"]
        withdrawn = await client.until(lambda message: message["type"] == "control_cancel_request")
        assert withdrawn["request_id"] == question["request_id"]
        await client.result()
        assert first.exists()
        await client.turn("two")
        assert second.exists()


async def test_a_question_is_answered_through_the_api(acted: Acted) -> None:
    """With a token that existed when the session began; what became of it comes with the live events."""
    path, stage = acted.stage.project / "a", acted.stage
    stage.answer({"one": [uses("Write", file_path=str(path), content="x"), says("One.")]})
    async with (
        serving(acted.wrapped.data_dir) as rig,
        stage.raw(*ASKS, answers={"can_use_tool": lambda _: None}) as client,
    ):
        await client.say("one")
        asked = await client.until(lambda message: message["type"] == "control_request")
        (log,) = acted.wrapped.logs()
        place = f"/api/v1/monitoring/sessions/{log.path.stem}"
        async with rig.client.get(f"/events?session_id={log.path.stem}") as events:
            assert await events.content.readline() == b": listening\n"
            (question,) = (await rig.get(f"{place}/questions"))["questions"]
            assert question["request_id"] == asked["request_id"]
            assert question["input"] == {"file_path": str(path), "content": "x"}
            wanted = {"action": "allow", "request_id": question["request_id"]}
            said = await rig.post(f"{place}/actions", wanted, status=401)
            assert said.startswith("token_needed: ")
            late = TokenFile(str(acted.wrapped.data_dir)).create("late", ["act"])
            header = {"Authorization": f"Bearer {late}"}
            said = await rig.post(f"{place}/actions", wanted, status=403, headers=header)
            assert said.startswith("token_too_new: ")
            assert not path.exists()
            header = {"Authorization": f"Bearer {TOKEN}"}
            told = await rig.post(f"{place}/actions?wait=60", wanted, headers=header)
            assert (told["state"], told["effect"]) == ("confirmed", "ran")
            with anyio.fail_after(BOUND_S):
                while b'"action_confirmed"' not in await events.content.readline():
                    pass
        await client.result()
    assert path.exists()


APPROVES = """\
import json, os, sys, time
from pathlib import Path
from proxy.acting.asking import ask
from proxy.acting.verbs import ActionError
from proxy.server.access.tokens import TokenFile
data_dir, said = sys.argv[1:]
token = TokenFile(data_dir).create("mine", ["act"])
(log,) = [one for one in Path(data_dir, "sessions").glob("*.jsonl") if not one.is_symlink()]
while not (asked := [one for one in log.read_bytes().splitlines() if b'"can_use_tool"' in one and b'"Write"' in one]):
    time.sleep(0.02)
request_id, codes = json.loads(asked[0])["message"]["request_id"], []
for given in ({}, {"token": token}):
    request = {"action_id": "a", "action": "allow", "args": {"request_id": request_id}, **given}
    try:
        ask(data_dir, log.stem, request)
        codes.append("done")
    except ActionError as error:
        codes.append(error.code)
Path(said + ".new").write_text(" ".join(codes))
os.rename(said + ".new", said)
"""


@pytest.mark.parametrize("how", first_in_short(["setsid ", ""]))
async def test_the_agent_cannot_approve_itself(acted: Acted, how: str, tmp_path: Path) -> None:
    """Neither without a token nor with one that it makes, also from a session of processes of its own."""
    stage, said, script = acted.stage, tmp_path / "said", tmp_path / "approve.py"
    path = stage.project / "a"
    script.write_text(APPROVES)
    command = f"{how}{sys.executable} {script} {acted.wrapped.data_dir} {said} </dev/null >/dev/null 2>&1 &"
    stage.answer(
        {
            "go": [
                uses("Bash", command=command),
                uses("Write", file_path=str(path), content="x"),
                says("Done."),
            ]
        }
    )
    answers = {
        "can_use_tool": lambda request: {"behavior": "allow"} if request["tool_name"] == "Bash" else None
    }
    async with stage.raw(*ASKS, answers=answers) as client:
        await client.say("go")
        asked = await client.until(lambda message: message.get("request", {}).get("tool_name") == "Write")
        await until(said.exists)
        assert said.read_text() == "token_needed token_too_new"
        assert (await acted.act("deny", request_id=asked["request_id"]))["ok"]
        await client.result()
    assert not path.exists()


@pytest.mark.parametrize("output", first_in_short(["text", "json", "stream-json"]))
async def test_a_prompt_of_text_gets_nothing_of_ours(acted: Acted, output: str) -> None:
    """Claude Code reads its input to the end as the prompt; nobody listens for actions meanwhile."""
    stage = acted.stage
    stage.answer({"": [says("Hello.")]})
    async with stage.raw("-p", "--output-format", output, "--verbose", streaming=False) as client:
        await client.send_bytes(b"the question")
        await acted.until(b'"session_started"')
        with pytest.raises(FileNotFoundError):
            await acted.act("interrupt")
        assert client.process.stdin is not None
        await client.process.stdin.aclose()
        assert client.process.stdout is not None
        assert b"Hello." in b"".join([chunk async for chunk in client.process.stdout])
    (inside,) = acted.wrapped.inside()
    assert inside.stdin == b"the question"


async def test_the_python_sdk_hears_that_it_need_not_answer(acted: Acted) -> None:
    """Its callback is cancelled, and its next turns are its own."""
    stage = acted.stage
    stage.answer(
        {
            "one": [uses("Write", file_path=str(stage.project / "a"), content="x"), says("One.")],
            "two": [says("Two.")],
        }
    )
    asked, cancelled = anyio.Event(), anyio.Event()

    async def never(*_: Any) -> PermissionResultAllow:
        asked.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()
        raise AssertionError

    async with stage.sdk(can_use_tool=never) as actor, anyio.create_task_group() as tasks:
        await actor.client.query("one")
        tasks.start_soon(actor.result)
        await asked.wait()
        (question,) = acted.questions()
        assert (await acted.act("deny", request_id=question, message="not now"))["ok"]
        with anyio.fail_after(60):
            await cancelled.wait()
    assert not (stage.project / "a").exists()


@pytest.mark.slow
async def test_the_typescript_sdk_is_acted_on(acted: Acted, sdk: Path) -> None:
    """Its question is withdrawn and its late answer held back; a turn of its is interrupted, and it goes on."""
    stage, gate = acted.stage, Gate()
    path = stage.project / "a.txt"
    stage.answer(
        {
            "write it": [uses("Write", file_path=str(path), content="x"), says("Not written.")],
            "long story": [says("A very long story that nobody wants to hear to its end.", gate=gate)],
            "short one": [says("The end.")],
        }
    )
    command = ["node", str(CLIENT), str(sdk), "acted", str(stage.command), str(stage.project)]
    lines: list[bytes] = []

    async def client() -> None:
        done = await anyio.run_process(command, env={**os.environ, **stage.variables()})
        lines.extend(done.stdout.splitlines())

    with anyio.fail_after(BOUND_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client)
            await acted.until(b'"can_use_tool"', b'"stdout"')
            (question,) = acted.questions()
            assert (await acted.act("deny", request_id=question, message="not now"))["ok"]
            await gate.reached()
            assert (await acted.act("interrupt"))["ok"]
            await acted.until(b'"error_during_execution"')
            gate.open()
    told = [json.loads(line) for line in lines]
    results = [one["value"] for one in told if one["what"] == "message" and one["value"]["type"] == "result"]
    assert [one["subtype"] for one in results] == ["success", "error_during_execution", "success"]
    assert [results[0]["result"], results[2]["result"]] == ["Not written.", "The end."]
    assert [one["what"] for one in told if one["what"] != "message"] == ["asked", "withdrawn"]
    (log,) = acted.wrapped.logs()
    answers = [one for one in log.lines("stdin") if f'"request_id":"{question}"'.encode() in one.line]
    assert [b'"deny"' in one.line for one in answers if one.forwarded] == [True]
    assert not path.exists()


async def test_a_pause_lets_no_tool_start_and_loses_nothing(acted: Acted) -> None:
    """In the mode that asks nobody; afterwards the same turn goes on, and the caller's own rules are in force."""
    stage = acted.stage
    gate = Gate()
    path = stage.project / "a"
    calls = Reply((text("I write."), tool("Write", file_path=str(path), content="x")), "tool_use", gate=gate)
    stage.answer({"go": [calls, says("Done.")]})
    settings = json.dumps({"permissions": {"deny": ["Bash(touch *)"]}})
    bypass = (*ASKS, "--permission-mode", "bypassPermissions", "--settings", settings)
    async with stage.raw(
        *bypass, env={"IS_SANDBOX": "1"}, answers={"can_use_tool": lambda _: {"behavior": "allow"}}
    ) as client:
        await client.say("go")
        await gate.reached()
        assert (await acted.act("pause"))["ok"]
        await acted.until(b'"forwarded":false', b'"control_response"')  # it was sent, now it is confirmed
        gate.open()
        await acted.until(b'"can_use_tool"', b'"forwarded":false')
        assert not path.exists()
        assert (await acted.act("resume"))["ok"]
        result = await client.result()
        listed = await client.control("list_permission_rules")
    assert (result["num_turns"], path.exists()) == (2, True)
    rules = {(rule["behavior"], rule["rule"]) for rule in listed["response"]["state"]["rules"]}
    assert ("deny", "Bash(touch *)") in rules
    assert ("ask", "*") not in rules


async def test_what_a_token_enables(acted: Acted) -> None:
    """A tool runs with another input, an answer lasts for the session, and mode and model are set; or the turn ends."""
    stage = acted.stage
    path = {name: stage.project / name for name in "abcde"}
    writes = {name: uses("Write", file_path=str(path[name]), content="x") for name in path}
    stage.answer(
        {
            "one": [writes["a"], says("One.")],
            "two": [writes["c"], writes["d"], says("Two.")],
            "three": [says("Three.")],
            "four": [uses("Bash", command=f"touch {path['e']}"), says("Four.")],
        }
    )

    async def answered(action: str, **arguments: Any) -> None:
        question = await client.until(lambda message: message["type"] == "control_request")
        assert (await acted.act(action, request_id=question["request_id"], **arguments))["ok"]

    async with stage.raw(*ASKS, answers={"can_use_tool": lambda _: None}) as client:
        await client.say("one")
        await answered("allow", updated_input={"file_path": str(path["b"]), "content": "y"})
        await client.result()
        assert (path["a"].exists(), path["b"].read_text()) == (False, "y")
        await client.say("two")
        await answered("allow", remember=True)  # the second is not asked for
        await client.result()
        assert path["c"].exists()
        assert path["d"].exists()
        assert (await acted.act("model", value="claude-haiku-4-5"))["ok"]
        assert (await acted.act("mode", value="default"))["ok"]
        await client.turn("three")
        assert stage.requests[-1][1]["model"].startswith("claude-haiku-4-5")
        await client.say("four")
        await answered("deny", stop_turn=True, message="no more")
        assert (await client.result())["subtype"] == "error_during_execution"
        assert not path["e"].exists()
    held = [json.loads(one.line) for one in acted.wrapped.logs()[0].lines("stdout") if not one.forwarded]
    assert [one["response"]["subtype"] for one in held] == ["success", "success"]


async def test_a_turn_is_interrupted_and_the_session_goes_on(acted: Acted) -> None:
    """As by the caller's own interrupt."""
    stage = acted.stage
    gate = Gate()
    stage.answer(
        {"one": [Reply((text("Once upon a time there was a story."),), gate=gate)], "two": [says("Two.")]}
    )
    async with stage.raw() as client:
        await client.say("one")
        await gate.reached()
        assert (await acted.act("interrupt"))["ok"]
        result = await client.result()
        gate.open()
        assert result["subtype"] == "error_during_execution"
        assert (await client.turn("two"))["result"] == "Two."


TOOLS = {
    "usual": "touch {}; sleep 600",
    "ignores SIGTERM": "trap '' TERM; touch {}; sleep 600; sleep 600",
    "setsid": "setsid sh -c 'touch {}; sleep 600'",
    "background": "setsid sh -c 'touch {}; sleep 600' >/dev/null 2>&1 & sleep 600",
}


@pytest.mark.parametrize(
    ("tool", "how"),
    in_short(itertools.product(TOOLS, ("end", "term")), names={("ignores SIGTERM", "term")}),
)
async def test_a_stop_ends_a_running_tool(acted: Acted, tool: str, how: str) -> None:
    """With all that it has started, whatever that makes of signals and of groups."""
    stage = acted.stage
    marker = stage.project / "started"
    stage.answer({"go": [uses("Bash", command=TOOLS[tool].format(marker)), says("Done.")]})
    async with stage.raw("--permission-mode", "bypassPermissions", env={"IS_SANDBOX": "1"}) as client:
        await client.say("go")
        await until(marker.exists)
        (log,) = acted.wrapped.logs()
        assert processes_of(log.path.stem)
        assert (await acted.act("stop", how=how))["ok"]
        while await client.read() is not None:
            pass
    await until(lambda: not processes_of(log.path.stem))


def processes_of(session_id: str) -> list[psutil.Process]:
    """Return what runs in a session: command and tools."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if (
                process.environ().get("CLAUDE_PROXY_SESSION_ID") == session_id
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
    return found


async def test_a_policy_binds_in_every_mode(api: MessagesApi, claude: Path, tmp_path: Path) -> None:
    """Past bypassPermissions, allowed tools and a hook that allows, in subagents, and after the caller's own rules."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("permissions: {deny: ['Bash(touch *)']}")
    acted = Acted(api, claude, tmp_path, "--policy", str(policy))
    stage = acted.stage
    path = stage.project / "touched"
    agent = uses("Agent", description="touch", prompt="sub touches", subagent_type="general-purpose")
    stage.answer(
        {
            "main touches": [uses("Bash", command=f"touch {path}"), says("Done.")],
            "delegate": [agent, says("Done.")],
            "sub touches": [uses("Bash", command=f"touch {path}"), says("Done.")],
        }
    )
    bypass = ("--permission-mode", "bypassPermissions", "--allowedTools", "Bash")
    allows = {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "allow"}}
    answers = {"hook_callback": lambda _: allows}
    async with stage.raw(*bypass, env={"IS_SANDBOX": "1"}, answers=answers) as client:
        await client.control("initialize", hooks={"PreToolUse": [{"hookCallbackIds": ["allows"]}]})
        await client.turn("main touches")
        await client.turn("delegate")
        await client.control("apply_flag_settings", settings={"permissions": None})
        await client.turn("main touches")
        await client.control("apply_flag_settings", settings={"permissions": {"deny": ["WebFetch"]}})
        await client.turn("main touches")
        listed = await client.control("list_permission_rules")
    rules = {rule["rule"] for rule in listed["response"]["state"]["rules"] if rule["behavior"] == "deny"}
    assert rules >= {"Bash(touch *)", "WebFetch"}
    assert not path.exists()
