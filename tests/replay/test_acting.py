"""A script is performed: each step does what its page says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from proxy.protocol import Judge
from proxy.replay.acting import AS_CLAUDE, DIVERGED
from tests.replay.standing import PROXY, USER, WAIT_S, journal, messages, play, request, stand_in, start

if TYPE_CHECKING:
    from pathlib import Path


def test_a_turn_and_the_answers_to_control_requests(tmp_path: Path) -> None:
    """A client that initializes, prompts and closes gets a whole valid session and status 0."""
    done = play(tmp_path, [{"expect": "user"}, {"reply": "Hello."}], request("initialize") + USER)
    seen = messages(done.stdout)
    assert [message["type"] for message in seen] == ["control_response", "system", "assistant", "result"]
    assert seen[0]["response"]["request_id"] == "r1"
    assert seen[3]["result"] == "Hello."
    assert (done.returncode, done.stderr) == (0, b"")
    judge = Judge("stdout")
    assert [judge.judge(line).verdict for line in done.stdout.splitlines()] == ["valid"] * 4


def test_answers_are_as_the_script_says(tmp_path: Path) -> None:
    """A payload or an error by subtype; what an `answer` step follows is left to it, whenever it comes."""
    script = {
        "answers": {"mcp_status": {"mcpServers": [7]}, "set_model": {"error": "not today"}},
        "steps": [{"expect": "user"}, {"expect": "control_request/get_plan"}, {"answer": {"plan": 1}}],
    }
    given = request("get_plan", "a") + request("mcp_status", "b") + request("set_model", "c") + USER
    done = play(tmp_path, script, given + request("get_plan", "d"))
    answers = {m["response"].pop("request_id"): m["response"] for m in messages(done.stdout)}
    assert answers == {
        "b": {"subtype": "success", "response": {"mcpServers": [7]}},
        "c": {"subtype": "error", "error": "not today"},
        "d": {"subtype": "success", "response": {"plan": 1}},
    }


def test_answers_can_be_switched_off(tmp_path: Path) -> None:
    """A stand-in that says nothing to a control request."""
    done = play(tmp_path, {"answers": "off", "steps": [{"expect": "end"}]}, request("initialize"))
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize(
    ("steps", "output"),
    [
        ([{"line": "a"}, {"text": "b"}], b"a\nb"),
        ([{"hex": "ff fe 0a"}], b"\xff\xfe\n"),
        ([{"send": [{"a": "é\u2028"}, {"b": 1}]}], '{"a":"é\u2028"}\n{"b":1}\n'.encode()),
        ([{"repeat": {"times": 2, "steps": [{"text": "x"}]}}], b"xx"),
        ([{"echo": 2}], b"one\ntwo\n"),
        ([{"repeat": {"steps": [{"expect": "any"}, {"line": "!"}]}}], b"!\n" * 3),
        ([{"read": {"bytes": 1, "every": 0}}, {"echo": "end"}], b"one\ntwo\nthree\n"),
        ([{"expect": {"contains": "thr"}}, {"line": "there"}], b"there\n"),
        ([{"line": "seen"}, {"close": "stdout"}, {"line": "not seen"}], b"seen\n"),
    ],
)
def test_what_is_written(steps: list[Any], output: bytes, tmp_path: Path) -> None:
    """Steps write what they say, byte for byte."""
    done = play(tmp_path, steps, b"one\ntwo\nthree")
    assert (done.returncode, done.stdout) == (0, output)


@pytest.mark.parametrize("size", [64, 239, 1000, 70_000])
def test_a_flood_has_valid_lines_of_the_size_that_was_asked_for(size: int, tmp_path: Path) -> None:
    """Every line of a flood is a message of its own, valid, of so many bytes, in order."""
    lines = play(tmp_path, [{"flood": {"lines": 30, "bytes": size}}]).stdout.splitlines(keepends=True)
    assert {len(line) for line in lines} == {size}
    judge = Judge("stdout")
    assert {judge.judge(line[:-1]).verdict for line in lines} == {"valid"}
    numbers = [int(m["uuid"][-12:]) if "uuid" in m else m["n"] for m in map(json.loads, lines)]
    assert numbers == list(range(30))


def test_a_flood_of_complaints_goes_to_stderr(tmp_path: Path) -> None:
    """Long stderr output does not touch stdout."""
    steps = [{"flood": {"lines": 1000, "bytes": 100, "stream": "stderr"}}, {"stderr": "end"}]
    done = play(tmp_path, steps)
    assert (len(done.stderr), done.stderr[-3:], done.stdout) == (100_003, b"end", b"")


def test_an_answer_does_not_break_into_a_half_line(tmp_path: Path) -> None:
    """A control request that comes while a line is begun is answered behind the end of that line."""
    steps = [{"text": '{"type":'}, {"expect": "user"}, {"line": '"keep_alive"}'}]
    done = play(tmp_path, steps, request("initialize") + USER)
    assert [message["type"] for message in messages(done.stdout)] == ["keep_alive", "control_response"]


def test_a_question_waits_for_its_own_answer(tmp_path: Path) -> None:
    """`ask` goes on when its control request is answered, and not at the answer to another."""
    path = stand_in(tmp_path, [{"ask": {"subtype": "can_use_tool", "tool_name": "Bash"}}, {"line": "thanks"}])
    with start(path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked = json.loads(process.stdout.readline())
        for request_id in ("other", asked["request_id"]):
            response: dict[str, Any] = {"subtype": "success", "request_id": request_id, "response": {}}
            line = json.dumps({"type": "control_response", "response": response})
            process.stdin.write(line.encode() + b"\n")
        process.stdin.close()
        assert process.stdout.read() == b"thanks\n"
        assert process.wait(WAIT_S) == 0


@pytest.mark.parametrize("number", ["SIGSEGV", "SIGKILL", "SIGTERM", "SIGABRT"])
def test_death_by_a_signal(number: str, tmp_path: Path) -> None:
    """`die` ends the process by that very signal."""
    assert play(tmp_path, [{"die": number}]).returncode == -signal.Signals[number]


@pytest.mark.parametrize(
    ("name", "action", "status"),
    [
        *((name, None, status) for name, status in AS_CLAUDE.items()),
        ("SIGTERM", "die", -signal.SIGTERM),
        ("SIGUSR1", 7, 7),
    ],
)
def test_signals_are_noted_and_obeyed(name: str, action: Any, status: int, tmp_path: Path) -> None:
    """As Claude Code does, or as the script says."""
    script = {"signals": {name: action} if action is not None else {}, "steps": [{"line": "up"}, "hang"]}
    with start(stand_in(tmp_path, script)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.Signals[name])
        assert process.wait(WAIT_S) == status
    assert {"event": "signal", "signal": name}.items() <= journal(tmp_path)[-2].items()


def test_an_ignored_signal_and_a_hang_after_the_end_of_input(tmp_path: Path) -> None:
    """A stand-in that will not go: neither for the end of its input nor for SIGTERM."""
    script = {"signals": {"SIGTERM": "ignore"}, "steps": [{"expect": "end"}, {"line": "ended"}, "hang"]}
    with start(stand_in(tmp_path, script)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.readline()
        process.terminate()
        with (tmp_path / "journal").open() as notes:
            while '"SIGTERM"' not in notes.readline():
                assert process.poll() is None
        process.kill()
        assert process.wait(WAIT_S) == -signal.SIGKILL


def test_pieces_come_in_reads_of_their_own(tmp_path: Path) -> None:
    """What follows a drain is written when the client has read all before it, or is gone."""
    with start(
        stand_in(tmp_path, [{"text": "one"}, "drain", {"text": "two"}, "drain", {"exit": 3}])
    ) as process:
        assert process.stdout is not None
        reads = [os.read(process.stdout.fileno(), 99) for _ in range(3)]
        assert (reads, process.wait(WAIT_S)) == ([b"one", b"two", b""], 3)
    with start(stand_in(tmp_path, [{"text": "one"}, {"expect": "end"}, "drain", {"exit": 3}])) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.close()
        assert process.wait(WAIT_S) == 3


def test_a_descendant_holds_the_pipe(tmp_path: Path) -> None:
    """The stand-in is gone, its output is still open, and the descendant has the last word."""
    script = [{"child": {"holds": ["stdout"], "seconds": 0.2, "line": "late"}}, {"line": "bye"}, {"exit": 0}]
    with start(stand_in(tmp_path, script)) as process:
        assert process.stdout is not None
        assert process.wait(WAIT_S) == 0
        assert process.stdout.read() == b"bye\nlate\n"
        (child,) = [note for note in journal(tmp_path) if note["event"] == "child"]
        assert child["pid"] != process.pid


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (
            [{"expect": "control_request/interrupt"}],
            b"the input ended where the script expects control_request/i",
        ),
        (
            [{"expect": {"type": "user", "within": 0}}],
            b"nothing came within 0 s where the script expects user",
        ),
        ([{"read": "off"}, {"expect": "user"}], b"the script does not read"),
    ],
)
def test_what_does_not_come_is_a_divergence(steps: list[Any], sentence: bytes, tmp_path: Path) -> None:
    """What the client did not do is said, and has a status of its own."""
    done = play(tmp_path, steps, request("initialize"))
    assert done.returncode == DIVERGED
    assert sentence in done.stderr


def test_the_journal_has_what_the_stand_in_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, environment and input, whatever bytes they are."""
    monkeypatch.setenv("SOME_VARIABLE", "its value")
    play(tmp_path, [{"expect": "end"}, {"exit": 5}], b"\xff{}\nhalf", "--resume", "x")
    started, line, half, end, ended = journal(tmp_path)
    assert started["argv"] == ["--resume", "x"]
    assert started["env"]["SOME_VARIABLE"] == "its value"
    assert line["line"].encode("utf-8", "surrogateescape") == b"\xff{}"
    assert (half["line"], half["newline"], end["event"], ended["status"]) == (
        "half",
        False,
        "end_of_input",
        5,
    )
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600


