"""Connections: what a client may keep us waiting for, and an answer in the one shape to what is not even HTTP.

* The head of a request arrives within ``api.timeout`` of its first byte, a first one within that of the connection.
* A client that takes nothing of what it was sent for that long is let go.
* Beyond ``api.max_connections`` a connection is told so, and closed.

aiohttp bounds none of the three, and answers what it cannot parse with a text of its own; so its protocol is derived
from here.
"""

import asyncio
import math
import resource
import socket
import ssl
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from proxy.config import Api
from proxy.server.base.answers import encode_failure, failure
from proxy.server.base.journal import journal

KEEP_ALIVE_S = 75.0
"""How long a connection is kept that asks nothing. Load balancers let go after 60 s: it should be them who do."""

_AT_ONCE = 16
"""Connections that are accepted in a row, before those that are there are served; asyncio itself takes 100."""
_LINGER_S = 1.0
"""How long a body that nobody wants is still read, so that the client gets to see why. nginx gives 5 s, to clients all
over the world."""
_COMPLAIN_S = 10.0
"""Least time between two lines in the log that there are too many: a megabyte a day at most, whatever comes."""
BACKLOG = 1024
"""Connections that wait to be accepted. The kernel may allow fewer (``net.core.somaxconn``, 4096 since Linux 5.4)."""


class Connection(web.RequestHandler):
    """One client's connection.

    Derived from aiohttp's, by what that calls without an underscore: the callbacks of a protocol, `handle_error` and
    `finish_response`. When a request begins, `request_middleware` says.
    """

    __slots__ = ("_has_begun", "_head_timer", "_is_serving", "_open", "_stall_timer", "_wait_s")

    def __init__(self, server: web.Server, connections: "_Connections", wait_s: float) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=max(KEEP_ALIVE_S, wait_s),
            lingering_time=_LINGER_S,
        )
        self._open = connections
        self._wait_s = wait_s
        self._has_begun = False
        """Whether the client has sent anything."""
        self._is_serving = False
        """Whether a request is being answered: what comes meanwhile is its body, or may wait as it does."""
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a first request, unless there are too many connections."""
        super().connection_made(transport)
        if self._open.add(self):
            self._await_head()
        else:
            self._say_and_close(503, "Too many connections; see api.max_connections.", "Retry-After: 1\r\n")

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wait for nothing any more."""
        self._open.remove(self)
        _cancel(self._head_timer, self._stall_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait for the rest of a head that began."""
        self._has_begun = True
        super().data_received(data)
        if not self._is_serving and self._head_timer is None and self.transport is not None:
            self._await_head()

    def begin_request(self) -> None:
        """Learn that a head has arrived."""
        self._is_serving = True
        _cancel(self._head_timer)
        self._head_timer = None

    def pause_writing(self) -> None:
        """Begin to wait for the client to take something."""
        super().pause_writing()
        self._stall_timer = asyncio.get_running_loop().call_later(self._wait_s, self._taken_nothing)

    def resume_writing(self) -> None:
        """It did."""
        super().resume_writing()
        _cancel(self._stall_timer)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what aiohttp could not parse, or failed at, in the one shape."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has been begun already")
        if isinstance(exc, LineTooLong):
            status, sentence = 431, "The request's head is too large."
        elif status == 400:
            why = (message or "").strip().partition("\n")[0].rstrip(":. ")
            sentence = f"This is not HTTP as it must be{': ' if why else ''}{why}."
        else:
            journal.error("request.failed", exc_info=exc)
            sentence = "This is a fault of claude-proxy; its server log says more."
        response = failure(status, sentence)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Give what failed before any of our own code ran the one shape as well."""
        if isinstance(resp, web.HTTPException) and resp.status >= 400:
            resp = failure(resp.status, resp.text or resp.reason)
        self.begin_request()  # for what is no request and has passed no middleware
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._is_serving = False

    def _await_head(self) -> None:
        self._head_timer = asyncio.get_running_loop().call_later(self._wait_s, self._no_head)

    def _no_head(self) -> None:
        self._head_timer = None
        if self._has_begun:
            self._say_and_close(408, "The head of the request did not arrive in time; see api.timeout.")
        else:
            self.force_close()

    def _taken_nothing(self) -> None:
        if self.transport is not None:
            journal.info("connection.stalled", wait_s=self._wait_s)
            self.transport.abort()

    def _say_and_close(self, status: int, sentence: str, headers: str = "") -> None:
        body = encode_failure(sentence)
        if self.transport is not None:
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
            )
            self.transport.write(head.encode() + body)
        self.force_close()


def _cancel(*timers: asyncio.TimerHandle | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()


class _Connections:
    """Those that are open, of one server."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Connection] = set()
        self._complained_at = -math.inf

    def add(self, connection: Connection) -> bool:
        """Count a connection; return whether there are not too many of them."""
        self._open.add(connection)
        if len(self._open) <= self._most:
            return True
        now = asyncio.get_running_loop().time()
        if now - self._complained_at > _COMPLAIN_S:
            self._complained_at = now
            journal.warning("connection.refused", most=self._most)
        return False

    def remove(self, connection: Connection) -> None:
        """Count it no more."""
        self._open.discard(connection)


@web.middleware
async def request_middleware(request: web.Request, handler: "web.Handler") -> web.StreamResponse:  # type: ignore[name-defined]
    """Let a connection know that a request has begun. To be the first one."""
    if isinstance(request.protocol, Connection):
        request.protocol.begin_request()
    return await handler(request)  # type: ignore[no-any-return]


async def listen(
    runner: web.AppRunner, listening: socket.socket, api: Api, context: ssl.SSLContext | None = None
) -> asyncio.Server:
    """Serve a runner's application on a socket; close what is returned before the runner is cleaned up."""
    server = runner.server
    assert isinstance(server, web.Server)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    # Whoever connects must not keep us from opening what we need: logs, the index, the tokens.
    most = api.max_connections if files == resource.RLIM_INFINITY else min(api.max_connections, files // 2)
    connections = _Connections(most)
    loop = asyncio.get_running_loop()
    served = await loop.create_server(
        lambda: Connection(server, connections, api.timeout), sock=listening, ssl=context, backlog=_AT_ONCE
    )
    listening.listen(BACKLOG)  # what may wait; the number above is what one process takes of it at once
    return served
