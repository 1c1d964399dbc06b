"""Starts a process of ours that is nobody's child: it outlives who starts it, and keeps nobody waiting.

Wrapped sessions do so: this module imports what they have imported anyway.
"""

from __future__ import annotations

import os
import sys

from proxy.sessions import process

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits
if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNALS = (1, 2, 3, 13, 15)
"""SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, by number: ``signal`` takes long to import."""
_KEPT = frozenset(
    b"PATH HOME USER LOGNAME LANG LANGUAGE TZ TMPDIR".split()
    + b"http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY".split()
)
_KEPT_BEGINNINGS = (b"CLAUDE_PROXY_", b"LC_", b"XDG_", b"SSL_CERT_")
"""What the process takes over of the environment of who starts it (see docs/configuration.md)."""


def start(module: str, arguments: Sequence[str], *, log: str | None = None, ready: int = -1) -> None:
    """Run a module of ours in a session of its own, in the folder ``/``, with none of our descriptors. Do not wait.

    ``log``: a file to which its standard output and error are appended; else there are none. ``ready``: a descriptor
    of ours that it gets as its standard output.

    By ``posix_spawn``, as the caller may have threads, and nothing of Python may run in a process that is forked from
    it; through a shell that exits at once, so that nobody has to reap it.

    Raises:
        OSError, NotImplementedError: it cannot be started.
    """
    # Isolated: neither the caller's PYTHONPATH nor a folder may put something before our packages.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = (
        f"import runpy, sys; sys.path.insert(0, {root!r}); runpy.run_module({module!r}, run_name='__main__')"
    )
    command = ["/bin/sh", "-c", 'cd /; "$@" &', "sh", sys.executable, "-I", "-c", code, *arguments]
    shell = os.posix_spawn(
        command[0],
        command,
        _environment(),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, ready, 1)
            if ready >= 0
            else (os.POSIX_SPAWN_OPEN, 1, log or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
            if ready >= 0
            else (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, fd) for fd in process.descriptors() if fd > 2 and _is_inherited(fd)),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=_SIGNALS,
    )
    os.waitpid(shell, 0)


def _environment() -> dict[bytes, bytes]:
    """Return what the process takes over of our environment: its settings and its place, no credentials of ours.

    Nor our session's id: that session would be the outer one of whatever it starts.
    """
    return {
        name: value
        for name, value in os.environb.items()
        if (name in _KEPT or name.startswith(_KEPT_BEGINNINGS)) and name != b"CLAUDE_PROXY_SESSION_ID"
    }


def _is_inherited(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False
