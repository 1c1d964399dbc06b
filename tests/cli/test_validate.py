"""``claude-proxy validate`` judges files and standard input."""

import io
import json
import pathlib
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from proxy.cli import validate
from tests.command_line import Finished, claude_proxy
from tests.protocol import corpus
from tests.recorded import LogMaker

GOOD = b'{"type":"keep_alive"}'


def run(*argv: str, stdin: bytes = b"") -> Finished:
    """Run the subcommand."""
    return claude_proxy("validate", "--data-dir", "/nowhere", *argv, stdin=stdin)


def answers(ran: Finished) -> list[Any]:
    """Return what was printed, line by line."""
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_standard_input_is_judged_as_stdout_messages() -> None:
    """Blank lines are passed over but counted; the last line needs no newline; any fault makes the status 1."""
    ran = run(stdin=b"\n".join([GOOD, b" \r", b'{"type":"new"}\r', b"x", b'{"type":"user"}']))
    assert ran.status == 1
    printed = answers(ran)
    assert [(one["line"], one["verdict"]) for one in printed] == [
        (1, "valid"),
        (3, "unknown"),
        (4, "malformed"),
        (5, "invalid"),
    ]
    assert [bool(one["errors"]) for one in printed] == [False, False, True, True]
    assert printed[3]["errors"][0].keys() == {"path", "message", "keyword"}


def test_files_are_judged_by_the_schema_asked_for(tmp_path: pathlib.Path) -> None:
    """Each of several files is named and has its own line numbers; nothing wrong is status 0; people get a summary."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(b'{"action":"interrupt"}\n')
    second.write_bytes(b'\n{"action":"keep_alive"}\n')
    ran = run("--schema", "commands", str(first), str(second))
    assert ran.status == 0
    printed = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(one["file"], one["line"]) for one in printed] == [(str(first), 1), (str(second), 2)]
    assert ran.stderr == "2 lines: 2 valid\n"
    ran = run("--schema", "commands", str(first))
    assert ran.status == 0
    assert answers(ran) == [{"line": 1, "verdict": "valid", "errors": []}]


@pytest.mark.parametrize("argv", [["--schema", "stdot"], ["/nowhere/at/all"], ["."]])
def test_what_cannot_be_done_is_said_in_a_sentence(argv: list[str]) -> None:
    """An unknown schema or an unreadable file is status 2, and nothing on standard output."""
    ran = run(*argv)
    assert ran.status == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("claude-proxy: ")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("stream", corpus.STREAMS)
def test_recorded_sessions_are_valid(stream: corpus.Stream) -> None:
    """Real traffic from end to end, in one go."""
    files = [str(folder / f"{stream}.jsonl") for folder in corpus.recordings()]
    ran = run("--schema", stream, *files)
    assert ran.status == 0
    assert sum(one["verdict"] == "valid" for one in answers(ran)) == len(corpus.recorded(stream))


@hypothesis.given(
    st.lists(st.binary(max_size=8).map(lambda line: line.replace(b"\n", b"")), min_size=1), st.data()
)
def test_lines_are_whole_however_they_are_read(lines: list[bytes], data: st.DataObject) -> None:
    """Whatever the reads return, the lines are those of the file."""
    content = b"\n".join(lines)

    class Cut(io.RawIOBase):
        left = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any, /) -> int:
            return self.left.readinto(memoryview(buffer)[: data.draw(st.integers(1, 5))])

    file = io.BufferedReader(Cut(), data.draw(st.integers(1, 9)))
    read = [line for batch in validate.batches(file) for line in batch]
    assert read == (content.removesuffix(b"\n").split(b"\n") if content else [])


def test_a_session_is_no_file_and_is_told_how_it_is_judged(tmp_path: pathlib.Path) -> None:
    """Regression: `validate latest` said "No such file", and a log's records were just invalid messages."""
    log = tmp_path / "sessions" / "s1.jsonl"
    log.parent.mkdir()
    log.write_bytes(LogMaker("s1").started(["claude", "-p"]))
    for name in ("latest", "s1"):
        ran = claude_proxy("validate", "--data-dir", str(tmp_path), name)
        assert ran.status == 2
        assert f"claude-proxy show {name} --json | jq" in ran.stderr
    ran = run(str(log))
    assert ran.status == 1
    assert f"claude-proxy show {log} --json | jq" in ran.stderr
    ran = run("--schema", "record", str(log))
    assert ran.status == 0
    assert ran.stderr == "1 line: 1 valid\n"
