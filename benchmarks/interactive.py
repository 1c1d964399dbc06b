"""What the recorder beside an interactive ``claude`` costs: ``python -m benchmarks.interactive [--runs N]``.

Its start is measured with a command that ends at once, beside `--interactive off`, in turn. All else is measured beside
the real Claude Code, which makes 25 tool calls for the stand-in of the Messages API; needs tmux and strace.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.rig.answers import says, uses
from tests.rig.environment import find_claude
from tests.rig.interactive import InteractiveClaude
from tests.rig.messages_api import MessagesApi

PROXY = [str(Path(sys.executable).with_name("claude-proxy")), "--server", "off"]
PROMPT = "look at it often"
TURNS = 25
IDLE_S = 10


def start(folder: Path, runs: int) -> None:
    """Measure what it takes until a command has run that is recorded, and one that is not."""
    claude = folder / "claude"
    claude.write_text("#!/bin/sh\nexit 0\n")
    claude.chmod(0o755)
    env = {**os.environ, "CLAUDE_PROXY_DATA_DIR": str(folder / "started")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation is compiled
    ours, theirs = pty.openpty()
    took: dict[str, list[float]] = {"record": [], "off": []}
    worked: dict[str, list[float]] = {"record": [], "off": []}
    for _ in range(runs):
        for mode, seconds in took.items():
            began, worked_before = time.perf_counter(), _children_s()
            subprocess.run(
                [*PROXY, "--interactive", mode, "--", str(claude)],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=env,
                check=True,
            )
            seconds.append(time.perf_counter() - began)
            worked[mode].append(
                _children_s() - worked_before
            )  # without the recorder, which is nobody's child
            time.sleep(0.2)  # the recorder ends by itself: it is not to run beside the next one
    os.close(ours)
    os.close(theirs)
    recorded, off = (statistics.median(seconds) for seconds in took.values())
    ratio, least = recorded / off, min(took["record"]) / min(took["off"])
    print(f"start beside --interactive off       {ratio:8.2f} x (at most 1.3), by the least {least:.2f}")
    print(f"  with --interactive off             {1000 * off:8.1f} ms")
    busy, idle = (statistics.median(seconds) for seconds in worked.values())
    print(f"  the same, processor time           {busy / idle:8.2f} x, which other work disturbs less")


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def session(folder: Path, claude: Path) -> None:
    """Measure the recorder of a session with many tool calls, and of one that does nothing."""
    with MessagesApi() as api, InteractiveClaude(api, folder / "home", {}) as place:
        file = place.project / "file.txt"
        file.write_text("a line\n" * 200)
        place.answer_by({PROMPT: [*[uses("Read", file_path=str(file))] * TURNS, says("Seen.")]})
        program = folder / "bin/claude"
        program.parent.mkdir()
        program.symlink_to(claude)
        pid = place.start([*PROXY, "--data-dir", str(folder / "data"), "--", str(program)])
        place.say(PROMPT)
        place.until(lambda: "Seen." in place.transcripts())
        (log,) = (folder / "data/sessions").glob("2*.jsonl")
        place.until(lambda: b"Seen." in log.read_bytes())
        recorder = json.loads(log.read_bytes().partition(b"\n")[0])["event"]["data"]["follower_pid"]
        # A recorder is one thread, of which the kernel tells the nanoseconds.
        ours = int(Path(f"/proc/{recorder}/schedstat").read_text().split()[0]) / 1e9
        used = psutil.Process(pid).cpu_times()
        theirs = used.user + used.system
        print(
            f"processor, {TURNS} tool calls and start   {100 * ours / theirs:8.2f} % of claude's (at most 2)"
        )
        memory_mb = psutil.Process(recorder).memory_full_info().pss / 1e6
        print(f"memory                               {memory_mb:8.1f} MB PSS (at most 12)")
        calls = _calls_while_idle(recorder, folder)
        print(f"system calls in {IDLE_S} idle seconds      {calls:8d} (none)")
        place.leave()
        place.until(lambda: b'"session_ended"' in log.read_bytes())


def _calls_while_idle(pid: int, folder: Path) -> int:
    """Count the system calls that begin: not the one that it waits in when the count begins."""
    time.sleep(5)  # Claude Code has still to do after an answer
    told = folder / "strace"
    subprocess.run(
        ["timeout", "--signal=INT", str(IDLE_S), "strace", "-f", "-o", str(told), "-p", str(pid)],
        check=False,
        stderr=subprocess.DEVNULL,
    )
    lines = told.read_text().splitlines()
    if not lines:
        raise SystemExit("strace may not look at the recorder")
    return sum("(" in line and "resuming" not in line for line in lines[1:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=40)
    runs = parser.parse_args().runs
    claude = find_claude()
    if claude is None:
        raise SystemExit("Claude Code is neither in the installed Agent SDK nor on PATH")
    with tempfile.TemporaryDirectory() as folder:
        start(Path(folder), runs)
        session(Path(folder), claude)


if __name__ == "__main__":
    main()
