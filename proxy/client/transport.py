"""One call of the API: made, repeated where that is safe, and its answer's `data` or an error by blame."""

import contextlib
import functools
import io
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

import aiohttp
import anyio
import msgspec

from proxy.client.address import Find
from proxy.client.errors import ClientError, RequestError, ServerFaultError, UnreachableError, failure, quoted
from proxy.client.retries import Patience, patiently
from proxy.protocol.grammar import REFUSALS

_T = TypeVar("_T")
_CONNECT_S = 5.0  # a server accepts at once, or is not there
_AT_ONCE = 100
"""Calls under way; further ones wait for their turn. Those that wait for the server, and streams, do not count."""


class _Answer(msgspec.Struct):
    success: bool
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str | None = None


_answer = msgspec.json.Decoder(_Answer)
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_building = threading.Lock()


def _decoder(kind: type[_T]) -> msgspec.json.Decoder[_T]:
    with _building:  # clients of several threads must not build what msgspec knows of a type at once
        if kind not in _decoders:
            _decoders[kind] = msgspec.json.Decoder(kind)
        return _decoders[kind]


class Transport:
    """Speaks HTTP with the server. To be used in one event loop, and closed."""

    def __init__(self, find: Find, *, token: str | None, timeout_s: float, retries: int) -> None:
        self.find = find
        self.timeout_s = timeout_s
        self.retries = retries
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._turn = anyio.Semaphore(_AT_ONCE)

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connections, opened when first needed. RuntimeError after the end."""
        if self._closed:
            raise RuntimeError("This client is closed; make a new one.")
        if self._session is None:
            # Nothing between us and the server is wanted: neither a proxy from the environment nor stored cookies.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    def place(self, path: str, **headers: str) -> tuple[str, dict[str, str]]:
        """Return the URL of a path, and the headers to ask there with. UnreachableError: no server runs."""
        url, token = self.find()
        if token and not self._headers:
            headers["Authorization"] = f"Bearer {token}"
        return url + path, headers

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def call(
        self,
        method: str,
        path: str,
        kind: type[_T],
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        repeatable: bool = True,
        retries: int | None = None,
    ) -> _T:
        """Make a call and return its answer's `data`; a server that is asked to ``wait`` so long has so much longer.

        ClientError: it did not succeed.
        """
        take = functools.partial(_data, kind=kind)
        patience = Patience(retries=self.retries if retries is None else retries, repeatable=repeatable)
        return await patiently(functools.partial(self._once, method, path, take, query or {}, body), patience)

    async def document(self, path: str, read: Callable[[bytes], _T]) -> _T:
        """Return a document that stands for itself, not in an answer's `data`.

        ``read`` makes it of the bytes, and raises ValueError where it cannot.
        """
        take = functools.partial(_document, read=read)
        patience = Patience(retries=self.retries)
        return await patiently(functools.partial(self._once, "GET", path, take, {}, None), patience)

    async def _once(
        self,
        method: str,
        path: str,
        take: Callable[[aiohttp.ClientResponse, bytes], _T],
        query: Mapping[str, Any],
        body: bytes | None,
    ) -> _T:
        wait_s = query.get("wait") or 0
        timeout = aiohttp.ClientTimeout(
            total=self.timeout_s + wait_s, sock_connect=min(_CONNECT_S, self.timeout_s)
        )
        url, headers = self.place(path, **({"Content-Type": "application/json"} if method == "POST" else {}))
        async with (
            contextlib.nullcontext() if wait_s else self._turn,
            self.blamed(),
            self.session.request(
                method,
                url,
                params=given(query),
                data=None if body is None else io.BytesIO(body),  # a file is sent in pieces
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response,
        ):
            return take(response, await response.read())

    @contextlib.asynccontextmanager
    async def blamed(self) -> AsyncIterator[None]:
        """Turn what the connection may raise into UnreachableError."""
        try:
            yield
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise UnreachableError(f"No server answers at {self.find()[0]}: {_why(error)}.") from error
        except aiohttp.InvalidURL as error:
            raise RequestError(f"{error} is no address.") from error
        except TimeoutError as error:
            raise UnreachableError(
                f"The server did not answer within {self.timeout_s:g} s.", may_have_arrived=True
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise UnreachableError(f"The connection broke: {reason}.", may_have_arrived=True) from error


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return (
            f"its certificate is not trusted ({error.certificate_error}); SSL_CERT_FILE names whom to trust"
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        number, reason = error.os_error.errno, error.os_error.strerror
        return os.strerror(number) if number and number > 0 else reason or str(error.os_error)
    return "it took too long"


def given(query: Mapping[str, Any]) -> dict[str, str]:
    """Return a query without what was not given."""
    return {name: str(value) for name, value in query.items() if value is not None}


def refusal(response: aiohttp.ClientResponse, content: bytes) -> ClientError:
    """Return the error that an answer means which is no success."""
    try:
        sentence = _answer.decode(content).error
    except REFUSALS:
        sentence = None
    return failure(response.status, sentence, response.headers)


def _data(response: aiohttp.ClientResponse, content: bytes, kind: type[_T]) -> _T:
    try:
        answer = _answer.decode(content)
        if answer.success:  # also with 503, as the health of a server that is not well
            return _decoder(kind).decode(answer.data)
    except REFUSALS as error:
        if response.status < 400:
            raise _nonsense(response, content, error) from error
    raise refusal(response, content)


def _document(response: aiohttp.ClientResponse, content: bytes, read: Callable[[bytes], _T]) -> _T:
    if response.status != 200:
        raise refusal(response, content)
    try:
        return read(content)
    except (ValueError, RecursionError) as error:
        raise _nonsense(response, content, error) from error


def _nonsense(response: aiohttp.ClientResponse, content: bytes, error: Exception) -> ServerFaultError:
    reason = f"The answer is none of claude-proxy's ({error}): {quoted(content)}."
    return ServerFaultError(reason, response.status)
