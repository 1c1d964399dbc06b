"""Bytes pass unchanged, in order and in time, whatever they are and whatever the streams are connected to."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.relay.wrapper import (
    BOUND_S,
    CHILDREN,
    PYTHON,
    Wrapper,
    finish,
    read_all,
    read_exactly,
    read_line,
    write_all,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MESSAGE = b'{"type":"assistant","n":1}'
ODDITIES = {
    "every byte": bytes(range(256)) * 3,
    "NUL": b"\0\0a\0\n\0",
    "not UTF-8": b"\xff\xfe\n\xe2\x80\n\xc3(",
    "CRLF": MESSAGE + b"\r\nplain\r\n" + MESSAGE + b"\r\r\n",
    "U+2028": '{"type":"x","text":"\u2028\u2029\x85"}\n\u2028\n'.encode(),
    "no last newline": b"one\ntwo",
    "message without newline": MESSAGE + b"\n" + MESSAGE,
    "half a message": MESSAGE + b"\n" + MESSAGE[:9],
    "blank lines": b"\n\n  \n" + MESSAGE + b"\n\n",
    "nothing": b"",
    "only newlines": b"\n" * 5000,
    "long lines": b"".join(b"%d" % n * 40_000 + b"\n" for n in range(10)),
    "mixed": MESSAGE + b"\nWarning: no message\n[1,2]\n7\nnull\n" + b"[" * 5000 + b"\n" + MESSAGE + b"\n",
}


def lines_of(data: bytes) -> list[bytes]:
    """Return the lines of a stream, the last one also without a newline."""
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("data", ODDITIES.values(), ids=ODDITIES.keys())
def test_any_bytes_pass_unchanged_and_are_recorded(
    wrapper: Wrapper, claude: Path, data: bytes, declared: bool
) -> None:
    """Out equals in, both ways, and the log gives back every line: as messages where declared, and as text."""
    stream_json = ["--input-format", "stream-json", "--output-format", "stream-json"] if declared else []
    done = wrapper.run(claude, "-c", "exec cat", "claude", *stream_json, given=data)
    assert (done.status, done.stdout, done.stderr) == (0, data, b"")
    log = wrapper.log()
    assert log.lines("stdin") == log.lines("stdout") == lines_of(data)
    for stream in ("stdin", "stdout"):
        marked = [bool(record.fields.get("truncated")) for record in log.of(stream)]
        assert marked == [False] * data.count(b"\n") + [True] * (not data.endswith(b"\n") and data != b"")


@pytest.mark.parametrize(
    "options", [["--validation", "enforce"], ["--validation", "off"], ["--redact", "off"]]
)
@pytest.mark.parametrize("first", [MESSAGE, b"text"])
def test_any_bytes_pass_in_every_mode(
    wrapper: Wrapper, tmp_path: Path, first: bytes, options: list[str]
) -> None:
    """Output is never changed, whatever was chosen."""
    data = b"\n".join((first, *ODDITIES.values()))
    (tmp_path / "source").write_bytes(data)
    done = wrapper.run("cat", tmp_path / "source", options=options)
    assert (done.status, done.stdout, done.stderr) == (0, data, b"")
    assert wrapper.log().lines("stdout") == lines_of(data)


def test_cuts_anywhere(wrapper: Wrapper) -> None:
    """A message that comes byte by byte is one line in the log, and arrives as it was sent."""
    data = MESSAGE + b"\nplain text\n" + MESSAGE + b"\r\nlast"
    with wrapper.start("cat") as running:
        for byte in data:
            write_all(running.writer, bytes([byte]))
        assert running.end(data) == 0
    assert wrapper.finished_log().lines("stdin") == lines_of(data)


def test_a_prompt_without_a_newline_passes_at_once(wrapper: Wrapper) -> None:
    """Text that is not yet a line reaches the other side while its writer waits for an answer."""
    script = "printf 'name? '; read -r name; printf 'hello %s, sure? ' \"$name\"; read -r sure; printf bye"
    with wrapper.start("sh", "-c", script) as running:
        assert read_exactly(running.reader, 6) == b"name? "
        write_all(running.writer, b"you\n")
        assert read_exactly(running.reader, 17) == b"hello you, sure? "
        write_all(running.writer, b"yes\n")
        assert running.end(b"bye") == 0
    assert wrapper.finished_log().lines("stdout") == [b"name? hello you, sure? bye"]


def test_input_without_a_newline_passes_at_once(wrapper: Wrapper) -> None:
    """The same towards the command: single keys arrive as they are typed."""
    with wrapper.start(*PYTHON, "-c", "import os\nfor _ in 'ab': os.write(1, os.read(0, 1))") as running:
        for key in (b"a", b"b"):
            write_all(running.writer, key)
            assert read_exactly(running.reader, 1) == key
        assert running.end() == 0
    assert wrapper.finished_log().lines("stdin") == [b"ab"]


def test_half_close(wrapper: Wrapper) -> None:
    """The end of the input reaches the command, which goes on writing."""
    with wrapper.start("sh", "-c", "cat; echo ended; read -r line <&0; echo $?") as running:
        write_all(running.writer, b"last\n")
        assert running.end(b"last\nended\n1\n") == 0


def test_output_that_ends_before_the_command(wrapper: Wrapper) -> None:
    """A command that closes its output is seen to do so, while it goes on reading."""
    with wrapper.start("sh", "-c", "echo only; exec >&-; read -r line; exit 9") as running:
        assert read_all(running.reader) == b"only\n"
        write_all(running.writer, b"line\n")
        assert running.end() == 9
    assert wrapper.finished_log().lines("stdin") == [b"line"]


def test_both_directions_flooded_at_once(wrapper: Wrapper) -> None:
    """Two full pipes hold up each other no more than without the wrapper."""
    count = 5000
    there = (b'{"type":"flood","pad":"' + b"," * 900 + b'"}\n') * count
    back = there.replace(b",,", b"..")
    with wrapper.start(*PYTHON, CHILDREN / "flood.py", str(count)) as running:
        feeder = threading.Thread(target=write_all, args=(running.writer, there))
        feeder.start()
        assert read_exactly(running.reader, len(back)) == back
        feeder.join()
        assert running.end(b"received %d\n" % len(there)) == 0
    log = wrapper.finished_log()
    assert len(log.of("stdin")) == count
    assert len(log.of("stdout")) == count + 1


def test_a_caller_that_does_not_read_for_a_while(wrapper: Wrapper) -> None:
    """Output waits for its reader, input goes on meanwhile, and nothing is lost."""
    count = 2000
    with wrapper.start(*PYTHON, CHILDREN / "flood.py", str(count)) as running:
        write_all(running.writer, b"line\n" * 100_000)  # more than all pipes hold: it is being read
        assert running.stdin
        running.stdin.close()
        output = read_all(running.reader)
        assert running.wait(60) == 0
    assert output.count(b"\n") == count + 1
    assert output.endswith(b"received 500000\n")


def test_a_caller_that_reads_no_more(wrapper: Wrapper) -> None:
    """A closed reader is passed on: the command dies of SIGPIPE as it would have, and what it said is on record."""
    with wrapper.start("sh", "-c", "echo first; exec yes some line of output") as running:
        assert read_line(running.reader) == b"first\n"
        assert running.stdout
        running.stdout.close()
        assert running.wait(60) == -13
    log = wrapper.finished_log()
    assert log.lines("stdout")[0] == b"first"
    assert log.ended["signal"] == "SIGPIPE"


def test_a_reader_that_is_gone_before_a_word_was_said(wrapper: Wrapper) -> None:
    """A command that is quiet learns that nobody reads only when it writes, as without the wrapper."""
    with wrapper.start("sh", "-c", "read -r line; while echo lost 2>&-; do :; done; exit 5") as running:
        assert running.stdout
        running.stdout.close()
        write_all(running.writer, b"go\n")
        assert running.stdin
        running.stdin.close()
        assert running.wait(60) in (5, -13)


def test_a_reader_that_goes_while_all_is_quiet(wrapper: Wrapper) -> None:
    """A command that watches its output learns at once that nobody reads it, though nobody writes."""
    watching = "poller = select.poll(); poller.register(1, 0); os.write(1, b'watching\\n'); poller.poll()"
    with wrapper.start(*PYTHON, "-c", f"import os, select; {watching}; os._exit(5)") as running:
        assert read_line(running.reader) == b"watching\n"
        assert running.stdout
        running.stdout.close()
        assert running.wait(BOUND_S) == 5


def test_a_command_that_closes_its_input_while_all_is_quiet(wrapper: Wrapper) -> None:
    """A caller that watches its end of the input learns at once that nobody reads it, though nobody writes."""
    with wrapper.start("sh", "-c", "read -r line; exec <&-; echo deaf; exec sleep 1000") as running:
        write_all(running.writer, b"go\n")
        assert read_line(running.reader) == b"deaf\n"
        poller = select.poll()
        poller.register(running.writer, 0)
        assert poller.poll(BOUND_S * 1000)
        assert running.poll() is None


def test_a_command_that_reads_no_more(wrapper: Wrapper) -> None:
    """A caller that writes to a command without ears gets the error that it would have got."""
    with wrapper.start("sh", "-c", "exec <&-; echo deaf; exec sleep 1000") as running:
        assert read_line(running.reader) == b"deaf\n"
        with pytest.raises(BrokenPipeError):
            write_all(running.writer, b"x" * 4_000_000)  # far more than may be under way
        assert running.poll() is None


def test_regular_files(wrapper: Wrapper, tmp_path: Path) -> None:
    """Input from a file and output to files, appended to where the caller says so."""
    (tmp_path / "in").write_bytes(b"from a file\n" * 20_000)
    (tmp_path / "out").write_bytes(b"before\n")
    with (
        (tmp_path / "in").open("rb") as given,
        (tmp_path / "out").open("ab") as out,
        (tmp_path / "err").open("wb") as err,
    ):
        done = wrapper.run("sh", "-c", "cat; echo warned >&2; exit 6", stdin=given, stdout=out, stderr=err)
    assert done.status == 6
    assert (tmp_path / "out").read_bytes() == b"before\n" + b"from a file\n" * 20_000
    assert (tmp_path / "err").read_bytes() == b"warned\n"
    assert {s: d["kind"] for s, d in wrapper.started()["streams"].items()} == dict.fromkeys(
        ("stdin", "stdout", "stderr"), "file"
    )


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_pair_of_sockets(wrapper: Wrapper) -> None:
    """Sockets for stdin and stdout, as Node.js gives them: half-close and the end are seen on both sides."""
    with (
        pair() as (to, stdin),
        pair() as (back, stdout),
        wrapper.start("cat", stdin=stdin, stdout=stdout) as running,
    ):
        stdin.close()
        stdout.close()
        to.sendall(b"hello\n")
        assert read_line(back.fileno()) == b"hello\n"
        to.shutdown(socket.SHUT_WR)
        assert read_all(back.fileno()) == b""
        assert running.wait(60) == 0
    assert wrapper.finished_log().lines("stdout") == [b"hello"]


def test_one_socket_as_both(wrapper: Wrapper) -> None:
    """One socket for input, output and errors: what is sent after the caller's half-close still arrives."""
    with (
        pair() as (ours, theirs),
        wrapper.start("sh", "-c", "cat; echo done", stdin=theirs, stdout=theirs, stderr=theirs) as running,
    ):
        theirs.close()
        ours.sendall(b"hello\n")
        assert read_line(ours.fileno()) == b"hello\n"
        ours.shutdown(socket.SHUT_WR)
        assert read_all(ours.fileno()) == b"done\n"
        assert running.wait(60) == 0


