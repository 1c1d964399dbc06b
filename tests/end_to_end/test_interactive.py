"""The real Claude Code at a terminal, with the wrapper in front: recorded whatever happens, and none the wiser."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proxy.events import Interpreter, Session
from proxy.sessions.reader import Entry, read_log
from tests.following.rig import recorder_of, statuses
from tests.relay.wrapper import ends
from tests.rig.answers import Gate, says, uses
from tests.rig.interactive import COLUMNS, ROWS, InteractiveClaude, has_tmux
from tests.rig.wrapping import claude_proxy
from tests.sessions.logs import Log
from tests.sessions.logs import read_log as read_raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.rig.messages_api import MessagesApi

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # many steps, each with a bound of its own
    pytest.mark.skipif(not has_tmux(), reason="tmux is not installed"),
]

WORDS = ("first of all", "and secondly", "then thirdly", "fourth and last")
RUN_IT = "run it please"
ANSWERS = {
    **{words: [says(f"Answer to {words}.")] for words in WORDS},
    RUN_IT: [uses("Bash", command="touch made", description="make a file"), says("It is made.")],
}


class Place(InteractiveClaude):
    """Interactive sessions, wrapped, and what is on record of them."""

    def __init__(self, api: MessagesApi, folder: Path, claude: Path) -> None:
        super().__init__(api, folder / "home", ANSWERS)
        self.claude = folder / "bin" / "claude"
        self.data_dir = folder / "data"
        self.claude.parent.mkdir()
        self.claude.symlink_to(claude)

    def wrapped(self, *arguments: str, options: Sequence[str] = (), claude: Path | None = None) -> list[str]:
        """Return the command line of a session."""
        own = ["--server", "off", "--data-dir", str(self.data_dir), *options]
        return [*claude_proxy(), *own, "--", str(claude or self.claude), *arguments]

    def begin(self, *arguments: str, options: Sequence[str] = (), claude: Path | None = None) -> int:
        """Start a wrapped session in a window of its own; return its process id when it waits for a prompt."""
        return self.start(self.wrapped(*arguments, options=options, claude=claude))

    def logs(self) -> list[Log]:
        """Return the logs, oldest first."""
        paths = (self.data_dir / "sessions").glob("*.jsonl")
        return [read_raw(path) for path in sorted(paths) if not path.is_symlink()]

    def until_log(self, is_so: Callable[[Log], Any], index: int = -1) -> Log:
        """Wait until a log is as it should be, and return it."""
        self.until(lambda: len(logs := self.logs()) > 0 and is_so(logs[index]))
        return self.logs()[index]

    def until_ended(self, index: int = -1) -> Log:
        """Wait for the end of a log, and return it."""
        return self.until_log(
            lambda log: log.records and log.records[-1].event_type == "session_ended", index
        )

    def ask(self, *words: str) -> Any:
        """Run a subcommand that prints JSON, and return that."""
        command = [*claude_proxy(), "--data-dir", str(self.data_dir), *words, "--json"]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    def sessions(self) -> list[dict[str, Any]]:
        """Return what `sessions` says."""
        found: list[dict[str, Any]] = self.ask("sessions")["sessions"]
        return found

    def standing(self) -> dict[str, Any]:
        """Return what `status` says of the only session that runs, as soon as it is on record."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = self.ask("status")["sessions"]
            return bool(found)

        self.until(is_there)
        (session,) = found
        return session

    def say_visibly(self, words: str, index: int = -1) -> None:
        """Say something whose turn goes on until a log has its state: a turn of milliseconds may show none."""
        gate, before = Gate(), times_busy(self.logs()[index])
        self.answer_by({**ANSWERS, words: [says(f"Answer to {words}.", gate=gate)]})
        self.say(words, then="busy")
        self.until_log(lambda log: times_busy(log) > before, index)
        gate.open()
        self.until_status("idle")

    def kill_recorder(self) -> None:
        """Kill the recorder of the newest log."""
        recorder = recorder_of(self.logs()[-1])
        os.kill(recorder, signal.SIGKILL)
        ends(recorder)


