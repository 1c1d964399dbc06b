"""The escalation of a stop: one step after the other until the command is gone, and none of its tools is left.

Claude Code ends its tools itself when it is asked to end, and leaves them running when it is killed. They lead sessions
of their own, so no signal to a group reaches them all. Those that are left are known by their parents, while these
live, and by their environment, which bears the id of the session.
"""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

_STEP_S = 10.0
"""Between the steps of a stop: Claude Code 2.1.330 ends in 0.3 s, and in 2 s while Bash runs; five times that."""
_DRAIN_S = 300.0
"""For the turn to come to its end after its input was closed: more than Bash may take by itself, two minutes."""
_LOOK_S = 0.1
"""How often to look whether somebody waits no longer: at once for people, and no cost beside a session."""
_ROUNDS = 10
"""Of killing tools and looking for those that they have started meanwhile: one, unless a tool forks all the time. A
look takes about 0.1 ms for each process of the machine: all of them take half a second among 500 processes."""


class Escalation:
    """How one session is stopped."""

    def __init__(
        self,
        session_id: str,
        pid: int,
        *,
        exited: threading.Event,
        hurried: threading.Event,
        signal_command: Callable[[int], None],
        note: Callable[[str], None],
    ) -> None:
        """``pid``: of the command; ``exited`` is set when it has ended, ``hurried`` to wait no longer for its turn.

        ``note`` puts a step on record.
        """
        self._session_id = session_id
        self._pid = pid
        self._exited = exited
        self._hurried = hurried
        self._signal_command = signal_command
        self._note = note

    def run(self, first: str | None, take_first: Callable[[], None]) -> None:
        """Take the first step, named ``end_session`` or ``close_stdin`` (None: there is none), then the signals."""
        tools = set[psutil.Process]()
        patience_s = _DRAIN_S if first == "close_stdin" else _STEP_S
        steps = [
            *([(first, take_first, patience_s)] if first else []),
            ("SIGTERM", lambda: self._signal_command(signal.SIGTERM), _STEP_S),
            ("SIGKILL", lambda: self._signal_command(signal.SIGKILL), _STEP_S),
        ]
        for step, take, patience_s in steps:
            if self._exited.is_set():
                break
            tools |= self._descendants()
            self._note(step)
            take()
            until = time.monotonic() + patience_s
            while not self._exited.wait(_LOOK_S) and time.monotonic() < until:
                if step == "close_stdin" and self._hurried.is_set():
                    break
        for _ in range(_ROUNDS):
            for tool in tools:
                with contextlib.suppress(psutil.Error):  # it is gone, as most are
                    tool.kill()
            if not (tools := self._of_this_session()):
                break

    def _descendants(self) -> set[psutil.Process]:
        try:
            return set(psutil.Process(self._pid).children(recursive=True))
        except psutil.Error:
            return set()

    def _of_this_session(self) -> set[psutil.Process]:
        """Return the processes whose environment says that they are of this session."""
        found = set()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):  # somebody else's, or gone
                if (
                    process.environ().get("CLAUDE_PROXY_SESSION_ID") == self._session_id
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.add(process)
        return found
