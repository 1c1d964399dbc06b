"""A recorded session is played as it was: what is said, what is waited for, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from proxy.redaction import Redactor
from proxy.relay.recording import StreamRecorder
from proxy.replay.acting import DIVERGED
from tests.recorded import LogMaker
from tests.replay.playing import RESULT, encoded, log, replay, request, response, stand_in, user
from tests.replay.standing import PROXY, WAIT_S

if TYPE_CHECKING:
    from pathlib import Path

TURN = (("<", user()), (">", RESULT))
SESSION = "0b5c2d1e-3f4a-4b6c-8d7e-9f0a1b2c3d4e"
OTHER = "1c6d3e2f-4a5b-4c7d-9e8f-0a1b2c3d4e5f"


def test_a_client_that_does_the_same_sees_the_same(tmp_path: Path) -> None:
    """Byte for byte, whatever the spelling of what was recorded."""
    odd = b'{ "type" : "result", "x": 1.50e3, "u": "\\u00e9\\u2028" }'
    done = replay(tmp_path, log(("<", user()), (">", odd), ("!", b"a complaint")), user())
    assert (done.returncode, done.output, done.stderr) == (0, odd + b"\n", "a complaint\n")
    assert (done.report["divergences"], done.report["played"], done.report["records"]) == ([], 3, 3)


def test_it_waits_where_the_record_waits(tmp_path: Path) -> None:
    """Nothing is said before the client's line that it stood behind."""
    path = stand_in(tmp_path, log((">", {"type": "keep_alive"}), *TURN))
    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"type": "keep_alive"}
        os.set_blocking(process.stdout.fileno(), False)
        assert process.stdout.read() is None
        os.set_blocking(process.stdout.fileno(), True)
        process.stdin.write(encoded(user()))
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == RESULT
        process.stdin.close()
        assert process.wait(WAIT_S) == 0


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ({"exit_code": 0}, 0),
        ({"exit_code": 3}, 3),
        ({"exit_code": None, "signal": "SIGSEGV"}, -signal.SIGSEGV),
        ({"exit_code": None, "signal": "SIGKILL"}, -signal.SIGKILL),
        ({"ends": False}, -signal.SIGKILL),
    ],
)
def test_it_ends_as_the_record_does(end: dict[str, Any], status: int, tmp_path: Path) -> None:
    """An exit status, death by a signal; a log without end is of a process that was killed."""
    assert replay(tmp_path, log(*TURN, **end), user()).returncode == status


def test_a_crash_in_a_turn_needs_no_end_of_input(tmp_path: Path) -> None:
    """A client that waits for the process to end is not waited for in turn."""
    path = stand_in(tmp_path, log(("<", user()), exit_code=1))
    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(encoded(user()))
        process.stdin.flush()
        assert process.wait(WAIT_S) == 1


@pytest.mark.parametrize(("recorded", "status"), [(143, 143), (0, 143)])
def test_a_signal_at_the_end_ends_it(recorded: int, status: int, tmp_path: Path) -> None:
    """A client that ends its `claude` by SIGTERM gets the status that Claude Code gives; that is no divergence."""
    path = stand_in(tmp_path, log(*TURN, exit_code=recorded))
    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(encoded(user()))
        process.stdin.flush()
        process.stdout.readline()
        process.terminate()
        assert process.wait(WAIT_S) == status
    assert json.loads((tmp_path / "report").read_text())["divergences"] == []


def test_a_signal_before_the_end_is_a_divergence(tmp_path: Path) -> None:
    """A client that gives up early is told so."""
    path = stand_in(tmp_path, log((">", {"type": "keep_alive"}), *TURN))
    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        assert p.stdout is not None
        assert p.stderr is not None
        p.stdout.readline()
        p.terminate()
        assert p.wait(WAIT_S) == DIVERGED
        assert b"SIGTERM came before the end, at record 2" in p.stderr.read()


