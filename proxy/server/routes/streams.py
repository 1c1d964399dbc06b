"""Events as they happen: server-sent events and WebSocket."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from aiohttp import WSCloseCode, web

from proxy.server.access.guard import still_may_listen, team_of
from proxy.server.base.errors import BadRequestError
from proxy.server.live.hub import Gap, Subscriber
from proxy.server.routes.events import shortened_event
from proxy.server.routes.parameters import MAX_TEXT, SESSION, TYPES, arrival_place
from proxy.server.routes.route import Routes
from proxy.server.shared import Shared, of
from proxy.store.model import ArrivalFilter, Cursor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

routes = Routes()
LAST_EVENT_ID = arrival_place("Last-Event-ID", "Go on behind this event.", "header")
LAST = arrival_place(
    "last_event_id", "Go on behind this event; empty: from now on. Frames then carry their event's `id`."
)
_QUIET_S = 15.0
"""After so long without an event a comment is sent: proxies between cut silent connections."""
_STALLED_S = 60.0
"""A listener that takes nothing for so long is let go; it can come back and go on where it was."""


@routes.add("GET", "/events", SESSION, TYPES, LAST_EVENT_ID, MAX_TEXT, media_type="text/event-stream")
async def stream(request: web.Request) -> web.StreamResponse:
    """Server-sent events of everything live; one of the kind `gap` where some may be missing.

    Before the first event there is an `id` alone, where the listening begins: a client whose connection breaks before
    it was given anything goes on there.
    """
    begins, batches = await _listened(request, LAST_EVENT_ID.of(request))
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    await response.write(b": listening\nid: %b\n\n" % str(begins).encode())
    with of(request).hub.listening("sse"), contextlib.suppress(ConnectionError, TimeoutError):
        async for batch in batches:
            async with asyncio.timeout(_STALLED_S):
                await response.write(b"".join(_block(one) for one in batch) or b": quiet\n\n")
    return response


@routes.add(
    "GET",
    "/api/v1/monitoring/stream",
    *(SESSION, TYPES, LAST, MAX_TEXT),
    media_type="websocket",
    failures=(400,),
)
async def socket(request: web.Request) -> web.WebSocketResponse:
    """Everything live, over a WebSocket: frames `{"type": "event", "data": {...}}`, `gap` where some may be missing.

    With `last_event_id`, which may be empty, frames carry the `id` of their event, and the first frame says where the
    listening begins: a client that comes back with the last id it was given goes on behind it.
    """
    begins, batches = await _listened(request, LAST.of(request))
    is_placed = LAST.name in request.query
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise BadRequestError("This is a WebSocket: ask with a client for one (ws://...), or GET /events.")
    response = web.WebSocketResponse(heartbeat=20.0, compress=False, max_msg_size=1 << 16)
    await response.prepare(request)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(_send(of(request), response, batches, begins if is_placed else None))
        async for _ in response:
            pass  # what clients say is not listened to; pings and the end are handled below us
        sending.cancel()
    return response


async def _send(
    shared: Shared,
    response: web.WebSocketResponse,
    batches: "AsyncIterator[list[_Told]]",
    begins: Cursor | None,
) -> None:
    with shared.hub.listening("websocket"), contextlib.suppress(ConnectionError):
        if begins is not None:
            await response.send_str(f'{{"type":"listening","id":"{begins}"}}')
        async for batch in batches:
            try:
                async with asyncio.timeout(_STALLED_S):
                    for one in batch:
                        await response.send_str(_frame(one, with_id=begins is not None))
            except TimeoutError:
                await response.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"taking nothing for too long")
                return
        await response.close(code=WSCloseCode.GOING_AWAY, message=b"the server stops")


async def _listened(
    request: web.Request, cursor: Cursor | None
) -> tuple[Cursor, "AsyncIterator[list[_Told]]"]:
    """Return where a listener begins who has named a place, in this index or in an earlier one, and what it is told."""
    shared, session_id, longest = of(request), request.query.get("session_id"), MAX_TEXT.of(request)
    wanted = TYPES.of(request) or None
    await shared.known(session_id)
    newest = await asyncio.to_thread(shared.store.cursor)
    shared.hub.pass_over(newest.id)
    after_id = newest.id if cursor is None else await asyncio.to_thread(shared.store.locate, cursor)
    subscriber = Subscriber(
        shared.hub,
        shared.store,
        after_id=after_id,
        which=ArrivalFilter(session_id, wanted),
        is_other_index=cursor is not None and not cursor.is_within(newest.epoch, newest.id),
        sees_all=team_of(request) is None,
    )
    # Up to the watermark everything has come: behind it nothing is missed.
    begins = Cursor(newest.epoch, after_id, (cursor or newest).timestamp_us)
    return begins, _batches(request, subscriber, begins.epoch, cursor or begins, longest)


async def _batches(
    request: web.Request, subscriber: Subscriber, epoch: str, place: Cursor, longest: int | None
) -> "AsyncIterator[list[_Told]]":
    """Yield the next events and gaps, none after a time of quiet, until the server stops or they may not be given."""
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    while True:
        if loop.time() - asked_at >= _QUIET_S:
            if not await still_may_listen(request):
                return
            asked_at = loop.time()
        try:
            async with asyncio.timeout(_QUIET_S):
                batch = await subscriber.next()
        except TimeoutError:
            yield []
            continue
        if not batch:
            return
        told = []
        for one in batch:
            before = place
            if isinstance(one, Gap):
                place = Cursor(epoch, one.upto_id, before.timestamp_us)
                content = msgspec.json.encode({"after": str(before), "reason": one.reason})
            else:
                place = Cursor(epoch, one.id, one.timestamp_us)
                content = shortened_event(one.json, longest)
            told.append(_Told(str(place), content, isinstance(one, Gap)))
        yield told


class _Told(NamedTuple):
    """Something that a listener is told, and the name of the place where it is then."""

    id: str
    json: bytes
    """An event, or a notice of a gap."""
    is_gap: bool


def _frame(one: _Told, *, with_id: bool) -> str:
    name = f'"id":"{one.id}",' if with_id else ""
    if one.is_gap:
        return f'{{"type":"gap",{name}{one.json.decode().removeprefix("{")}'
    return f'{{"type":"event",{name}"data":{one.json.decode()}}}'


def _block(one: _Told) -> bytes:
    return b"%bid: %b\ndata: %b\n\n" % (b"event: gap\n" if one.is_gap else b"", one.id.encode(), one.json)
