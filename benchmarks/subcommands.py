"""What each subcommand costs beside a bare interpreter, in processor time: ``python -m benchmarks.subcommands``.

Each reads a data directory with one recorded session, `fixtures/first_look.jsonl`. Processor time (user and system,
children included) and not elapsed time, and of each the least of its runs, so that other work on the machine changes
the ratios little.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SESSION = Path(__file__).parents[1] / "fixtures/first_look.jsonl"
PROXY = [str(Path(sys.executable).with_name("claude-proxy"))]
LIMIT = 8
"""Times a bare interpreter that a subcommand may take."""
SUBCOMMANDS = (
    "--version",
    "--help",
    "sessions",
    "sessions --json",
    "status",
    "show latest --json",
    "show latest",
    "show latest --html -",
    "tail",
    "analyze",
    "analyze --json",
    "drift --json",
    "validate FILE",
    "replay --help",
    "serve --help",
    "shim DIR",
    "config check",
    "config show",
    "token list",
    "prune --days 36500",
    "backup",
    "check --list",
)


def processor_time(command: list[str], env: dict[str, str]) -> float:
    """Return the seconds of processor time that a command took; a failing one ends the measurement."""
    with subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {said.decode()}")
    return usage.ru_utime + usage.ru_stime


def main(runs: int, wanted: list[str]) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        sessions = Path(folder, "data/sessions")
        sessions.mkdir(parents=True)
        session_id = json.loads(SESSION.read_bytes().partition(b"\n")[0])["session_id"]
        sessions.joinpath(f"{session_id}.jsonl").write_bytes(SESSION.read_bytes())
        sessions.joinpath("latest.jsonl").symlink_to(f"{session_id}.jsonl")
        messages = Path(folder, "messages.jsonl")
        messages.write_bytes(b'{"type":"keep_alive"}\n')
        env = {**os.environ, "CLAUDE_PROXY_DATA_DIR": str(sessions.parent), "CLAUDE_PROXY_SERVER": "off"}
        env["CLAUDE_PROXY_CLAUDE"] = "/bin/true"  # for `shim`, which writes nothing where there is no claude
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation is compiled
        for subcommand in wanted or SUBCOMMANDS:
            places = {"FILE": str(messages), "DIR": str(Path(folder, "bin"))}
            words = [places.get(word, word) for word in subcommand.split()]
            bare, ours = [], []
            for _ in range(runs):
                bare.append(processor_time([sys.executable, "-c", "pass"], env))
                ours.append(processor_time([*PROXY, *words], env))
            ratio = min(ours) / min(bare)
            print(
                f"{subcommand:22} {ratio:5.1f} x {min(bare) * 1000:3.0f} ms",
                "" if ratio <= LIMIT else f"(over {LIMIT})",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("subcommands", nargs="*", help="such as 'show latest' (default: all)")
    given = parser.parse_args()
    main(given.runs, given.subcommands)