def test_a_socket_whose_other_side_goes(wrapper: Wrapper) -> None:
    """A caller that closes its socket altogether ends the input, and the command is stopped when it writes."""
    with (
        pair() as (ours, theirs),
        wrapper.start(
            "sh", "-c", "cat; exec yes some line of output", stdin=theirs, stdout=theirs
        ) as running,
    ):
        theirs.close()
        ours.close()
        assert running.wait(60) == -13


def test_dev_null(wrapper: Wrapper) -> None:
    """Nothing comes from /dev/null, and what goes there is recorded."""
    null = subprocess.DEVNULL
    done = wrapper.run("sh", "-c", "cat; echo out; echo err >&2", stdin=null, stdout=null, stderr=null)
    assert done.status == 0
    log = wrapper.log()
    assert (log.lines("stdin"), log.lines("stdout"), log.lines("stderr")) == ([], [b"out"], [b"err"])
    assert {d["kind"] for d in wrapper.started()["streams"].values()} == {"null"}


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors(wrapper: Wrapper, tmp_path: Path, closed: str) -> None:
    """What the caller closed is closed in the command too, and nothing else takes its place."""
    report = tmp_path / "report"
    probe = f"for fd in 0 1 2; do [ -e /proc/$$/fd/$fd ] && printf $fd >> {report}; done; exit 8"
    words = wrapper.command("sh", "-c", probe)
    done = finish(["sh", "-c", f'exec "$@" {closed}', "sh", *words])
    assert (done.status, done.stdout, done.stderr) == (8, b"", b"")
    gone = {"<": "0", ">": "1", "2": "2"}
    expected = {"0", "1", "2"} - {gone[word[0]] for word in closed.split()}
    assert set(report.read_text() if report.exists() else "") == expected
    assert wrapper.finished_log().ended["exit_code"] == 8


