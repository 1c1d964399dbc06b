"""Where a session listens for actions: a socket in a folder that only its owner enters.

The path of a socket has at most 107 bytes (104 on macOS, see ``unix(7)``), and data directories lie deeper. So both
ends reach the folder through a symbolic link with a short name that lives for that moment.
"""

import contextlib
import os
import socket
import struct
import tempfile
from collections.abc import Iterator

from proxy.sessions.private import make_private_dir

FOLDER = "acting"


def path_of(data_dir: str, session_id: str) -> str:
    """Return the path of a session's socket."""
    return os.path.join(data_dir, FOLDER, f"{session_id[:64]}.sock")


def listen(data_dir: str, session_id: str) -> socket.socket:
    """Return the listening socket of a session. OSError when the data directory cannot be used."""
    path = path_of(data_dir, session_id)
    make_private_dir(os.path.dirname(path))
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = f"{path}.new"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        with _short(fresh) as short:
            listening.bind(short)
        os.chmod(fresh, 0o600)
        listening.listen(8)
        os.rename(fresh, path)  # who finds it is answered
    except BaseException:
        listening.close()
        raise
    return listening


def connect(data_dir: str, session_id: str, timeout_s: float) -> socket.socket:
    """Return a connection to a session's socket. OSError when nobody listens there."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # A socket with a timeout of Python's would not wait at all where many are before it (see ``unix(7)``, EAGAIN).
        seconds, part = divmod(timeout_s, 1)
        timeval = struct.pack("@ll", int(seconds), int(part * 1_000_000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
        with _short(path_of(data_dir, session_id)) as short:
            connection.connect(short)
        connection.settimeout(timeout_s)
    except BaseException:
        connection.close()
        raise
    return connection


def remove(data_dir: str, session_id: str) -> None:
    """Remove a session's socket, if it is there."""
    with contextlib.suppress(OSError):
        os.unlink(path_of(data_dir, session_id))


@contextlib.contextmanager
def _short(path: str) -> Iterator[str]:
    """Give a path to the same file that is short enough."""
    with tempfile.TemporaryDirectory(prefix="cp") as folder:
        link = os.path.join(folder, "d")
        os.symlink(os.path.abspath(os.path.dirname(path)), link)
        yield os.path.join(link, os.path.basename(path))