def test_timing_is_scaled(tmp_path: Path) -> None:
    """The lines of this log are a millisecond apart: a hundred times as long is a tenth of a second each."""
    assert replay(tmp_path, log(*TURN), user(), scale=100).said == [RESULT]
    slow = stand_in(tmp_path, log(*[(">", RESULT)] * 3), scale=1e5)
    with subprocess.Popen([slow], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(encoded(request("mcp_status")))  # answered while it pauses for a minute
        process.stdin.flush()
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["response"]["subtype"] == "error"
        process.kill()


def test_sessions_are_called_as_the_client_calls_them(tmp_path: Path) -> None:
    """`--resume` and `--session-id`: the client's id stands wherever the recorded one stood, in paths too."""
    said = {"type": "system", "session_id": SESSION, "path": f"/x/{SESSION}.jsonl"}
    for recorded, given in (
        (("--resume", SESSION), ("--resume", OTHER)),
        (("--session-id", SESSION), (f"--session-id={OTHER}",)),
        ((), ("--session-id", OTHER)),
    ):
        (tmp_path / "report").unlink(missing_ok=True)
        command = ("claude", "--input-format", "stream-json", *recorded)
        made = log(("<", user(session_id=SESSION)), (">", said), command=command)
        done = replay(tmp_path, made, user(session_id=OTHER), arguments=given)
        assert done.said == [{"type": "system", "session_id": OTHER, "path": f"/x/{OTHER}.jsonl"}]
        assert done.report["divergences"] == []


def test_values_that_were_redacted_are_not_compared(tmp_path: Path) -> None:
    """What is not in the record cannot be held against the client."""
    there = {"type": "update_environment_variables", "variables": {"API_TOKEN": "recorded", "PLAIN": "x"}}
    here = {**there, "variables": {"API_TOKEN": "another", "PLAIN": "x"}}
    made = log(("<", there), *TURN)
    assert b'"recorded"' not in made
    assert replay(tmp_path, made, here, user(), match="exact").report["divergences"] == []


def test_lost_records_are_told_and_forgiven(tmp_path: Path) -> None:
    """Where the log has a gap, what it lacks may come: no divergence, and a word of warning."""
    maker = LogMaker()
    gap = [
        maker.started(("claude", "--input-format")),
        maker.life("recording_gap", lost_records=2, lost_bytes=9),
    ]
    made = b"".join([*gap, maker.lines("stdin", user()), maker.lines("stdout", RESULT), maker.ended()])
    done = replay(tmp_path, made, request("mcp_status"), user())
    assert (done.returncode, done.report["lost_records"], done.report["divergences"]) == (0, 2, [])
    assert "the record lacks 2 lines" in done.stderr


def test_a_torn_log_is_played_to_its_tear(tmp_path: Path) -> None:
    """Half a record at the end is none."""
    whole = log(*TURN, (">", {"type": "keep_alive"}), ends=False)
    done = replay(tmp_path, whole[:-30], user())
    assert (done.said, done.returncode) == ([RESULT], -signal.SIGKILL)


def text_log(*turns: tuple[str, bytes]) -> bytes:
    """Return the log of a session whose streams carry text."""
    maker = LogMaker()
    maker._recorders = {
        stream: StreamRecorder("made", stream, declared=False, judged=True, redactor=Redactor())
        for stream in ("stdin", "stdout")
    }
    made = [maker.started(("claude", "-p"))] + [maker.lines(stream, line) for stream, line in turns]
    return b"".join([*made, maker.ended()])


def test_a_session_of_text(tmp_path: Path) -> None:
    """Whatever the words of the prompt are and however many lines it has, unless they have to be the same."""
    made = text_log(
        ("stdin", b"two"), ("stdin", b"lines"), ("stdout", b"An answer,"), ("stdout", b"\xffof bytes.")
    )
    done = replay(tmp_path, made, b"another prompt, without an end")
    assert (done.returncode, done.output) == (0, b"An answer,\n\xffof bytes.\n")
    (tmp_path / "report").unlink()
    done = replay(tmp_path, made, b"two\nwords\n", match="exact")
    assert (done.returncode, done.kinds) == (DIVERGED, ["different"])


def test_a_prompt_of_the_command_line_needs_no_input(tmp_path: Path) -> None:
    """A `claude -p PROMPT` ends by itself, while its caller keeps its input open."""
    path = stand_in(tmp_path, log((">", RESULT), command=("claude", "-p", "hi")))
    with subprocess.Popen([path, "-p", "hi"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.wait(WAIT_S) == 0


def test_a_silent_client_is_waited_for_no_longer_than_the_patience(tmp_path: Path) -> None:
    """A test that would hang says why."""
    path = stand_in(tmp_path, log(*TURN), patience=0.05)
    with subprocess.Popen([path], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.wait(WAIT_S) == DIVERGED
        assert process.stderr is not None
        assert (
            b"said nothing for 0.05 s, where the record has a user message (record 1)"
            in process.stderr.read()
        )


def test_a_client_that_vanishes_is_no_fault(tmp_path: Path) -> None:
    """Nobody reads, nobody writes any more: the replay comes to its end and tells what did not come."""
    path = stand_in(tmp_path, log(*TURN, *[(">", {"type": "keep_alive", "pad": "x" * 9000})] * 50, *TURN))
    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        assert p.stdin is not None
        assert p.stdout is not None
        p.stdout.close()
        p.stdin.write(encoded(user()))
        p.stdin.close()
        assert p.wait(WAIT_S) == DIVERGED
    (divergence,) = json.loads((tmp_path / "report").read_text())["divergences"]
    assert divergence["kind"] == "missing"


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_half_a_line_at_the_end_is_a_line(cut: int, tmp_path: Path) -> None:
    """A client that dies in the middle of a line has said something that is not in the record, or all but its end."""
    done = replay(tmp_path, log(*TURN), encoded(user())[:cut])
    assert done.kinds == ([] if cut == -1 else ["unexpected", "missing"])
    assert done.returncode == (0 if cut == -1 else DIVERGED)


def test_floods_go_through(tmp_path: Path) -> None:
    """Thousands of lines and a line of megabytes, both ways."""
    big = user("x" * 3_000_000)
    made = log(("<", big), *[(">", {"type": "keep_alive", "n": n}) for n in range(5000)], (">", big))
    done = replay(tmp_path, made, big, match="exact")
    assert (done.returncode, len(done.said), done.said[-1]) == (0, 5001, big)


def test_the_version_is_the_recorded_one(tmp_path: Path) -> None:
    """The SDKs ask for it first; that is no run of the session."""
    path = stand_in(
        tmp_path, log((">", {"type": "system", "subtype": "init", "claude_code_version": "9.9.9"}))
    )
    done = subprocess.run([path, "--version"], capture_output=True, timeout=WAIT_S, check=True)
    assert (done.stdout, (tmp_path / "report").exists()) == (b"9.9.9 (Claude Code)\n", False)


def test_sessions_are_found_as_everywhere(tmp_path: Path) -> None:
    """`latest`, an id, its beginning, a path; with the data directory before or behind the subcommand."""
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    (sessions / "20260101T000000.000000Z-aaaaaaaa.jsonl").write_bytes(log(*TURN))
    inside = ["--data-dir", str(tmp_path)]
    for words in (
        [*inside, "replay", "latest"],
        ["replay", "2026", *inside, "--match", "exact", "--", "-p"],
        ["replay", str(sessions / "20260101T000000.000000Z-aaaaaaaa.jsonl"), "--timing", "recorded"],
    ):
        done = subprocess.run(
            [*PROXY, *words], input=encoded(user()), capture_output=True, timeout=WAIT_S, check=False
        )
        assert json.loads(done.stdout) == RESULT, done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["replay"], b"takes either SESSION or --script FILE"),
        (["replay", "x", "--script", "y"], b"takes either SESSION or --script FILE"),
        (["replay", "nothing"], b"no session fits 'nothing'"),
        (["replay", "/nothing.jsonl"], b"cannot be read"),
        (["replay", "x", "--timing", "fast"], b"--timing"),
        (["replay", "EMPTY"], b"holds no record"),
        (["shim", "DIR", "--replay", "nothing"], b"no session fits 'nothing'"),
        (["shim", "DIR", "--replay", "EMPTY", "--claude", sys.executable], b"a stand-in wraps nothing"),
    ],
)
def test_what_cannot_be_played_is_said(words: list[str], sentence: bytes, tmp_path: Path) -> None:
    """One sentence and status 2."""
    (tmp_path / "empty.jsonl").write_bytes(b"nonsense\n")
    places = {"EMPTY": str(tmp_path / "empty.jsonl"), "DIR": str(tmp_path / "bin")}
    command = [*PROXY, "--data-dir", str(tmp_path), *(places.get(word, word) for word in words)]
    done = subprocess.run(command, capture_output=True, timeout=WAIT_S, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert b"Traceback" not in done.stderr


def test_several_sessions_are_for_one_start_each(tmp_path: Path) -> None:
    """In their order, and from the first again."""
    logs = []
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_bytes(log((">", {"type": name}), command=("claude", "-p")))
        logs += ["--replay", str(tmp_path / f"{name}.jsonl")]
    subprocess.run([*PROXY, "shim", str(tmp_path / "bin"), *logs], check=True, capture_output=True)
    claude = tmp_path / "bin/claude"
    subprocess.run([claude, "-v"], capture_output=True, timeout=WAIT_S, check=True)
    said = [
        subprocess.run([claude], capture_output=True, timeout=WAIT_S, check=True).stdout for _ in range(3)
    ]
    assert [json.loads(line)["type"] for line in said] == ["one", "two", "one"]


def test_answers_are_under_the_clients_own_ids(tmp_path: Path) -> None:
    """Two requests of one subtype, in another order and with other ids than recorded."""
    asked = [request("read_file", f"r{n}", path=f"{n}.txt") for n in (1, 2)]
    made = log(("<", asked[0]), ("<", asked[1]), (">", response("r2", at=2)), (">", response("r1", at=1)))
    here = [request("read_file", "b", path="2.txt"), request("read_file", "a", path="1.txt")]
    done = replay(tmp_path, made, *here, match="exact")
    answers = [(m["response"]["request_id"], m["response"]["response"]["at"]) for m in done.said]
    assert sorted(answers) == [("a", 1), ("b", 2)]
    assert done.report["divergences"] == []


def test_an_output_that_does_not_wait_is_waited_for(tmp_path: Path) -> None:
    """A caller may have made its pipe non-blocking: what does not fit now is written when it does."""
    path = stand_in(
        tmp_path, log(*[(">", {"type": "keep_alive", "pad": "x" * 9000})] * 50, command=("claude", "-p"))
    )
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with subprocess.Popen([path], stdin=subprocess.DEVNULL, stdout=theirs) as process:
        os.close(theirs)
        with open(ours, "rb") as output:
            assert output.read().count(b"\n") == 50
        assert process.wait(WAIT_S) == 0


@pytest.mark.parametrize("name", ["timing", "patience"])
def test_a_number_that_is_none_is_refused_in_words(name: str) -> None:
    """The sentence says what the option takes."""
    for wrong in ("x", "-1", "nan"):
        command = [*PROXY, "replay", "latest", f"--{name}={wrong}"]
        done = subprocess.run(command, capture_output=True, timeout=WAIT_S, check=False)
        assert (done.returncode, b"it takes " in done.stderr) == (2, True)
