"""One session from its first to its last record."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.relay.wrapper import (
    BOUND_S,
    CHILDREN,
    Wrapper,
    ends,
    read_all,
    read_exactly,
    read_line,
    read_some,
    write_all,
)
from tests.sessions.logs import read_log

if TYPE_CHECKING:
    from pathlib import Path

STREAM_JSON = ["--input-format", "stream-json", "--output-format", "stream-json"]
USER = {
    "type": "user",
    "message": {"role": "user", "content": "hello"},
    "parent_tool_use_id": None,
    "session_id": "",
}


TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def encoded(message: object) -> bytes:
    """Return a message as a line without its newline."""
    return json.dumps(message).encode()


# -- lifecycle -----------------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back(wrapper: Wrapper, tmp_path: Path) -> None:
    """Records stay in their order, and a session never lasts less than no time."""
    backwards = "import itertools, time; hours = itertools.count(); now = time.time_ns()\n"
    backwards += "time.time_ns = lambda: now - next(hours) * 3_600_000_000_000\n"
    (tmp_path / "sitecustomize.py").write_text(backwards)
    done = wrapper.run("cat", given=b"a\nb\n", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (done.status, done.stdout) == (0, b"a\nb\n")
    log = wrapper.log()  # which asserts that each is later than the one before
    assert log.lines("stdout") == [b"a", b"b"]
    assert 0 <= log.ended["duration_ms"] < BOUND_S * 1000


def test_the_first_record_tells_of_the_session(wrapper: Wrapper, tmp_path: Path) -> None:
    """Command line, directory, processes, versions and connections are on record."""
    with wrapper.start(
        "sh",
        "-c",
        "echo $$; cat",
        options=["--session-name", "my name"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    ) as running:
        pid = int(read_line(running.reader))
        started = wrapper.started()
        running.end()
    assert started["format"] == 1
    assert started["command"] == ["sh", "-c", "echo $$; cat"]
    assert (started["cwd"], started["name"]) == (str(tmp_path), "my name")
    assert (started["pid"], started["wrapper_pid"]) == (pid, running.pid)
    assert set(started["versions"]) >= {"claude_proxy", "python"}
    assert {name: stream["kind"] for name, stream in started["streams"].items()} == {
        "stdin": "pipe",
        "stdout": "pipe",
        "stderr": "null",
    }


@pytest.mark.parametrize(
    ("given", "is_told"), [(TRACEPARENT, True), ("nonsense", False), (TRACEPARENT + "x" * 1000, False)]
)
def test_the_callers_trace_is_on_record(wrapper: Wrapper, given: str, is_told: bool) -> None:
    """Whose span a session belongs to is in its first record, where the caller says it; what is no span is not."""
    wrapper.run("true", env={**os.environ, "TRACEPARENT": given})
    assert wrapper.log().event("session_started").get("traceparent") == (given if is_told else None)


def test_the_last_record_sums_up(wrapper: Wrapper, claude: Path) -> None:
    """Status, duration, and how many lines of each stream got which verdict."""
    lines = [encoded(USER), encoded({"type": "novelty"}), b"{", b"{}"]
    script = "echo warned >&2; cat; exit 3"
    wrapper.run(claude, "-c", script, "claude", *STREAM_JSON, given=b"\n".join(lines) + b"\n")
    ended = wrapper.log().ended
    assert ended["exit_code"] == 3
    assert ended["duration_ms"] >= 0
    assert ended["counts"]["stdin"] == {"valid": 1, "unknown": 1, "malformed": 1, "invalid": 1}
    assert sum(ended["counts"]["stdout"].values()) == 4
    assert ended["counts"]["stderr"] == {"text": 1}


def test_the_log_is_locked_while_the_session_lives(wrapper: Wrapper) -> None:
    """Readers tell a running session from a crashed one by its lock."""
    with wrapper.start("sh", "-c", "echo ready; exec cat") as running:
        read_line(running.reader)
        (path,) = wrapper.paths()
        with path.open("rb") as log, pytest.raises(BlockingIOError):
            fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
        running.end()
    with path.open("rb") as log:
        fcntl.flock(log, fcntl.LOCK_SH)


def test_the_session_has_ended_in_the_log_when_the_wrapper_has(wrapper: Wrapper) -> None:
    """A caller that waits for the wrapper finds the whole log, where no descendant holds a stream."""
    for _ in range(5):
        wrapper.run("sh", "-c", "echo out; echo err >&2")
        assert read_log(wrapper.paths()[-1]).ended["exit_code"] == 0


# -- write ahead ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 1000, 50_000, 1_000_000])
def test_messages_are_on_record_before_they_arrive(wrapper: Wrapper, claude: Path, size: int) -> None:
    """At the moment when the first byte of a message arrives, on either side, the whole of it is in the log."""
    message = encoded({"type": "novelty", "pad": "." * size})
    seen = wrapper.data_dir.with_name("seen")
    # For each message: copy the log when its first byte is here, and only then read on and send it back.
    script = (
        f"for n in 1 2; do first=$(dd bs=1 count=1 2>&-); cp {wrapper.data_dir}/sessions/2*.jsonl {seen}$n; "
        'read -r rest; printf "%s%s\\n" "$first" "$rest"; done'
    )
    with wrapper.start(claude, "-c", script, "claude", *STREAM_JSON) as running:
        for turn in (1, 2):
            feeder = threading.Thread(target=write_all, args=(running.writer, message + b"\n"))
            feeder.start()
            assert read_exactly(running.reader, 1) == b"{"
            assert wrapper.log().lines("stdout") == [message] * turn
            assert read_log(seen.with_name(f"seen{turn}")).lines("stdin") == [message] * turn
            assert read_exactly(running.reader, len(message)) == message[1:] + b"\n"
            feeder.join()
        assert running.end() == 0


def test_a_reader_that_stops_the_world(wrapper: Wrapper, claude: Path) -> None:
    """A caller that takes nothing: all that is on its way is on record, before the caller has seen a byte of it."""
    lines = [encoded({"type": "novelty", "n": n, "pad": "." * 900}) for n in range(100)]
    source = wrapper.data_dir.with_name("source")
    source.write_bytes(b"\n".join(lines) + b"\n")
    with wrapper.start(
        claude, "-c", f"cat {source}; echo done >&2; exec cat", *STREAM_JSON, stderr=-1
    ) as running:
        assert running.stderr
        assert read_line(running.stderr.fileno()) == b"done\n"  # in the pipes; nothing was read from stdout
        first = read_exactly(running.reader, 1)
        assert wrapper.log().lines("stdout")[0].startswith(first)
        seen = first
        for number, line in enumerate(lines):
            seen += read_exactly(running.reader, len(line) + 1 - len(seen))
            assert wrapper.log().lines("stdout")[: number + 1] == lines[: number + 1]
            seen = b""
        running.end()


# -- what outlives the command -------------------------------------------------------------------------------


def test_a_descendant_that_keeps_the_pipes(wrapper: Wrapper, tmp_path: Path) -> None:
    """The status comes at once; what is written later is passed on and recorded; the end of the session is last."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with wrapper.start("sh", CHILDREN / "heirs.sh", gate, stderr=subprocess.PIPE) as running:
        assert running.stderr
        assert running.wait(BOUND_S) == 4
        log = wrapper.log()
        assert log.lines("stdout") == [b"early"]
        assert log.events() == ["session_started", "command_exited"]
        assert log.event("command_exited")["exit_code"] == 4
        gate.open("wb").close()
        assert read_all(running.reader) == b"early\nlate\n"
        assert read_all(running.stderr.fileno()) == b"late error\n"
    log = wrapper.finished_log()
    assert log.lines("stdout") == [b"early", b"late"]
    assert log.lines("stderr") == [b"late error"]
    assert log.ended["exit_code"] == 4