@pytest.fixture
def place(api: MessagesApi, tmp_path: Path, claude: Path) -> Iterator[Place]:
    """A place for wrapped sessions."""
    with Place(api, tmp_path, claude) as place:
        yield place


def times_busy(log: Log) -> int:
    """Return how often a log says that Claude Code is busy."""
    return sum(said.get("status") == "busy" for said in statuses(log))


def prompts(log: Log) -> list[str]:
    """Return what a person typed, of all that is in a log."""
    lines = [record.fields["message"] for record in log.of("transcript") if "message" in record.fields]
    return [one["message"]["content"] for one in lines if one.get("promptSource") in ("typed", "queued")]


def events(path: Path) -> Counter[str]:
    """Return how often each kind of event came of a log."""
    interpreter = Interpreter(Session("s"))
    records = (item.record for item in read_log(str(path)) if isinstance(item, Entry))
    return Counter(event.event_type for record in records for event in interpreter.take(record))


def assert_whole(log: Log) -> None:
    """Numbers without gap, timestamps that increase, and each line of a transcript once."""
    assert [record.fields["seq"] for record in log.records] == list(range(len(log.records)))
    stamps = [record.fields["ts"] for record in log.records]
    assert stamps == sorted(set(stamps))
    sources = [
        (source["file"], source["offset"])
        for record in log.of("transcript")
        for source in [record.fields["source"]]
    ]
    assert len(sources) == len(set(sources))


# -- what is recorded ----------------------------------------------------------------------------------------


def test_a_refusal_and_an_interruption(place: Place) -> None:
    """Esc at a question refuses the call, and Esc at an answer cuts it off: both are events, and the end is told."""
    gate = Gate()
    place.answer_by({**ANSWERS, WORDS[0]: [says("An answer of which the end is never seen.", gate=gate)]})
    place.begin("--permission-mode", "default")
    place.say(RUN_IT, then="waiting")
    place.answer("Escape")
    place.say(WORDS[0], then="busy")
    gate.wait_until_reached()
    place.answer("Escape")
    gate.open()
    place.leave()
    log = place.until_ended()
    assert_whole(log)
    assert prompts(log) == [RUN_IT, WORDS[0]]
    assert log.ended["clean"] is True
    (path,) = (place.data_dir / "sessions").glob("2*.jsonl")
    told = events(path)
    assert told["run_started"] == told["run_interrupted"] == 2
    assert told["permission_requested"] == told["permission_resolved"] == told["tool_denied"] == 1
    (session,) = place.sessions()
    assert (session["mode"], session["state"]) == ("followed", "ended")


def test_states_as_they_come(place: Place) -> None:
    """`status` says what a session does and what it waits for, before any line of the transcript tells it."""
    place.begin("--permission-mode", "default")
    place.until(lambda: place.standing()["state"] == "idle")
    place.say(RUN_IT, then="waiting")
    place.until(lambda: place.standing()["state"] == "waiting")
    waiting = place.standing()
    assert waiting["evidence"]["source"] == "registry"
    assert waiting["waits_for"][0]["kind"] == "can_use_tool"
    place.answer("Enter")
    place.until(lambda: place.standing()["state"] == "idle")
    place.type("/model")
    place.press("Enter")
    place.until_status("waiting")
    place.until(lambda: place.standing()["state"] == "waiting")
    place.answer("Escape")
    place.leave()
    place.until_ended()
    assert place.ask("status")["sessions"] == []


def test_a_permission_that_a_subagent_asks_for(place: Place) -> None:
    """It is told with the subagent's own tool, though the call of the subagent is written with it, or before."""
    call = uses("Task", description="look", prompt="the work of it", subagent_type="general-purpose")
    place.answer_by({"delegate it": [call, says("Delegated.")], "the work of it": ANSWERS[RUN_IT]})
    place.begin("--permission-mode", "default")
    place.say("delegate it", then="waiting")
    place.until(lambda: [one.get("tool") for one in place.standing()["waits_for"]][:1] == ["Bash"])
    place.answer("Enter")
    place.leave()
    place.until_ended()
    (path,) = (place.data_dir / "sessions").glob("2*.jsonl")
    told = events(path)
    assert told["permission_requested"] == told["permission_resolved"] == told["task_started"] == 1


