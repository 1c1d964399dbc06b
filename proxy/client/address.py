"""Where the server is: as given, else ``CLAUDE_PROXY_URL``, else whoever serves the data directory."""

import os
from collections.abc import Callable
from urllib.parse import urlsplit

from proxy.client.errors import UnreachableError
from proxy.sessions.identity import default_data_dir
from proxy.sessions.serving import server_address

Find = Callable[[], tuple[str, str | None]]
"""Returns the server's base address, and the token that a server found by its lock file has left there for its owner.

UnreachableError: no server runs for the data directory.
"""


def finder(base_url: str | None = None, data_dir: str | None = None) -> Find:
    """Return what finds the server. ValueError: what is given as address is none.

    One that is found is looked up for each call: a server that comes back may have another address, and another data
    directory's server the old one.
    """
    given = base_url or os.environ.get("CLAUDE_PROXY_URL") if data_dir is None else base_url
    if given is not None:
        if not _is_address(given):
            raise ValueError(f"{given!r} is no address; give one as in http://127.0.0.1:8000")
        address = given.rstrip("/")
        return lambda: (address, None)
    folder = data_dir or os.environ.get("CLAUDE_PROXY_DATA_DIR") or default_data_dir(os.environ)

    def find() -> tuple[str, str | None]:
        announced = server_address(folder)
        if announced is None or not isinstance(announced.get("url"), str):
            raise UnreachableError(
                f"No server runs for {folder}; start one with `claude-proxy serve`, or give the address of one:"
                " base_url, or CLAUDE_PROXY_URL."
            )
        return announced["url"].rstrip("/"), announced.get("token")

    return find


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of its port
        return False
