"""What a wrapped session holds in memory: little, no more after many messages, and little more for a long line."""

from __future__ import annotations

import json
import re
import threading
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


def message(size: int) -> bytes:
    """Return a message of ASCII."""
    return MESSAGE % (b"." * size)


def message_in_other_letters(size: int) -> bytes:
    """Return a message whose text takes more room when it is decoded."""
    return MESSAGE % ("\u4e00\U0001f600".encode() * (size // 7))


def escapes(size: int) -> bytes:
    """Return a message of nothing but escapes."""
    return MESSAGE % (rb"\n" * (size // 2))


def brackets(size: int) -> bytes:
    """Return a message of many small values."""
    return b'{"type":"novelty","list":[' + b"[]," * (size // 3) + b"0]}\n"


def text(size: int) -> bytes:
    """Return a line that is no message."""
    return b"text " * (size // 5) + b"\n"


def noise(size: int) -> bytes:
    """Return a line that is not UTF-8."""
    return b"\xff." * (size // 2) + b"\n"


@pytest.mark.parametrize("make", [message, message_in_other_letters, escapes, brackets, text, noise])
def test_a_long_line_costs_four_times_its_size(
    wrapper: Wrapper, claude: Path, make: Callable[[int], bytes]
) -> None:
    """A line of 100 MB passes unchanged and is recorded whole, for at most four times its size."""
    line = make(100 * MB)
    source = wrapper.data_dir.with_name("source")
    source.write_bytes(line)
    command = [str(claude), "-c", f"cat {source}; exec cat", "claude", "--output-format", "stream-json"]
    with wrapper.start(*command) as running:
        assert read_exactly_in_chunks(running.reader, line)
        (path,) = wrapper.paths()
        with path.open("rb") as log:
            relay_pid = json.loads(log.readline())["event"]["data"]["relay_pid"]
        held = peak(relay_pid)
        assert running.end() == 0
    content = path.read_bytes()
    if make not in (noise, text):
        assert content.count(line[:-1] + b"}\n") == 1
    path.unlink()
    source.unlink()
    assert held <= 4 * len(line) + 20 * MB


def read_exactly_in_chunks(fd: int, expected: bytes) -> bool:
    """Read and compare piece by piece, so that the test itself holds the line only once."""
    view = memoryview(expected)
    while view:
        chunk = read_exactly(fd, min(MB, len(view)))
        if not chunk or view[: len(chunk)] != chunk:
            return False
        view = view[len(chunk) :]
    return True
