"""Makes sure that a data directory has a server, at next to no cost for who asks.

``DATA_DIR/server.lock`` is held with ``flock`` by the server as long as it lives, and says who it is (one line of
JSON: ``pid``, ``url``, ``version``). Whoever finds it free starts a server; of several that are started, the one
that gets the lock stays, the others leave. Wrapped sessions call `ensure_server`: so this module imports what they
have imported anyway, and nothing of the server.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys

from proxy.sessions.private import check_data_dir, make_private_dir, open_private
from proxy.sessions.serving import LOCK, is_served, server_address

__all__ = ["LOCK", "announce", "ensure_server", "is_served", "server_address", "take_lock"]

LOG = "server.log"
_SIGNALS = (1, 2, 3, 13, 15)
"""SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, by number: ``signal`` takes long to import."""
_KEPT = frozenset(
    b"PATH HOME USER LOGNAME LANG LANGUAGE TZ TMPDIR".split()
    + b"http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY".split()
)
_KEPT_BEGINNINGS = (b"CLAUDE_PROXY_", b"LC_", b"XDG_", b"SSL_CERT_")
"""What a server takes over of the environment of who starts it (see docs/configuration.md)."""
LOG_LIMIT = 5_000_000
"""Bytes after which the log is begun anew when a server starts; the one before is kept as ``server.log.1``."""


def ensure_server(data_dir: str, host: str, port: int, config: str | None = None) -> None:
    """Start a server for the data directory unless one runs. Never raises, never waits for it.

    The server is nobody's child: it holds none of our descriptors, has its own log, and is not ours to wait for.
    """
    with contextlib.suppress(OSError, NotImplementedError):
        if not is_served(data_dir):
            _spawn(data_dir, host, port, config)


def take_lock(data_dir: str, wait_s: float = 0.5) -> int | None:
    """Return the descriptor that holds the data directory's lock, None when another server does.

    Somebody who just looks holds it for microseconds: so it is tried for a while.

    Raises:
        NotPrivateError: the directory, or something in it, is not the user's own.
        OSError: it cannot be used.
    """
    import time  # noqa: PLC0415

    make_private_dir(data_dir)
    check_data_dir(data_dir)
    fd = open_private(os.path.join(data_dir, LOCK), os.O_RDWR | os.O_CREAT)
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until:
                os.close(fd)
                return None
            time.sleep(0.02)
        else:
            os.ftruncate(fd, 0)  # what a server that was killed has said is not true any more
            return fd


def announce(lock: int, url: str, version: str) -> None:
    """Say in the lock file who serves, and where."""
    import json  # noqa: PLC0415

    said = json.dumps({"pid": os.getpid(), "url": url, "version": version}).encode() + b"\n"
    os.ftruncate(lock, 0)
    os.pwrite(lock, said, 0)


def _spawn(data_dir: str, host: str, port: int, config: str | None) -> None:
    """Start the server in a session of its own, through a shell that exits at once: nobody has to reap it.

    By ``posix_spawn``, as the caller has threads, and nothing of Python may run in a process that is forked from it.
    """
    make_private_dir(data_dir)
    options = ["--data-dir", data_dir, "--host", host, "--port", str(port)]
    if config is not None:
        options += ["--config", os.path.abspath(config)]
    # Isolated: neither the caller's PYTHONPATH nor a folder may put something before our packages.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    start = f"import runpy, sys; sys.path.insert(0, {root!r}); runpy.run_module('proxy.server', run_name='__main__')"
    command = ["/bin/sh", "-c", 'cd /; "$@" &', "sh", sys.executable, "-I", "-c", start, *options]
    shell = os.posix_spawn(
        command[0],
        command,
        _environment(),
        file_actions=_descriptors(data_dir),
        setsid=True,
        setsigmask=(),
        setsigdef=_SIGNALS,
    )
    os.waitpid(shell, 0)


def _environment() -> dict[bytes, bytes]:
    """Return what a server takes over of our environment: its settings and its place, no credentials of ours.

    Nor our session's id: that session would be the outer one of whatever the server starts.
    """
    return {
        name: value
        for name, value in os.environb.items()
        if (name in _KEPT or name.startswith(_KEPT_BEGINNINGS)) and name != b"CLAUDE_PROXY_SESSION_ID"
    }


def _descriptors(
    data_dir: str,
) -> list[tuple[int, int] | tuple[int, int, int] | tuple[int, int, str, int, int]]:
    """Return what to do with descriptors on the way: a log for what is said, and none of ours."""
    log = os.path.join(data_dir, LOG)
    with contextlib.suppress(OSError):
        if os.stat(log).st_size > LOG_LIMIT:
            os.rename(log, log + ".1")
    appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.close(open_private(log, appending))
    ours = [fd for fd in _open_descriptors() if fd > 2 and _is_inherited(fd)]
    return [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, appending | os.O_NOFOLLOW, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
        *((os.POSIX_SPAWN_CLOSE, fd) for fd in ours),
    ]


def _open_descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return list(range(3, 256))  # no way to ask: those that a caller may have handed down


def _is_inherited(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False
