"""Several processes that share one port: starts them, starts those anew that die, and ends them together.

The process that does this serves nothing itself. It holds what must outlive a worker: the listening socket, whose
waiting connections are nobody's until they are accepted; the data directory's lock; the locks of clients' sessions.
When it dies, its workers see the end of a pipe and stop.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from proxy.server.journal import journal
from proxy.server.process import CannotServeError, Options, Together, serve_together
from proxy.server.recording import OwnKeeper, Recordings, RemoteKeeper

__all__ = ["run"]

_NOT_NEEDED, _CANNOT_SERVE = 3, 4
"""What a worker exits with when nobody needs the server, and when it cannot serve."""
_SHORT_LIFE_S = 2.0
_LONGEST_PAUSE_S = 5.0
_END_S = 15.0
"""How long workers may take to come to their end."""


@dataclass(slots=True)
class _Worker:
    """A place for a worker, and who has it."""

    pid: int = 0
    started: float = 0.0
    due: float = 0.0
    short_lives: int = 0


def run(options: Options, listening: socket.socket, lock: int, announced: Callable[[], None]) -> bool:
    """Run workers until told to stop, or until nobody needs them (then True).

    CannotServeError: a worker cannot serve.
    """
    crew = _Crew(options, listening, lock)
    try:
        crew.start_those_due()
        announced()
        return crew.watch()
    finally:
        crew.end()


class _Crew:
    """The workers, and what they have in common."""

    def __init__(self, options: Options, listening: socket.socket, lock: int) -> None:
        self._options, self._listening, self._lock = options, listening, lock
        self._keeper = OwnKeeper()
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._alive, self._alive_end = os.pipe()
        self._woken, self._waking = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waking, False)
        self._stopping = False
        self._established = False
        """Whether a worker has served for a while: from then on one that cannot is tried again."""
        self._workers = [_Worker() for _ in range(options.settings.api.workers)]
        signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.freeze()  # what is there now stays shared by all

    def watch(self) -> bool:
        """Keep the workers running; return whether nobody needs them any more."""
        while not self._stopping:
            self._wait()
            for worker in self._workers:
                status = self._ended(worker)
                if status == _NOT_NEEDED:
                    return True
                if status == _CANNOT_SERVE and not self._established:
                    raise CannotServeError("a worker cannot serve; its last words are in the log")
            if not self._stopping:
                self.start_those_due()
        return False

    def start_those_due(self) -> None:
        """Fill the places that are free."""
        for worker in self._workers:
            if not worker.pid and time.monotonic() >= worker.due:
                self._start(worker)

    def end(self) -> None:
        """End all workers, and what they leave behind."""
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            for worker in self._workers:
                if worker.pid:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker.pid, signal_number)
            until = time.monotonic() + _END_S
            while any(worker.pid for worker in self._workers) and time.monotonic() < until:
                self._wait()
                for worker in self._workers:
                    self._ended(worker)
        Recordings(self._options.data_dir, self._keeper).stop_all(self._keeper.held(), "server_stopped")
        signal.set_wakeup_fd(-1)
        for fd in (self._alive, self._alive_end, self._woken, self._waking):
            os.close(fd)
        self._ours.close()
        self._theirs.close()
        self._listening.close()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _start(self, worker: _Worker) -> None:
        pid = os.fork()
        if pid == 0:
            self._work()
        worker.pid, worker.started = pid, time.monotonic()

    def _work(self) -> None:
        """Be a worker. Never returns."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for fd in (self._alive_end, self._woken, self._waking, self._lock):
                os.close(fd)
            self._ours.close()
            together = Together(RemoteKeeper(self._theirs), self._alive)
            status = _NOT_NEEDED if serve_together(self._options, self._listening, together) else 0
        except CannotServeError as error:
            journal.error("worker.cannot_serve", error=str(error))
            status = _CANNOT_SERVE
        except BaseException:
            journal.exception("worker.failed")
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _ended(self, worker: _Worker) -> int | None:
        """Return the status of a worker that has ended, and see to when its place is filled; else None."""
        if not worker.pid:
            return None
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        if pid == 0:
            return None
        now, code = time.monotonic(), os.waitstatus_to_exitcode(status)
        self._established = self._established or now - worker.started >= _SHORT_LIFE_S
        worker.short_lives = worker.short_lives + 1 if now - worker.started < _SHORT_LIFE_S else 0
        pause = min(_LONGEST_PAUSE_S, 0.05 * 2**worker.short_lives) if worker.short_lives > 1 else 0.0
        worker.pid, worker.due = 0, now + pause
        if not self._stopping and code not in (0, _NOT_NEEDED):
            journal.warning("worker.died", pid=pid, status=code)
        return code

    def _wait(self) -> None:
        """Wait for a signal, a message of a worker, or a moment."""
        awaited: list[int | socket.socket] = [self._woken, self._ours]
        ready, _, _ = select.select(awaited, [], [], 0.5)
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)
        while select.select([self._ours], [], [], 0)[0]:
            RemoteKeeper.take(self._ours, self._keeper)
