"""``claude-proxy validate`` judges files and standard input."""

import argparse
import io
import json
import pathlib
import sys
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from proxy.cli import run as run_cli
from proxy.cli import validate
from tests.protocol import corpus
from tests.recorded import LogMaker

GOOD = b'{"type":"keep_alive"}'


class _Stdin:
    """Standard input, as bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def run(*argv: str) -> int:
    """Run the subcommand and return its exit status."""
    parser = argparse.ArgumentParser()
    validate.add_parser(parser.add_subparsers())
    args = parser.parse_args(["validate", *argv])
    args.data_dir = "/nowhere"
    return int(args.run(args))


def answers(capsysbinary: pytest.CaptureFixture[bytes]) -> list[Any]:
    """Return what was printed, line by line."""
    return [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]


def test_standard_input_is_judged_as_stdout_messages(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Blank lines are passed over but counted; the last line needs no newline; any fault makes the status 1."""
    monkeypatch.setattr(
        sys, "stdin", _Stdin(b"\n".join([GOOD, b" \r", b'{"type":"new"}\r', b"x", b'{"type":"user"}']))
    )
    assert run() == 1
    printed = answers(capsysbinary)
    assert [(one["line"], one["verdict"]) for one in printed] == [
        (1, "valid"),
        (3, "unknown"),
        (4, "malformed"),
        (5, "invalid"),
    ]
    assert [bool(one["errors"]) for one in printed] == [False, False, True, True]
    assert printed[3]["errors"][0].keys() == {"path", "message", "keyword"}


def test_files_are_judged_by_the_schema_asked_for(
    tmp_path: pathlib.Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Each of several files is named and has its own line numbers; nothing wrong is status 0; people get a summary."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(b'{"action":"interrupt"}\n')
    second.write_bytes(b'\n{"action":"keep_alive"}\n')
    assert run("--schema", "commands", str(first), str(second)) == 0
    captured = capsysbinary.readouterr()
    printed = [json.loads(line) for line in captured.out.splitlines()]
    assert [(one["file"], one["line"]) for one in printed] == [(str(first), 1), (str(second), 2)]
    assert captured.err == b"2 lines: 2 valid\n"
    assert run("--schema", "commands", str(first)) == 0
    assert answers(capsysbinary) == [{"line": 1, "verdict": "valid", "errors": []}]


@pytest.mark.parametrize("argv", [["--schema", "stdot"], ["/nowhere/at/all"], ["."]])
def test_what_cannot_be_done_is_said_in_a_sentence(
    argv: list[str], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """An unknown schema or an unreadable file is status 2, and nothing on standard output."""
    assert run(*argv) == 2
    captured = capsysbinary.readouterr()
    assert captured.out == b""
    assert captured.err.startswith(b"claude-proxy: ")
    assert captured.err.count(b"\n") == 1


@pytest.mark.parametrize("stream", corpus.STREAMS)
def test_recorded_sessions_are_valid(
    stream: corpus.Stream, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Real traffic from end to end, in one go."""
    files = [str(path) for path in sorted(corpus.SCENARIOS.glob(f"*/{stream}.jsonl"))]
    assert run("--schema", stream, *files) == 0
    assert sum(one["verdict"] == "valid" for one in answers(capsysbinary)) == len(corpus.recorded(stream))


@hypothesis.given(
    st.lists(st.binary(max_size=8).map(lambda line: line.replace(b"\n", b"")), min_size=1), st.data()
)
def test_lines_are_whole_however_they_are_read(lines: list[bytes], data: st.DataObject) -> None:
    """Whatever the reads return, the lines are those of the file."""
    content = b"\n".join(lines)

    class Cut(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(data.draw(st.integers(1, 5)))

    read = [line for batch in validate.batches(Cut(content)) for line in batch]
    assert read == (content.removesuffix(b"\n").split(b"\n") if content else [])


def test_a_session_is_no_file_and_is_told_how_it_is_judged(
    tmp_path: pathlib.Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Regression: `validate latest` said "No such file", and a log's records were just invalid messages."""
    log = tmp_path / "sessions" / "s1.jsonl"
    log.parent.mkdir()
    log.write_bytes(LogMaker("s1").started(["claude", "-p"]))
    for name in ("latest", "s1"):
        assert run_cli(["validate", "--data-dir", str(tmp_path), name]) == 2
        assert f"claude-proxy show {name} --json | jq".encode() in capsysbinary.readouterr().err
    assert run(str(log)) == 1
    assert f"claude-proxy show {log} --json | jq".encode() in capsysbinary.readouterr().err
    assert run("--schema", "record", str(log)) == 0
    assert capsysbinary.readouterr().err == b"1 lines: 1 valid\n"