def test_states_alone(place: Place) -> None:
    """With `--interactive status` the log has what the session did, and not a word of what was said."""
    place.begin(options=["--interactive", "status"])
    place.say_visibly(WORDS[0])
    place.leave()
    log = place.until_ended()
    assert {"busy", "idle"} <= {said.get("status") for said in statuses(log)}
    text = b"".join(record.text for record in log.records)
    assert WORDS[0].encode() not in text
    assert b"Answer" not in text


# -- nothing is different ------------------------------------------------------------------------------------


def stat_of(pid: int) -> list[str]:
    """Return the fields of proc_pid_stat(5) from the third on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def seen_of(pid: int) -> dict[str, Any]:
    """Return what can be seen of a process from outside."""
    proc = Path(f"/proc/{pid}")
    status = dict(re.findall(r"^(\w+):\t(.*)$", (proc / "status").read_text(), re.MULTILINE))
    fields = stat_of(pid)
    variables = set((proc / "environ").read_bytes().split(b"\0"))
    return {
        "program": os.readlink(proc / "exe"),
        "folder": os.readlink(proc / "cwd"),
        "environment": {one for one in variables if not one.startswith((b"CLAUDE_PROXY_", b"TMUX_PANE"))},
        "parent": fields[1],
        "leads its group and session": (fields[2] == str(pid), fields[3] == str(pid)),
        "has the foreground": fields[5] == fields[2],
        "terminals": {
            fd: target.startswith("/dev/pts/") for fd in "012" for target in [os.readlink(proc / "fd" / fd)]
        },
        "standard descriptors": sorted(
            int(one.name) for one in (proc / "fd").iterdir() if _is_inherited(one)
        ),
        **{name: status[name] for name in ("Umask", "SigIgn", "SigBlk", "SigCgt", "Seccomp", "NoNewPrivs")},
    }


def blocks_no_signal(pid: int) -> bool:
    """Tell whether a process lets all signals through."""
    return "SigBlk:\t0000000000000000\n" in Path(f"/proc/{pid}/status").read_text()


def _is_inherited(descriptor: Path) -> bool:
    """Tell whether a descriptor can be one that the program was started with: its own depend on the moment."""
    with suppress(OSError):
        info = Path(str(descriptor).replace("/fd/", "/fdinfo/")).read_text()
        flags = int(re.search(r"flags:\t(\d+)", info)[1], 8)  # type: ignore[index]
        return not flags & os.O_CLOEXEC
    return False


def test_nothing_is_different_for_claude_and_its_terminal(place: Place) -> None:
    """Item by item as without the wrapper: program, environment, descriptors, signals, parent, terminal, tmux."""
    seen = {}
    for name, command in (("bare", [str(place.claude)]), ("wrapped", place.wrapped())):
        pid = place.start(command)
        # A program blocks all signals while it makes a thread; what the wrapper had left blocked would stay so.
        place.until(partial(blocks_no_signal, pid))
        seen[name] = {**seen_of(pid), "tmux": place.pane("#{pane_current_command}")}
        if name == "wrapped":
            recorder = recorder_of(place.until_log(lambda log: log.records))
            parent_of_recorder = int(stat_of(recorder)[1])
        place.leave()
    assert seen["wrapped"] == seen["bare"]
    assert parent_of_recorder != pid


def test_job_control_and_the_size_of_the_window(place: Place) -> None:
    """Under a shell, Ctrl-Z stops claude and `fg` goes on; a new size reaches it; `status` says that it is stopped."""
    place.start(["bash", "--norc"], ready=False)
    place.type(" ".join(place.wrapped()).replace(str(place.data_dir), f"'{place.data_dir}'"))
    place.press("Enter")
    log = place.until_log(lambda log: log.records)
    pid = log.event("session_started")["pid"]
    place.until_status("idle", pid)
    place.press("C-z")
    place.until(lambda: place.standing()["suspended"])
    place.until(lambda: "Stopped" in place.screen())
    place.type("fg")
    place.press("Enter")
    place.until(lambda: not place.standing()["suspended"])
    place.resize(COLUMNS - 30, ROWS)
    place.until(lambda: max(map(len, place.screen().splitlines())) in range(COLUMNS - 34, COLUMNS - 29))
    place.type("/exit")
    place.press("Enter")
    ended = place.until_ended().ended
    assert ended.get("exit_code", 0) == 0


def test_a_data_directory_that_cannot_be_used(place: Place) -> None:
    """Claude Code runs the same, and says what it says."""
    place.data_dir.write_text("in the way")
    place.begin()
    place.say(WORDS[0])
    assert f"Answer to {WORDS[0]}." in place.screen()
    place.leave()
    assert place.pane("#{pane_dead_status}") in ("0", "")  # tmux does not always learn it


# -- what dies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("looker", ["status", "sessions"])
def test_a_recorder_that_was_killed_is_replaced_by_the_next_command(place: Place, looker: str) -> None:
    """The session counts as running, and nothing of what was said meanwhile is missing."""
    place.begin()
    place.say(WORDS[0])
    place.until_log(lambda log: prompts(log) == [WORDS[0]])
    place.kill_recorder()
    place.say(WORDS[1])
    (session,) = place.ask(looker)["sessions"]
    assert session["state"] in ("idle", "executing")
    place.until_log(lambda log: prompts(log) == list(WORDS[:2]))
    place.say(WORDS[2])
    place.leave()
    log = place.until_ended()
    assert_whole(log)
    assert prompts(log) == list(WORDS[:3])
    assert log.ended.get("exit_code", 0) == 0


def test_a_recorder_that_was_killed_is_replaced_by_the_server(place: Place) -> None:
    """Nobody has to look: the server sees to it that what runs is recorded."""
    command = [*claude_proxy(), "--data-dir", str(place.data_dir), "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            place.begin()
            place.say(WORDS[0])
            place.until_log(lambda log: prompts(log) == [WORDS[0]])
            place.kill_recorder()
            place.say(WORDS[1])
            place.until_log(lambda log: prompts(log) == list(WORDS[:2]))
            place.leave()
            assert_whole(place.until_ended())
        finally:
            server.terminate()


def test_what_both_left_behind_is_read_back(place: Place) -> None:
    """Recorder and claude are killed, the log ends in a torn line: what the transcript has is in the log."""
    pid = place.begin()
    place.say(WORDS[0])
    place.until_log(lambda log: prompts(log) == [WORDS[0]])
    place.kill_recorder()
    place.say(WORDS[1])
    place.until(lambda: f"Answer to {WORDS[1]}." in place.transcripts())
    os.kill(pid, signal.SIGKILL)
    place.until_over()
    (path,) = (place.data_dir / "sessions").glob("2*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"seq":99,"ts":"20')
    place.ask("sessions")
    log = place.until_ended()
    assert_whole(log)
    assert prompts(log) == list(WORDS[:2])
    assert log.ended["clean"] is False
    (session,) = place.sessions()
    assert session["state"] == "failed"


def test_claude_that_was_killed_while_it_asked_does_not_wait_any_more(place: Place) -> None:
    """What its registry says for ever is not believed of the dead."""
    pid = place.begin("--permission-mode", "default")
    place.say(RUN_IT, then="waiting")
    place.until(lambda: place.standing()["state"] == "waiting")
    os.kill(pid, signal.SIGKILL)
    log = place.until_ended()
    assert log.ended["clean"] is False
    assert log.ended.get("signal", "SIGKILL") == "SIGKILL"
    (session,) = place.sessions()
    assert (session["state"], session["waits_for"]) == ("failed", [])


# -- each prompt in one log ----------------------------------------------------------------------------------


def test_clear_continue_resume_and_fork(place: Place) -> None:
    """A prompt is in the log of the session that it was typed in, and in no other, and history is not repeated."""
    place.begin()
    place.say(WORDS[0])
    first = place.registration()["sessionId"]
    place.type("/clear")
    place.press("Enter")
    place.until(lambda: place.registration().get("sessionId", first) != first)
    place.say(WORDS[1])
    place.leave()
    place.begin("--continue")
    place.say(WORDS[2])
    place.leave()
    place.begin("--resume", first)
    place.say(WORDS[3])
    place.leave()
    place.begin("--resume", first, "--fork-session")
    place.say(WORDS[0])
    place.leave()
    typed = [prompts(place.until_ended(index)) for index in range(4)]
    assert typed == [[WORDS[0], WORDS[1]], [WORDS[2]], [WORDS[3]], [WORDS[0]]]
    opened = [
        [record.data["why"] for record in log.records if record.event_type == "transcript_opened"]
        for log in place.logs()
    ]
    assert opened == [["new", "cleared"], ["continued"], ["continued"], ["forked"]]
    for log in place.logs():
        assert_whole(log)


def test_resumed_from_within(place: Place) -> None:
    """With `/resume` a session turns to another conversation: from there it has what is typed, and nothing older."""
    place.begin()
    place.say(WORDS[0])
    first = place.registration()["sessionId"]
    place.leave()
    place.begin()
    place.say(WORDS[1])
    place.type("/resume")
    place.press("Enter")
    place.until_status("waiting")
    place.until(lambda: "Enter to resume" in place.screen())
    place.answer("Enter")
    place.until(lambda: place.registration().get("sessionId") == first)
    place.say(WORDS[2])
    place.leave()
    typed = [prompts(place.until_ended(index)) for index in range(2)]
    assert typed == [[WORDS[0]], [WORDS[1], WORDS[2]]]
    opened = [record.data for record in place.logs()[1].records if record.event_type == "transcript_opened"]
    assert [one["why"] for one in opened] == ["new", "continued"]
    for log in place.logs():
        assert_whole(log)


def test_prompts_that_wait_while_a_turn_runs(place: Place) -> None:
    """Nine prompts, of which eight are typed while the first is answered: each is there once, and none interrupted."""
    gate = Gate()
    waiting = [
        f"number {count}" for count in ("one", "two", "three", "four", "five", "six", "seven", "eight")
    ]
    place.answer_by(
        {
            WORDS[0]: [says("An answer that takes its time.", gate=gate)],
            waiting[-1]: [says("All eight.")],
        }
    )
    place.begin()
    place.say(WORDS[0], then="busy")
    gate.wait_until_reached()
    for words in waiting:
        place.type(words)
        place.press("Enter")
    place.until(lambda: place.transcripts().count('"operation":"enqueue"') == len(waiting))
    gate.open()
    place.until(lambda: "All eight." in place.transcripts())
    place.until_status("idle")
    place.leave()
    log = place.until_ended()
    assert_whole(log)
    assert prompts(log) == [WORDS[0], *waiting]
    (path,) = (place.data_dir / "sessions").glob("2*.jsonl")
    told = events(path)
    assert told["command_received"] == 1 + len(waiting)
    assert (told["run_started"], told["run_completed"], told["run_interrupted"]) == (2, 2, 0)


def test_a_conversation_that_is_compacted(place: Place) -> None:
    """`/compact` goes on in the same file; its summary is no prompt, and nothing is there twice."""
    place.begin()
    place.say(WORDS[0])
    place.say("/compact", then=None)
    place.until(lambda: '"compact_boundary"' in place.transcripts())
    place.until_status("idle")
    place.say(WORDS[1])
    place.leave()
    log = place.until_ended()
    assert_whole(log)
    assert prompts(log) == [WORDS[0], WORDS[1]]
    (path,) = (place.data_dir / "sessions").glob("2*.jsonl")
    told = events(path)
    assert (told["compaction"], told["run_started"], told["run_completed"]) == (1, 2, 2)


def test_sessions_in_one_folder_and_one_conversation_open_twice(place: Place) -> None:
    """Each log has the prompts of its own process."""
    place.begin()
    place.say(WORDS[0])
    conversation = place.registration()["sessionId"]
    place.begin()
    place.say(WORDS[1])
    place.leave()
    place.begin("--resume", conversation)
    place.say_visibly(WORDS[2])
    place.until_log(lambda log: prompts(log) == [WORDS[2]])
    place.select(-3)
    place.say_visibly(WORDS[3], 0)
    place.until_log(lambda log: prompts(log) == [WORDS[0], WORDS[3]], index=0)
    place.leave()
    place.select(-2)
    place.leave()
    assert [prompts(place.until_ended(index)) for index in range(3)] == [
        [WORDS[0], WORDS[3]],
        [WORDS[1]],
        [WORDS[2]],
    ]


def test_a_worktree(place: Place) -> None:
    """With `--worktree` the transcript is in another project's folder, and is found."""
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        identity = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
        subprocess.run(["git", *identity, *words], cwd=place.project, check=True)
    place.begin("--worktree", "side")
    place.say(WORDS[0])
    place.until_log(lambda log: prompts(log) == [WORDS[0]])
    os.kill(int(place.pane("#{pane_pid}")), signal.SIGTERM)  # /exit asks what is to become of the worktree
    place.until_over()
    assert prompts(place.until_ended()) == [WORDS[0]]


