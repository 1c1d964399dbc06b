"""Runs a server until it is told to stop or, in the background, until nobody needs it."""

import asyncio
import ipaddress
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
from proxy.server.connections import BACKLOG, listen
from proxy.server.journal import configure, journal
from proxy.server.metrics import METRICS
from proxy.server.shared import SHARED, Shared
from proxy.server.tls import CannotUseCertificateError, Certificate
from proxy.server.tokens import TokenError
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
    try:
        certificate = Certificate.of(options.settings.security)
    except CannotUseCertificateError as error:
        raise CannotServeError(str(error)) from None
    listening = _listening(options)
    port = listening.getsockname()[1]
    host = f"[{options.host}]" if ":" in options.host else options.host
    api = options.settings.api.model_copy(update={"host": options.host, "port": port})
    app = create_app(options.data_dir, options.settings.model_copy(update={"api": api}))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    stopped, server = asyncio.Event(), None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        await runner.setup()
        server = await listen(runner, listening, api, certificate.context if certificate else None)
        url = f"{'https' if certificate else 'http'}://{host}:{port}"
        announce(lock, url, __version__)
        journal.info("server.started", url=url, data_dir=options.data_dir, pid=os.getpid())
        _warn_of_nobody(app[SHARED], options)
        async with asyncio.TaskGroup() as group:
            jobs = group.create_task(run_jobs(app[SHARED], app[METRICS]))
            left = await _until_done(app[SHARED], stopped, options, certificate)
            jobs.cancel()
        return left
    finally:
        if server is not None:
            server.close()
        await runner.cleanup()
        journal.info("server.stopped", pid=os.getpid())


def _warn_of_nobody(shared: Shared, options: Options) -> None:
    """Say once that a server that can be reached from elsewhere will not answer there."""
    try:
        is_local = all(ipaddress.ip_address(one).is_loopback for one in _addresses(options.host))
        tokens = [*shared.tokens, *shared.token_file.tokens().values()]
    except (OSError, ValueError, TokenError) as error:
        journal.warning("access.tokens_unreadable", error=str(error))
        return
    if not is_local and not tokens:
        hint = "no token is configured: only loopback is answered; see claude-proxy token create"
        journal.warning("access.loopback_only", host=options.host, hint=hint)


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return [str(one[4][0]).partition("%")[0] for one in found]


async def _until_done(
    shared: Shared, stopped: asyncio.Event, options: Options, certificate: Certificate | None
) -> bool:
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
        if certificate is not None:
            await asyncio.to_thread(_renew, certificate)
        await asyncio.to_thread(shared.recordings.stop_idle, options.settings.monitoring.session_timeout)
        if shared.indexer.live or not shared.follower.caught_up.is_set():
            needed_at = loop.time()
        if options.background and loop.time() - needed_at >= options.settings.api.linger:
            journal.info("server.not_needed", linger_s=options.settings.api.linger)
            return True


def _renew(certificate: Certificate) -> None:
    try:
        if certificate.renew():
            journal.info("certificate.renewed")
    except CannotUseCertificateError as error:
        journal.error("certificate.not_renewed", error=str(error))


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
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
