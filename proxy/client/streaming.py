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


async def listen(
    transport: Transport,
    query: Mapping[str, str | None],
    *,
    place: str,
    over: Literal["websocket", "sse"],
    give_up_s: float,
) -> AsyncGenerator[Event | Gap, None]:
    """Yield what happens behind a place, until it is closed. ClientError: the server does not come back, or refuses."""
    connect = _websocket if over == "websocket" else _server_sent
    heard: dict[str, str] = {}
    is_heard, faults = False, 0
    patience = Patience(retries=transport.retries)
    while True:
        try:
            async with contextlib.aclosing(connect(transport, given(query), place)) as frames:
                async for frame in frames:
                    if not is_heard:
                        is_heard, patience = True, Patience(give_up_s=give_up_s)
                    patience.answered()
                    place = frame.id or place
                    if frame.type == "gap":
                        yield Gap(after=frame.after, reason=frame.reason)
                    if (event := frame.data) is not None:
                        patience.served()
                        faults = 0
                        event.id = frame.id
                        if _is_new(event, heard):
                            yield event
            await patience.pause()  # it let us go
        except (UnreachableError, ServerFaultError, RefusedError) as error:
            faults += isinstance(error, ServerFaultError)
            if faults > transport.retries:
                raise
            await patience.wait(error)


def _is_new(event: Event, heard: dict[str, str]) -> bool:
    """Tell whether an event is newer than what was heard of its session, and note that it was."""
    newest = heard.pop(event.session_id, "")
    heard[event.session_id] = max(newest, event.timestamp)
    if len(heard) > _SESSIONS:
        del heard[next(iter(heard))]
    return event.timestamp > newest


async def _websocket(transport: Transport, query: dict[str, str], place: str) -> AsyncGenerator[_Frame, None]:
    async with _handshaken(), transport.blamed():
        # Bounded by the transport's time limit: a server may take a connection and say nothing.
        with anyio.fail_after(transport.timeout_s):
            url, headers = transport.place("/api/v1/monitoring/stream")
            socket = await transport.session.ws_connect(
                url,
                headers=headers,
                params={**query, "last_event_id": place},
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


async def _server_sent(
    transport: Transport, query: dict[str, str], place: str
) -> AsyncGenerator[_Frame, None]:
    url, headers = transport.place("/events", **({"Last-Event-ID": place} if place else {}))
    async with (
        transport.blamed(),
        transport.session.get(
            url,
            params=query,
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
