"""The wrapper beside what a user would pick instead: start, throughput, latency, memory.

    python -m benchmarks.relay [--runs N] [start] [throughput] [latency] [memory]

Both sides of each ratio are run in turn, so that a machine whose speed drifts does so for both. Printed are
medians, with minimum and maximum. `tee` stands for recording without judging: `tee log | cmd | tee log`. The bare loop
(`benchmarks.bare_loop`) stands for the least that a Python program does that judges and records.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PROXY = [str(Path(sys.executable).with_name("claude-proxy"))]
# `cat` that looks like a session of messages: the arguments belong to the shell, which ignores them.
ECHO = ["sh", "-c", "exec cat", "claude", "--input-format", "stream-json", "--output-format", "stream-json"]
RECORDED = Path(__file__).parents[1] / "fixtures/scenarios"
# As the tool Read shows a file to the model: an arrow behind each line's number.
READ = "".join(
    f'{number:6}\u2192    a line of what Read shows, with a "quote"\n' for number in range(180_000)
)


def message(size: int, text: str = "") -> bytes:
    """Return a message that is valid in both directions, as one line of about ``size`` bytes, with that text in it."""
    block = {"type": "text", "text": ""}
    whole = {
        "type": "user",
        "message": {"role": "user", "content": [block]},
        "session_id": "8d6bdcfc-2a7f-4a2b-86c0-22094468918c",
        "parent_tool_use_id": None,
        "uuid": "8ce2e052-26a2-4b19-80f9-056e3680480b",
    }
    block["text"] = text or "x" * (size - 1 - len(json.dumps(whole, separators=(",", ":"))))
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


LINES = {
    "250 B": (message(250), 400_000),
    "900 B": (message(900), 120_000),
    "10 MB": (message(10_000_000), 12),
    "10 MB as Read shows it": (message(10_000_000, READ), 12),
}


class Bench:
    """Runs commands in a folder of its own, with an environment that starts no server."""

    def __init__(self, folder: Path, runs: int) -> None:
        self.folder = folder
        self.runs = runs
        self.data_dir = folder / "data"
        self.env = {**os.environ, "CLAUDE_PROXY_SERVER": "off", "CLAUDE_PROXY_DATA_DIR": str(self.data_dir)}
        self.env["PYTHONPATH"] = str(Path(__file__).parents[1])  # for the bare loop
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation is compiled

    def start(self) -> None:
        """Measure what the wrapper adds before the command runs."""
        claude = self.folder / "claude"
        claude.write_text("#!/bin/sh\nexit 0\n")
        claude.chmod(0o755)
        bare, until, version, whole = [], [], [], []
        for _ in range(4 * self.runs):
            bare.append(self._seconds([sys.executable, "-c", "pass"]))
            until.append(self._until_started([*PROXY, "--", "date", "+%s.%N"]))
            version.append(
                self._seconds([*PROXY, "--", str(claude), "--version"])
                - self._seconds([str(claude), "--version"])
            )
            whole.append(self._seconds([*PROXY, "--", "true"]))
        _say("python3 -c pass", bare, 1000, "ms")
        _say("  command started", _ratios(until, bare), 1, "x (at most 1.6)")
        _say("  claude --version, added", _ratios(version, bare), 1, "x (at most 2)")
        _say("  `true`, from start to end", _ratios(whole, bare), 1, "x (at most 2.5)")

    def throughput(self) -> None:
        """Measure lines relayed both ways, judged and logged, beside `tee`."""
        for name, (line, count) in LINES.items():
            source = self.folder / "source"
            with source.open("wb") as file:
                for _ in range(count):
                    file.write(line)
            ratios, rates = [], []
            for _ in range(self.runs):
                tee = self._seconds("tee log1 | cat | tee log2", stdin=source)
                ours = self._seconds([*PROXY, "--", *ECHO], stdin=source)
                ratios.append(tee / ours)
                rates.append(len(line) * count / ours / 1e6)
                shutil.rmtree(self.data_dir, ignore_errors=True)
            _say(
                f"throughput, lines of {name}",
                ratios,
                1,
                f"of tee ({statistics.median(rates):.0f} MB/s each way)",
            )
            source.unlink()

    def latency(self) -> None:
        """Measure what a round trip of a 1 KB message takes longer than through bare `cat`."""
        line = message(1024)
        added: dict[str, list[float]] = {}
        for _ in range(self.runs):
            cat = self._round_trips(["cat"], line)
            ours = self._round_trips([*PROXY, "--", *ECHO], line)
            others = {
                "the bare loop's": [sys.executable, "-m", "benchmarks.bare_loop", "log", "cat"],
                "tee's": "tee log1 | cat | tee log2",
            }
            for name, command in others.items():
                theirs = self._round_trips(command, line)
                for which, percentile in enumerate(("p50", "p99")):
                    ratio = (ours[which] - cat[which]) / (theirs[which] - cat[which])
                    added.setdefault(f"{percentile} {name}", []).append(ratio)
            shutil.rmtree(self.data_dir, ignore_errors=True)
        for name, ratios in added.items():
            percentile, _, whose = name.partition(" ")
            limit = " (at most 1.3)" if name == "p50 the bare loop's" else ""
            _say(f"added round trip, {percentile}", ratios, 1, f"of {whose}{limit}")

    def memory(self) -> None:
        """Measure the memory of both processes (PSS), after a start, a million messages, and in a 100 MB line."""
        line = message(250)
        with subprocess.Popen(
            [*PROXY, "--", *ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env
        ) as wrapper:
            assert wrapper.stdin is not None
            assert wrapper.stdout is not None
            echo = _Echo(wrapper)
            echo.exchange(line * 100)
            print(f"memory after 100 messages            {_pss(wrapper.pid):8.1f} MB PSS (at most 20)")
            echo.exchange(b'{"type":"user","message":{"role":"user"}}\n' * 100)
            print(f"memory after 100 invalid ones        {_pss(wrapper.pid):8.1f} MB PSS (at most 20)")
            for _ in range(1000):
                echo.exchange(line * 1000)
            print(f"memory after a million messages      {_pss(wrapper.pid):8.1f} MB PSS")
            for name, text in (("100 MB", "x" * 100_000_000), ("the same as Read shows it", READ * 11)):
                line = message(0, text)
                peak = _Peak(wrapper.pid)
                echo.exchange(line)
                print(
                    f"peak for a line of {name:17} {peak.stop() * 1e6 / len(line):8.2f} times its size (at most 3)"
                )
            wrapper.stdin.close()
        shutil.rmtree(self.data_dir, ignore_errors=True)
        self._memory_of_all_kinds()

    def _memory_of_all_kinds(self) -> None:
        """Measure the memory after every line of the recorded scenarios, as if they were one session."""
        said, asked = (
            [
                line.rstrip(b"\n") + b"\n"
                for path in RECORDED.glob(f"*/{stream}.jsonl")
                for line in path.open("rb")
            ]
            for stream in ("stdout", "stdin")
        )
        source = self.folder / "said"
        source.write_bytes(b"".join(said))
        command = ["sh", "-c", f"cat '{source}'; cat >/dev/null", *ECHO[3:]]
        with subprocess.Popen(
            [*PROXY, "--", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env
        ) as wrapper:
            assert wrapper.stdin is not None
            assert wrapper.stdout is not None
            for _ in said:
                wrapper.stdout.readline()
            wrapper.stdin.write(b"".join(asked))
            wrapper.stdin.flush()
            self._await_records(len(said) + len(asked))
            print(f"memory after every recorded message  {_pss(wrapper.pid):8.1f} MB PSS (at most 20)")
            wrapper.stdin.close()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def _await_records(self, count: int) -> None:
        """Wait until the log has so many records and the one of the start."""
        (log,) = (path for path in self.data_dir.glob("sessions/*.jsonl") if not path.is_symlink())
        while log.read_bytes().count(b"\n") <= count:
            time.sleep(0.05)

    def _seconds(self, command: Sequence[str] | str, stdin: Path | None = None) -> float:
        """Return how long a command takes; raise if it fails, as that would be no measurement."""
        with (stdin or Path(os.devnull)).open("rb") as source:
            start = time.perf_counter()
            subprocess.run(
                command,
                stdin=source,
                stdout=subprocess.DEVNULL,
                shell=isinstance(command, str),
                cwd=self.folder,
                env=self.env,
                check=True,
            )
            return time.perf_counter() - start

    def _until_started(self, command: Sequence[str]) -> float:
        start = time.time()
        said = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=self.env, check=True
        ).stdout
        return float(said) - start

    def _round_trips(
        self, command: Sequence[str] | str, line: bytes, count: int = 3000
    ) -> tuple[float, float]:
        """Return the median and the 99th percentile of round trips, in seconds."""
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            shell=isinstance(command, str),
            bufsize=0,
            cwd=self.folder,
            env=self.env,
        ) as process:
            assert process.stdin is not None
            trips(process, line, count // 10)
            took = sorted(trips(process, line, count))
            process.stdin.close()
        return took[len(took) // 2], took[len(took) * 99 // 100]


def trips(process: subprocess.Popen[bytes], line: bytes, count: int) -> list[float]:
    """Return how long so many lines took to a process that echoes and back, in seconds; its pipes are unbuffered."""
    assert process.stdin is not None
    assert process.stdout is not None
    took = []
    for _ in range(count):
        start = time.perf_counter()
        process.stdin.write(line)
        left = len(line)
        while left:
            left -= len(process.stdout.read(left))
        took.append(time.perf_counter() - start)
    return took


class _Echo:
    """Writes to a process that echoes, and reads the echo at the same time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def exchange(self, data: bytes) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None

        def write() -> None:
            stdin.write(data)
            stdin.flush()

        writer = threading.Thread(target=write)
        writer.start()
        left = len(data)
        while left:
            left -= len(os.read(stdout.fileno(), min(left, 65536)))
        writer.join()


