"""Leaves a recorder behind, in a process that is about to become an interactive ``claude``.

The recorder is nobody's child, has no terminal, and holds nothing open that the caller, the terminal or a mount could
wait for. The command, which is what the caller started and what the terminal shows, has no child and no parent more
than it would have without us.
"""

from __future__ import annotations

import os

from proxy.sessions import process

TYPE_CHECKING = False  # `typing` and `signal` (for its `enum`) take long to import, and the command waits
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence
    from typing import NoReturn
else:
    import _signal as signal


class Command:
    """The process that is ``claude``, as only itself can tell: it may be gone before its recorder looks."""

    __slots__ = ("cwd", "identity", "pidfd", "seen_alive", "started_boot_ns", "words")

    def __init__(
        self,
        words: Sequence[str],
        *,
        identity: process.Identity,
        pidfd: int,
        started_boot_ns: int,
        cwd: str | None,
        seen_alive: bool = True,
    ) -> None:
        """``pidfd``: of `process.open_process`; ``seen_alive``: whether who follows it found it alive.

        ``started_boot_ns``: when it was started, by `process.boot_ns`.
        """
        self.words = words
        self.identity = identity
        self.pidfd = pidfd
        self.started_boot_ns = started_boot_ns
        self.cwd = cwd
        self.seen_alive = seen_alive


def _this_process(words: Sequence[str]) -> Command:
    """Return this process as the command that it is about to become."""
    pid = os.getpid()
    try:
        cwd: str | None = os.getcwd()
    except OSError:
        cwd = None  # it was removed
    return Command(
        words,
        identity=process.identity(pid),
        pidfd=process.open_process(pid),
        started_boot_ns=process.boot_ns(),
        cwd=cwd,
    )


def leave_recorder(words: Sequence[str], record: Callable[[Command], NoReturn]) -> int:
    """Run ``record`` in a process of its own; return a descriptor to write to if the command cannot be run after all.

    It is run when the command has been started, which waits for nothing that a recorder does.

    Raises:
        OSError: there are not processes or descriptors enough.
    """
    command = _this_process(words)
    made = [command.pidfd] if command.pidfd >= 0 else []
    try:
        failed_read, failed_write = os.pipe()
        made += [failed_read, failed_write]
        between = os.fork()
    except OSError:
        for fd in made:
            os.close(fd)
        raise
    if between == 0:
        try:
            os.setsid()
            if os.fork():
                os._exit(0)
            _let_go({command.pidfd, failed_read})
            if not os.read(failed_read, 1):  # closed by the start of the command; else there is none
                os.close(failed_read)
                record(command)
        finally:
            os._exit(1)
    _wait_for(between)
    os.close(failed_read)
    return failed_write


def _let_go(kept: set[int]) -> None:
    """Hold nothing of the caller's: neither descriptors nor a folder, signals as a process has them by itself."""
    os.chdir("/")
    process.close_all_but(kept, os.open(os.devnull, os.O_RDWR))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _wait_for(child: int) -> None:
    try:  # noqa: SIM105 - contextlib takes long to import
        os.waitpid(child, 0)
    except ChildProcessError:
        pass  # the caller ignores SIGCHLD: it is gone all the same
    if signal.SIGCHLD in signal.sigpending():  # where the caller blocks it: this one is not the command's
        signal.sigwait((signal.SIGCHLD,))