# -- launchers -----------------------------------------------------------------------------------------------


def launcher(place: Place, script: str) -> Path:
    """Put another program called claude in front of the real one."""
    path = place.home / "launcher" / "claude"
    path.parent.mkdir()
    path.write_text(script)
    path.chmod(0o755)
    return path


def test_a_script_that_sets_the_configuration_folder(place: Place) -> None:
    """`CLAUDE_CONFIG_DIR` of a script in between: the folder is found where the process has it."""
    other = place.home / "other"
    other.mkdir()
    (other / ".claude.json").write_text((place.home / ".claude.json").read_text())
    script = f'#!/bin/sh\nexport CLAUDE_CONFIG_DIR="{other}"\nexec "{place.claude}" "$@"\n'
    place.config = other
    place.begin(claude=launcher(place, script))
    place.say(WORDS[0])
    place.leave()
    log = place.until_ended()
    assert prompts(log) == [WORDS[0]]


def test_the_launcher_of_the_npm_package(place: Place) -> None:
    """It stays, and what it has started is the process that is followed."""
    script = (
        "#!/usr/bin/env node\n"
        "const {spawnSync} = require('child_process');\n"
        f"const done = spawnSync('{place.claude}', process.argv.slice(2), {{stdio: 'inherit'}});\n"
        "process.exit(done.status);\n"
    )
    place.start(place.wrapped(claude=launcher(place, script)), ready=False)
    child = statuses(place.until_log(statuses))[-1]["pid"]
    assert child != int(place.pane("#{pane_pid}"))
    place.until_status("idle", child)
    place.type(WORDS[0])
    place.press("Enter")
    place.until_log(lambda log: prompts(log) == [WORDS[0]])
    place.until_status("idle", child)
    place.leave()
    log = place.until_ended()
    assert log.ended.get("exit_code", 0) == 0
    assert log.ended["clean"] is True