def test_a_descendant_that_never_stops_writing(wrapper: Wrapper) -> None:
    """Regression: a descendant's flood, which the caller reads all the time, does not keep the status from it."""
    with wrapper.start("sh", "-c", "yes & exit 3") as running:
        exited = os.pidfd_open(running.pid)
        while not select.select([exited], [], [], 0)[0]:
            assert read_some(running.reader)
        os.close(exited)
        assert running.wait(BOUND_S) == 3
        running.stdout.close() if running.stdout else None
    log = wrapper.finished_log()
    assert log.event("command_exited")["exit_code"] == 3


def test_a_descendant_that_reads_on(wrapper: Wrapper) -> None:
    """Input, too, still reaches those that outlive the command."""
    script = "exec 3<&0; { read -r line <&3; echo got $line; } & exec 3<&-; exit 0"
    with wrapper.start("sh", "-c", script) as running:
        assert running.wait(BOUND_S) == 0
        write_all(running.writer, b"this\n")
        assert read_all(running.reader) == b"got this\n"
    assert wrapper.finished_log().lines("stdin") == [b"this"]


def test_a_caller_that_takes_nothing_gets_the_status(wrapper: Wrapper) -> None:
    """What the command left in its pipe does not keep the status from a caller that does not read; it comes later."""
    data = b"x" * 60_000  # fits into the pipe, so that the command can exit
    with wrapper.start("sh", "-c", "printf %60000s x | tr ' ' x; exit 5") as running:
        assert running.wait(BOUND_S) == 5
        assert read_all(running.reader) == data
    assert wrapper.finished_log().lines("stdout") == [data]


