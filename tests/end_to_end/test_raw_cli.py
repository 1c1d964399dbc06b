"""Claude Code as scripts and editors call it: text, JSON, calls that are no session, wrong input, signals."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

from proxy.events import Interpreter, Session
from proxy.sessions.reader import Entry, read_log
from tests.end_to_end.checks import assert_faithful, assert_log_is_whole, assert_nothing_changed
from tests.protocol.test_judge import NULL_FOR_ABSENT, NULL_REFUSED
from tests.rig.answers import Gate, says, uses
from tests.rig.environment import Surroundings
from tests.rig.raw_client import STREAMING, open_raw_client
from tests.rig.sameness import shape
from tests.rig.wrapping import Wrapped, claude_proxy, read_logs
from tests.tiers import first_in_short

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.rig.messages_api import MessagesApi
    from tests.rig.stage import Stage

pytestmark = pytest.mark.anyio

RUN_WAIT_S = 60
QUESTION = b'{"type":"user","message":{"role":"user","content":"A question?"}}'


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls a command with given arguments, in one and the same surroundings, and waits for its end."""

    env: dict[str, str]
    project: Path

    async def call(
        self, *command: str | Path, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end."""
        with anyio.fail_after(RUN_WAIT_S):
            return await anyio.run_process(
                [str(word) for word in command],
                input=b"" if stdin is None else stdin,
                env=self.env,
                cwd=self.project,
                check=False,
            )


@pytest.fixture
def caller(api: MessagesApi, tmp_path: Path) -> Caller:
    """A caller in a home of its own, with a model that has one answer."""
    surroundings = Surroundings(tmp_path / "home")
    surroundings.build()
    play = api.play({"question": [says("An answer of one line.")]})
    return Caller({**os.environ, **surroundings.variables(play.base_url)}, surroundings.project)


async def test_text_is_passed_on_and_recorded(caller: Caller, claude: Path, wrapped: Wrapped) -> None:
    """A prompt on the command line and a bare text answer: the same output, recorded as text."""
    bare = await caller.call(claude, "-p", "A question?")
    done = await caller.call(wrapped.command, "-p", "A question?")

    assert done.stdout == bare.stdout == b"An answer of one line.\n"
    assert (done.returncode, done.stderr) == (bare.returncode, bare.stderr)
    (log,) = wrapped.logs()
    (inside,) = wrapped.inside()
    assert_log_is_whole(log, inside)
    assert [(r.verdict, r.raw) for r in log.lines("stdout")] == [("text", "An answer of one line.")]


@pytest.mark.slow
async def test_prompt_on_standard_input_without_a_newline(
    caller: Caller, claude: Path, wrapped: Wrapped
) -> None:
    """A text prompt without a last newline reaches Claude Code whole, and is recorded as cut off."""
    bare = await caller.call(claude, "-p", stdin=b"A question?")
    done = await caller.call(wrapped.command, "-p", stdin=b"A question?")

    assert done.stdout == bare.stdout
    (log,) = wrapped.logs()
    assert [(r.verdict, r.raw, r.truncated) for r in log.lines("stdin")] == [("text", "A question?", True)]


@pytest.mark.slow
@pytest.mark.linux("a file can be opened again by its descriptor")
async def test_loop_over_the_lines_of_a_file(caller: Caller, claude: Path, tmp_path: Path) -> None:
    """Claude Code leaves a file on standard input where it is: every line has its answer, as without the wrapper."""
    (caller.project / "lines").write_text("A question?\nAnother question?\n")
    loop = 'while read -r line; do "$@" -p "$line"; done < lines'
    wrapper = [*claude_proxy(), "--server", "off", "--data-dir", str(tmp_path / "data"), "--"]

    bare = await caller.call("sh", "-c", loop, "sh", claude)
    done = await caller.call("sh", "-c", loop, "sh", *wrapper, claude)

    assert done.stdout == bare.stdout == b"An answer of one line.\n" * 2
    first, _ = read_logs(tmp_path / "data")
    assert [record.raw for record in first.lines("stdin")] == ["A question?", "Another question?"]


@pytest.mark.slow
async def test_json_output_is_recorded_as_a_message(
    caller: Caller, claude: Path, wrapped: Wrapped, tmp_path: Path
) -> None:
    """`--output-format json` gives one object; it passes unchanged, and is on record as that object."""
    bare = await caller.call(claude, "-p", "--output-format", "json", "A question?")
    done = await caller.call(wrapped.command, "-p", "--output-format", "json", "A question?")

    home = tmp_path / "home"
    assert shape([json.loads(done.stdout)], home) == shape([json.loads(bare.stdout)], home)
    (log,) = wrapped.logs()
    (inside,) = wrapped.inside()
    (outside,) = wrapped.outside()
    assert_nothing_changed(outside, inside)
    assert [r.line for r in log.lines("stdout")] == [done.stdout.rstrip(b"\n")]
    assert log.lines("stdout")[0].verdict in ("valid", "text")


async def _told(caller: Caller, data_dir: Path, *words: str) -> Any:
    """Return what a subcommand prints, as JSON where that was asked for."""
    done = await caller.call(*claude_proxy(), "--data-dir", data_dir, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if "--json" in words else done.stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    first_in_short(
        [
            (["-p", "A question?"], None),
            (["-p", "--verbose", "A question?"], None),
            (["A question?"], None),
            (["-p"], b"A question?"),
            (["-p", "--output-format", "json", "A question?"], None),
            (["-p", "--output-format", "json", "--verbose", "A question?"], None),
        ]
    ),
    ids=["text", "verbose", "no terminal", "standard input", "json", "verbose json"],
)
async def test_what_a_printing_session_did_is_told(
    arguments: list[str], stdin: bytes | None, caller: Caller, claude: Path, tmp_path: Path
) -> None:
    """One turn with its prompt and its answer, which took its time, in a session that is over and well."""
    data_dir, prompt = tmp_path / "data", "A question?" if stdin is None else None
    done = await caller.call(
        *claude_proxy(), "--server", "off", "--data-dir", data_dir, "--", claude, *arguments, stdin=stdin
    )

    assert done.returncode == 0
    (one,) = (await _told(caller, data_dir, "sessions", "--json"))["sessions"]
    assert (one["state"], one["outcome"], one["turns"], one["prompt"]) == ("ended", "ok", 1, prompt)
    assert one["warnings"] == []
    report = await _told(caller, data_dir, "analyze", "--json")
    (turn,) = report["turns"]
    assert (turn["outcome"], turn["prompt"]) == ("completed", prompt or "(no prompt)")
    # Not the moment in which its last line came: no machine starts Claude Code and has its answer within so long.
    assert 100 < turn["duration_ms"] <= report["duration_ms"]
    assert report["time"]["activities"][0]["activity"] == "turn"
    assert report["anomalies"] == []
    shown = await _told(caller, data_dir, "show")
    assert shown.count("An answer of one line.") == 1
    assert "begun by Claude Code" not in shown


async def test_a_printing_session_that_fails(caller: Caller, claude: Path, tmp_path: Path) -> None:
    """The reason is what Claude Code has printed, wherever it printed it."""
    data_dir = tmp_path / "data"
    options = ["--server", "off", "--data-dir", str(data_dir), "--"]
    done = await caller.call(*claude_proxy(), *options, claude, "-p", "--no-such-option", "A question?")

    assert done.returncode == 1
    (one,) = (await _told(caller, data_dir, "sessions", "--json"))["sessions"]
    assert (one["state"], one["outcome"], one["turns"]) == ("ended", "failed", 1)
    assert one["outcome_reason"].startswith("error: unknown option '--no-such-option'")


@pytest.mark.parametrize(
    "arguments",
    first_in_short(
        [["--version"], ["mcp", "list"], ["-v"], ["--help"], ["plugin", "list", "--json"], ["mcp", "--help"]],
        2,
    ),
    ids=" ".join,
)
async def test_calls_that_are_no_session_are_left_alone(
    arguments: list[str], caller: Caller, claude: Path, tmp_path: Path
) -> None:
    """What is no session gives the same output and status, and leaves no data directory behind."""
    data_dir = tmp_path / "data"
    bare = await caller.call(claude, *arguments)

    done = await caller.call(*claude_proxy(), "--server", "off", "--data-dir", data_dir, claude, *arguments)

    assert (done.returncode, done.stdout, done.stderr) == (bare.returncode, bare.stdout, bare.stderr)
    assert bare.stdout
    assert not data_dir.exists()


@pytest.mark.slow
async def test_separator_may_be_left_out(caller: Caller, claude: Path, tmp_path: Path) -> None:
    """Editors put the wrapper before the whole command line, without `--`; that works the same."""
    options = ["--server", "off", "--data-dir", str(tmp_path / "data")]
    line = b'{"type":"user","message":{"role":"user","content":"A question?"}}\n'

    done = await caller.call(*claude_proxy(), *options, claude, *STREAMING, stdin=line)

    assert json.loads(done.stdout.splitlines()[-1])["result"] == "An answer of one line."
    (log,) = read_logs(tmp_path / "data")
    assert log.event("session_started")["command"] == [str(claude), *STREAMING]
    assert [record.line + b"\n" for record in log.lines("stdin")] == [line]
    assert b"".join(record.line + b"\n" for record in log.lines("stdout")) == done.stdout


@pytest.mark.slow
async def test_sessions_side_by_side(caller: Caller, claude: Path, tmp_path: Path) -> None:
    """Sessions that run at the same time in one data directory have a whole log each, and share nothing."""
    options = ["--server", "off", "--data-dir", str(tmp_path / "data"), "--"]
    outputs: list[bytes] = []

    async def one(number: int) -> None:
        line = f'{{"type":"user","message":{{"role":"user","content":"A question? {number}"}}}}\n'
        done = await caller.call(*claude_proxy(), *options, claude, *STREAMING, stdin=line.encode())
        outputs.append(done.stdout)

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(one, number)

    logs = read_logs(tmp_path / "data")
    recorded = [b"".join(record.line + b"\n" for record in log.lines("stdout")) for log in logs]
    assert sorted(recorded) == sorted(outputs)
    prompts = [json.loads(record.line)["message"]["content"] for log in logs for record in log.lines("stdin")]
    assert sorted(prompts) == [f"A question? {number}" for number in range(3)]


@pytest.mark.parametrize(
    "line",
    first_in_short(
        [
            b"this is not JSON",
            b'{"type":"user","message":{"role":"user","content":"cut',
            b'{"type":"user"}',
            b'{"type":"user","message":{"role":"assistant","content":"x"}}',
            b'{"type":"control_request","request_id":"1"}',
            b"\xef\xbb\xbf\xef\xbb\xbf" + QUESTION,
            b" \xef\xbb\xbf" + QUESTION,
            QUESTION + b"\r" + QUESTION,
            QUESTION.replace(b"?", b"\x01?"),
            QUESTION[:-1] + b',"x":NaN}',
        ]
    ),
    ids=[
        *("no JSON", "cut JSON", "no message", "wrong role", "no request"),
        *("two byte order marks", "a byte order mark after a space", "a lone carriage return"),
        *("a control character", "NaN"),
    ],
)
async def test_wrong_lines_end_the_command_as_without_the_wrapper(
    line: bytes, caller: Caller, claude: Path, wrapped: Wrapped
) -> None:
    """A line that Claude Code dies of passes as it is (`observe`), with its complaint and its exit status."""
    bare = await caller.call(claude, *STREAMING, stdin=line + b"\n")
    done = await caller.call(wrapped.command, *STREAMING, stdin=line + b"\n")

    assert (done.returncode, done.stdout) == (bare.returncode, bare.stdout)
    assert done.stderr == bare.stderr
    assert bare.returncode == 1
    assert_faithful(wrapped)
    (log,) = wrapped.logs()
    assert [record.line for record in log.lines("stdin")] == [line]
    assert log.lines("stdin")[0].verdict in ("invalid", "malformed")
    assert b"\n".join(record.line for record in log.lines("stderr")) + b"\n" == done.stderr


TAKEN = {
    "byte order mark": (b"\xef\xbb\xbf" + QUESTION, "valid"),
    "carriage returns": (b"\xef\xbb\xbf" + QUESTION + b"\r\r", "valid"),
    "not UTF-8": (QUESTION.replace(b"?", b"\xff?"), "malformed"),
    "nested deep": (QUESTION[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "invalid"),
    "long integer": (QUESTION[:-1] + b',"x":' + b"9" * 5000 + b"}", "invalid"),
}
BLANK = [b"", b"  ", b"\r", b"\v\f", b"\xef\xbb\xbf", "\u00a0\u2028\u3000".encode()]


async def test_what_claude_code_takes_is_interpreted(stage: Stage, wrapped: Wrapped) -> None:
    """Input that is not quite JSON, but is taken, has its verdict and starts a turn; blank lines are nothing at all."""
    stage.answer({"question": [says("An answer.")]})
    async with stage.raw() as client:
        await client.send_bytes(b"\n".join((*BLANK, b"")))
        for line, _ in TAKEN.values():
            await client.send_bytes(line + b"\n")
            assert (await client.result())["result"] == "An answer."
        await client.send_bytes(b"\n".join((*BLANK, b"")))

    assert_faithful(wrapped)
    (log,) = wrapped.logs()
    verdicts = [record.verdict for record in log.lines("stdin")]
    assert verdicts == [None] * len(BLANK) + [verdict for _, verdict in TAKEN.values()] + [None] * len(BLANK)
    interpreter = Interpreter(Session(log.path.stem))
    entries = read_log(str(log.path))
    events = [
        event for entry in entries if isinstance(entry, Entry) for event in interpreter.take(entry.record)
    ]
    commands = [event.data["command"] for event in events if event.data["event"] == "command_received"]
    assert [command["action"] for command in commands] == ["prompt"] * len(TAKEN)
    prompts = [command["prompt"] for command in commands]
    assert prompts == ["A question?"] * 2 + ["A question\ufffd?"] + ["A question?"] * 2
    assert [event.data["event"] for event in events].count("run_completed") == len(TAKEN)


async def test_null_for_an_absent_field_is_taken(guarded: Stage) -> None:
    """What we call valid Claude Code takes, also where invalid messages are held back."""
    guarded.answer({"hello": [says("An answer.")]})
    async with guarded.raw() as client:
        for message in NULL_FOR_ABSENT:
            if "sdk" in repr(message):
                continue  # a turn waits for the servers that its client is to have
            await client.send(message)
            if message["type"] == "user":
                assert (await client.result())["result"] == "An answer."
            elif message["type"] == "control_request":
                answer = await client.answer_to("1")
                assert answer["subtype"] == "success"
                errors = answer.get("response", {}).get("errors", {})
                # Without arguments, null or not, and without anybody who listens, the servers here do not start.
                assert all("Spread syntax" in error or "ECONNREFUSED" in error for error in errors.values())
        assert (await client.turn("hello again"))["result"] == "An answer."


@pytest.mark.slow
async def test_null_that_we_refuse_is_refused(bare: Stage) -> None:
    """What we call invalid Claude Code answers with an error, or takes without the part that holds it."""
    async with bare.raw() as client:
        for message in NULL_REFUSED:
            if message["type"] == "user" or message["request"] is None:
                continue  # it dies of it: see above
            await client.send(message)
            answer = await client.answer_to("1")
            response = answer.get("response", {})
            if message["request"].get("agents"):
                assert "a" not in [agent["name"] for agent in response["agents"]]
            elif answer["subtype"] == "success":
                assert "is not a function" in response["errors"]["a"]


@pytest.mark.parametrize(
    "option",
    first_in_short([["--no-such-option"], ["--resume", "not-an-id"], ["--mcp-config", "{"]]),
    ids=" ".join,
)
async def test_complaints_at_the_start_are_the_same(
    option: list[str], caller: Caller, claude: Path, wrapped: Wrapped, tmp_path: Path
) -> None:
    """What Claude Code complains about before it begins is seen as without the wrapper, and recorded."""
    bare = await caller.call(claude, *STREAMING, *option)
    done = await caller.call(wrapped.command, *STREAMING, *option)

    assert (done.returncode, done.stderr) == (bare.returncode, bare.stderr)
    home = tmp_path / "home"
    seen, expected = ([json.loads(line) for line in run.stdout.splitlines()] for run in (done, bare))
    assert shape(seen, home) == shape(expected, home)
    assert bare.returncode == 1
    assert_faithful(wrapped)


@pytest.mark.parametrize(
    ("number", "status"),
    first_in_short(
        [(signal.SIGTERM, 143), (signal.SIGINT, 0), (signal.SIGHUP, 129), (signal.SIGKILL, -signal.SIGKILL)]
    ),
    ids=["TERM", "INT", "HUP", "KILL"],
)
async def test_signals_in_mid_stream(
    number: signal.Signals, status: int, api: MessagesApi, claude: Path, tmp_path: Path
) -> None:
    """A signal to the wrapper in mid-stream ends the session with the status of the bare Claude Code."""
    wrapper = [*claude_proxy(), "--server", "off", "--data-dir", str(tmp_path / "data"), "--"]
    endings: dict[str, int] = {}
    for name, command in (("bare", [str(claude)]), ("wrap", [*wrapper, str(claude)])):
        gate = Gate()
        surroundings = Surroundings(tmp_path / name / "home")
        surroundings.build()
        play = api.play(
            {"long story": [says("A very long story that nobody wants to hear. " * 20, gate=gate)]}
        )
        async with open_raw_client(
            [*command, *STREAMING, "--include-partial-messages"],
            cwd=surroundings.project,
            env={**os.environ, **surroundings.variables(play.base_url)},
        ) as client:
            await client.say("Tell a long story.")
            await client.until(lambda m: m.get("event", {}).get("type") == "content_block_delta")
            client.process.send_signal(number)
            while await client.read() is not None:
                pass
            with anyio.fail_after(RUN_WAIT_S):
                endings[name] = await client.process.wait()
        gate.open()

    assert endings == {"bare": status, "wrap": status}
    (log,) = read_logs(tmp_path / "data")
    assert [json.loads(record.line) for record in log.lines("stdout")] == client.seen


@pytest.mark.slow
async def test_signals_that_the_caller_ignores(api: MessagesApi, claude: Path, tmp_path: Path) -> None:
    """Claude Code and the tools it starts ignore, block and catch the same signals with the wrapper and without.

    That holds for SIGPIPE and SIGXFSZ too, which Python cannot know of: Claude Code sets them for itself.
    """
    ignoring = ["/bin/sh", "-c", "trap '' PIPE XFSZ HUP QUIT USR1; exec \"$@\"", "sh"]
    wrapper = [*claude_proxy(), "--server", "off", "--data-dir", str(tmp_path / "data"), "--"]
    # Of Claude Code itself not what it blocks: while it starts a program, that is everything for a moment.
    look = "sed -n '/^Sig[IC]/p' /proc/$PPID/status; sed -n '/^Sig[BIC]/p' /proc/self/status"
    found: dict[str, list[str]] = {}
    for name, command in (("bare", [str(claude)]), ("wrap", [*wrapper, str(claude)])):
        surroundings = Surroundings(tmp_path / name / "home")
        surroundings.build()
        play = api.play({"look": [uses("Bash", command=look), says("Seen.")]})
        async with open_raw_client(
            [*ignoring, *command, *STREAMING, "--allowedTools", "Bash"],
            cwd=surroundings.project,
            env={**os.environ, **surroundings.variables(play.base_url)},
        ) as client:
            await client.turn("Have a look.")
        (result,) = (
            block
            for message in client.seen
            if message["type"] == "user"
            for block in message["message"]["content"]
            if block["type"] == "tool_result"
        )
        found[name] = result["content"].splitlines()

    assert len(found["bare"]) == 5
    assert found["wrap"] == found["bare"]


async def test_killed_wrapper_takes_claude_along_and_leaves_what_was_delivered(
    api: MessagesApi, claude: Path, tmp_path: Path
) -> None:
    """After SIGKILL of the wrapper Claude Code does not live on; the log has all that was delivered."""
    gate = Gate()
    surroundings = Surroundings(tmp_path / "home")
    surroundings.build()
    play = api.play({"long story": [says("A very long story that nobody wants to hear. " * 20, gate=gate)]})
    data_dir = tmp_path / "data"
    async with open_raw_client(
        [*claude_proxy(), "--server", "off", "--data-dir", str(data_dir), "--", str(claude), *STREAMING],
        cwd=surroundings.project,
        env={**os.environ, **surroundings.variables(play.base_url)},
    ) as client:
        await client.say("Tell a long story.")
        await client.until(lambda m: m.get("subtype") == "init")
        client.process.kill()
        # The end of the output comes only when nobody holds the pipe: neither wrapper nor Claude Code.
        while await client.read() is not None:
            pass
    gate.open()

    (path,) = (p for p in (data_dir / "sessions").glob("*.jsonl") if not p.is_symlink())
    records = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    assert [r["message"] for r in records if r["stream"] == "stdout"][: len(client.seen)] == client.seen
    assert [r["message"]["type"] for r in records if r["stream"] == "stdin"] == ["user"]


async def test_nothing_lives_on_after_the_client_is_killed(
    api: MessagesApi, claude: Path, tmp_path: Path
) -> None:
    """A client that is killed in mid-stream leaves neither wrapper nor Claude Code; the log has its end."""
    gate = Gate()
    surroundings = Surroundings(tmp_path / "home")
    surroundings.build()
    play = api.play({"long story": [says("A very long story that nobody wants to hear. " * 20, gate=gate)]})
    wrapper = [*claude_proxy(), "--server", "off", "--data-dir", str(tmp_path / "data"), "--", str(claude)]
    # A program of its own between the test and the wrapper: with its death the wrapper's pipes are closed.
    client = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdin.write(sys.argv[1].encode() + b'\\n')\n"
        "child.stdin.flush()\n"
        "child.stdout.read()\n"
    )
    prompt = '{"type":"user","message":{"role":"user","content":"Tell a long story."}}'
    process = await anyio.open_process(
        [sys.executable, "-c", client, prompt, *wrapper, *STREAMING],
        cwd=surroundings.project,
        env={**os.environ, **surroundings.variables(play.base_url)},
    )
    async with process:
        await gate.reached()
        process.kill()
        await process.wait()
    gate.open()

    latest = tmp_path / "data/sessions/latest.jsonl"
    with latest.open("rb") as file, anyio.fail_after(RUN_WAIT_S):
        # The writer of a log holds it locked: when the lock is free, the wrapper is gone.
        await anyio.to_thread.run_sync(fcntl.flock, file, fcntl.LOCK_EX, abandon_on_cancel=True)
    (log,) = read_logs(tmp_path / "data")
    assert log.event("session_ended")["exit_code"] == 0
    with pytest.raises(ProcessLookupError):
        os.kill(log.event("session_started")["pid"], 0)
