"""Runs a server until it is told to stop or, in the background, until nobody needs it."""

import asyncio
import os
import signal
import socket
import sqlite3
from dataclasses import dataclass

from aiohttp import web

from proxy import __version__
from proxy.config import Settings
from proxy.server.app import create_app
from proxy.server.background import announce
from proxy.server.journal import configure, journal
from proxy.server.shared import SHARED, Shared
from proxy.server.upkeep import run_jobs

__all__ = ["CannotServeError", "Options", "serve"]

_LOOK_S = 1.0
"""How often it is looked whether sessions live."""


class CannotServeError(Exception):
    """The server cannot run; the sentence says why and what to change."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where and how to serve."""

    data_dir: str
    host: str
    port: int
    settings: Settings
    background: bool = False
    """Leave when no session has lived for ``api.linger`` seconds; move to a free port when ours is taken."""


def serve(options: Options, lock: int) -> bool:
    """Serve until SIGINT or SIGTERM comes or, in the background, nobody needs it; return whether it was that.

    ``lock`` holds the data directory's server lock (see `take_lock`), and is closed at the end.

    Raises:
        CannotServeError: the address is taken, or the data directory cannot be used.
    """
    configure(options.settings.logging.level, options.settings.logging.format)
    try:
        return asyncio.run(_serve(options, lock))
    except (OSError, sqlite3.Error) as error:
        raise CannotServeError(f"the data directory {options.data_dir} cannot be served: {error}") from None
    finally:
        os.close(lock)


async def _serve(options: Options, lock: int) -> bool:
    listening = _listening(options)
    port = listening.getsockname()[1]
    host = f"[{options.host}]" if ":" in options.host else options.host
    api = options.settings.api.model_copy(update={"host": options.host, "port": port})
    app = create_app(options.data_dir, options.settings.model_copy(update={"api": api}))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        await runner.setup()
        await web.SockSite(runner, listening).start()
        url = f"http://{host}:{port}"
        announce(lock, url, __version__)
        journal.info("server.started", url=url, data_dir=options.data_dir, pid=os.getpid())
        async with asyncio.TaskGroup() as group:
            jobs = group.create_task(run_jobs(app[SHARED]))
            left = await _until_done(app[SHARED], stopped, options)
            jobs.cancel()
        return left
    finally:
        await runner.cleanup()
        journal.info("server.stopped", pid=os.getpid())


async def _until_done(shared: Shared, stopped: asyncio.Event, options: Options) -> bool:
    """Wait until the server is told to stop or, in the background, has not been needed for long enough (True)."""
    loop = asyncio.get_running_loop()
    needed_at = loop.time()
    while True:
        try:
            async with asyncio.timeout(_LOOK_S):
                await stopped.wait()
                return False
        except TimeoutError:
            pass
        await asyncio.to_thread(shared.recordings.stop_idle, options.settings.monitoring.session_timeout)
        if shared.indexer.live or not shared.follower.caught_up.is_set():
            needed_at = loop.time()
        if options.background and loop.time() - needed_at >= options.settings.api.linger:
            journal.info("server.not_needed", linger_s=options.settings.api.linger)
            return True


def _listening(options: Options) -> socket.socket:
    """Return the socket to serve on."""
    try:
        return _bound(options.host, options.port)
    except OSError as error:
        if not options.background:
            where = f"{options.host}:{options.port}"
            hint = "give another --port, or 0 for a free one"
            raise CannotServeError(f"cannot listen on {where} ({error.strerror}): {hint}") from None
        journal.warning("server.port_taken", port=options.port, error=error.strerror)
    try:
        return _bound(options.host, 0)
    except OSError as error:
        raise CannotServeError(f"cannot listen on {options.host}: {error.strerror}") from None


def _bound(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening
