"""Who serves a data directory, for whoever wants to ask it.

``DATA_DIR/server.lock`` is held with ``flock`` by the server as long as it lives, and says who it is (one line of
JSON: ``pid``, ``url``, ``version``; ``token`` where the kernel cannot tell whose a connection is: who can read it is
the owner).
"""

from __future__ import annotations

import fcntl
import os

from proxy.sessions.private import open_private

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from typing import Any

LOCK = "server.lock"


def is_served(data_dir: str) -> bool:
    """Tell whether a server holds the data directory's lock."""
    try:
        # A lock that is not the user's own says nothing: who holds it is not to be asked, nor taken for a server.
        fd = open_private(os.path.join(data_dir, LOCK), os.O_RDONLY)
    except OSError:
        return False
    with open(fd, "rb", buffering=0):
        try:
            # Shared, and only for an instant: who looks does not keep a server from its lock (see `take_lock`).
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def server_address(data_dir: str) -> dict[str, Any] | None:
    """Return what the running server says of itself (see the module), None when none runs."""
    import json  # noqa: PLC0415 - only `status` asks

    if not is_served(data_dir):
        return None
    try:
        with open(os.path.join(data_dir, LOCK), "rb") as file:
            announced = json.loads(file.read() or b"null")
    except (OSError, ValueError, RecursionError):
        return None
    return announced if isinstance(announced, dict) else None
