"""The requests to a centre: each is stored there when it is answered, refused with a reason, or to be made again."""

import asyncio
import gzip
import io
from typing import Generic, Self, TypeVar

import aiohttp
import msgspec

from proxy import __version__
from proxy.fleet import Acknowledged, Greeting, Hello, Refused
from proxy.protocol.grammar import REFUSALS
from proxy.shipping.backlog import Piece

_CONNECT_S = 10.0
"""Time for the first packet and three more, which Linux sends after 1, 3 and 7 s without an answer."""
_GREETING_S = 20.0
"""A centre answers within a second, or waits up to 10 s for its database. Twice that: behind a network that drops
everything nothing is waited for longer. With the longest pause between two greetings, an outage is noticed to be over
within a minute.
"""
_ANSWER_S = 60.0
"""A push waits for its transaction, a second or two; nginx and the load balancers of clouds cut a request off after
60 s by default.
"""
_SLOWEST_BYTES_S = 16_000
"""A long body has more time: what 128 kbit/s take, the upload of the slowest lines on which Claude Code is of use."""
_GAP = 409
_STRANGER = 404
_FORGOTTEN = 410
_NEVER = (413, 422)
"""Too long; of a newer format, or another host's: asking again changes nothing."""
_FAULT = 500
_T = TypeVar("_T")


class AwayError(Exception):
    """The centre cannot be asked now. ``after_s``: when it wants to be asked again, if it says so."""

    def __init__(self, sentence: str, after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.after_s = after_s


class RefusedTokenError(AwayError):
    """The centre does not take the token, or not from this host."""


class StrangerError(AwayError):
    """The centre does not know this host: it wants to be greeted."""


class NotTakenError(Exception):
    """The centre does not take these lines, and will not."""


class FaultError(Exception):
    """The centre failed at these lines, by a fault of its own. It may take them later, and others now."""


class ForgottenError(Exception):
    """The session was erased at the centre, or has expired there, and is never taken again."""


class _Answer(msgspec.Struct, Generic[_T]):
    data: _T


class Centre:
    """A connection to a centre, for one host."""

    def __init__(self, url: str, token: str | None, host_id: str) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/fleet/hosts/{host_id}"
        self._headers = {"User-Agent": f"claude-proxy/{__version__}"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, trust_env=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def greet(self, hello: Hello) -> Greeting:
        """Say that the host is there. AwayError: it could not be said."""
        status, body = await self._post(
            "hello",
            msgspec.json.encode(hello),
            {"Content-Type": "application/json"},
            answer_s=_GREETING_S,
        )
        if status != 200:
            raise AwayError(_sentence(status, body))
        return _decoded(body, _Answer[Greeting]).data

    async def push(self, piece: Piece, text: bytes) -> tuple[int, Acknowledged | None]:
        """Send lines; return how many of the session's the centre has, and its acknowledgement if it took these.

        ``text``: what of the piece's lines may leave, and of what rules found.

        Raises:
            NotTakenError: it never will.
            FaultError: it cannot now.
            ForgottenError: nor anything else of the session.
            AwayError: nobody knows what it has.
        """
        place = f"sessions/{piece.session_id}/records"
        query = {"from_line": str(piece.from_line), "running": str(piece.running).lower()}
        # Only what it takes: a centre of an older version refuses what it does not know.
        if piece.firings:
            query |= {"firings": str(len(piece.firings)), "firings_from": str(piece.firings_from)}
        if piece.has_more:
            query["more"] = "true"
        body = await asyncio.to_thread(gzip.compress, text, 6)
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        status, answer = await self._post(place, body, headers, answer_s=_ANSWER_S, query=query)
        if status == 200:
            stored = _decoded(answer, _Answer[Acknowledged]).data
            return stored.next_line, stored
        if status == _FORGOTTEN:
            raise ForgottenError
        if status in _NEVER:
            raise NotTakenError(_decoded(answer, Refused).error)
        if status == _FAULT:
            raise FaultError(_decoded(answer, Refused).error)
        if status == _GAP and (line := _decoded(answer, Refused).next_line) is not None:
            return line, None
        if status == _STRANGER:
            raise StrangerError(_sentence(status, answer))
        raise AwayError(_sentence(status, answer))

    async def _post(
        self,
        place: str,
        body: bytes,
        headers: dict[str, str],
        *,
        answer_s: float,
        query: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        assert self._session is not None
        timeout = aiohttp.ClientTimeout(
            total=answer_s + len(body) / _SLOWEST_BYTES_S, sock_connect=_CONNECT_S
        )
        try:
            async with self._session.post(
                f"{self._url}/{place}",
                data=io.BytesIO(body),  # a large one as bytes would hold up all else
                params=query,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,  # whoever is there instead must not see the token
            ) as response:
                answer = await response.read()
        except TimeoutError:
            raise AwayError("no answer came in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise AwayError(str(error) or type(error).__name__) from None
        if response.status in (401, 403):
            raise RefusedTokenError(_sentence(response.status, answer))
        if response.status in (429, 503):
            raise AwayError(_sentence(response.status, answer), _seconds(response.headers.get("Retry-After")))
        return response.status, answer


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


def _sentence(status: int, body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=Refused).error
    except REFUSALS:
        return f"the answer was {status}, and is none of claude-proxy's"


def _decoded(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except REFUSALS:
        raise AwayError("the answer is none of claude-proxy's") from None
