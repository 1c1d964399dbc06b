"""Where the server is: as given, else ``CLAUDE_PROXY_URL``, else whoever serves the data directory."""

import os
from urllib.parse import urlsplit

from proxy.client.errors import UnreachableError
from proxy.sessions.identity import default_data_dir
from proxy.sessions.serving import server_address


class Address:
    """The server's base address. One that is found is looked up for each call.

    A server that comes back may have another address, and another data directory's server the old one.
    """

    def __init__(self, base_url: str | None = None, data_dir: str | None = None) -> None:
        """ValueError: what is given as address is none."""
        given = base_url or os.environ.get("CLAUDE_PROXY_URL") if data_dir is None else base_url
        if given is not None:
            if not _is_address(given):
                raise ValueError(f"{given!r} is no address; give one as in http://127.0.0.1:8000")
            given = given.rstrip("/")
        self._given = given
        self._data_dir = data_dir or os.environ.get("CLAUDE_PROXY_DATA_DIR") or default_data_dir(os.environ)

    def current(self) -> str:
        """Return the address. UnreachableError: no server runs for the data directory."""
        return self.current_with_token()[0]

    def current_with_token(self) -> tuple[str, str | None]:
        """Return the address, and the token that a server found by its lock file has left there for its owner."""
        if self._given is not None:
            return self._given, None
        announced = server_address(self._data_dir)
        if announced is None or not isinstance(announced.get("url"), str):
            raise UnreachableError(
                f"No server runs for {self._data_dir}; start one with `claude-proxy serve`, or give the address of one:"
                " base_url, or CLAUDE_PROXY_URL."
            )
        url: str = announced["url"]
        return url.rstrip("/"), announced.get("token")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of its port
        return False
