"""What seals cost: ``python -m benchmarks.sealing [RECORDS]``, a million unless told otherwise.

Appending to a sealed log beside an ordinary one, and the round trip of a message through the wrapper, by the size of a
line; and `claude-proxy verify` of a long log beside `claude-proxy analyze` and `sha256sum` of the same file, in
processor time. Both sides of each ratio are run in turn; printed are medians.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.relay import ECHO, PROXY, message, trips
from proxy.sessions.record import Alike, StreamRecords, lifecycle
from proxy.sessions.sealing import SealedLog
from proxy.sessions.writer import SessionLog

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDED = Path(__file__).parents[1] / "fixtures/scenarios"
RECORDS = StreamRecords("s", "stdout")
RUNS = 7
TRIPS = 2000
_AT_ONCE = 500


def open_log(kind: type[SessionLog], folder: str) -> SessionLog:
    """Begin a log, as that of a session of messages."""
    data = {"format": 1, "command": ["claude", "-p", "--output-format", "stream-json"]}
    return kind(folder, "s", lifecycle("s", "session_started", data))


def appended(kind: type[SessionLog], size: int, at_once: int) -> float:
    """Return the processor seconds that a record takes, each alone or so many in one batch."""
    line = b'{"type":"x","pad":"%b"}' % (b"." * size)
    count = max(200, min(20_000, 60_000_000 // size)) // at_once
    with tempfile.TemporaryDirectory() as folder:
        log = open_log(kind, folder)
        log.append([])
        began = time.process_time()
        for _ in range(count):
            if at_once == 1:
                log.append_line(RECORDS.valid, line + b"\n")
            else:
                log.append(Alike(RECORDS.valid, [line] * at_once, len(line) * at_once))
        took = time.process_time() - began
        log.close()
    return took / count / at_once


def round_trip(size: int, seal: str) -> float:
    """Return the seconds that a message takes through the wrapper and back, at the median."""
    line = message(size)
    with tempfile.TemporaryDirectory() as folder:
        options = ["--data-dir", folder, "--server", "off", "--seal", seal]
        with subprocess.Popen(
            [*PROXY, *options, "--", *ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        ) as process:
            assert process.stdin is not None
            took = trips(process, line, TRIPS)
            process.stdin.close()
    return statistics.median(took)


def ratio(first: Callable[[], float], second: Callable[[], float], runs: int = RUNS) -> tuple[float, float]:
    """Run both in turn; return the medians."""
    pairs = [(first(), second()) for _ in range(runs)]
    one, other = zip(*pairs, strict=True)
    return statistics.median(one), statistics.median(other)


def long_log(folder: str, count: int) -> str:
    """Write a sealed log with so many records of real traffic; return its path."""
    recorded = [
        line
        for path in sorted(RECORDED.glob("*/stdout.jsonl"))
        for line in path.read_bytes().splitlines()
        if line.startswith(b"{") and line.endswith(b"}")
    ]
    log = open_log(SealedLog, folder)
    lines = itertools.cycle(recorded)
    for _ in range(count // _AT_ONCE):
        some = list(itertools.islice(lines, _AT_ONCE))
        log.append(Alike(RECORDS.valid, some, sum(map(len, some))))
    log.append_end({"exit_code": 0, "duration_ms": 1, "counts": {}})
    log.close()
    return log.path


def timed(*command: str) -> float:
    """Return the processor seconds that a command takes."""
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main(count: int) -> None:
    """Measure and print."""
    for size, at_once in ((250, 1), (250, 200), (1000, 1), (32_000, 1), (1_000_000, 1)):
        plain, sealed = ratio(
            partial(appended, SessionLog, size, at_once), partial(appended, SealedLog, size, at_once)
        )
        print(
            f"append of {size:,} bytes, {at_once} at once: {sealed * 1e6:.1f} us a record,"
            f" {sealed / plain:.2f} times that without seals"
        )
    for size in (250, 1000, 32_000):
        plain, sealed = ratio(partial(round_trip, size, "off"), partial(round_trip, size, "on"))
        print(f"round trip of {size:,} bytes: {sealed / plain:.2f} times that without seals")
    with tempfile.TemporaryDirectory() as folder:
        path = long_log(folder, count)
        program = [sys.executable, "-m", "proxy"]
        options = ["--data-dir", folder]
        verify, analyze = ratio(
            partial(timed, *program, "verify", path, *options),
            partial(timed, *program, "analyze", path, *options),
            3,
        )
        summed = statistics.median(timed("sha256sum", path) for _ in range(3))
        print(f"verify of {count:,} records ({Path(path).stat().st_size / 1e6:.0f} MB): {verify:.1f} s,")
        print(f"  {verify / analyze:.2f} of analyze ({analyze:.1f} s), {verify / summed:.1f} times sha256sum")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
