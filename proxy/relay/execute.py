"""Becoming the command: the very last step of a wrapper that gets out of the way, and of every command's start."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # `typing` and `signal` (for its `enum`) take long to import, and the command waits
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator, Mapping, Sequence
    from typing import NoReturn
else:
    import _signal as signal

_CHANGED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)  # every Python process ignores them from its start
_ENOENT, _ENOEXEC, _ENOTDIR = 2, 8, 20


class CannotRunError(Exception):
    """The command cannot be run at all; ``status`` is the exit status that a shell would give."""

    def __init__(self, program: str, errno: int) -> None:
        self.errno = errno
        self.status = 127 if errno in (_ENOENT, _ENOTDIR) else 126
        why = os.strerror(errno)
        if self.status == 127:
            why = "no such file" if "/" in program else "command not found on PATH"
            if errno == _ENOENT and os.path.isfile(program):
                why = "it is there, but the interpreter or loader that it asks for is not (made for another system?)"
        elif os.path.isdir(program):
            why = "a folder, not a program"
        elif errno == _ENOEXEC:
            why = "not a program: neither a binary of this machine nor a script with a '#!' line"
        super().__init__(f"{program}: {why}")


def execute(command: Sequence[str], environment: Mapping[bytes, bytes]) -> NoReturn:
    """Replace this process by the command, with signals as the caller left them; raise `CannotRunError`."""
    for number in _CHANGED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    words, variables = list(command), dict(environment)
    errno = 0
    for program in _candidates(os.fsencode(command[0]), environment):
        try:
            os.execve(program, words, variables)
        except OSError as error:
            # As `execvp` of the C library: one that is there and cannot be run is what the caller is told of.
            if errno in (0, _ENOENT, _ENOTDIR):
                errno = error.errno or 0
        except ValueError:  # an empty name, as the only thing that Python refuses by itself
            errno = _ENOENT
    raise CannotRunError(command[0], errno) from None


def _candidates(program: bytes, environment: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield where a program may be. `os.execvpe` does so too, and imports `warnings` first, for which commands wait."""
    if b"/" in program:
        yield program
        return
    for folder in environment.get(b"PATH", os.defpath.encode()).split(b":"):
        yield os.path.join(folder, program)
