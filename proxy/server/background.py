"""Makes sure that a data directory has a server, at next to no cost for who asks.

``DATA_DIR/server.lock`` is held with ``flock`` by the server as long as it lives, and says who it is (one line of
JSON: ``pid``, ``url``, ``version``). Whoever finds it free starts a server; of several that are started, the one
that gets the lock stays, the others leave. Wrapped sessions call `ensure_server`: so this module imports what they
have imported anyway, and nothing of the server.
"""

from __future__ import annotations

import contextlib
import os

from proxy.sessions import detached
from proxy.sessions.locking import take_turn
from proxy.sessions.private import check_data_dir, make_private_dir, open_private
from proxy.sessions.serving import LOCK, is_served, server_address

__all__ = [
    "LOCK",
    "announce",
    "ensure_server",
    "holds_lock",
    "is_served",
    "raise_limits",
    "server_address",
    "take_lock",
]

LOG = "server.log"
LOG_LIMIT = 5_000_000
"""Bytes after which the log is begun anew when a server starts; the one before is kept as ``server.log.1``."""


def ensure_server(data_dir: str, host: str, port: int, config: str | None = None) -> None:
    """Start a server for the data directory unless one runs. Never raises, never waits for it.

    The server is nobody's child: it holds none of our descriptors, has its own log, and is not ours to wait for.
    """
    with contextlib.suppress(OSError, NotImplementedError):
        if is_served(data_dir):
            return
        make_private_dir(data_dir)
        log = os.path.join(data_dir, LOG)
        with contextlib.suppress(OSError):
            if os.stat(log).st_size > LOG_LIMIT:
                os.rename(log, log + ".1")
        os.close(open_private(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        options = ["--data-dir", data_dir, "--host", host, "--port", str(port)]
        if config is not None:
            options += ["--config", os.path.abspath(config)]
        detached.start("proxy.server", options, log=log)


def raise_limits(*limits: int) -> None:
    """Raise limits of this process (``resource.RLIMIT_NOFILE`` and others) as far as they may be raised."""
    import resource  # noqa: PLC0415 - for servers alone

    for limit in limits:
        with contextlib.suppress(OSError, ValueError):  # then it stays as it is
            most = resource.getrlimit(limit)[1]
            resource.setrlimit(limit, (most, most))


def take_lock(data_dir: str, wait_s: float = 0.5) -> int | None:
    """Return the descriptor that holds the data directory's lock, None when another server does.

    Somebody who just looks holds it for microseconds: so it is tried for a while.

    Raises:
        NotPrivateError: the directory, or something in it, is not the user's own.
        OSError: it cannot be used.
    """
    make_private_dir(data_dir)
    check_data_dir(data_dir)
    fd = open_private(os.path.join(data_dir, LOCK), os.O_RDWR | os.O_CREAT)
    if not take_turn(fd, wait_s):
        os.close(fd)
        return None
    os.ftruncate(fd, 0)  # what a server that was killed has said is not true any more
    return fd


def holds_lock(lock: int, data_dir: str) -> bool:
    """Tell whether a lock that was taken is still the data directory's: not if that was removed or replaced."""
    held = os.fstat(lock)
    try:
        there = os.stat(os.path.join(data_dir, LOCK))
    except FileNotFoundError:
        return False
    except OSError:
        return True  # nobody can tell now
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)


def announce(lock: int, url: str, version: str, token: str | None = None) -> None:
    """Say in the lock file who serves, and where; ``token``: what the owner is known by, where no kernel can tell."""
    if token:
        os.fchmod(lock, 0o600)  # an older file may be readable by others
    import json  # noqa: PLC0415

    about = {"pid": os.getpid(), "url": url, "version": version} | ({"token": token} if token else {})
    encoded = json.dumps(about).encode() + b"\n"
    os.ftruncate(lock, 0)
    os.pwrite(lock, encoded, 0)