@pytest.mark.slow  # it waits for as long as the wrapper is patient
def test_a_caller_that_does_not_take_what_descendants_write(wrapper: Wrapper) -> None:
    """With its status, a caller that keeps a pipe it does not read keeps no relay, and the descendant is told."""
    with wrapper.start("sh", "-c", "sh -c 'echo $$; exec yes' & exit 3") as running:
        descendant = int(read_line(running.reader))
        assert running.wait(BOUND_S) == 3
        ends(wrapper.started()["relay_pid"])
        ends(descendant)
    ended = wrapper.finished_log().ended
    assert ended["exit_code"] == 3
    assert ended["undelivered"]["stdout"] > 0


def test_relay_processes_do_not_pile_up(wrapper: Wrapper) -> None:
    """When the last holder of a stream is gone, so is the relay."""
    with wrapper.start("sh", "-c", "echo ready; sleep 1000 & exec cat") as running:
        read_line(running.reader)
        started = wrapper.started()
        heirs = subprocess.run(["pgrep", "-P", str(started["pid"])], capture_output=True, check=True).stdout
        running.stdin.close() if running.stdin else None
        assert running.wait(BOUND_S) == 0
        os.kill(int(heirs), signal.SIGKILL)
        assert read_all(running.reader) == b""
        ends(started["relay_pid"])
    assert wrapper.finished_log().ended["exit_code"] == 0


# -- modes ---------------------------------------------------------------------------------------------------


def test_off_records_without_verdicts(wrapper: Wrapper, claude: Path) -> None:
    """Nothing is judged, and messages are messages all the same."""
    data = encoded(USER) + b"\n{\n"
    wrapper.run(claude, "-c", "cat", "claude", *STREAM_JSON, given=data, options=["--validation", "off"])
    log = wrapper.log()
    assert [record.verdict for record in log.of("stdin")] == [None, None]
    assert log.of("stdin")[0].fields["message"] == USER
    assert log.of("stdin")[1].fields["raw"] == "{"


SECRETS: dict[str, Any] = {
    "type": "update_environment_variables",
    "variables": {"TOKEN": "hunter2", "OTHER": "hunter3"},
}


def test_credentials_stay_out_of_the_record(wrapper: Wrapper, claude: Path) -> None:
    """The wire is unchanged; the record says where something was taken out; the command line is treated alike."""
    config = json.dumps({"mcpServers": {"x": {"command": "y", "env": {"KEY": "hunter2"}}}})
    words = [str(claude), "-c", "cat", "claude", *STREAM_JSON, "--mcp-config", config]
    line = encoded(SECRETS)
    done = wrapper.run(*words, given=line + b"\n")
    assert done.stdout == line + b"\n"
    assert b"hunter" not in wrapper.paths()[0].read_bytes()
    log = wrapper.log()
    (record,) = log.of("stdin")
    assert record.fields["redacted"] == ["/message/variables/TOKEN", "/message/variables/OTHER"]
    assert log.records[0].fields["redacted"] == ["/event/data/command/9"]


def test_redaction_can_be_switched_off(wrapper: Wrapper, claude: Path) -> None:
    """``--redact off`` records every byte."""
    line = encoded(SECRETS)
    wrapper.run(claude, "-c", "cat", "claude", *STREAM_JSON, given=line + b"\n", options=["--redact", "off"])
    assert wrapper.log().lines("stdin") == [line]


def test_a_message_decides_what_a_stream_carries(wrapper: Wrapper) -> None:
    """Where the command line says nothing, the first line does: a message makes a stream of messages."""
    wrapper.run("cat", given=encoded(USER) + b"\nplain\n")
    assert [record.verdict for record in wrapper.log().of("stdin")] == ["valid", "malformed"]


def test_text_first_makes_a_stream_of_text(wrapper: Wrapper) -> None:
    """A stream that begins with text is text; JSON objects in it are kept as messages, unjudged."""
    wrapper.run("cat", given=b"plain\n" + encoded(USER) + b"\n{}\n")
    records = wrapper.log().of("stdout")
    assert [record.verdict for record in records] == ["text"] * 3
    assert ["message" in record.fields for record in records] == [False, True, True]
