"""What a session feels of the wrapper: the real Claude Code under the Python Agent SDK, direct and wrapped in turns.

    python -m benchmarks.session [--runs N] [--wrapper PROGRAM]...

Ten turns, each with a tool call, against a stand-in for the Messages API that answers at once. What is printed is the
wrapped session beside the direct one of the same round, and the wrapper's processor time and memory beside Claude
Code's own, taken when the tenth turn is over. Linux only: it reads `/proc`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ResultMessage

from tests.rig.answers import says, uses
from tests.rig.environment import Surroundings, find_claude, surroundings_unset
from tests.rig.messages_api import MessagesApi

TURNS = 10

Figures = dict[str, float]


async def run(api: MessagesApi, program: Path, place: Path) -> Figures:
    """Run one session and return what was measured of it, in seconds and megabytes."""
    surroundings = Surroundings(place)
    surroundings.build()
    (surroundings.project / "file.txt").write_text("one\ntwo\n")
    script = {
        f"Turn {turn}.": [
            uses("Read", file_path=str(surroundings.project / "file.txt")),
            says("It has two lines."),
        ]
        for turn in range(TURNS)
    }
    options = ClaudeAgentOptions(
        cli_path=program,
        cwd=surroundings.project,
        env={
            **surroundings.variables(api.play(script).base_url),
            "CLAUDE_PROXY_SERVER": "off",
            "CLAUDE_PROXY_DATA_DIR": str(place / "data"),
        },
    )
    figures: Figures = {}
    began = time.perf_counter()
    client = ClaudeSDKClient(options)
    await client.connect()
    figures["answer to initialize"] = time.perf_counter() - began
    first = 0.0
    asked = time.perf_counter()
    for turn in range(TURNS):
        await client.query(f"Turn {turn}.")
        async for message in client.receive_response():
            first = first or time.perf_counter() - asked
            if isinstance(message, ResultMessage):
                assert message.result == "It has two lines.", message
    figures["first message"] = first
    figures["ten turns"] = time.perf_counter() - asked
    figures |= processes()
    await client.disconnect()
    figures["whole session"] = time.perf_counter() - began
    return figures


def processes() -> Figures:
    """Return processor time and memory of Claude Code, and of what stands before it."""
    figures = {"claude cpu": 0.0, "claude memory": 0.0, "wrapper cpu": 0.0, "wrapper memory": 0.0}
    for process in psutil.Process().children(recursive=True):
        who = "wrapper" if process.exe() == os.path.realpath(sys.executable) else "claude"
        times = process.cpu_times()
        figures[f"{who} cpu"] += times.user + times.system
        figures[f"{who} memory"] += process.memory_full_info().pss / 1e6
    return figures


async def measure(runs: int, wrappers: list[str]) -> None:
    """Measure and print."""
    claude = find_claude()
    assert claude is not None, "the Python Agent SDK carries a Claude Code"
    with MessagesApi() as api, tempfile.TemporaryDirectory() as folder, surroundings_unset():
        programs = {"direct": claude}
        for wrapper in wrappers:
            there = tempfile.mkdtemp(dir=folder)
            shim = await asyncio.create_subprocess_exec(
                wrapper, "shim", there, "--claude", claude, stdout=subprocess.DEVNULL
            )
            assert await shim.wait() == 0
            programs[wrapper] = Path(there) / "claude"
        rounds: list[dict[str, Figures]] = []
        for _ in range(runs + 1):
            rounds.append({})
            for name, program in programs.items():
                place = Path(tempfile.mkdtemp(dir=folder))
                rounds[-1][name] = await run(api, program, place)
        del rounds[0]  # what filled the caches
    for wrapper in wrappers:
        print(wrapper)
        for name in ("whole session", "answer to initialize", "first message", "ten turns"):
            ratios = [one[wrapper][name] / one["direct"][name] for one in rounds]
            say(name, ratios, "times the direct one's")
        for name in ("cpu", "memory"):
            ours = [one[wrapper][f"wrapper {name}"] for one in rounds]
            theirs = [one["direct"][f"claude {name}"] for one in rounds]
            middle = statistics.median(ours)
            unit = f"{1000 * middle:.0f} ms" if name == "cpu" else f"{middle:.1f} MB"
            share = [100 * one / other for one, other in zip(ours, theirs, strict=True)]
            say(f"wrapper's {name}", share, f"% of Claude Code's ({unit})")


def say(what: str, figures: list[float], unit: str) -> None:
    """Print the median of the figures, and their range."""
    low, middle, high = min(figures), statistics.median(figures), max(figures)
    print(f"{what:24} {middle:8.3f} {unit}   [{low:.3f} to {high:.3f}]", flush=True)


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--wrapper", action="append", help="another than this one; several are compared")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation is compiled
    wrappers = arguments.wrapper or [str(Path(sys.executable).with_name("claude-proxy"))]
    asyncio.run(measure(arguments.runs, wrappers))


if __name__ == "__main__":
    main()
