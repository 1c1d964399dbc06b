"""Runs a server until it is told to stop or, in the background, until nobody needs it: one process of it."""

import asyncio
import contextlib
import ipaddress
import os
import resource
import signal
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace

from aiohttp import web

from proxy import __version__
from proxy.config import Settings
from proxy.server.app import create_app, lead
from proxy.server.background import announce
from proxy.server.connections import BACKLOG, listen
from proxy.server.election import Seat
from proxy.server.journal import configure, journal
from proxy.server.metrics import METRICS, Metrics, shared_figures
from proxy.server.recording import Keeper
from proxy.server.shared import SHARED, Shared
from proxy.server.tls import CannotUseCertificateError, Certificate
from proxy.server.tokens import TokenError, TokenFile
from proxy.server.upkeep import run_jobs
from proxy.store.follower import Follower
from proxy.store.indexer import Indexer

__all__ = ["CannotServeError", "Options", "Together", "serve", "serve_together"]

_LOOK_S = 1.0
"""How often it is looked whether sessions live."""
_SAY_S = 0.1
"""How often the process that indexes lets the others know how the index stands."""
_SEAT_S = 10.0
"""How long a server waits for the end of one whose processes still live."""


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


@dataclass(frozen=True, slots=True)
class Together:
    """What a process has that is one of several."""

    keeper: Keeper
    alive: int
    """A pipe that ends when the process that has started us does."""


def serve(options: Options, lock: int) -> bool:
    """Serve until SIGINT or SIGTERM comes or, in the background, nobody needs it; return whether it was that.

    ``lock`` holds the data directory's server lock (see `take_lock`), and is closed at the end.

    Raises:
        CannotServeError: the address is taken, or the data directory cannot be used.
    """
    from proxy.server import workers  # noqa: PLC0415 - it runs what is here

    configure(options.settings.logging.level, options.settings.logging.format)
    try:
        _raise_limit_of_files()
        scheme = "https" if _certificate(options) else "http"
        listening = _listening(options)
        host, port = options.host, listening.getsockname()[1]
        near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # every address is none to ask at
        url = f"{scheme}://{f'[{near}]' if ':' in near else near}:{port}"
        api = options.settings.api.model_copy(update={"host": host, "port": port})
        options = replace(options, port=port, settings=options.settings.model_copy(update={"api": api}))

        def announced() -> None:
            announce(lock, url, __version__)
            journal.info("server.started", url=url, data_dir=options.data_dir, pid=os.getpid())
            _warn_of_nobody(options)

        try:
            if api.workers > 1:
                with shared_figures():
                    return workers.run(options, listening, lock, announced)
            return asyncio.run(_serve(options, listening, announced))
        finally:
            journal.info("server.stopped", pid=os.getpid())
    except (OSError, sqlite3.Error) as error:
        raise CannotServeError(f"the data directory {options.data_dir} cannot be served: {error}") from None
    finally:
        os.close(lock)


def serve_together(options: Options, listening: socket.socket, together: Together) -> bool:
    """Serve as one of several processes; return whether nobody needs the server. Errors as by `serve`."""

    def started() -> None:
        journal.info("worker.started", pid=os.getpid())

    try:
        return asyncio.run(_serve(options, listening, started, together))
    except (OSError, sqlite3.Error) as error:
        raise CannotServeError(f"the data directory {options.data_dir} cannot be served: {error}") from None


async def _serve(
    options: Options,
    listening: socket.socket,
    on_start: Callable[[], None],
    together: Together | None = None,
) -> bool:
    stopped, server = asyncio.Event(), None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if together is not None:
        loop.add_reader(together.alive, stopped.set)
    certificate, seat = _certificate(options), Seat(options.data_dir)
    app = create_app(options.data_dir, options.settings, keeper=together.keeper if together else None)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    try:
        if together is None:
            await _take_alone(seat)
        await runner.setup()
        context = certificate.context if certificate else None
        server = await listen(runner, listening, options.settings.api, context)
        on_start()
        async with asyncio.TaskGroup() as group:
            duties = group.create_task(_do_duties(app[SHARED], app[METRICS], seat))
            left = await _until_done(app[SHARED], stopped, options, certificate)
            duties.cancel()
        return left
    except ExceptionGroup as group:
        raise group.exceptions[0] from None  # one task, one error
    finally:
        if together is not None:
            loop.remove_reader(together.alive)
        if server is not None:
            server.close()
        await runner.cleanup()
        seat.leave()


async def _take_alone(seat: Seat) -> None:
    try:
        async with asyncio.timeout(_SEAT_S):
            await seat.take()
    except TimeoutError:
        raise CannotServeError("another process indexes this data directory; end it first") from None


async def _do_duties(shared: Shared, metrics: Metrics, seat: Seat) -> None:
    """As soon as this process is the one to do it: index, and do the timed jobs."""
    if not shared.leads:
        await seat.take()
        await lead(shared)
        journal.info("worker.leads", pid=os.getpid())
    async with asyncio.TaskGroup() as group:
        group.create_task(run_jobs(shared, metrics))
        while isinstance(shared.indexer, Indexer) and isinstance(shared.follower, Follower):
            with contextlib.suppress(OSError):  # a full disk: what was said before stays
                seat.say(shared.indexer, shared.follower)
            await asyncio.sleep(_SAY_S)


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
        if shared.restarting.is_set():
            return False
        if certificate is not None:
            await asyncio.to_thread(_renew, certificate)
        await asyncio.to_thread(shared.records.let_go_of_removed)
        if not shared.leads:
            needed_at = loop.time()
            continue
        await asyncio.to_thread(_stop_idle, shared)
        checking = shared.checks is not None and shared.checks.busy
        if checking or shared.indexer.live or not shared.follower.caught_up.is_set():
            needed_at = loop.time()
        if options.background and loop.time() - needed_at >= options.settings.api.linger:
            journal.info("server.not_needed", linger_s=options.settings.api.linger)
            return True


def _stop_idle(shared: Shared) -> None:
    with contextlib.suppress(sqlite3.Error):  # said in the health
        live = shared.queries.sessions(live_only=True)
        mine = [session.session_id for session in live if session.kind == "monitoring"]
        shared.recordings.stop_idle(shared.settings.monitoring.session_timeout, mine)


def _raise_limit_of_files() -> None:
    """Let a process hold as many connections as it may."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _warn_of_nobody(options: Options) -> None:
    """Say once that a server that can be reached from elsewhere will not answer there."""
    try:
        is_local = all(ipaddress.ip_address(one).is_loopback for one in _addresses(options.host))
        tokens = [*options.settings.security.tokens, *TokenFile(options.data_dir).tokens()]
    except (OSError, ValueError, TokenError) as error:
        journal.warning("access.tokens_unreadable", error=str(error))
        return
    if not is_local and not tokens:
        hint = "no token is configured: only loopback is answered; see claude-proxy token create"
        journal.warning("access.loopback_only", host=options.host, hint=hint)


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return [str(one[4][0]).partition("%")[0] for one in found]


def _certificate(options: Options) -> Certificate | None:
    try:
        return Certificate.of(options.settings.security)
    except CannotUseCertificateError as error:
        raise CannotServeError(str(error)) from None


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
