"""Names and places: session ids, the data directory and the files in it.

Imported before the wrapped command starts, so it leans on ``os``, ``sys`` and ``time`` alone.
"""

import os
import sys
import time

from proxy.sessions.private import make_private_dir, open_private

LOG_SUFFIX = ".jsonl"
LATEST = "latest" + LOG_SUFFIX
SIGNATURE_SUFFIX = ".sig"
"""Behind the name of a log: the signature of its line in ``seals.jsonl``."""
START_BYTES = 256
"""``seq`` and ``ts`` stand first in every record that is written here."""


def new_session_id(now_ns: int | None = None) -> str:
    """Return a fresh session id: ``20261122T094512.123456Z-1f2e3d4c``.

    Ids sort by time of start (UTC, microseconds); the random tail keeps sessions of one instant apart.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    seconds, rest = divmod(now_ns, 1_000_000_000)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(seconds))
    return f"{stamp}.{rest // 1000:06d}Z-{os.urandom(4).hex()}"


def start_of(path: str) -> str:
    """Return when the session of a log started, as its id says it: ``20261122T094512.123456Z``.

    Of an id that the caller chose the first record says it; without one yet the session starts now: ``~``.
    Empty where there is no such log.
    """
    name = os.path.basename(path)
    if name[:8].isdigit() and name[8:9] == "T" and name[9:15].isdigit() and name[22:23] == "Z":
        return name[:23]
    try:
        with open(path, "rb") as log:
            _, found, rest = log.read(START_BYTES).partition(b'"ts":"')
    except OSError:
        return ""
    return rest[:27].decode(errors="replace").replace("-", "").replace(":", "") if found else "~"


def default_data_dir(environ: "os._Environ[str] | dict[str, str]") -> str:
    """Return the platform's directory for the state of programs, and in it ours.

    On macOS as `platformdirs` has it, which takes longer to import than a command waits, unless ours is where the XDG
    Base Directory Specification puts it, as everywhere else.
    """
    state = environ.get("XDG_STATE_HOME", "")
    # The specification says that relative paths are to be ignored.
    home = os.path.expanduser("~") if environ.get("HOME", "~") else ""
    if not os.path.isabs(home):  # nobody knows it: nothing can be recorded, and that disturbs nothing
        home = "/nonexistent"
    base = state if os.path.isabs(state) else os.path.join(home, ".local", "state")
    ours = os.path.join(base, "claude-proxy")
    if sys.platform == "darwin" and not os.path.isabs(state) and not os.path.isdir(ours):
        return os.path.join(home, "Library", "Application Support", "claude-proxy")
    return ours


def sessions_dir(data_dir: str) -> str:
    """Return the folder that holds the logs of a data directory."""
    return os.path.join(data_dir, "sessions")


def log_path(data_dir: str, session_id: str) -> str:
    """Return the path of one session's log."""
    return os.path.join(sessions_dir(data_dir), session_id + LOG_SUFFIX)


def is_session_id(text: str) -> bool:
    """Tell whether the text can be a session id: ``[A-Za-z0-9][A-Za-z0-9._-]{0,127}``, and not ``latest``."""
    # By hand, as the command waits, and `re` takes long to import.
    return (
        0 < len(text) <= 128
        and text != "latest"  # which names whatever session is the newest
        and text.isascii()
        and text[0].isalnum()
        and text.replace(".", "").replace("_", "").replace("-", "").isalnum()
    )


def reserve(data_dir: str, session_id: str) -> None:
    """Make the log of a session to come, empty, so that no other session takes its id.

    Raises:
        FileExistsError: there is such a session.
        OSError: the data directory cannot be used.
    """
    make_sessions_dir(data_dir)
    os.close(open_private(log_path(data_dir, session_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def make_sessions_dir(data_dir: str) -> None:
    """Make the folder that holds the logs, readable for the user alone: they hold prompts, code and tool output.

    Raises:
        NotPrivateError: it is not the user's own.
        OSError: it cannot be made.
    """
    make_private_dir(data_dir)
    make_private_dir(sessions_dir(data_dir))