def test_inherited_descriptors(wrapper: Wrapper) -> None:
    """The command has every further descriptor under its number, and nobody else holds them open."""
    ours, theirs = os.pipe()
    os.dup2(theirs, 33)
    os.close(theirs)
    try:
        with wrapper.start(
            *PYTHON, CHILDREN / "descriptors.py", pass_fds=(33,), stderr=subprocess.PIPE
        ) as running:
            os.close(33)
            assert read_line(running.reader) == b"0:fifo 1:fifo 2:fifo 33:fifo\n"
            write_all(running.writer, b"x")
            assert read_line(running.reader) == b"closed\n"
            assert read_all(ours) == b"bye"  # the end comes although the wrapper still runs
            assert running.poll() is None
            write_all(running.writer, b"x")
            assert running.end() == 0
    finally:
        os.close(ours)


def test_streams_joined_by_the_caller_keep_their_order(wrapper: Wrapper) -> None:
    """With ``2>&1`` what is written to either comes out in the order in which it was written."""
    script = "i=0; while [ $i -lt 500 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done"
    done = wrapper.run("sh", "-c", script, stderr=subprocess.STDOUT)
    assert done.stdout == b"".join(b"out%d\nerr%d\n" % (n, n) for n in range(500))
    assert len(wrapper.log().of("stdout")) == 1000


