"""The TypeScript Agent SDK cannot tell the wrapper from Claude Code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from proxy.replay.launcher import write_stand_in
from tests.end_to_end.checks import assert_faithful, unexpected_verdicts
from tests.rig.answers import Failure, Gate, says, uses
from tests.rig.environment import Surroundings
from tests.rig.npm import installed
from tests.rig.sameness import differences, shape
from tests.rig.wrapping import Wrapped, claude_proxy
from tests.tiers import in_short

if TYPE_CHECKING:
    from tests.rig.messages_api import MessagesApi, Play, Script

pytestmark = pytest.mark.anyio

SDK = "@anthropic-ai/claude-agent-sdk@0.3.332"
CLIENT = Path(__file__).with_name("typescript_client.mjs")
CLIENT_WAIT_S = 100

SCENARIOS = (
    "turns",
    "single",
    "allow",
    "deny",
    "hooks",
    "mcp",
    "interrupt",
    "control",
    "subagent",
    "structured",
    "resume",
    "api_error",
)
# What Claude Code and its client do at the same time has no order that both runs must share.
UNORDERED = {"interrupt", "mcp", "control", "subagent"}
# The SDK calls these functions as soon as it has read that it should, and hands messages on when the client comes
# for them: which of the two is first depends on how many lines it gets at a time. Each has an order of its own.
CALLED_BACK = ("asked", "hook")


@pytest.fixture(scope="session")
def sdk() -> Path:
    """A folder with the TypeScript Agent SDK in it."""
    return installed(SDK)


def script(project: Path) -> Script:
    """Return what the model answers to the client's prompts."""
    write = uses("Write", file_path=str(project / "a.txt"), content="hello\n")
    agent = uses(
        "Agent",
        description="count",
        prompt="count the files",
        subagent_type="counter",
        run_in_background=False,
    )
    return {
        "first question": [says("The first answer.")],
        "second question": [says("The second answer.")],
        "bad question": [Failure(400, "invalid_request_error", "no such thing")],
        "write it": [write, says("That was that.")],
        "add them": [uses("mcp__calc__add", a=2, b=3), says("Five.")],
        "long story": [says("A very long story that nobody wants to hear to its end. " * 20, gate=Gate())],
        "short one": [says("The end.")],
        "delegate": [agent, says("Three files.")],
        "count the files": [uses("Bash", command="echo 3"), says("3")],
        "largest city": [uses("StructuredOutput", city="Tokyo")],
    }


async def played(name: str, sdk: Path, api: MessagesApi, command: Path, home: Path) -> list[dict[str, Any]]:
    """Play a scenario of the client's; return what it saw, what its functions were called for at the end."""
    surroundings = Surroundings(home)
    surroundings.build()
    play: Play = api.play(script(surroundings.project))
    env = {**os.environ, **surroundings.variables(play.base_url)}
    with anyio.fail_after(CLIENT_WAIT_S):
        done = await anyio.run_process(
            ["node", str(CLIENT), str(sdk), name, str(command), str(surroundings.project)],
            env=env,
            check=False,
        )
    play.open_gates()
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    return sorted(seen, key=lambda entry: entry["what"] in CALLED_BACK)


