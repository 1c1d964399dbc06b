"""Runs a server: finds its address, says where it is, and serves until it is told to stop or nobody needs it."""

import asyncio
import contextlib
import errno
import ipaddress
import os
import resource
import secrets
import signal
import socket
from dataclasses import dataclass, replace

from aiohttp import web
from msgspec import structs

from proxy import __version__
from proxy.config import Settings
from proxy.custom_schemas import UnusableSchemaError
from proxy.events.formatting import error_message
from proxy.following.resumption import Attendant
from proxy.server.access import peers
from proxy.server.access.tokens import TokenError, TokenFile
from proxy.server.background import announce, holds_lock, raise_limits
from proxy.server.base.journal import configure, journal
from proxy.server.process.app import create_app
from proxy.server.process.connections import BACKLOG, listen
from proxy.server.process.tls import CannotUseCertificateError, Certificate
from proxy.server.shared import SHARED, Shared
from proxy.server.watch.jobs import run_jobs
from proxy.server.watch.metrics import METRICS
from proxy.sources import ConfigurationError
from proxy.store import StoreError

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


def serve(options: Options, lock: int) -> bool:
    """Serve until SIGINT or SIGTERM comes or, in the background, nobody needs it; return whether it was that.

    ``lock`` holds the data directory's server lock (see `take_lock`), and is closed at the end.

    Raises:
        CannotServeError: the address is taken, or the data directory cannot be used.
        ConfigurationError: a file of ``schemas.directory`` is no schema that can be used.
    """
    configure(options.settings.logging.level, options.settings.logging.format)
    os.umask(0o077)  # whatever it is here: what a server makes is for the user alone
    options = replace(options, host=options.host.removeprefix("[").removesuffix("]"))  # as URLs write IPv6
    if options.settings.storage.url is not None and options.settings.ship.to is not None:
        raise CannotServeError("storage.url and ship.to do not go together: a centre sends nothing on")
    try:
        raise_limits(resource.RLIMIT_NOFILE)  # a connection is a file
        certificate = Certificate.of(options.settings.security)
        listening = _listening(options)
        port = listening.getsockname()[1]
        api = structs.replace(options.settings.api, host=options.host, port=port)
        options = replace(options, port=port, settings=structs.replace(options.settings, api=api))
        if options.settings.security.local_access and not peers.can_tell():
            options = replace(options, owner_token=secrets.token_urlsafe(32))
        try:
            return asyncio.run(_serve(options, listening, certificate, lock))
        finally:
            journal.info("server.stopped", pid=os.getpid())
    except CannotUseCertificateError as error:
        raise CannotServeError(str(error)) from None
    except UnusableSchemaError as error:
        raise ConfigurationError(str(error)) from None
    except (StoreError, OSError) as error:
        is_local = isinstance(error, OSError) or options.settings.storage.url is None
        what = f"the data directory {options.data_dir}" if is_local else "storage.url"
        raise CannotServeError(f"{what} cannot be served: {error_message(error)}") from None
    finally:
        os.close(lock)


async def _serve(
    options: Options, listening: socket.socket, certificate: Certificate | None, lock: int
) -> bool:
    """Serve on a socket, with a certificate HTTPS. Errors and what is returned as by `serve`."""
    stopped, server = asyncio.Event(), None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    app = create_app(options.data_dir, options.settings, owner_token=options.owner_token)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    try:
        await runner.setup()
        context = certificate.context if certificate else None
        server = await listen(runner, listening, options.settings.api, context)
        near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)  # all is none to ask at
        place = f"{f'[{near}]' if ':' in near else near}:{options.port}"
        url = f"{'https' if certificate else 'http'}://{place}"
        announce(lock, url, __version__, options.owner_token)
        journal.info("server.started", url=url, data_dir=options.data_dir, pid=os.getpid())
        _warn_of_nobody(options)
        async with asyncio.TaskGroup() as group:
            jobs = group.create_task(run_jobs(app[SHARED], app[METRICS]))
            left = await _until_done(app[SHARED], stopped, options, certificate, lock)
            jobs.cancel()
        return left
    except ExceptionGroup as group:
        raise group.exceptions[0] from None  # one task, one error
    finally:
        if server is not None:
            server.close()
        await runner.cleanup()


async def _until_done(
    shared: Shared, stopped: asyncio.Event, options: Options, certificate: Certificate | None, lock: int
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
        if not await asyncio.to_thread(holds_lock, lock, options.data_dir):
            raise CannotServeError(f"the data directory {options.data_dir} was removed or replaced")
        if certificate is not None:
            await asyncio.to_thread(_renew, certificate)
        await asyncio.to_thread(attendant.look, shared.store.live())
        idle_s = options.settings.monitoring.session_timeout
        await asyncio.to_thread(shared.recordings.stop_all, "idle", idle_s)
        if not options.background or _is_needed(shared):
            needed_at = loop.time()
        if options.background and loop.time() - needed_at >= options.settings.api.linger:
            journal.info("server.not_needed", linger_s=options.settings.api.linger)
            return True


def _is_needed(shared: Shared) -> bool:
    """Tell whether a session lives, somebody listens, or work is under way."""
    sending = any(one is not None and one.is_needed for one in (shared.shipping, shared.otlp))
    checking = shared.checks is not None and shared.checks.busy
    filling = not shared.store.wait_filled(0)
    return bool(sending or checking or filling or shared.hub.subscribers or shared.store.live())


def _renew(certificate: Certificate) -> None:
    try:
        if certificate.renew():
            journal.info("certificate.renewed")
    except CannotUseCertificateError as error:
        journal.error("certificate.not_renewed", error=str(error))


def _warn_of_nobody(options: Options) -> None:
    """Say once that a server that can be reached from elsewhere will not answer there."""
    if options.settings.storage.url is not None:
        return  # a centre's are in its database
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


def _listening(options: Options) -> socket.socket:
    """Return the socket to serve on."""
    try:
        return _bound(options.host, options.port)
    except OSError as error:
        is_of_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
        if not options.background or not is_of_port:
            host = "an address of this machine with --host"
            hint = "another --port, or 0 for a free one" if is_of_port else host
            where = f"{options.host}:{options.port}" if is_of_port else options.host
            raise CannotServeError(f"cannot listen on {where} ({error.strerror}): give {hint}") from None
        journal.warning("server.port_taken", port=options.port, error=error.strerror)
    try:
        return _bound(options.host, 0)
    except OSError as error:
        raise CannotServeError(f"cannot listen on {options.host}: {error.strerror}") from None


def _bound(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with contextlib.ExitStack() as on_failure:
        listening = on_failure.enter_context(socket.socket(family, kind))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
        on_failure.pop_all()
        return listening