def test_errors_are_recorded_beside_the_messages(wrapper: Wrapper) -> None:
    """Standard error passes apart, and its lines are in the log without a verdict."""
    done = wrapper.run("sh", "-c", "printf 'one\\ntwo' >&2; printf '\\377\\n' >&2; echo out")
    assert (done.stdout, done.stderr) == (b"out\n", b"one\ntwo\xff\n")
    records = wrapper.log().of("stderr")
    assert [record.line for record in records] == [b"one", b"two\xff"]
    assert [record.verdict for record in records] == [None, None]


@pytest.mark.parametrize("flag", ["source", "sink"])
def test_descriptors_that_do_not_block(wrapper: Wrapper, flag: str) -> None:
    """O_NONBLOCK, set by the caller on what it shares with us, neither loses bytes nor stops anything."""
    read, write = os.pipe()
    data = b"line of text\n" * 50_000
    popen: dict[str, Any] = {"stdin": read} if flag == "source" else {"stdout": write}
    with wrapper.start("cat", **popen) as running:
        os.set_blocking(read if flag == "source" else write, False)
        os.close(popen.popitem()[1])
        writer, reader = (write, running.reader) if flag == "source" else (running.writer, read)
        feeder = threading.Thread(target=write_all, args=(writer, data))
        feeder.start()
        received = read_exactly(reader, len(data))
        feeder.join()
        assert received == data
        if flag == "source":
            os.close(write)
        elif running.stdin:
            running.stdin.close()
        assert running.wait(60) == 0
    if flag == "sink":
        os.close(read)


def test_flags_of_the_callers_descriptors_stay_as_they_are(wrapper: Wrapper) -> None:
    """Nothing is set on descriptors that other programs of the caller's share."""
    (read, write), (back, out) = os.pipe(), os.pipe()
    with wrapper.start("sh", "-c", "echo ready; exec cat", stdin=read, stdout=out):
        assert read_line(back) == b"ready\n"
        assert os.get_blocking(read)
        assert os.get_blocking(out)
    for fd in (read, write, back, out):
        os.close(fd)


@pytest.mark.parametrize("size", [100, 5000])
def test_output_that_cannot_be_written(wrapper: Wrapper, tmp_path: Path, size: int) -> None:
    """A full disk under the caller's own file is no reader: the command is stopped, not fed into nothing."""
    source = tmp_path / "source"
    source.write_bytes((b"x" * size + b"\n") * (20_000_000 // size))
    with open("/dev/full", "wb") as full:
        done = wrapper.run("cat", source, stdout=full)
    assert done.status == -13
    source.unlink()


@pytest.mark.parametrize(("own", "status"), [(0, 1), (3, 3)])
def test_lost_output_is_no_success(wrapper: Wrapper, own: int, status: int) -> None:
    """Where the caller's disk is full, the status is 1 though the command, which wrote to a pipe, ended well."""
    with open("/dev/full", "wb") as full:
        done = wrapper.run("sh", "-c", f"echo an answer; exit {own}", stdout=full)
    assert done.status == status
    assert wrapper.finished_log().event("session_ended")["exit_code"] == own


@pytest.mark.linux("a file can be opened again by its descriptor")
def test_claude_leaves_the_position_in_a_file(wrapper: Wrapper, claude: Path, tmp_path: Path) -> None:
    """A file on stdin is read whole, and left for who shares it, as by Claude Code: a loop over its lines goes on."""
    lines = tmp_path / "lines"
    lines.write_bytes(b"one\ntwo\nthree\n")
    with lines.open("rb", buffering=0) as shared:
        assert shared.read(4) == b"one\n"
        lines.unlink()
        done = wrapper.run(claude, "-c", "cat", "-p", stdin=shared)
        assert done.stdout == b"one\ntwo\nthree\n"
        assert shared.read() == b"two\nthree\n"


def test_another_program_moves_the_position_in_a_file(wrapper: Wrapper, tmp_path: Path) -> None:
    """It gets what comes next, not what others of its group have had."""
    lines = tmp_path / "lines"
    lines.write_bytes(b"one\ntwo\nthree\n")
    with lines.open("rb", buffering=0) as shared:
        assert shared.read(4) == b"one\n"
        assert wrapper.run("cat", stdin=shared).stdout == b"two\nthree\n"
        assert shared.read() == b""