@pytest.mark.parametrize("name", in_short(SCENARIOS, names={"allow"}))
async def test_client_sees_the_same_and_the_log_has_every_line(  # noqa: PLR0917 - fixtures
    name: str, sdk: Path, api: MessagesApi, claude: Path, wrapped: Wrapped, tmp_path: Path
) -> None:
    """The SDK sees what it sees without the wrapper; every line is on record as valid, and can be replayed to it."""
    await assert_same(name, sdk, api, claude, wrapped, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", [("--act", "full")], indirect=True, ids=["act"])
@pytest.mark.parametrize("name", ["allow", "hooks", "mcp", "interrupt"])
async def test_a_grant_that_nobody_uses_changes_nothing(  # noqa: PLR0917 - fixtures
    name: str, sdk: Path, api: MessagesApi, claude: Path, wrapped: Wrapped, tmp_path: Path
) -> None:
    """Where others may act, and do not, all is as without a grant."""
    await assert_same(name, sdk, api, claude, wrapped, tmp_path)


async def assert_same(  # noqa: PLR0917 - as above
    name: str, sdk: Path, api: MessagesApi, claude: Path, wrapped: Wrapped, tmp_path: Path
) -> None:
    """Play a scenario without the wrapper, with it, and from its log, and hold one against the other."""
    shapes: dict[str, list[Any]] = {}

    async def run(place: str, command: Path) -> None:
        home = tmp_path / place / "home"
        shapes[place] = shape(await played(name, sdk, api, command, home), home)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, "bare", claude)
        tasks.start_soon(run, "wrap", wrapped.command)

    assert differences(shapes["bare"], shapes["wrap"], ordered=name not in UNORDERED) == []
    assert any(entry["what"] == "message" and entry["value"]["type"] == "result" for entry in shapes["wrap"])
    assert_faithful(wrapped)
    assert [line for log in wrapped.logs() for line in unexpected_verdicts(log)] == []
    home = tmp_path / "wrap" / "home"
    again, divergences = await replayed(name, sdk, wrapped, home)
    assert divergences == []
    assert differences(shapes["wrap"], again, ordered=name not in UNORDERED) == []


async def replayed(name: str, sdk: Path, wrapped: Wrapped, home: Path) -> tuple[list[Any], list[Any]]:
    """Play a scenario against what was recorded of it, where no API answers; return what the client saw, and said."""
    stand_in, report = home.parent / "replay/claude", home.parent / "report"
    plays = [str(log.path) for log in wrapped.logs()]
    settings = {"plays": plays, "starts": str(home.parent / "starts"), "report": str(report)}
    write_stand_in(str(stand_in), {**settings, "patience": CLIENT_WAIT_S / 2})
    nobody = SimpleNamespace(base_url="http://127.0.0.1:9", open_gates=lambda: None)
    api = cast("MessagesApi", SimpleNamespace(play=lambda _: nobody))
    seen = await played(name, sdk, api, stand_in, home)
    reports = [json.loads(line) for line in report.read_text().splitlines()]
    assert len(reports) == len(plays)
    return shape(seen, home), [
        divergence["sentence"] for each in reports for divergence in each["divergences"]
    ]


async def test_abort_ends_everything_and_the_log_is_whole(
    sdk: Path, api: MessagesApi, wrapped: Wrapped, tmp_path: Path
) -> None:
    """A client that aborts in mid-stream gets its error, and the log has what passed until then."""
    seen = await played("abort", sdk, api, wrapped.command, tmp_path / "home")

    assert [entry["what"] for entry in seen] == ["error"]
    (log,) = wrapped.logs()
    (inside,) = wrapped.inside()
    assert b"".join(r.line + b"\n" for r in log.lines("stdin")) == inside.stdin
    assert b"".join(r.line + b"\n" for r in log.lines("stdout")) == inside.stdout
    assert log.event("session_ended")["exit_code"] == inside.exit


async def test_shim_stands_for_claude(sdk: Path, api: MessagesApi, claude: Path, tmp_path: Path) -> None:
    """The executable that `claude-proxy shim` writes is all that pathToClaudeCodeExecutable needs."""
    made = await anyio.run_process([*claude_proxy(), "shim", str(tmp_path), "--claude", str(claude)])
    assert made.returncode == 0
    surroundings = Surroundings(tmp_path / "home")
    surroundings.build()
    play = api.play(script(surroundings.project))
    env = {
        **os.environ,
        **surroundings.variables(play.base_url),
        "CLAUDE_PROXY_SERVER": "off",
        "CLAUDE_PROXY_DATA_DIR": str(tmp_path / "data"),
    }

    with anyio.fail_after(CLIENT_WAIT_S):
        done = await anyio.run_process(
            ["node", str(CLIENT), str(sdk), "turns", str(tmp_path / "claude"), str(surroundings.project)],
            env=env,
        )

    assert done.stdout.count(b'"The second answer."') >= 1
    assert (tmp_path / "data/sessions/latest.jsonl").exists()
