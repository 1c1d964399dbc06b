"""Claude Code at a terminal of its own: a tmux pane, a home in which nothing is asked first, and the stand-in API.

What Claude Code does is read where it says so itself, in its registry; what it shows, from the pane.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from tests.rig.environment import OWN_PREFIXES, Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.rig.messages_api import MessagesApi, Play, Script

__all__ = ["InteractiveClaude", "has_tmux"]

BOUND_S = 120.0  # longer than one step takes on a machine that is busy with much else
LOOK_S = 0.05
KEY_TAKEN_S = 1.0
KEY_END = 20  # Claude Code knows an approved key by its last characters
COLUMNS, ROWS = 120, 40


def has_tmux() -> bool:
    """Whether there are terminals to be had."""
    return shutil.which("tmux") is not None


class InteractiveClaude:
    """A place for interactive sessions: one home, one project, one tmux server with a window for each session."""

    def __init__(self, api: MessagesApi, home: Path, script: Script) -> None:
        self.surroundings = Surroundings(home)
        self.config = home / ".claude"
        """Claude Code's configuration folder."""
        self.extra: dict[str, str] = {}
        """Variables of the sessions that begin from now on."""
        self.seen: list[dict[str, Any]] = []
        """What the registry was seen to say."""
        self._play: Play = api.play(script)
        self._socket = f"claude-proxy-{os.getpid()}-{id(self)}"
        self._panes: list[str] = []

    def __enter__(self) -> Self:
        self.surroundings.build()
        approved = self.variables()["ANTHROPIC_API_KEY"][-KEY_END:]
        project = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        config = {
            "hasCompletedOnboarding": True,
            "customApiKeyResponses": {"approved": [approved], "rejected": []},
            "projects": {str(self.project): project},
        }
        (self.home / ".claude.json").write_text(json.dumps(config))
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        self._tmux("kill-server")

    @property
    def home(self) -> Path:
        """The home of the sessions."""
        return self.surroundings.home

    @property
    def project(self) -> Path:
        """Their working directory."""
        return self.surroundings.project

    def variables(self) -> dict[str, str]:
        """Return the variables that a session adds to the environment."""
        return {**self.surroundings.variables(self._play.base_url), "TERM": "xterm-256color", **self.extra}

    def answer_by(self, script: Script) -> None:
        """Let the Messages API answer by another script from now on, the sessions that run already too."""
        self._play.script = script

    # -- sessions ----------------------------------------------------------------------------------------------

    def start(self, command: Sequence[str | Path], *, ready: bool = True) -> int:
        """Start a command in a window of its own, and return its process id, when it waits for a prompt."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OWN_PREFIXES)}
        # A server that is there already gives its windows its own environment.
        settings = [f"{name}={value}" for name, value in self.variables().items()]
        line = ["env", *settings, *map(str, command)]
        where = ["-c", str(self.project), "-P", "-F", "#{pane_id}"]
        new = ["new-window"] if self._panes else ["new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS)]
        made = self._tmux(*new, *where, *line, env=inherited, check=True)
        self._panes.append(made.strip())
        self._tmux("set-option", "-g", "remain-on-exit", "on")
        pid = int(self.pane("#{pane_pid}"))
        if ready:
            self.until_status("idle", pid)
        return pid

    def say(self, words: str, then: str | None = "idle") -> None:
        """Type a prompt and send it; wait until Claude Code is in that state again."""
        before, turns = self.registration().get("statusUpdatedAt", 0), self._turns()
        self.type(words)
        self.press("Enter")

        def is_so() -> bool:
            found = self.registration()
            # Of a turn that is over at once, the registry may say nothing.
            has_moved = found.get("statusUpdatedAt", 0) > before or self._turns() > turns
            return has_moved and found.get("status") == then

        if then is not None:
            self.until(is_so)

    def _turns(self) -> int:
        return self.transcripts().count('"stop_reason":"end_turn"')

    def type(self, words: str) -> None:
        """Type words, and wait until they are shown."""
        self._tmux("send-keys", "-t", self._panes[-1], "-l", words)
        end = "".join(words[-30:].split())  # a long line is broken, at a space too
        self.until(lambda: end in "".join(self.screen().split()))

    def press(self, *keys: str) -> None:
        """Press keys, by their names in tmux."""
        self._tmux("send-keys", "-t", self._panes[-1], *keys)

    def answer(self, key: str, then: str = "idle") -> None:
        """Press a key until Claude Code takes it, not in the first moment of a dialog; then wait for a state."""
        before = self.registration()
        while self.registration().get("statusUpdatedAt") == before.get("statusUpdatedAt"):
            self.press(key)
            with suppress(TimeoutError):
                self.until(lambda: self.registration() != before, KEY_TAKEN_S)
        self.until_status(then)

    def leave(self) -> None:
        """End the session of the newest window as a user does, and wait for its end."""
        self.type("/exit")
        self.press("Enter")
        self.until_over()

    def until_over(self) -> None:
        """Wait until the command of the newest window has ended."""
        self.until(lambda: self.pane("#{pane_dead}") == "1")

    # -- what is seen ------------------------------------------------------------------------------------------

    def screen(self) -> str:
        """Return what the newest window shows."""
        return self._tmux("capture-pane", "-p", "-t", self._panes[-1])

    def pane(self, what: str) -> str:
        """Return something of the newest window, in tmux's words for it."""
        return self._tmux("display-message", "-p", "-t", self._panes[-1], what).strip()

    def resize(self, columns: int, rows: int) -> None:
        """Make the newest window another size."""
        self._tmux("resize-window", "-t", self._panes[-1], "-x", str(columns), "-y", str(rows))

    def select(self, index: int) -> None:
        """Make another window the newest one."""
        self._panes.append(self._panes.pop(index))

    def transcripts(self) -> str:
        """Return all that Claude Code has written to transcripts."""
        return "".join(path.read_text() for path in sorted((self.config / "projects").rglob("*.jsonl")))

    def registration(self, pid: int | None = None) -> dict[str, Any]:
        """Return what Claude Code's registry says of a process (of the newest window), empty while it says nothing."""
        path = self.config / "sessions" / f"{pid or self.pane('#{pane_pid}')}.json"
        with suppress(OSError, ValueError):
            said: dict[str, Any] = json.loads(path.read_text())
            if said not in self.seen[-1:]:
                self.seen.append(said)
            return said
        return {}

    def until_status(self, status: str, pid: int | None = None) -> dict[str, Any]:
        """Wait until the registry says that, and return all that it says."""
        self.until(lambda: self.registration(pid).get("status") == status)
        return self.registration(pid)

    def until(self, is_so: Callable[[], Any], bound_s: float = BOUND_S) -> None:
        """Wait until something is so; TimeoutError when it is not by then."""
        by = time.monotonic() + bound_s
        while not is_so():
            if time.monotonic() > by:
                raise TimeoutError(f"it did not come to that; the screen:\n{self.screen()}")
            time.sleep(LOOK_S)

    # -- tmux --------------------------------------------------------------------------------------------------

    def _tmux(self, *words: str, env: dict[str, str] | None = None, check: bool = False) -> str:
        command = ["tmux", "-L", self._socket, "-f", "/dev/null", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=BOUND_S)
        if check and done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def _pids(self) -> list[int]:
        shown = self._tmux("list-panes", "-a", "-F", "#{pane_pid} #{pane_dead}").splitlines()
        return [int(pid) for pid, dead in (line.split() for line in shown) if dead == "0"]
