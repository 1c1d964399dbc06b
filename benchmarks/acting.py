"""What it costs that others may act on a session: nothing where they may not.

    python -m benchmarks.acting [--runs N] [--before CHECKOUT]

Sessions without a grant, with one that nobody uses, and with one whose socket is flooded, in turn: round trips of a
1 KB message, and the relay's system calls for each (`strace`). Without a grant runs twice, so that the noise of the
machine is told with the rest. ``CHECKOUT``: the sources of another version to hold this one's against.
Linux only: `strace` and `/proc`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.relay import ECHO, PROXY, message, trips

TRIPS = 3000
TRACED = 1000
FLOOD = """
import contextlib, sys
from proxy.acting.address import connect
while True:
    with contextlib.suppress(OSError), connect(sys.argv[1], sys.argv[2], 60) as connection:
        while True:
            connection.send(b"x" * 65536)
"""


class Session:
    """A wrapped echo."""

    def __init__(self, folder: Path, grant: str | None, before: Path | None = None) -> None:
        self.data_dir = folder
        env = {**os.environ, "CLAUDE_PROXY_SERVER": "off", "CLAUDE_PROXY_DATA_DIR": str(folder)}
        proxy = PROXY
        if before is not None:
            env["PYTHONPATH"] = str(before)
            proxy = [sys.executable, str(before / "scripts/claude-proxy")]
        options = ["--act", grant] if grant else []
        self.process = subprocess.Popen(
            [*proxy, *options, "--", *ECHO],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=env,
        )
        self.line = message(1024)
        self.trips(TRIPS // 10)
        (self.path,) = (path for path in folder.glob("sessions/*.jsonl") if not path.is_symlink())
        with self.path.open() as log:
            self.relay_pid: int = json.loads(log.readline())["event"]["data"]["relay_pid"]

    def trips(self, count: int) -> list[float]:
        """Return how long each of so many round trips takes, in seconds, shortest first."""
        return sorted(trips(self.process, self.line, count))

    def system_calls(self) -> float:
        """Return the relay's system calls for each round trip."""
        out = self.data_dir / "calls"
        tracer = subprocess.Popen(
            ["strace", "-f", "-c", "-o", str(out), "-p", str(self.relay_pid)],
            stderr=subprocess.PIPE,
        )
        assert tracer.stderr is not None
        tracer.stderr.readline()  # it says that it is attached
        self.trips(TRACED)
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()
        found = re.search(r"^100\.00 +\S+ +\d+ +(\d+)", out.read_text(), re.MULTILINE)
        assert found, out.read_text()
        return int(found[1]) / TRACED

    def flood(self) -> subprocess.Popen[bytes]:
        """Send without end to the session's socket."""
        return subprocess.Popen([sys.executable, "-c", FLOOD, str(self.data_dir), self.path.stem])

    def end(self) -> None:
        """End it, as its caller does."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


KINDS = {
    "without a grant": None,
    "without a grant, again": None,
    "with a grant": "full",
    "flooded": "full",
}


def measure(folder: Path, runs: int, before: Path | None) -> None:
    """Print each kind of session beside the one without a grant, in the same run."""
    ratios: dict[str, list[tuple[float, float, float]]] = {}
    kinds: dict[str, str | None] = {**KINDS, **({"before": None} if before else {})}
    for run in range(runs):
        figures: dict[str, tuple[float, float, float]] = {}
        for kind, grant in kinds.items():
            place = folder / f"{run} {kind}"
            session = Session(place, grant, before if kind == "before" else None)
            with contextlib.ExitStack() as stack:
                if kind == "flooded":
                    flood = stack.enter_context(session.flood())
                    stack.callback(flood.kill)
                took = session.trips(TRIPS)
                calls = session.system_calls()
            session.end()
            figures[kind] = took[len(took) // 2], took[len(took) * 99 // 100], calls
        base = figures["without a grant"]
        for kind, (p50, p99, calls) in figures.items():
            ratios.setdefault(kind, []).append((p50 / base[0], p99 / base[1], calls))
    for kind, found in ratios.items():
        p50s, p99s, calls_ = zip(*found, strict=True)
        print(
            f"{kind:24} round trip p50 {statistics.median(p50s):.2f} [{min(p50s):.2f} to {max(p50s):.2f}],"
            f" p99 {statistics.median(p99s):.2f} [{min(p99s):.2f} to {max(p99s):.2f}];"
            f" {statistics.median(calls_):.2f} system calls [{min(calls_):.2f} to {max(calls_):.2f}]"
        )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--before", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.runs, arguments.before)


if __name__ == "__main__":
    main()
