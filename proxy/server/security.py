"""Who may ask: the same user on this machine, and whoever has a token.

A page in a browser runs on this machine too. So a request's ``Host`` must be an address, ``localhost`` or the name
that the server is configured with (a foreign name that resolves to us is how pages reach local servers), and what
changes something, or listens, must not come from a page of another origin.
"""

import hmac
import ipaddress
import math
import os
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from aiohttp import web

from proxy.server.errors import NotAllowedError, TooManyError, UnauthorizedError
from proxy.server.shared import of

__all__ = ["add_cors_headers", "security_middleware"]

_same_user: "WeakKeyDictionary[object, bool]" = WeakKeyDictionary()
"""By connection: who is at the other end does not change while it lasts."""


@web.middleware
async def security_middleware(request: web.Request, handler: "web.Handler") -> web.StreamResponse:  # type: ignore[name-defined]
    """Refuse what must not be answered."""
    settings = of(request).settings
    _check_host(request, settings.api.host)
    _check_origin(request, settings.security.allowed_origins)
    if request.path not in (
        "/health",
        "/health/live",
        "/health/ready",
    ):  # whether the server is well may always be asked
        if not _is_same_user(request):
            _check_token(request, settings.security.tokens)
        _check_rate(request)
    if (
        request.method == "OPTIONS"
        and "Access-Control-Request-Method" in request.headers
        and _cors_origin(request)
    ):
        return web.Response(status=204, headers={"Access-Control-Max-Age": "600"})
    return await handler(request)  # type: ignore[no-any-return]


async def add_cors_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Let pages of allowed origins read the answer, where the configuration says so."""
    if origin := _cors_origin(request):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Last-Event-ID"
        response.headers["Vary"] = "Origin"


def _cors_origin(request: web.Request) -> str | None:
    security = of(request).settings.security
    origin = request.headers.get("Origin")
    return origin if security.enable_cors and origin in security.allowed_origins else None


def _check_rate(request: web.Request) -> None:
    limit = of(request).limit
    if limit is None or not (wait_s := limit.wait_s(request.remote or "")):
        return
    rate = of(request).settings.security.rate_limit
    raise TooManyError(f"security.rate_limit allows {rate}; ask again later.", math.ceil(wait_s))


def _check_host(request: web.Request, configured: str) -> None:
    try:
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        name = ""
    if name in ("localhost", configured.lower()) or _is_address(name):
        return
    raise NotAllowedError(
        f"This server does not answer to the host {name!r}; use its address, or set api.host."
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_origin(request: web.Request, allowed: tuple[str, ...]) -> None:
    origin = request.headers.get("Origin")
    listens = request.headers.get("Upgrade", "").lower() == "websocket"
    if origin is None or (request.method in ("GET", "HEAD", "OPTIONS") and not listens):
        return
    own = f"{request.scheme}://{request.headers.get('Host', '')}"
    if origin != own and origin not in allowed:
        raise NotAllowedError(f"Pages of {origin} may not do this; see security.allowed_origins.")


def _check_token(request: web.Request, tokens: tuple[str, ...]) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and any(
        hmac.compare_digest(given.strip().encode(), token.encode()) for token in tokens
    ):
        return
    raise UnauthorizedError("A token is needed: send `Authorization: Bearer TOKEN`, see security.tokens.")


def _is_same_user(request: web.Request) -> bool:
    transport = request.transport
    if transport is None:
        return False
    known = _same_user.get(transport)
    if known is None:
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        known = _same_user[transport] = bool(peer and own) and _owner_is_us(peer[0], peer[1], own[1])
    return known


def _owner_is_us(address: str, port: int, own_port: int) -> bool:
    """Tell whether the socket at the other end is on this machine and belongs to our user, as the kernel says."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    if not (ip.is_loopback or (mapped is not None and mapped.is_loopback)):
        return False
    if not os.path.exists("/proc/net/tcp"):
        return True  # no way to ask: whoever is on this machine
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                next(file)
                for line in file:
                    _, local, remote, _, _, _, _, uid, _, inode, *_ = line.split()
                    ports = [int(end.rpartition(":")[2], 16) for end in (local, remote)]
                    # Without an inode the socket is nobody's any more, and the owner that is shown is not its own.
                    if ports == [port, own_port] and _is_loopback(local) and inode != "0":
                        return int(uid) == os.geteuid()
        except OSError:
            continue
    return False


def _is_loopback(local: str) -> bool:
    """Tell whether an address of the kernel's table (hexadecimal, of the machine's byte order) is a loopback one."""
    digits = local.partition(":")[0]
    tail = digits[-8:]  # the last word: an IPv4 address, also one that is mapped into IPv6
    return tail.endswith("7F") or digits == "0" * 24 + "01000000"
