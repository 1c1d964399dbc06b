"""``claude-proxy open``: the page of all sessions, or of one, in a browser."""

import argparse
import html
import os
import sys
import time
import webbrowser
from pathlib import Path
from urllib.parse import quote

from proxy.cli.arguments import add_session
from proxy.cli.errors import FailedError, UsageError
from proxy.cli.terminal import progress
from proxy.server.background import LOG, ensure_server, server_address
from proxy.sessions import catalogue
from proxy.sessions.identity import sessions_dir
from proxy.sessions.private import check_data_dir, make_private_dir, open_private

_GIVE_UP_S = 30.0
"""A server is there within a second; on a machine that is busy with everything else it takes ten times as long."""
_LOOK_S = 0.05  # short beside the start of a server


def open_options(parser: argparse.ArgumentParser) -> None:
    """Make sure that a server for the data directory runs, print the address of its page, and open it in a browser
    where there is one.

    Examples:
        claude-proxy open
        claude-proxy open latest
    """
    add_session(parser, "?", " (default: all sessions)")


def run_open(arguments: argparse.Namespace) -> None:
    """Open the page."""
    place = ""
    if arguments.session is not None:
        info = catalogue.find(arguments.data_dir, arguments.session)
        if not os.path.samefile(
            os.path.dirname(os.path.realpath(info.path)), sessions_dir(arguments.data_dir)
        ):
            sentence = f"{info.path} is not in {arguments.data_dir}, whose sessions its server shows"
            raise UsageError(f"{sentence}; give the log's own folder with --data-dir")
        place = f"#/session/{quote(info.session_id)}/conversation"
    url = _address(arguments)
    if url is None:
        log = os.path.join(arguments.data_dir, LOG)
        raise FailedError(f"no server came up within {_GIVE_UP_S:g} s; {log} says why")
    print(f"{url}/{place}", flush=True)
    if _has_browser():
        token = (server_address(arguments.data_dir) or {}).get("token")
        webbrowser.open(_signed_in(arguments.data_dir, url, place, token) if token else f"{url}/{place}")


def _signed_in(data_dir: str, url: str, place: str, token: str) -> str:
    """Return the address of a page that leads to a server's page with the owner's token, where it asks for one.

    A file that nobody else can read, as others see the command lines with which browsers are called.
    """
    path = os.path.join(data_dir, "open.html")
    target = html.escape(f"{url.replace('://', f'://owner:{token}@', 1)}/sign-in{place}")
    with open(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "w", encoding="utf-8") as file:
        file.write(
            f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={target}">\n'
        )
    return Path(path).absolute().as_uri()


def _address(arguments: argparse.Namespace) -> str | None:
    """Return the address of the data directory's server, which is started if need be; None: it does not come up."""
    make_private_dir(arguments.data_dir)
    check_data_dir(arguments.data_dir)
    ensure_server(arguments.data_dir, arguments.host, arguments.port, arguments.config)
    until = time.monotonic() + _GIVE_UP_S
    with progress("starting a server"):
        while (address := server_address(arguments.data_dir)) is None and time.monotonic() < until:
            time.sleep(_LOOK_S)
    return None if address is None else str(address["url"]).rstrip("/")


def _has_browser() -> bool:
    """Whether a browser for pages can be opened from here: over SSH, say, there are browsers for text at most."""
    if sys.platform != "darwin" and not any(
        os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    ):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
