"""Runs a server: finds its address, says where it is, and serves."""

import asyncio
import contextlib
import errno
import ipaddress
import os
import resource
import secrets
import socket
from dataclasses import replace
from functools import partial

from msgspec import structs

from proxy import __version__
from proxy.custom_schemas import UnusableSchemaError
from proxy.events.formatting import error_message
from proxy.server.access import peers
from proxy.server.access.tokens import TokenError, TokenFile
from proxy.server.background import announce, holds_lock
from proxy.server.base.journal import configure, journal
from proxy.server.process.connections import BACKLOG
from proxy.server.process.lifetime import CannotServeError, Options, serve_on
from proxy.server.process.tls import CannotUseCertificateError, Certificate
from proxy.sources import ConfigurationError
from proxy.store import StoreError

__all__ = ["CannotServeError", "Options", "serve"]


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
        _raise_limit_of_files()
        certificate = Certificate.of(options.settings.security)
        listening = _listening(options)
        host, port = options.host, listening.getsockname()[1]
        near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # every address is none to ask at
        url = f"{'https' if certificate else 'http'}://{f'[{near}]' if ':' in near else near}:{port}"
        api = structs.replace(options.settings.api, host=host, port=port)
        options = replace(options, port=port, settings=structs.replace(options.settings, api=api))

        if options.settings.security.local_access and not peers.can_tell():
            options = replace(options, owner_token=secrets.token_urlsafe(32))

        def announced() -> None:
            announce(lock, url, __version__, options.owner_token)
            journal.info("server.started", url=url, data_dir=options.data_dir, pid=os.getpid())
            _warn_of_nobody(options)

        try:
            return asyncio.run(
                serve_on(
                    options, listening, certificate, announced, partial(holds_lock, lock, options.data_dir)
                )
            )
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


def _raise_limit_of_files() -> None:
    """Let a process hold as many connections as it may."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
