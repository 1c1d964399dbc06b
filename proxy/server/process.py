"""One process of a server: serves until it is told to stop or, in the background, until nobody needs it."""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from proxy.config import Settings
from proxy.events.formatting import error_message
from proxy.server.app import create_app, lead
from proxy.server.connections import listen
from proxy.server.election import Seat
from proxy.server.journal import journal
from proxy.server.metrics import METRICS, Metrics
from proxy.server.recording import Keeper
from proxy.server.shared import SHARED, Shared
from proxy.server.tls import CannotUseCertificateError, Certificate
from proxy.server.upkeep import run_jobs
from proxy.store.follower import Follower
from proxy.store.indexer import Indexer

__all__ = ["CannotServeError", "Options", "Together", "certificate_of", "serve_alone", "serve_together"]

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


def serve_alone(options: Options, listening: socket.socket, on_start: Callable[[], None]) -> bool:
    """Serve as the only process; return whether nobody needs the server. Errors as by `serve` in ``run``."""
    return asyncio.run(_serve(options, listening, on_start))


def serve_together(options: Options, listening: socket.socket, together: Together) -> bool:
    """Serve as one of several processes; return whether nobody needs the server. Errors as above."""

    def started() -> None:
        journal.info("worker.started", pid=os.getpid())

    try:
        return asyncio.run(_serve(options, listening, started, together))
    except (OSError, sqlite3.Error) as error:
        sentence = f"the data directory {options.data_dir} cannot be served: {error_message(error)}"
        raise CannotServeError(sentence) from None


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
    certificate, seat = certificate_of(options), Seat(options.data_dir)
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


def certificate_of(options: Options) -> Certificate | None:
    """Return the certificate that the configuration names, if any. CannotServeError: it cannot be used."""
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
