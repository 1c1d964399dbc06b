"""Live events, over a WebSocket or as server-sent events: comes back by itself, and goes on where it was.

Whoever takes slowly is sent slowly: nothing is read ahead but what the connection holds. A server that lets a slow
listener go loses it nothing, as it goes on behind the last event that it was given.
"""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Literal

import aiohttp
import anyio
import msgspec

from proxy.client.errors import RefusedError, ServerFaultError, UnreachableError, failure, quoted
from proxy.client.models import Event, Gap
from proxy.client.retries import Patience
from proxy.client.transport import Transport, given, refusal
from proxy.protocol.grammar import REFUSALS

_HEARTBEAT_S = 20.0  # proxies cut silent connections, many after 60 s
_SILENCE_S = 60.0
"""The server says something every 15 s; after so long without a word it is gone."""
_CLOSE_S = 1.0  # nothing depends on the answer to a close
_SESSIONS = 10_000
"""Sessions whose last event is remembered, to know what is given again after an index was begun anew."""


class _Frame(msgspec.Struct):
    type: str
    id: str | None = None
    data: Event | None = None
    after: str = ""
    reason: str = ""


_frame = msgspec.json.Decoder(_Frame)
_event = msgspec.json.Decoder(Event)
_gap = msgspec.json.Decoder(Gap)


class Listening:
    """One listener: its place, and what it has heard."""

    def __init__(
        self,
        transport: Transport,
        query: Mapping[str, str | None],
        *,
        after: str,
        over: Literal["websocket", "sse"],
        give_up_s: float,
    ) -> None:
        self._transport = transport
        self._query = given(query)
        self._place = after
        self._connection = self._websocket if over == "websocket" else self._server_sent
        self._give_up_s = give_up_s
        self._heard: dict[str, str] = {}

    async def events(self) -> AsyncGenerator[Event | Gap, None]:
        """Yield what happens, until it is closed. ClientError: the server does not come back, or refuses."""
        is_heard, faults = False, 0
        patience = Patience(retries=self._transport.retries)
        while True:
            try:
                async with contextlib.aclosing(self._connection()) as frames:
                    async for frame in frames:
                        if not is_heard:
                            is_heard, patience = True, Patience(give_up_s=self._give_up_s)
                        patience.answered()
                        if frame.type == "event":
                            patience.served()
                            faults = 0
                        for item in self._taken(frame):
                            yield item
                await patience.pause()  # it let us go
            except (UnreachableError, ServerFaultError, RefusedError) as error:
                faults += isinstance(error, ServerFaultError)
                if faults > self._transport.retries:
                    raise
                await patience.wait(error)

    def _taken(self, frame: _Frame) -> list[Event | Gap]:
        """Go on to a frame's place; return what it says to the listener."""
        place = frame.id
        found: list[Event | Gap] = []
        if place is not None:
            self._place = place
        if frame.type == "gap":
            found.append(Gap(after=frame.after, reason=frame.reason))
        event = frame.data
        if event is not None:
            newest = self._heard.pop(event.session_id, "")
            self._heard[event.session_id] = max(newest, event.timestamp)
            if len(self._heard) > _SESSIONS:
                del self._heard[next(iter(self._heard))]
            if event.timestamp > newest:
                event.id = place
                found.append(event)
        return found

    async def _websocket(self) -> AsyncGenerator[_Frame, None]:
        transport = self._transport
        async with _handshaken(), transport.blamed():
            # Bounded by the transport's time limit: a server may take a connection and say nothing.
            with anyio.fail_after(transport.timeout_s):
                url, headers = transport.place("/api/v1/monitoring/stream")
                socket = await transport.session.ws_connect(
                    url,
                    headers=headers,
                    params={**self._query, "last_event_id": self._place},
                    max_msg_size=0,
                    heartbeat=_HEARTBEAT_S,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
                )
            async with socket:
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        yield _decoded(message.data)
                if isinstance(error := socket.exception(), Exception):
                    raise error

    async def _server_sent(self) -> AsyncGenerator[_Frame, None]:
        transport = self._transport
        url, headers = transport.place("/events", **({"Last-Event-ID": self._place} if self._place else {}))
        async with (
            transport.blamed(),
            transport.session.get(
                url,
                params=self._query,
                headers=headers,
                timeout=aiohttp.ClientTimeout(sock_connect=5.0, sock_read=_SILENCE_S),
                allow_redirects=False,
            ) as response,
        ):
            if response.status != 200 or response.content_type != "text/event-stream":
                raise refusal(response, await response.read())
            async for block in _blocks(response.content):
                yield _sent(dict(line.partition(b": ")[::2] for line in block.split(b"\n")))


@contextlib.asynccontextmanager
async def _handshaken() -> AsyncIterator[None]:
    """Turn a handshake that the server answered otherwise into the error that its status means."""
    try:
        yield
    except UnreachableError as error:
        cause = error.__cause__
        if not isinstance(cause, aiohttp.WSServerHandshakeError):
            raise
        if cause.status < 400:
            raise ServerFaultError(
                f"What answers speaks no WebSocket: {cause.message}.", cause.status
            ) from cause
        sentences = {401: "A token is needed.", 404: "There is no such session."}
        said = sentences.get(cause.status, "The server does not let us listen.")
        raise failure(cause.status, said, cause.headers or {}) from cause


async def _blocks(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield the blocks of a stream of server-sent events; the last one only if it is whole."""
    pieces: list[bytes] = []
    async for chunk in content.iter_any():
        pieces.append(chunk)
        if b"\n\n" in chunk or (len(pieces) > 1 and pieces[-2].endswith(b"\n") and chunk.startswith(b"\n")):
            *whole, rest = b"".join(pieces).split(b"\n\n")
            pieces = [rest] if rest else []
            for block in whole:
                yield block


def _decoded(text: str) -> _Frame:
    try:
        return _frame.decode(text)
    except REFUSALS as error:
        raise ServerFaultError(
            f"A frame is no event ({error}): {quoted(text.encode(errors='replace'))}."
        ) from None


def _sent(fields: dict[bytes, bytes]) -> _Frame:
    data, place = fields.get(b"data"), fields.get(b"id", b"").decode(errors="replace") or None
    if data is None:
        return _Frame("listening", place)  # its beginning, or a sign of life
    try:
        if fields.get(b"event") == b"gap":
            notice = _gap.decode(data)
            return _Frame("gap", place, after=notice.after, reason=notice.reason)
        return _Frame("event", place, _event.decode(data))
    except REFUSALS as error:
        raise ServerFaultError(f"What was sent is no event ({error}): {quoted(data)}.") from None
