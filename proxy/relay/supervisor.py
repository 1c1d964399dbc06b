"""The process that the caller knows: starts the command, passes on signals, ends as the command ends.

It is small on purpose. It starts the command before anything else is imported, then forks the relay process (see
``relay``), lets go of all streams, and does nothing but wait:

* A signal sent to it goes on to the command, the same one, once. What was sent to the whole process group has
  reached the command already and is not sent again. The relay process tells the two apart: it is in the same group,
  blocks all signals and is never signalled by itself, so a signal that is pending there too went to the group. (The
  kernel signals the newest member of a group first, so it is pending there before it arrives here.) A command that
  has left the group for one of its own is sent it there.
* When the command stops or continues, so does the supervisor: job control sees one job. What has stopped cannot see
  that somebody continued or killed the command alone; then the relay process continues the supervisor.
* When the command has exited, the supervisor waits until the relay has delivered what the command wrote, and then
  exits with the same status or dies by the same signal.
* When the supervisor is killed, the kernel kills the command (``PR_SET_PDEATHSIG``); the relay process does so too,
  as the kernel forgets it when the command changes its user. When the relay process is killed, the supervisor kills
  the command and dies in the same way.
"""

from __future__ import annotations

import fcntl
import gc
import os
import stat

from proxy.relay.execute import CannotRunError, execute
from proxy.sessions import c_library
from proxy.sessions.process import boot_ns, close_all_but, open_process

TYPE_CHECKING = False  # `typing` and `signal` (for its `enum`) take long to import, and the command waits
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

    from proxy.relay.command import Plan
else:
    import _signal as signal

_PR_SET_PDEATHSIG = 1
_ENFILE, _EMFILE = 23, 24
YES, NO, DELIVERED, LOST = b"y", b"n", b".", b"!"
"""What the relay process says: to a question, when all that the command wrote is delivered, and when it cannot be."""
_ANSWER_MS = (
    2000  # a machine under load needs up to a quarter of it; a disk that hangs keeps signals back for as long
)
# Of the process's own making; they can not be waited for.
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
_WAITED = signal.valid_signals() - _FAULTS - {signal.SIGKILL, signal.SIGSTOP}


class Stream:
    """How one of the three standard streams is connected."""

    __slots__ = ("kind", "sink", "source")

    def __init__(self, kind: str, source: int = -1, sink: int = -1) -> None:
        """``kind`` is what the caller gave: pipe, socket, file, terminal, null, device or closed.

        The relay reads ``source`` and writes ``sink``; without them the command has the caller's own descriptor.
        """
        self.kind = kind
        self.source = source
        self.sink = sink

    @property
    def relayed(self) -> bool:
        """Whether the stream goes through the relay."""
        return self.source >= 0


class Session:
    """What the relay process is told about the command that was started."""

    __slots__ = ("command", "pid", "pidfd", "plan", "started_ns", "streams", "supervisor_pid")

    def __init__(
        self, command: Sequence[str], plan: Plan, pid: int, started_ns: int, streams: Mapping[str, Stream]
    ) -> None:
        """``started_ns``: as told by `boot_ns`."""
        self.command = command
        self.plan = plan
        self.pid = pid
        self.pidfd = open_process(pid)
        self.started_ns = started_ns
        self.streams = streams
        self.supervisor_pid = os.getpid()


def take(number: int) -> bool:
    """Take a blocked signal if it is pending; return whether it was.

    By `sigpending` and `sigwait`, as macOS has no `sigtimedwait`. Nobody else takes signals in this process.
    """
    if number not in signal.sigpending():
        return False
    signal.sigwait({number})
    return True


