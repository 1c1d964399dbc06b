"""Play a recorded session through the wrapper, for a first look without a key.

    python -m tools.play_recording [--timing none|recorded|SCALE]

``claude-proxy replay`` stands in for Claude Code, behind the wrapper. In front of it is the client of the recording: it
says what the client said, each line as soon as all has come that had come to the client by then.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.replay import recording

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORDED = Path(__file__).parent.parent / "fixtures" / "first_look.jsonl"


PACE = "0.3"
"""Times the recorded pauses: slow enough to follow with `tail -f`, fast enough not to be waited for."""


def main(arguments: Sequence[str]) -> int:
    """Run the wrapper around the recording; return its exit status."""
    timing = list(arguments) or ["--timing", PACE]
    recorded = recording.read(str(RECORDED))
    program = [sys.executable, "-m", "proxy"]
    claude = [*program, "replay", *timing, str(RECORDED), "--", *recorded.arguments]
    wrapper = [*program, "--session-name", "a first look", "--", *claude]
    with subprocess.Popen(wrapper, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for cue in recorded.cues:
            if cue.stream == "stdin":
                process.stdin.write(cue.line)
                process.stdin.flush()
            elif cue.stream == "stdout":
                process.stdout.readline()
        process.stdin.close()
        return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
