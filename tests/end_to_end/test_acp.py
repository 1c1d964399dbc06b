"""The ACP adapter, by which Zed and other editors speak with Claude Code, cannot tell the shim from it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.end_to_end.checks import unexpected_verdicts
from tests.rig.answers import says, uses
from tests.rig.environment import Surroundings
from tests.rig.npm import installed
from tests.rig.wrapping import claude_proxy, read_logs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rig.messages_api import MessagesApi, Script

pytestmark = pytest.mark.anyio

ADAPTER = "@agentclientprotocol/claude-agent-acp@0.101.0"
CLIENT_WAIT_S = 100


@pytest.fixture(scope="session")
def adapter() -> Path:
    """The adapter's program."""
    return installed(ADAPTER) / "node_modules/@agentclientprotocol/claude-agent-acp/dist/index.js"


class Editor:
    """A client of the Agent Client Protocol: JSON-RPC 2.0, one object a line."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self._process = process
        self._rest = b""
        self._id = 0
        self.seen: list[tuple[str, Any]] = []
        """What the agent said and asked for, as a person sees it."""

    async def ask(self, method: str, **params: Any) -> Any:
        """Make a call and return its result; meanwhile note what the agent says, and allow what it asks for."""
        self._id += 1
        await self._send(id=self._id, method=method, params=params)
        while (message := await self._next()).get("id") != self._id or "method" in message:
            match message.get("method"):
                case "session/update":
                    self._note(message["params"]["update"])
                case "session/request_permission":
                    await self._allow(message)
        assert "error" not in message, message
        return message["result"]

    def _note(self, update: dict[str, Any]) -> None:
        kind = update["sessionUpdate"]
        if kind == "agent_message_chunk":
            self.seen.append((kind, update["content"]["text"]))
        elif kind in ("tool_call", "tool_call_update"):
            self.seen.append((kind, update.get("status")))

    async def _allow(self, message: dict[str, Any]) -> None:
        options = {option["kind"]: option["optionId"] for option in message["params"]["options"]}
        self.seen.append(("permission", sorted(options)))
        outcome = {"outcome": "selected", "optionId": options["allow_once"]}
        await self._send(id=message["id"], result={"outcome": outcome})

    async def _send(self, **message: Any) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def _next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        while b"\n" not in self._rest:
            self._rest += await self._process.stdout.receive()
        line, _, self._rest = self._rest.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message


def script(project: Path) -> Script:
    """Return what the model answers to the editor's prompts."""
    write = uses("Write", file_path=str(project / "a.txt"), content="hello\n")
    return {"first question": [says("The first answer.")], "write it": [write, says("Written.")]}


async def edited(adapter: Path, api: MessagesApi, home: Path, claude: Path, **environment: str) -> list[Any]:
    """Let an editor ask a question and have a file written; return what its user saw."""
    surroundings = Surroundings(home)
    surroundings.build()
    play = api.play(script(surroundings.project))
    env = {
        **os.environ,
        **surroundings.variables(play.base_url),
        "CLAUDE_CODE_EXECUTABLE": str(claude),
        **environment,
    }
    with anyio.fail_after(CLIENT_WAIT_S):
        async with await anyio.open_process(["node", str(adapter)], env=env, stderr=None) as process:
            editor = Editor(process)
            await editor.ask("initialize", protocolVersion=1, clientCapabilities={})
            # Claude Code does not let root run without permissions, for which the adapter asks unless told otherwise.
            meta = {"claudeCode": {"options": {"allowDangerouslySkipPermissions": False}}}
            cwd = str(surroundings.project)
            session = await editor.ask("session/new", cwd=cwd, mcpServers=[], _meta=meta)
            await editor.ask("session/set_mode", sessionId=session["sessionId"], modeId="default")
            for prompt in ("first question", "write it"):
                asked = [{"type": "text", "text": prompt}]
                done = await editor.ask("session/prompt", sessionId=session["sessionId"], prompt=asked)
                editor.seen.append(("stopped", done["stopReason"]))
            process.terminate()
    assert (surroundings.project / "a.txt").read_text() == "hello\n"
    return editor.seen


@pytest.mark.slow
async def test_an_editor_sees_the_same_and_every_line_is_on_record(
    adapter: Path, api: MessagesApi, claude: Path, tmp_path: Path
) -> None:
    """The shim as `CLAUDE_CODE_EXECUTABLE` is all that it takes: answers, permissions and files are as without it."""
    made = await anyio.run_process([*claude_proxy(), "shim", str(tmp_path / "bin"), "--claude", str(claude)])
    assert made.returncode == 0
    data_dir = tmp_path / "data"
    recording = {"CLAUDE_PROXY_DATA_DIR": str(data_dir), "CLAUDE_PROXY_SERVER": "off"}
    bare = await edited(adapter, api, tmp_path / "bare/home", claude)
    seen = await edited(adapter, api, tmp_path / "wrapped/home", tmp_path / "bin/claude", **recording)
    assert seen == bare
    assert ("agent_message_chunk", "The first answer.") in seen
    assert [what for kind, what in seen if kind == "stopped"] == ["end_turn", "end_turn"]
    assert any(kind == "permission" for kind, _ in seen)
    logs = read_logs(data_dir)
    assert [line for log in logs for line in unexpected_verdicts(log)] == []
    (talk,) = [log for log in logs if any(b"write it" in record.line for record in log.lines("stdin"))]
    assert any(b"can_use_tool" in record.line for record in talk.lines("stdout"))
