"""Events as they happen: server-sent events and WebSocket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from aiohttp import WSCloseCode, web

from proxy.server.live import Subscriber
from proxy.server.metrics import listening
from proxy.server.records import LEAST_TEXT, LONGEST_TEXT
from proxy.server.requests import event_types, whole
from proxy.server.security import still_may_listen
from proxy.server.shared import Shared, now_us, of
from proxy.server.shortening import shortened_event
from proxy.store.indexer import Arrival
from proxy.store.queries import Cursor

__all__ = ["socket", "stream"]

_QUIET_S = 15.0
"""After so long without an event a comment is sent: proxies between cut silent connections."""
_STALLED_S = 60.0
"""A listener that takes nothing for so long is let go; it can come back and go on where it was."""


async def stream(request: web.Request) -> web.StreamResponse:
    """Give everything live as server-sent events; `Last-Event-ID` goes on behind that event.

    Before the first event there is an `id` alone, where the listening begins: a client whose connection breaks before
    it was given anything goes on there.
    """
    shared, longest = of(request), _longest(request)
    cursor = _cursor(request.headers.get("Last-Event-ID"))
    subscriber = await _subscriber(request, cursor)
    begins = _name(_place(shared, subscriber, cursor)).encode()
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    await response.write(b": listening\nid: %b\n\n" % begins)
    with _counted(shared), listening(request, "sse"), contextlib.suppress(ConnectionError, TimeoutError):
        async for arrivals in _batches(request, subscriber, longest):
            async with asyncio.timeout(_STALLED_S):
                await response.write(
                    b"".join(_spelled(shared.indexer.generation, one) for one in arrivals) or b": quiet\n\n"
                )
    return response


async def socket(request: web.Request) -> web.WebSocketResponse:
    """Give everything live over a WebSocket, one frame an event.

    With `last_event_id`, which may be empty, frames carry the `id` of their event, and the first frame says where the
    listening begins: a client that comes back with the last id it was given goes on behind it.
    """
    shared, longest = of(request), _longest(request)
    named = request.query.get("last_event_id")
    cursor = _cursor(named)
    subscriber = await _subscriber(request, cursor)
    begins = None if named is None else _place(shared, subscriber, cursor)
    response = web.WebSocketResponse(heartbeat=20.0, compress=False, max_msg_size=1 << 16)
    await response.prepare(request)
    with listening(request, "websocket"):
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(
                _send(shared, response, _batches(request, subscriber, longest), begins)
            )
            async for _ in response:
                pass  # what clients say is not listened to; pings and the end are handled below us
            sending.cancel()
    return response


async def _send(
    shared: Shared,
    response: web.WebSocketResponse,
    batches: AsyncIterator[list[Arrival]],
    begins: Cursor | None,
) -> None:
    with _counted(shared), contextlib.suppress(ConnectionError):
        if begins is not None:
            await response.send_str(f'{{"type":"listening","id":"{_name(begins)}"}}')
        async for arrivals in batches:
            try:
                async with asyncio.timeout(_STALLED_S):
                    for arrival in arrivals:
                        await response.send_str(_frame(arrival, begins and begins.generation))
            except TimeoutError:
                await response.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"taking nothing for too long")
                return
        await response.close(code=WSCloseCode.GOING_AWAY, message=b"the server stops")


async def _subscriber(request: web.Request, cursor: Cursor | None) -> Subscriber:
    shared = of(request)
    wanted, session_id = event_types(request), request.query.get("session_id")
    await shared.ready()
    if session_id is not None:
        await shared.known(session_id)
    newest = await asyncio.to_thread(shared.queries.place_of, None)
    shared.hub.pass_over(newest)
    after_id = newest if cursor is None else await asyncio.to_thread(shared.queries.place_of, cursor)
    return Subscriber(
        shared.hub, shared.queries, after_id=after_id, session_id=session_id, event_types=wanted
    )


def _longest(request: web.Request) -> int | None:
    return whole(request, "max_text", None, LEAST_TEXT, LONGEST_TEXT)


async def _batches(
    request: web.Request, subscriber: Subscriber, longest: int | None
) -> AsyncIterator[list[Arrival]]:
    """Yield the next events, none after a time of quiet, until the server stops or the listener may not go on."""
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    while True:
        if loop.time() - asked_at >= _QUIET_S:
            if not await still_may_listen(request):
                return
            asked_at = loop.time()
        try:
            async with asyncio.timeout(_QUIET_S):
                arrivals = await subscriber.next()
        except TimeoutError:
            yield []
            continue
        if not arrivals:
            return
        yield [one._replace(json=shortened_event(one.json, longest)) for one in arrivals]


@contextlib.contextmanager
def _counted(shared: Shared) -> Iterator[None]:
    shared.hub.subscribers += 1
    try:
        yield
    finally:
        shared.hub.subscribers -= 1


def _place(shared: Shared, subscriber: Subscriber, cursor: Cursor | None) -> Cursor:
    """Return where a listener begins. Up to the horizon everything has come: behind it nothing is missed."""
    if cursor is not None:
        moment_us = cursor.moment_us
    else:
        moment_us = now_us() if shared.indexer.horizon_us is None else shared.indexer.horizon_us
    return Cursor(shared.indexer.generation, subscriber.after_id, moment_us)


def _frame(arrival: Arrival, generation: str | None) -> str:
    if generation is None:
        return '{"type":"event","data":' + arrival.json.decode() + "}"
    name = _name(Cursor(generation, arrival.id, arrival.moment_us))
    return f'{{"type":"event","id":"{name}","data":{arrival.json.decode()}}}'


def _name(place: Cursor) -> str:
    return f"{place.generation}-{place.id}-{place.moment_us}"


def _spelled(generation: str, arrival: Arrival) -> bytes:
    name = _name(Cursor(generation, arrival.id, arrival.moment_us))
    return b"id: %b\ndata: %b\n\n" % (name.encode(), arrival.json)


def _cursor(text: str | None) -> Cursor | None:
    """Return the place that an id names; an id that is none of ours names no place: what is new is given."""
    generation, _, rest = (text or "").partition("-")
    number, _, moment = rest.partition("-")
    if not (number.isascii() and number.isdecimal() and moment.isascii() and moment.isdecimal()):
        return None
    if len(number) > 18 or len(moment) > 18:
        return None
    return Cursor(generation, int(number), int(moment))
