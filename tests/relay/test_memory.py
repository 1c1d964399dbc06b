"""What a wrapped session holds in memory: little, no more after many messages, and little more for a long line."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.relay.wrapper import Running, Wrapper, read_exactly, read_line, write_all

if TYPE_CHECKING:
    from collections.abc import Callable

MB = 1 << 20
STREAM_JSON = ["--input-format", "stream-json", "--output-format", "stream-json"]
MESSAGE = (
    b'{"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%b"}},'
    b'"session_id":"s","parent_tool_use_id":null,"uuid":"00000000-0000-4000-8000-000000000000"}\n'
)

BAD = [
    b'{"type":"user","message":{"role":"user","content":[{"type":"text"},7]}}\n',
    b'{"type":"result","subtype":"success","usage":1}\n',
    b'{"type":"control_request","request_id":"1","request":{"subtype":"initialize","hooks":7}}\n',
    b'{"type":"novelty"}\n',
    b"{\n",
]


def pss(pid: int) -> int:
    """Return the memory of a process in bytes, what it shares with others counted in proportion."""
    found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def peak(pid: int) -> int:
    """Return the most memory that a process has ever had, in bytes."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def ready(running: Running, line: bytes) -> None:
    """Send a line and get it back."""
    write_all(running.writer, line)
    assert read_line(running.reader) == line


def test_memory_is_small_and_does_not_grow(wrapper: Wrapper, claude: Path) -> None:
    """Both processes together stay under 20 MB, and a hundred thousand messages leave nothing behind.

    Invalid, unknown and malformed lines are among them.
    """
    message = MESSAGE % (b"." * 60)
    batch = message * 10_000
    command = [str(claude), "-c", "exec cat", "claude", *STREAM_JSON]
    with wrapper.start(*command) as running:
        ready(running, message)
        for line in (*BAD, message):
            ready(running, line)
        started = wrapper.started()
        pids = (started["wrapper_pid"], started["relay_pid"])

        def exchange() -> int:
            feeder = threading.Thread(target=write_all, args=(running.writer, batch))
            feeder.start()
            assert read_exactly(running.reader, len(batch)) == batch
            feeder.join()
            return sum(map(pss, pids))

        held = [exchange() for _ in range(10)]
        assert max(held) <= 20 * MB
        assert held[-1] - held[2] < MB
        running.end()


LINE = '{:6}→    a line of what Read shows, with a \\"quote\\"\\n'
READ = "".join(LINE.format(number) for number in range(1000)).encode()


def message(size: int) -> bytes:
    """Return a message of ASCII."""
    return MESSAGE % (b"." * size)


def message_as_read_shows_it(size: int) -> bytes:
    """Return a message whose text has an arrow in each line, which takes two bytes a character when it is decoded."""
    return MESSAGE % (READ * (size // len(READ)))


def message_with_an_emoji(size: int) -> bytes:
    """Return a message whose text takes four bytes a character when it is decoded."""
    return MESSAGE % ("\U0001f600".encode() + READ * (size // len(READ)))


def message_in_other_letters(size: int) -> bytes:
    """Return a message of letters outside ASCII."""
    return MESSAGE % ("\u4e00\U0001f600".encode() * (size // 7))


def invalid_message(size: int) -> bytes:
    """Return a message that the specification refuses."""
    return b'{"type":"user","message":7,"text":"' + READ * (size // len(READ)) + b'"}\n'


def malformed_message(size: int) -> bytes:
    """Return a line that is JSON up to its end."""
    return message_with_an_emoji(size)[:-2] + b"\n"


def escapes(size: int) -> bytes:
    """Return a message of nothing but escapes."""
    return MESSAGE % (rb"\n" * (size // 2))


def brackets(size: int) -> bytes:
    """Return a message of many small values."""
    return b'{"type":"novelty","list":[' + b"[]," * (size // 3) + b"0]}\n"


def text(size: int) -> bytes:
    """Return a line that is no message."""
    return b"text " * (size // 5) + b"\n"


def text_with_an_emoji(size: int) -> bytes:
    """Return a line that is no message, and takes four bytes a character when it is decoded."""
    return "\U0001f600".encode() + b"text " * (size // 5) + b"\n"


def noise(size: int) -> bytes:
    """Return a line that is not UTF-8."""
    return b"\xff." * (size // 2) + b"\n"


KINDS = [
    message,
    message_with_an_emoji,
    message_in_other_letters,
    invalid_message,
    malformed_message,
    escapes,
    brackets,
    text,
    text_with_an_emoji,
    noise,
]


@pytest.mark.parametrize(
    ("way", "make"),
    [
        ("--output-format", message_as_read_shows_it),
        *(pytest.param("--output-format", make, marks=pytest.mark.slow) for make in KINDS),
        *(
            pytest.param("--input-format", make, marks=pytest.mark.slow)
            for make in (message_as_read_shows_it, malformed_message, text)
        ),
    ],
)
def test_a_long_line_costs_three_times_its_size(
    wrapper: Wrapper, claude: Path, way: str, make: Callable[[int], bytes]
) -> None:
    """A line of 100 MB passes unchanged and is recorded whole, for at most three times its size, all given back."""
    line = make(100 * MB)
    source = wrapper.data_dir.with_name("source")
    source.write_bytes(line)
    command = [str(claude), "-c", f"cat {source}; exec cat >/dev/null", "claude", way, "stream-json"]
    if way == "--input-format":
        command[2] = "exec cat >/dev/null"
    with wrapper.start(*command) as running:
        if way == "--input-format":
            write_all(running.writer, line)
        else:
            assert read_exactly_in_chunks(running.reader, line)
        (path,) = wrapper.paths()
        with path.open("rb") as log:
            started = json.loads(log.readline())["event"]["data"]
        # Until it has been quiet for as long as it takes to give all back; the test's own time is the bound.
        while path.stat().st_size < len(line) or (left := pss(started["relay_pid"])) > 20 * MB:
            time.sleep(0.1)
        held = peak(started["relay_pid"])
        assert running.end() == 0
    content = path.read_bytes()
    if make not in (noise, text, text_with_an_emoji, malformed_message):
        assert content.count(line[:-1] + b"}\n") + content.count(line[:-1] + b',"errors":') == 1
    path.unlink()
    source.unlink()
    assert held <= 3 * len(line) + 20 * MB
    assert left <= 20 * MB


def read_exactly_in_chunks(fd: int, expected: bytes) -> bool:
    """Read and compare piece by piece, so that the test itself holds the line only once."""
    view = memoryview(expected)
    while view:
        chunk = read_exactly(fd, min(MB, len(view)))
        if not chunk or view[: len(chunk)] != chunk:
            return False
        view = view[len(chunk) :]
    return True