def supervise(
    command: Sequence[str],
    plan: Plan,
    environment: Mapping[bytes, bytes],
    prepare: Callable[[], Callable[[Session, int, int], NoReturn]],
    on_unrecorded: Callable[[OSError], None],
) -> NoReturn:
    """Run the command behind the wrapper, to the end; raise `CannotRunError` if it cannot be started.

    Where the system refuses what a wrapper needs, ``on_unrecorded`` is told, and this process becomes the command.

    What ``prepare`` returns is run in a process of its own, with the session, a descriptor to read what happens
    (``exited STATUS``, the command; ``stopped`` and ``continued NUMBER``, both; end of file: the supervisor was killed)
    or what it is asked (``signalled NUMBER``: was that signal pending there, so that it went to the group, and is it
    taken now; ``woke 0``: was it the one that has continued the supervisor), and one to write a byte to: `YES` or `NO`,
    and `DELIVERED` when all that the command wrote is, or `LOST` if the caller's file did not take it.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
    started_ns = boot_ns()
    opened: list[int] = []
    try:
        streams, ends = _connect(opened, own_position=plan.reads_by_position)
        news_read, news_write = _pipe(opened)
        done_read, done_write = _pipe(opened)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        opened.append(null)
        pid = _start(command, environment, ends, mask)
    except OSError as error:
        # Too few descriptors or processes, a sandbox without `/dev`: the command runs, unrecorded.
        for fd in opened:
            os.close(fd)
        on_unrecorded(error)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        execute(command, environment)
    session = Session(command, plan, pid, started_ns, streams)
    try:
        relay_pid = os.fork()
    except OSError as error:  # nobody would serve the streams of what has been started
        os.kill(pid, signal.SIGKILL)
        raise CannotRunError(command[0], error.errno or 0) from None
    if relay_pid == 0:
        _relay(prepare, session, news_read, done_write, null)
    # The command's own copies are the only ones that may keep open what the caller passed on: else the caller would
    # wait for an end of file that does not come.
    close_all_but({news_write, done_read}, null)
    _Supervisor(pid, relay_pid, news_write, done_read).wait()


def _relay(
    prepare: Callable[[], Callable[[Session, int, int], NoReturn]],
    session: Session,
    news: int,
    done: int,
    null: int,
) -> NoReturn:
    # A session makes no reference cycles to speak of, and the modules that it imports make none at all: look for them
    # rarely. By Python's own thresholds the imports alone take a tenth longer.
    gc.set_threshold(100_000, 50, 100)
    try:
        run = prepare()
    except Exception as error:  # a broken installation: the last moment at which stderr can be written to
        os.write(2, f"claude-proxy: cannot relay, and ends the command: {error!r}\n".encode())
        os._exit(1)
    kept = {news, done, session.pidfd}
    for stream in session.streams.values():
        kept |= {stream.source, stream.sink}
    close_all_but(kept, null)
    run(session, news, done)


# -- starting ------------------------------------------------------------------------------------------------


def _connect(opened: list[int], *, own_position: bool) -> tuple[dict[str, Stream], list[int | None]]:
    """Make the pipes. Return the streams by name, and for descriptors 0, 1, 2 of the command what they shall be.

    None stands for the caller's own descriptor, -1 for a closed one. ``opened`` gets the descriptors that were made.
    ``own_position``: a file on stdin is read from its first byte on, and the caller's position in it stays.
    """
    kinds = [_kind(fd) for fd in range(3)]
    # A closed one is kept from being taken by a pipe of ours.
    opened.extend(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC) for kind in kinds if kind == "closed")
    ends: list[int | None] = [None if kind != "closed" else -1 for kind in kinds]
    streams = {name: Stream(kind) for name, kind in zip(("stdin", "stdout", "stderr"), kinds, strict=True)}
    if kinds[0] not in ("closed", "terminal"):
        read, write = _pipe(opened)
        source = _reopened(0, opened) if own_position and kinds[0] == "file" else _own(0, opened)
        streams["stdin"], ends[0] = Stream(kinds[0], source, write), read
    if kinds[1] != "closed":
        read, write = _pipe(opened)
        streams["stdout"], ends[1] = Stream(kinds[1], read, _own(1, opened)), write
    if kinds[2] != "closed":
        if _same_file(1, 2):  # 2>&1, or one terminal: one pipe keeps the order of what is written to both
            ends[2] = ends[1]
        else:
            read, write = _pipe(opened)
            streams["stderr"], ends[2] = Stream(kinds[2], read, _own(2, opened)), write
    return streams, ends


def _kind(fd: int) -> str:
    try:
        status = os.fstat(fd)
    except OSError:
        return "closed"
    mode = status.st_mode
    if stat.S_ISFIFO(mode):
        return "pipe"
    if stat.S_ISSOCK(mode):
        return "socket"
    if stat.S_ISREG(mode):
        return "file"
    if os.isatty(fd):
        return "terminal"
    return "null" if status.st_rdev == os.stat(os.devnull).st_rdev else "device"


def _same_file(one: int, other: int) -> bool:
    try:
        first, second = os.fstat(one), os.fstat(other)
    except OSError:
        return False
    if os.isatty(one) and os.isatty(other):
        return first.st_rdev == second.st_rdev
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino) and not stat.S_ISCHR(first.st_mode)


def _own(fd: int, opened: list[int]) -> int:
    """A duplicate out of the way of the standard numbers, which something else may come to use."""
    opened.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3))
    return opened[-1]


def _reopened(fd: int, opened: list[int]) -> int:
    """The same file with a position of its own; where it may not be opened, and on macOS, a duplicate."""
    try:
        opened.append(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return _own(fd, opened)
    return opened[-1]


def _pipe(opened: list[int]) -> tuple[int, int]:
    read, write = os.pipe()
    opened += (read, write)
    return read, write


def _start(
    command: Sequence[str], environment: Mapping[bytes, bytes], ends: Sequence[int | None], mask: set[int]
) -> int:
    """Start the command and return its process id; raise `CannotRunError`.

    ``fork`` and not ``posix_spawn``, for the sake of `_PR_SET_PDEATHSIG`, which only the child itself can set.
    """
    prctl = c_library.function("prctl")  # which Linux alone has
    parent = os.getpid()
    failed_read, failed_write = os.pipe()
    # Where the caller ignores SIGCHLD the kernel would throw the command's exit status away.
    on_child = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        try:
            if prctl is not None:
                prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)  # killed before the kernel knew
            for fd, end in enumerate(ends):
                if end == -1:
                    os.close(fd)
                elif end is not None:
                    os.dup2(end, fd)
            signal.signal(signal.SIGCHLD, on_child)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            execute(command, environment)
        except CannotRunError as error:
            os.write(failed_write, b"%d" % error.errno)
        finally:
            os._exit(127)
    os.close(failed_write)
    failure = os.read(failed_read, 16)
    os.close(failed_read)
    if failure:
        os.waitpid(pid, 0)
        if int(failure) in (_ENFILE, _EMFILE):  # ours have used them up
            raise OSError(int(failure), os.strerror(int(failure)))
        raise CannotRunError(command[0], int(failure))
    return pid


# -- waiting -------------------------------------------------------------------------------------------------


class _Supervisor:
    """Waits for the command, with the relay beside it."""

    def __init__(self, command_pid: int, relay_pid: int, news: int, done: int) -> None:
        self._command_pid = command_pid
        self._relay_pid = relay_pid
        self._news = news
        self._done = done
        self._unanswered = 0  # questions whose answers are still to come

    def wait(self) -> NoReturn:
        """Wait for the command to end, and end like it."""
        while True:
            arrived = signal.sigwait(_WAITED)
            if arrived == signal.SIGCHLD:
                self._reap()
            else:
                self._pass_on(arrived)

    def _pass_on(self, number: int) -> None:
        """Send the command a signal that came to us, unless it went to the whole group and so to the command too."""
        if not self._went_to_the_group(number):
            self._send(number)
        elif self._leads_another_group():
            self._send(number, to=-self._command_pid)

    def _leads_another_group(self) -> bool:
        """Whether the command (`timeout`, a shell with job control) has made itself the leader of a group of its own.

        Where we lead the group that the caller made, it would have been the leader already, and would have stayed.
        """
        pid = self._command_pid
        return os.getpgrp() == os.getpid() and os.getpgid(pid) == pid

    def _send(self, number: int, *, to: int | None = None) -> None:
        try:  # noqa: SIM105 - contextlib takes long to import
            os.kill(to or self._command_pid, number)
        except PermissionError:
            pass  # it has another user's rights by now (`sudo`): its caller could not have sent it either

    def _went_to_the_group(self, number: int) -> bool:
        """Whether the signal is pending in the relay process too, which takes it then.

        A further one that comes meanwhile merges with it there, so it is dropped here: both went to the group.
        """
        found = False
        while self._ask(b"signalled", number):
            found = True
            take(number)
        return found

    def _ask(self, what: bytes, number: int = 0) -> bool:
        """Ask the relay process, and return its answer; False where none comes: it is gone, or its disk hangs."""
        import select  # noqa: PLC0415 - the command did not have to wait for it

        self._tell(what, number)
        poller = select.poll()
        poller.register(self._done, select.POLLIN)
        while poller.poll(_ANSWER_MS):
            answer = os.read(self._done, 1)
            if not answer or not self._unanswered:
                return answer == YES
            self._unanswered -= 1  # that one was late
        self._unanswered += 1
        return False

    def _tell(self, what: bytes, number: int) -> None:
        try:  # noqa: SIM105 - contextlib takes long to import
            os.write(self._news, b"%b %d\n" % (what, number))
        except BrokenPipeError:
            pass  # the relay process is gone, which is noticed soon

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._command_pid:
                if os.WIFSTOPPED(status):
                    self._stop(os.WSTOPSIG(status))
                else:
                    self._finish(status)
            elif pid == self._relay_pid and not os.WIFSTOPPED(status):
                # Without its streams the command is of no use to anybody: the wrapper dies as one.
                self._send(signal.SIGKILL)
                os.waitpid(self._command_pid, 0)
                _end_like(status if os.WIFSIGNALED(status) else signal.SIGKILL)

    def _stop(self, number: int) -> None:
        """Stop as the command has stopped, until continued: by the caller, or by the relay once the command goes on."""
        if signal.SIGCONT in signal.sigpending():
            return  # stopping would discard it; it is passed on next, and the command goes on
        self._went_to_the_group(number)  # then it came to the other two as well: stopping once is enough
        take(number)
        if number != signal.SIGSTOP:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        self._tell(b"stopped", number)
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_BLOCK, {number} & _WAITED)
        self._tell(b"continued", number)
        # The relay's own is not the command's: that went on before, and may have been stopped again since.
        if take(signal.SIGCONT) and not self._ask(b"woke"):
            self._pass_on(signal.SIGCONT)

    def _finish(self, status: int) -> NoReturn:
        """End like the command, once the relay process says that all is delivered.

        If that was killed, the command may have ended well only because its streams went away: the wrapper dies. If the
        caller's disk is full, the command could not know that: the status says so in its place.
        """
        self._tell(b"exited", status)
        while (said := os.read(self._done, 1)) in (YES, NO):
            pass  # a late answer
        if said == LOST and status == 0:
            os._exit(1)
        _end_like(status if said else signal.SIGKILL)


def _end_like(status: int) -> NoReturn:
    """Exit with the same status, or die by the same signal, as told by ``waitpid``."""
    if os.WIFSIGNALED(status):
        import resource  # noqa: PLC0415 - only needed here

        number = os.WTERMSIG(status)
        # The command has dumped its core; ours must not replace it.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        os._exit(128 + number)  # as process 1 of a container, where such a signal is not deadly
    os._exit(os.WEXITSTATUS(status))
