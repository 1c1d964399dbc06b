"""Serves until it is told to stop or, in the background, until nobody needs it."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from proxy.config import Settings
from proxy.following.resumption import Attendant
from proxy.server.base.journal import journal
from proxy.server.process.app import create_app
from proxy.server.process.connections import listen
from proxy.server.process.tls import CannotUseCertificateError, Certificate
from proxy.server.shared import SHARED, Shared
from proxy.server.watch.jobs import run_jobs
from proxy.server.watch.metrics import METRICS

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
    owner_token: str | None = None
    """What those have who can read the lock file, where the kernel cannot tell who is on the other end."""
    background: bool = False
    """Leave when nobody has needed the server for ``api.linger`` seconds; move to a free port when ours is taken."""


async def serve_on(
    options: Options,
    listening: socket.socket,
    certificate: Certificate | None,
    on_start: Callable[[], None],
    has_lock: Callable[[], bool],
) -> bool:
    """Serve on a socket, with a certificate HTTPS; return whether nobody needs the server.

    ``has_lock``: whether the data directory is still the one that is locked for this server.

    Errors as by `serve` in ``run``.
    """
    stopped, server = asyncio.Event(), None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    app = create_app(options.data_dir, options.settings, owner_token=options.owner_token)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    try:
        await runner.setup()
        context = certificate.context if certificate else None
        server = await listen(runner, listening, options.settings.api, context)
        on_start()
        async with asyncio.TaskGroup() as group:
            jobs = group.create_task(run_jobs(app[SHARED], app[METRICS]))
            left = await _until_done(app[SHARED], stopped, options, certificate, has_lock)
            jobs.cancel()
        return left
    except ExceptionGroup as group:
        raise group.exceptions[0] from None  # one task, one error
    finally:
        if server is not None:
            server.close()
        await runner.cleanup()


async def _until_done(
    shared: Shared,
    stopped: asyncio.Event,
    options: Options,
    certificate: Certificate | None,
    has_lock: Callable[[], bool],
) -> bool:
    """Wait until the server is told to stop or, in the background, has not been needed for long enough (True).

    CannotServeError: the data directory was removed, or is another one now, whose server is somebody else.
    """
    loop = asyncio.get_running_loop()
    needed_at = loop.time()
    attendant = Attendant(options.data_dir)
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                await stopped.wait()
                return False
        if not await asyncio.to_thread(has_lock):
            raise CannotServeError(f"the data directory {options.data_dir} was removed or replaced")
        if certificate is not None:
            await asyncio.to_thread(_renew, certificate)
        await asyncio.to_thread(attendant.look, shared.store.live())
        await asyncio.to_thread(
            shared.recordings.stop_all, "idle", shared.settings.monitoring.session_timeout
        )
        if not options.background or _is_needed(shared):
            needed_at = loop.time()
        if options.background and loop.time() - needed_at >= options.settings.api.linger:
            journal.info("server.not_needed", linger_s=options.settings.api.linger)
            return True


def _is_needed(shared: Shared) -> bool:
    """Tell whether a session lives, somebody listens, or work is under way."""
    checking = shared.checks is not None and shared.checks.busy
    filling = not shared.store.wait_filled(0)
    shipping = shared.shipping is not None and shared.shipping.is_needed
    exporting = shared.otlp is not None and shared.otlp.is_needed
    return bool(shipping or exporting or shared.hub.subscribers or checking or filling or shared.store.live())


def _renew(certificate: Certificate) -> None:
    try:
        if certificate.renew():
            journal.info("certificate.renewed")
    except CannotUseCertificateError as error:
        journal.error("certificate.not_renewed", error=str(error))
