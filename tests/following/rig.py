"""An interactive ``claude`` for tests that is a shell, and the folder that Claude Code would write beside it.

What Claude Code writes the test writes itself: the process id is that of the wrapper, which becomes the command.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxy.sessions.watch import Watch
from tests.relay.wrapper import BOUND_S, Running
from tests.sessions.logs import Log, read_log
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["ClaudeFolder", "Interactive", "now"]

WAITS = 'read -r code; case "$code" in [0-9]*) exit "$code";; *) eval "$code";; esac'
"""What the stand-in does: waits for a line at its terminal, and exits with that status, or does that."""


def now(seconds: float = 0) -> str:
    """Return the time, or so many seconds from now, as Claude Code writes it."""
    moment = time.time() + seconds
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment * 1000) % 1000:03d}Z"


class ClaudeFolder:
    """Claude Code's configuration folder."""

    def __init__(self, path: Path, project: Path) -> None:
        self.path = path
        self.project = path / "projects" / "".join(c if c.isalnum() else "-" for c in str(project))

    def register(self, pid: int, status: str | None, conversation: str = "c", **fields: Any) -> None:
        """Write what a process says of itself."""
        folder = self.path / "sessions"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        since = {} if status is None else {"status": status, "statusUpdatedAt": int(time.time() * 1000)}
        start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        said = {
            "pid": pid,
            "sessionId": conversation,
            "procStart": start,
            "version": "2.1.330",
            "kind": "interactive",
        }
        (folder / f"{pid}.json").write_text(json.dumps({**said, **since, **fields}))

    def unregister(self, pid: int) -> None:
        """Take it back."""
        (self.path / "sessions" / f"{pid}.json").unlink()

    def write(
        self, *lines: dict[str, Any] | bytes, conversation: str = "c", subagent: str | None = None
    ) -> Path:
        """Append lines to a transcript."""
        path = self.project / f"{conversation}.jsonl"
        if subagent:
            path = self.project / conversation / "subagents" / f"agent-{subagent}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(
                b"".join(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in lines)
            )
        return path

    def say(self, words: str, conversation: str = "c", **fields: Any) -> None:
        """Append a prompt."""
        message = {"role": "user", "content": words}
        line = {"type": "user", "timestamp": now(), "message": message, "promptSource": "typed", **fields}
        self.write(line, conversation=conversation)


class Interactive:
    """One session: a terminal, the wrapper that became the stand-in, and its log."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = folder / "project"
        self.data_dir = folder / "data"
        self.claude = ClaudeFolder(self.home / ".claude", self.project)
        self.wrapper = str(Path(sys.executable).with_name("claude-proxy"))
        self.program = folder / "bin" / "claude"
        for made in (self.home, self.project, self.program.parent):
            made.mkdir(exist_ok=True)
        self.program.symlink_to("/bin/sh")
        self.running: list[Running] = []
        self.terminals: list[Terminal] = []

    def command(self, script: str = WAITS, options: Sequence[str] = ()) -> list[str]:
        """Return the command line that wraps the stand-in; ``options``: others than that it is recorded."""
        own = ["--server", "off", "--data-dir", str(self.data_dir), *(options or ("--interactive", "record"))]
        return [self.wrapper, *own, "--", str(self.program), "-c", script]

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment of a session."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("CLAUDE", "ANTHROPIC"))
        }
        return {**kept, "HOME": str(self.home), **changes}

    def start(self, script: str = WAITS, options: Sequence[str] = (), **environment: str) -> Running:
        """Start a session at a terminal of its own."""
        terminal = Terminal()
        running = terminal.start(
            self.command(script, options),
            stdin=True,
            stdout=True,
            stderr=True,
            cwd=self.project,
            env=self.environment(**environment),
        )
        self.terminals.append(terminal)
        self.running.append(running)
        return running

    def begin(self, script: str = WAITS, options: Sequence[str] = (), **environment: str) -> Running:
        """Start a session, and wait until its recorder is there: before, Claude Code writes nothing."""
        running = self.start(script, options, **environment)
        self.until_said("session_started")
        return running

    def type(self, text: str) -> None:
        """Type a line at the newest terminal."""
        self.terminals[-1].press(text.encode() + b"\n")

    def close(self) -> None:
        """End all that was started, recorders too."""
        for running in self.running:
            running.__exit__()
        for terminal in self.terminals:
            os.close(terminal.keys)
        for path in self.logs():
            _held_by_nobody(path)

    # -- logs --------------------------------------------------------------------------------------------------

    def logs(self) -> list[Path]:
        """Return the logs, oldest first."""
        return sorted(path for path in (self.data_dir / "sessions").glob("*.jsonl") if not path.is_symlink())

    def until(self, is_so: Callable[[Log], Any], index: int = -1) -> Log:
        """Wait until a log (the newest unless told otherwise) is as it should be, and return it."""
        watch = Watch(str(self.data_dir / "sessions"))
        by = time.monotonic() + BOUND_S
        try:
            while time.monotonic() < by:
                if (paths := self.logs()) and (log := read_log(paths[index])).records and is_so(log):
                    return log
                watch.wait(1.0)
        finally:
            watch.close()
        raise AssertionError([record.text[:300] for record in read_log(self.logs()[index]).records])

    def until_said(self, event_type: str, count: int = 1) -> dict[str, Any]:
        """Wait until something was said in the newest log so often, and return it."""
        log = self.until(lambda log: log.events().count(event_type) >= count)
        return [record.data for record in log.records if record.event_type == event_type][count - 1]

    def until_status(self, status: str | None) -> dict[str, Any]:
        """Wait until that is the last status that the newest log has, and return it."""
        log = self.until(lambda log: (found := statuses(log)) and found[-1].get("status") == status)
        return statuses(log)[-1]

    def until_recorded(self, *words: str) -> Log:
        """Wait until the newest log has these prompts, and no others."""
        return self.until(lambda log: prompts(log) == list(words))

    def until_ended(self) -> dict[str, Any]:
        """Wait for the end of the newest log, and return it."""
        return self.until(lambda log: log.records[-1].event_type == "session_ended").ended


def statuses(log: Log) -> list[dict[str, Any]]:
    """Return what the registry said."""
    return [record.data for record in log.records if record.event_type == "claude_status"]


def prompts(log: Log) -> list[str]:
    """Return the prompts of a log's transcript lines."""
    messages: Iterable[Any] = (record.fields.get("message", {}) for record in log.of("transcript"))
    return [one["message"]["content"] for one in messages if one.get("type") == "user"]


def recorder_of(log: Log) -> int:
    """Return the process id of the recorder that wrote to a log last."""
    said = [
        record.data for record in log.records if record.event_type in ("session_started", "recording_resumed")
    ]
    return int(said[-1]["follower_pid"])


def _held_by_nobody(path: Path) -> None:
    with path.open("rb") as log:
        fcntl.flock(log, fcntl.LOCK_SH)  # granted when the writer is gone
