"""Names and places: session ids, the data directory and the files in it.

Imported before the wrapped command starts, so it leans on ``os`` and ``time`` alone.
"""

import os
import time

LOG_SUFFIX = ".jsonl"
LATEST = "latest" + LOG_SUFFIX


def new_session_id(now_ns: int | None = None) -> str:
    """Return a fresh session id: ``20261122T094512.123456Z-1f2e3d4c``.

    Ids sort by time of start (UTC, microseconds); the random tail keeps sessions of one instant apart.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    seconds, rest = divmod(now_ns, 1_000_000_000)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(seconds))
    return f"{stamp}.{rest // 1000:06d}Z-{os.urandom(4).hex()}"


def default_data_dir(environ: "os._Environ[str] | dict[str, str]") -> str:
    """Return the platform's state directory for claude-proxy (XDG Base Directory Specification)."""
    state = environ.get("XDG_STATE_HOME", "")
    # The specification says that relative paths are to be ignored.
    home = os.path.expanduser("~") if environ.get("HOME", "~") else ""
    if not os.path.isabs(home):  # nobody knows it: nothing can be recorded, and that disturbs nothing
        home = "/nonexistent"
    base = state if os.path.isabs(state) else os.path.join(home, ".local", "state")
    return os.path.join(base, "claude-proxy")


def sessions_dir(data_dir: str) -> str:
    """Return the folder that holds the logs of a data directory."""
    return os.path.join(data_dir, "sessions")


def log_path(data_dir: str, session_id: str) -> str:
    """Return the path of one session's log."""
    return os.path.join(sessions_dir(data_dir), session_id + LOG_SUFFIX)
