"""Events: pages of them, and those of clients' own sessions."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

import msgspec
from aiohttp import web

from proxy.api.events import EventPage, EventRequest, MonitoringSession, Recorded, SessionRequest, Stopped
from proxy.events.timestamps import format_timestamp
from proxy.server.base.answers import answer, raw_answer
from proxy.server.base.errors import UnavailableError, UnprocessableError
from proxy.server.live.recordings import CannotRecordError
from proxy.server.routes.parameters import (
    END,
    EVENT_TYPE,
    FARTHEST,
    ID,
    LONGEST_WAIT_S,
    MAX_TEXT,
    SESSION,
    START,
    TYPES,
    Choice,
    Number,
    Place,
    paging,
    period,
)
from proxy.server.routes.requests import body
from proxy.server.routes.route import Routes
from proxy.server.shared import Shared, now_us, of
from proxy.store.arrivals import arrivals_behind
from proxy.store.encoding import as_json
from proxy.store.model import EventQuery, Page
from proxy.telling.shortening import shorten_value

routes = Routes()
LIMIT, _ = paging("Events", 10_000)
OFFSET = Number("offset", "Events to pass over, in the order of the answer.", 0, FARTHEST, None)
AFTER = Place(
    "after",
    "Go on behind this place, in the order of arrival: the `after` of an answer, or the id of an event. Without"
    " `start_time`, `end_time`, `offset` and `order`.",
    may_be_empty=False,
)
ORDER = Choice("order", "Oldest or newest first.", "asc", "desc")
WAIT = Number("wait", "Seconds to wait for a first event when there is none yet.", 0, LONGEST_WAIT_S, 0)
_start = msgspec.json.Decoder(SessionRequest)
_event = msgspec.json.Decoder(EventRequest)


@routes.add(
    "GET",
    "/api/v1/monitoring/events",
    *(SESSION, TYPES, START, END, LIMIT, OFFSET, AFTER, ORDER, WAIT, MAX_TEXT),
    answer=EventPage,
)
async def events(request: web.Request) -> web.Response:
    """A page of events."""
    if AFTER.name in request.query:
        return await _arrivals(request)
    shared = of(request)
    after_us, until_us = period(request)
    query = EventQuery(
        session_id=request.query.get("session_id"),
        event_types=TYPES.of(request) or None,
        after_us=after_us,
        until_us=until_us,
        limit=LIMIT.of(request),
        offset=OFFSET.of(request),
        order=ORDER.of(request),
    )
    wait_s, longest = WAIT.of(request), MAX_TEXT.of(request)
    await shared.ready()
    if query.session_id is not None:
        await shared.session(query.session_id)
    with shared.hub.listening() if wait_s else contextlib.nullcontext():
        page = await _page(shared, query, wait_s)
    found = page.events
    if longest is not None:
        found = await asyncio.to_thread(lambda: [shortened_event(event, longest) for event in page.events])
    settled = b""
    if query.after_us is not None and query.session_id is None:
        settled = b',"settled_until":"%b"' % format_timestamp(min(page.settled_us, now_us())).encode()
    where = (b",".join(found), page.total, str(page.cursor).encode(), settled)
    return raw_answer(b'{"events":[%b],"total":%d,"after":"%b"%b}' % where)


async def _page(shared: Shared, query: EventQuery, wait_s: int) -> Page:
    async for _ in while_waiting(shared, wait_s):
        page = await asyncio.to_thread(shared.store.events, query)
        if page.events:
            break
    return page


async def while_waiting(shared: Shared, wait_s: int) -> AsyncIterator[None]:
    """Yield now, and whenever it is time to look again, until so many seconds are over."""
    until = asyncio.get_running_loop().time() + wait_s
    while True:
        seen = shared.hub.newest_id  # before the look: what comes during it is looked for at once
        yield
        if shared.hub.closing or (left := until - asyncio.get_running_loop().time()) <= 0:
            return
        # What came may be held back for a moment (see the store's watermark): look again before long.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(left, 0.5)):
                await shared.hub.wait(seen)


async def _arrivals(request: web.Request) -> web.Response:
    """Give the events behind a place, in the order of arrival."""
    for name in ("start_time", "end_time", "offset", "order"):
        if name in request.query:
            raise UnprocessableError(f"{name} does not go with after, which goes on in the order of arrival.")
    begins = AFTER.of(request)
    if begins is None:
        raise UnprocessableError("after is empty; it takes the `after` of an answer, or the id of an event.")
    shared, session_id = of(request), request.query.get("session_id")
    wanted, limit = TYPES.of(request) or None, LIMIT.of(request)
    wait_s, longest = WAIT.of(request), MAX_TEXT.of(request)
    await shared.ready()
    if session_id is not None:
        await shared.session(session_id)
    look = partial(arrivals_behind, shared.store, limit=limit, session_id=session_id, event_types=wanted)
    with shared.hub.listening() if wait_s else contextlib.nullcontext():
        async for _ in while_waiting(shared, wait_s):
            found = await asyncio.to_thread(look, begins)
            if found.events or found.gap:
                break
            begins = found.after
    events = await asyncio.to_thread(lambda: [shortened_event(one.json, longest) for one in found.events])
    gap = b"" if found.gap is None else b',"gap":%b' % msgspec.json.encode(found.gap)
    return raw_answer(b'{"events":[%b],"after":"%b"%b}' % (b",".join(events), str(found.after).encode(), gap))


def shortened_event(event: bytes, longest: int | None) -> bytes:
    """Return an event, given as JSON, with what is long in its data shortened; None: as it is."""
    if longest is None or len(event) <= longest:
        return event
    value, has_cut = shorten_value(msgspec.json.decode(event), longest)
    return as_json({**value, "shortened": True}) if has_cut else event


@routes.add(
    "POST",
    "/api/v1/monitoring/sessions",
    request=SessionRequest,
    answer=MonitoringSession,
    failures=(503,),
)
async def start(request: web.Request) -> web.Response:
    """Start a session for events of your own."""
    shared = of(request)
    if shared.fleet is not None:
        raise UnprocessableError(
            "A centre records nothing itself: ask the server of the machine that you are on."
        )
    wanted = await body(request, _start)
    options = wanted.capture_options
    try:
        session_id = await asyncio.to_thread(
            shared.recordings.start, wanted.session_name, msgspec.structs.asdict(options)
        )
    except CannotRecordError as error:
        raise UnavailableError(str(error)) from None
    await shared.catch_up(session_id)
    return answer(
        MonitoringSession(session_id=session_id, session_name=wanted.session_name, capture_options=options)
    )


@routes.add(
    "POST",
    "/api/v1/monitoring/events",
    request=EventRequest,
    answer=Recorded,
    failures=(404, 503),
)
async def post_event(request: web.Request) -> web.Response:
    """Record an event of your own."""
    shared = of(request)
    posted = await body(request, _event)
    if not EVENT_TYPE.fullmatch(posted.event_type):
        raise UnprocessableError("event_type takes letters, digits, `_`, `-` and dots, at most 128.")
    most = shared.settings.monitoring.max_events_per_session
    try:
        recorded = await asyncio.to_thread(
            shared.recordings.post, posted.session_id, posted.event_type, posted.data, most
        )
    except KeyError:
        await shared.session(posted.session_id)
        raise UnprocessableError(_NOT_OURS) from None
    except OverflowError:
        sentence = f"The session holds {most} events, and monitoring.max_events_per_session allows no more."
        raise UnprocessableError(sentence) from None
    except CannotRecordError as error:
        raise UnavailableError(str(error)) from None
    await shared.catch_up(posted.session_id)
    return answer(Recorded(session_id=posted.session_id, event_type=posted.event_type, recorded=recorded))


@routes.add("POST", "/api/v1/monitoring/sessions/{session_id}/stop", ID, answer=Stopped)
async def stop(request: web.Request) -> web.Response:
    """Stop a session that was started here."""
    shared, session_id = of(request), request.match_info["session_id"]
    try:
        await asyncio.to_thread(shared.recordings.stop, session_id, "stopped")
    except KeyError:
        await shared.session(session_id)
        raise UnprocessableError(_NOT_OURS) from None
    await shared.catch_up(session_id)
    return answer(Stopped(session_id=session_id, stopped=True))


_NOT_OURS = (
    "This session is a wrapped one or has been stopped;"
    " start one with POST /api/v1/monitoring/sessions and use its id."
)