class _Peak:
    """Watches the memory of a wrapper."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._highest = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> float:
        self._stopped.set()
        self._thread.join()
        return self._highest

    def _watch(self) -> None:
        while not self._stopped.wait(0.01):
            self._highest = max(self._highest, _pss(self._pid))


def _pss(supervisor: int) -> float:
    """Return the memory of supervisor and relay process in MB: shared pages count by their share."""
    wrapper = psutil.Process(supervisor)
    relays = [child for child in wrapper.children() if child.exe() == wrapper.exe()]
    assert relays, "the relay process is not to be found: half of the memory would be told"
    return sum(process.memory_full_info().pss for process in (wrapper, *relays)) / 1e6


def _ratios(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(one, other, strict=True)]


def _say(what: str, figures: Sequence[float], scale: float, unit: str) -> None:
    low, middle, high = (scale * pick(figures) for pick in (min, statistics.median, max))
    print(f"{what:36} {middle:8.2f} {unit}   [{low:.2f} to {high:.2f}]", flush=True)


def main() -> None:
    """Run the benchmarks that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("which", nargs="*", default=["start", "throughput", "latency", "memory"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.runs)
        for name in arguments.which:
            measure: Callable[[], None] = getattr(bench, name)
            measure()


if __name__ == "__main__":
    main()