# -- not recorded --------------------------------------------------------------------------------------------


def test_a_session_within_claude_code_is_said_not_to_be_recorded(place: Place) -> None:
    """Claude Code keeps no transcript of what is begun within it: that is said everywhere, and why."""
    place.extra["CLAUDE_CODE_CHILD_SESSION"] = "1"
    place.start(place.wrapped(), ready=False)
    log = place.until_log(lambda log: "not_recorded" in log.events())
    assert log.event("not_recorded") == {"why": "child_session"}
    said = place.standing()["recording"]
    assert said["state"] == "not recorded"
    assert said["why"]
    shown = subprocess.run(
        [*claude_proxy(), "--data-dir", str(place.data_dir), "status"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "not recorded" in shown
    place.until(lambda: "Transcript saving is off" in place.screen())
    place.leave()
    place.until_ended()
    (session,) = place.sessions()
    assert session["recording"]["state"] == "not recorded"
    assert session["outcome"] != "ok"


def test_transcripts_that_cannot_be_written_are_said_to_be_missing(place: Place) -> None:
    """Where Claude Code cannot keep its transcript, a session does not look as if nothing had been said."""
    (place.config / "projects").parent.mkdir(exist_ok=True)
    (place.config / "projects").write_text("in the way")
    place.begin()
    place.say(WORDS[0])
    log = place.until_log(lambda log: "not_recorded" in log.events())
    assert log.event("not_recorded") == {"why": "no_transcript"}
    assert place.standing()["recording"]["state"] == "not recorded"