def test_a_reader_that_is_gone_is_no_end(tmp_path: Path) -> None:
    """As Claude Code, a stand-in lives on when nobody reads its output."""
    with start(
        stand_in(tmp_path, [{"flood": {"lines": 100, "bytes": 10_000}}, {"expect": "end"}, {"exit": 4}])
    ) as p:
        assert p.stdin is not None
        assert p.stdout is not None
        p.stdout.close()
        p.stdin.write(USER)
        p.stdin.close()
        assert p.wait(WAIT_S) == 4


def test_a_closed_input_is_an_ended_one(tmp_path: Path) -> None:
    """A stand-in that was started without standard input sees its end, and never reads something else in its place."""
    path = stand_in(tmp_path, [{"expect": "end"}, {"line": "done"}])
    done = subprocess.run(["sh", "-c", f"'{path}' <&-"], capture_output=True, timeout=WAIT_S, check=False)
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_a_version_is_asked_for_without_a_session(tmp_path: Path) -> None:
    """Clients ask for the version first; the script is not touched by it."""
    done = play(tmp_path, {"version": "9.9 (Claude Code)", "steps": [{"exit": 1}]}, b"", "-v")
    assert (done.returncode, done.stdout) == (0, b"9.9 (Claude Code)\n")


def test_the_command_and_the_shim_play_the_same(tmp_path: Path) -> None:
    """`claude-proxy replay --script FILE` is what DIR/claude of `claude-proxy shim DIR --script FILE` is."""
    (tmp_path / "a.yaml").write_text("- line: hello\n- exit: 3\n")
    script = ["--script", str(tmp_path / "a.yaml")]
    made = subprocess.run([*PROXY, "shim", str(tmp_path / "fake"), *script], capture_output=True, check=True)
    for command in (
        [*PROXY, "replay", *script, "--", "-p", "x"],
        [os.fsdecode(made.stdout.strip()), "-p", "x"],
    ):
        done = subprocess.run(command, capture_output=True, timeout=WAIT_S, check=False)
        assert (done.returncode, done.stdout) == (3, b"hello\n")


def test_a_script_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """One sentence and status 2, before anything happens."""
    for command in (
        [*PROXY, "replay", "--script", str(tmp_path / "none")],
        [stand_in(tmp_path, {"steps": 1})],
    ):
        done = subprocess.run(command, capture_output=True, timeout=WAIT_S, check=False)
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
