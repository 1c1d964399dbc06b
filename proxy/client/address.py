"""Where the server is: as given, else ``CLAUDE_PROXY_URL``, else whoever serves the data directory."""

import os
from urllib.parse import urlsplit

from proxy.client.errors import UnreachableError
from proxy.sessions.identity import default_data_dir
from proxy.sessions.serving import server_address

__all__ = ["Address"]


class Address:
    """The server's base address. One that was found is looked up again when nobody answers there."""

    def __init__(self, base_url: str | None = None, data_dir: str | None = None) -> None:
        """ValueError: what is given as address is none."""
        given = base_url or os.environ.get("CLAUDE_PROXY_URL") if data_dir is None else base_url
        if given is not None:
            parts = urlsplit(given)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{given!r} is no address; give one as in http://127.0.0.1:8000")
            given = given.rstrip("/")
        self._given = given
        self._data_dir = data_dir or os.environ.get("CLAUDE_PROXY_DATA_DIR") or default_data_dir(os.environ)
        self._found: str | None = None

    def current(self) -> str:
        """Return the address. UnreachableError: no server runs for the data directory."""
        if self._given is not None:
            return self._given
        if self._found is None:
            said = server_address(self._data_dir)
            if said is None or not isinstance(said.get("url"), str):
                raise UnreachableError(
                    f"No server runs for {self._data_dir}; start one with `claude-proxy serve`, or give base_url."
                )
            self._found = said["url"].rstrip("/")
        return self._found

    def forget(self) -> None:
        """Look it up again the next time: nobody answered."""
        self._found = None
