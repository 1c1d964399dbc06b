"""Threads of the relay process, by `_thread`: `threading` would take 0.25 MB of every session."""

from __future__ import annotations

import _thread

TYPE_CHECKING = False  # `typing` and `signal` (for its `enum`) take long to import, and a session waits
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
else:
    import _signal as signal

WAKE = signal.SIGURG
"""What gets a thread out of a read or a write that is blocked: a signal that programs ignore unless they ask for it.

All other signals are blocked in the relay process (see ``supervisor``); the threads of the pumps let this one through,
and the relay gives it a handler that does nothing, so that the system call ends. The price: sent to the whole process
group, it reaches the command twice.
"""


class Thread:
    """A thread that runs a function, and ends with the process at the latest."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run
        self._ident = 0
        self._lives = _thread.allocate_lock()  # held as long as it does

    def start(self) -> None:
        """Start it, once. RuntimeError: the user, or the container, may have no more threads."""
        self._lives.acquire()
        try:
            self._ident = _thread.start_new_thread(self._main, ())
        except RuntimeError:
            self._lives.release()
            raise

    @property
    def is_started(self) -> bool:
        """Whether it was started, be it that it has ended since."""
        return self._ident != 0

    @property
    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._lives.locked()

    def join(self, timeout_s: float = -1) -> None:
        """Wait until it has ended, so many seconds at most; -1: for ever."""
        if self._lives.acquire(timeout=timeout_s):
            self._lives.release()

    def wake(self) -> None:
        """Let a system call that it is blocked in end."""
        if self.is_started and self.is_alive:
            signal.pthread_kill(self._ident, WAKE)

    def _main(self) -> None:
        # Before `start` learns it, so that the first system call can be ended.
        self._ident = _thread.get_ident()
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {WAKE})
            self._run()
        finally:
            self._lives.release()
