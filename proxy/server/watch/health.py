"""Whether what the server needs is well.

``healthy``: everything works. ``degraded``: it works, and somebody should look. ``unhealthy``: nothing can be recorded,
or nothing can be answered.
"""

import errno
import os
from typing import Any

from proxy.sending import Sender
from proxy.server.shared import Shared, now_us
from proxy.sessions.identity import sessions_dir
from proxy.store import StoreDamagedError, StoreError
from proxy.store.space import free_bytes

Check = dict[str, Any]

STATUSES = ("healthy", "degraded", "unhealthy")
"""From good to bad."""
_NONE_LEFT_BYTES = 20_000_000
"""With less than this, or than the configuration's limit where that is lower, records are about to be lost."""
_UNWATCHED_S = 60
"""The rules are looked at every two seconds, and on a machine that is busy with everything else much more slowly."""
_AWAY_S = 3600.0
"""For so long a centre or a collector may be away without that being anybody's concern: the logs wait for it."""
_TMPFILE = getattr(os, "O_TMPFILE", 0)  # without it (macOS) the folder is asked for, which is refused: EISDIR
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)


def checks(shared: Shared) -> dict[str, Check]:
    """Return what each thing that the server needs is like, with its figures."""
    if shared.fleet is not None:  # nothing is recorded here
        return {"database": _index(shared)}
    found = {"data_directory": _store(shared), "disk": _disk(shared), "index": _index(shared)}
    if shared.settings.rules.named:
        found["rules"] = _rules(shared)
    if shared.shipping is not None:
        set_aside = {"set_aside": len(shared.shipping.set_aside)}
        found["shipping"] = _sending("Nothing can be sent to ship.to", shared.shipping) | set_aside
    if shared.otlp is not None:
        found["otlp"] = _sending("No spans can be sent to otlp.endpoint", shared.otlp)
    return found


def unready(shared: Shared) -> str | None:
    """Return why requests should not be sent here, None if they should."""
    if shared.hub.closing:
        return "The server stops."
    if not shared.store.wait_filled(0):
        return "The index is being filled from the logs."
    bad = (check["message"] for check in checks(shared).values() if check["status"] == "unhealthy")
    return next(bad, None)


def _bad(status: str, sentence: str, **figures: Any) -> Check:
    return {"status": status, **figures, "message": sentence}


def _store(shared: Shared) -> Check:
    folder = sessions_dir(shared.data_dir)
    try:
        _try_to_write(folder)
    except OSError as error:
        sentence = f"Nothing can be written in {folder}: {error.strerror}."
        return _bad("unhealthy", sentence, path=shared.data_dir)
    return {"status": "healthy", "path": shared.data_dir}


def _try_to_write(folder: str) -> None:
    """Write into a file without a name, of which nothing is left whatever happens; OSError when it cannot be."""
    try:
        fd = os.open(folder, _TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in _NO_TMPFILE or not os.path.isdir(folder):
            raise
        if os.access(folder, os.W_OK | os.X_OK):  # a file system without such files
            return
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
    try:
        os.write(fd, b"\0" * 4096)
    finally:
        os.close(fd)


def _disk(shared: Shared) -> Check:
    least = shared.settings.storage.min_free_space
    try:
        free = free_bytes(shared.data_dir)
    except OSError as error:
        return _bad("unhealthy", f"The disk cannot be asked: {error.strerror}.")
    figures = {"free_bytes": free, "least_bytes": least}
    if free < min(_NONE_LEFT_BYTES, least):
        return _bad("unhealthy", "The disk is full: nothing can be recorded.", **figures)
    if free < least:
        sentence = (
            "The disk has less room than storage.min_free_space: remove something, or `claude-proxy prune`."
        )
        return _bad("degraded", sentence, **figures)
    return {"status": "healthy", **figures}


def _sending(what: str, sender: Sender) -> Check:
    """``what``: the beginning of the sentence that says that nothing can be sent."""
    trouble = sender.trouble
    if trouble is not None and sender.away_s > _AWAY_S:
        return _bad("degraded", f"{what}: {trouble}.")
    return {"status": "healthy"}


def _index(shared: Shared) -> Check:
    try:
        stands = shared.store.health()
    except StoreDamagedError as error:
        return _bad("degraded", f"The index is damaged, and will be made again from the logs: {error}.")
    except StoreError as error:
        return _bad("unhealthy", f"The index cannot be read: {error}.")
    figures = {"sessions": stands.sessions, "behind_bytes": stands.behind_bytes}
    if stands.trouble is not None:
        return _bad("degraded", f"The index does not follow the logs: {stands.trouble}.", **figures)
    if stands.set_aside:
        sentence = f"Not followed any more for a fault of ours: {', '.join(stands.set_aside)}."
        return _bad("degraded", sentence, **figures)
    if not stands.is_filled:
        return _bad("degraded", "The index is being filled from the logs.", **figures)
    return {"status": "healthy", **figures}


def _rules(shared: Shared) -> Check:
    rules, looked_us = shared.settings.rules, shared.rules_looked_us
    age_s = (now_us() - (shared.started_us if looked_us is None else looked_us)) // 1_000_000
    figures = {"rules": len(rules.named), "mode": rules.mode, "last_look_s": age_s}
    if age_s > _UNWATCHED_S:
        sentence = f"Nothing has been held to the rules for {age_s} s; the server's log says why."
        return _bad("degraded", sentence, **figures)
    return {"status": "healthy", **figures}
