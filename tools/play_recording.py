"""Play a recorded scenario as if it were ``claude``, for a first look without a key: no options, no checks.

    python -m tools.play_recording fixtures/scenarios/tool_allow

Both sides at once, with short pauses: what the client once wrote goes to the wrapper's input, and what Claude
Code once wrote comes out of the command behind it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path


def main(folder: str) -> int:
    """Run the wrapper around the recording; return its exit status."""
    scenario = Path(folder)
    arguments = (scenario / "argv").read_text().split("\n")
    command = [sys.executable, "-m", "tools.play_recording", "--as-claude", folder, *filter(None, arguments)]
    wrapper = [sys.executable, "-m", "proxy", "--session-name", f"recorded: {scenario.name}", "--", *command]
    with subprocess.Popen(wrapper, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        process.stdin.write((scenario / "stdin.jsonl").read_bytes())
        process.stdin.close()
        return process.wait()


def be_claude(folder: str) -> None:
    """Write what Claude Code wrote, once the first line of input has come."""
    sys.stdin.buffer.readline()
    for line in (Path(folder) / "stdout.jsonl").read_bytes().splitlines(keepends=True):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        time.sleep(0.02)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    if sys.argv[1] == "--as-claude":
        be_claude(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1]))
