"""Who may ask, and what: the same user on this machine everything, whoever has a token what its scopes allow.

A page in a browser runs on this machine too. So a request's ``Host`` must be an address, ``localhost`` or a name
that the server is configured with (a foreign name that resolves to us is how pages reach local servers), and what
changes something, or listens, must not come from a page of another origin. A request that was handed on by a
reverse proxy comes from wherever the proxy had it from, whoever runs the proxy.
"""

import asyncio
import base64
import contextlib
import ipaddress
import math
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web

from proxy.config import Settings
from proxy.server.access.peers import ip_of, is_same_user
from proxy.server.access.tokens import SCOPES, TokenError, TokenFile, Tokens, hashed, of_configuration
from proxy.server.base.errors import NotAllowedError, TooManyError, UnauthorizedError, UnavailableError
from proxy.store.fleet import Token

if TYPE_CHECKING:
    from proxy.server.access.rates import Limit

Access = Literal["open", "read", "write", "act", "push"]
"""What a call needs: nothing, or a scope."""

_FORWARDED = frozenset(
    [
        *("forwarded", "forwarded-for", "via", "cdn-loop", "x-scheme", "front-end-https"),
        *("x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "client-ip"),
        *("proxy-client-ip", "wl-proxy-client-ip", "do-connecting-ip", "x-nf-client-connection-ip"),
        *("x-appgw-trace-id", "x-cloud-trace-context", "remote-user"),
    ]
)
_FORWARDED_FAMILIES = (
    *("x-forwarded", "x-original-", "x-envoy-", "x-amzn-", "x-azure-", "x-arr-", "x-vercel-", "x-appengine-"),
    *("x-auth-request-", "x-goog-authenticated-", "x-remote-", "x-ms-client-principal"),
    *("cf-", "cloudfront-", "fastly-", "fly-", "tailscale-"),
)
"""Headers that only reverse proxies, load balancers and tunnels add, and the beginnings of whole families of them."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer has that has not its own."""


class Guard:
    """What decides about requests."""

    def __init__(self, data_dir: str, settings: Settings, owner_token: str | None = None) -> None:
        self.settings = settings.security
        self.host = settings.api.host.lower()
        self.needs: dict[str, Access] = {}
        """What each route needs, by method and path as they are registered."""
        self.token_store: Tokens = TokenFile(data_dir)
        owner = [Token("owner", SCOPES, hashed(owner_token))] if owner_token else []
        configured = (*owner, *of_configuration(settings.security.tokens))
        self.tokens = {token.sha256: token for token in configured}
        self.action_rate = settings.acting.rate
        self.limits: dict[str, Limit] = {}
        """Those that were asked for, by the key of the configuration."""


GUARD = web.AppKey("GUARD", Guard)


class _Client(NamedTuple):
    """Who asks: a name to count by, and what it may do."""

    name: str
    scopes: tuple[str, ...]
    token: Token | None = None
    """The one that it gave."""


_TOKEN: web.RequestKey[Token | None] = web.RequestKey("token", None)


def team_of(request: web.Request) -> str | None:
    """Return the team whose sessions alone a request may see, None for all."""
    token = request.get(_TOKEN)
    return None if token is None else token.team


def default_access(method: str, path: str) -> Access:
    """Return what a call needs unless its route says otherwise: whether the server is well may always be asked."""
    if path == "/health" or path.startswith("/health/"):
        return "open"
    return "read" if method in ("GET", "HEAD") else "write"


@web.middleware
async def security_middleware(request: web.Request, handler: "web.Handler") -> web.StreamResponse:  # type: ignore[name-defined]
    """Refuse what must not be answered."""
    guard = request.app[GUARD]
    _check_host(request, (guard.host, *guard.settings.allowed_hosts))
    _check_origin(request, guard.settings.cors_origins)
    is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    if is_preflight and _cors_origin(request):
        return web.Response(status=204, headers={"Access-Control-Max-Age": "600"})
    access = _access(request)
    if access != "open":
        client = await _client(request)
        await _check_rate(guard, "security.rate_limit", guard.settings.rate_limit, client.name)
        code = ""
        if access == "act":
            code = "token_needed: "
            await _check_rate(guard, "acting.rate", guard.action_rate, client.name, "too_many: ")
        if not client.scopes:
            raise _unauthorized(request, code)
        if access not in client.scopes:
            needs = f"`claude-proxy token create NAME --scope {access}` makes one that may."
            raise NotAllowedError(f"{code}This token may not {access}; {needs}")
        request[_TOKEN] = client.token
    return await handler(request)  # type: ignore[no-any-return]


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Say to browsers what they may do with an answer; let pages of allowed origins read it where that is wanted."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "claude-proxy"
    if request.app[GUARD].settings.enable_cors:
        response.headers["Vary"] = "Origin"
    if origin := _cors_origin(request):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Last-Event-ID"
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


def author_of(request: web.Request) -> tuple[dict[str, str | None], str | None]:
    """Return who asks for an action, as it goes on record, and the token that was given."""
    token = request.get(_TOKEN)
    name = None if token is None else token.name
    return {"kind": "api", "name": name, "address": request.remote}, _given(request)


async def still_may_listen(request: web.Request) -> bool:
    """Tell whether who listens may go on: a token may have been revoked since."""
    return "read" in (await _client(request)).scopes


def _unauthorized(request: web.Request, code: str) -> UnauthorizedError:
    hint = "send `Authorization: Bearer TOKEN`; `claude-proxy token create NAME` makes one."
    wrong = "The token is none of this server's, or has been revoked"
    error = UnauthorizedError(f"{code}{wrong if _given(request) else 'A token is needed'}: {hint}")
    if "text/html" in request.headers.get("Accept", ""):
        # A browser asks for a name, which does not matter, and a password: the token.
        error.headers = {"WWW-Authenticate": 'Basic realm="claude-proxy: any name, and a token for password"'}
    return error


def _access(request: web.Request) -> Access:
    resource = request.match_info.route.resource
    method = "GET" if request.method == "HEAD" else request.method
    path = request.path if resource is None else resource.canonical
    return request.app[GUARD].needs.get(f"{method} {path}") or default_access(request.method, path)


# -- where it comes from ---------------------------------------------------------------------------------------


def _cors_origin(request: web.Request) -> str | None:
    origin = request.headers.get("Origin", "").lower()
    return origin if origin in request.app[GUARD].settings.cors_origins else None


def _check_host(request: web.Request, names: tuple[str, ...]) -> None:
    if "Host" not in request.headers and request.version < HttpVersion11:
        return  # no browser: a load balancer that asks how we are
    name = ""
    with contextlib.suppress(ValueError):
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
        if name == "localhost" or name in names or ipaddress.ip_address(name):
            return
    raise NotAllowedError(f"This server does not answer to the host {name!r}; see security.allowed_hosts.")


def _check_origin(request: web.Request, allowed: tuple[str, ...]) -> None:
    origin = request.headers.get("Origin")
    listens = request.headers.get("Upgrade", "").lower() == "websocket"
    if origin is None or (request.method in ("GET", "HEAD", "OPTIONS") and not listens):
        return
    # By host and port: in front of a proxy that speaks HTTPS, the scheme that we see is not the page's.
    scheme, _, place = origin.lower().partition("://")
    is_own = scheme in ("http", "https") and place == request.headers.get("Host", "").lower()
    if not is_own and origin.lower() not in allowed:
        raise NotAllowedError(
            f"Pages of {origin} may not do this; security.enable_cors with security.allowed_origins lets them."
        )


# -- whose it is -----------------------------------------------------------------------------------------------


async def _client(request: web.Request) -> _Client:
    guard = request.app[GUARD]
    address = f"address {_network(request.remote or '')}"
    if given := _given(request):
        token = await _token(guard, given)
        return _Client(f"token {token.name}", token.scopes, token) if token else _Client(address, ())
    if guard.settings.local_access and not _was_forwarded(request) and is_same_user(request):
        return _Client(address, SCOPES)
    return _Client(address, ())


def _given(request: web.Request) -> str | None:
    """Return the token that a request brings: as such, or as the password that a browser has asked somebody for."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            return base64.b64decode(given, validate=True).decode().partition(":")[2]
    return None


async def _token(guard: Guard, secret: str) -> Token | None:
    sha256 = hashed(secret)
    if sha256 in guard.tokens:
        return guard.tokens[sha256]
    try:
        return await asyncio.to_thread(guard.token_store.find, sha256)
    except TokenError as error:
        raise UnavailableError(f"No token can be checked: {error}.") from None


def _was_forwarded(request: web.Request) -> bool:
    names = (name.lower() for name in request.headers)
    return any(name in _FORWARDED or name.startswith(_FORWARDED_FAMILIES) for name in names)


def _network(address: str) -> str:
    """Return what stands for one client: an IPv4 address, or the network that one has in IPv6."""
    try:
        ip = ip_of(address)
    except ValueError:
        return address
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


async def _check_rate(guard: Guard, key: str, rate: str | None, client: str, code: str = "") -> None:
    """Count a request of a client. TooManyError: it asks more often than a key of the configuration allows."""
    if rate is None:
        return
    if key not in guard.limits:
        from proxy.server.access.rates import Limit  # noqa: PLC0415 - its library is for those who have a limit

        guard.limits[key] = Limit(rate)
    if wait_s := await guard.limits[key].wait_s(client):
        raise TooManyError(f"{code}{key} allows {rate}; ask again later.", math.ceil(wait_s))
