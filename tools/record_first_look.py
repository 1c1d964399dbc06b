"""Record the session that ``./demo`` plays, anew: the real Claude Code behind the wrapper, in a home that is nobody's.

python -m tools.record_first_look
"""

from __future__ import annotations

import os
import shutil
import sys

import anyio

from tests.rig.environment import Surroundings, find_claude, surroundings_unset
from tests.rig.messages_api import MessagesApi
from tests.rig.scenarios.tour import first_look
from tests.rig.stage import Stage
from tests.rig.wrapping import claude_proxy
from tools.check_release import NEUTRAL_HOME, home_of_its_own
from tools.play_recording import RECORDED


def main() -> int:
    """Run the command; return its exit status."""
    if (claude := find_claude()) is None:
        sys.exit("no Claude Code: neither in the installed Agent SDK nor on PATH")
    with home_of_its_own(NEUTRAL_HOME, neutral=True) as home, MessagesApi() as api, surroundings_unset():
        programs = home / ".local" / "bin"
        programs.mkdir(parents=True)
        (programs / "claude").symlink_to(claude)
        launcher = programs / "wrapped"
        wrapper = " ".join([*claude_proxy(), "--server", "off", "--data-dir", str(home / "data")])
        launcher.write_text(f'#!/bin/sh\nexec {wrapper} -- {programs}/claude "$@"\n')
        launcher.chmod(0o755)
        stage = Stage(api, launcher, Surroundings(home))
        stage.surroundings.build()
        anyio.run(first_look, stage)
        shutil.copyfile(home / "data" / "sessions" / "latest.jsonl", RECORDED)
        RECORDED.chmod(0o644)  # logs are for their owner alone, fixtures for everybody
    print(f"recorded {os.path.relpath(RECORDED)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
