"""Events: pages of them, and those of clients' own sessions."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import msgspec
from aiohttp import web

from proxy.api.events import EventPage, EventRequest, MonitoringSession, Recorded, SessionRequest, Stopped
from proxy.events.timestamps import format_timestamp
from proxy.server.base.answers import raw_answer
from proxy.server.base.errors import UnprocessableError
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
    arrival_place,
    choice,
    number,
    paging,
    period,
)
from proxy.server.routes.requests import body
from proxy.server.routes.route import Routes
from proxy.server.shared import Shared, now_us, of
from proxy.store.arrivals import ArrivalPage, arrivals_behind
from proxy.store.encoding import as_json
from proxy.store.model import ArrivalFilter, EventQuery
from proxy.telling.shortening import shorten_value

routes = Routes("/api/v1/monitoring")
LIMIT, _ = paging("Events", 10_000)
OFFSET = number("offset", "Events to pass over, in the order of the answer.", 0, FARTHEST, None)
AFTER = arrival_place(
    "after",
    "Go on behind this place, in the order of arrival: the `after` of an answer, or the id of an event. Without"
    " `start_time`, `end_time`, `offset` and `order`.",
    may_be_empty=False,
)
ORDER = choice("order", "Oldest or newest first.", "asc", "desc")
WAIT = number("wait", "Seconds to wait for a first event when there is none yet.", 0, LONGEST_WAIT_S, 0)
_T = TypeVar("_T")
_start = msgspec.json.Decoder(SessionRequest)
_event = msgspec.json.Decoder(EventRequest)


@routes.add(
    "GET",
    "/events",
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
    await shared.known(query.session_id)
    page = await look_until(shared, wait_s, partial(shared.store.events, query), lambda page: page.events)
    found = page.events
    if longest is not None:
        found = await asyncio.to_thread(lambda: [shortened_event(event, longest) for event in page.events])
    settled = b""
    if query.after_us is not None and query.session_id is None:
        settled = b',"settled_until":"%b"' % format_timestamp(min(page.settled_us, now_us())).encode()
    where = (b",".join(found), page.total, str(page.cursor).encode(), settled)
    return raw_answer(b'{"events":[%b],"total":%d,"after":"%b"%b}' % where)


async def look_until(
    shared: Shared, wait_s: float, look: Callable[[], _T], is_enough: Callable[[_T], object]
) -> _T:
    """Return what a look finds, again and again until that is enough or so many seconds are over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    with shared.hub.listening("poll") if wait_s else contextlib.nullcontext():
        while True:
            seen = shared.hub.newest_id  # before the look: what comes during it is looked for at once
            found = await asyncio.to_thread(look)
            left = until - loop.time()
            if is_enough(found) or shared.hub.closing or left <= 0:
                return found
            # What came may be held back for a moment (see the store's watermark): look again before long.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, 0.5)):
                    await shared.hub.wait(seen)


async def _arrivals(request: web.Request) -> web.Response:
    """Give the events behind a place, in the order of arrival."""
    for name in ("start_time", "end_time", "offset", "order"):
        if name in request.query:
            raise UnprocessableError(f"{name} does not go with after, which goes on in the order of arrival.")
    after = AFTER.of(request)
    if after is None:
        raise UnprocessableError("after is empty; it takes the `after` of an answer, or the id of an event.")
    shared, session_id = of(request), request.query.get("session_id")
    wanted, limit = TYPES.of(request) or None, LIMIT.of(request)
    wait_s, longest = WAIT.of(request), MAX_TEXT.of(request)
    await shared.known(session_id)
    place, which = after, ArrivalFilter(session_id, wanted)

    def look() -> ArrivalPage:
        nonlocal place
        found = arrivals_behind(shared.store, place, limit=limit, which=which)
        place = found.after
        return found

    found = await look_until(shared, wait_s, look, lambda found: found.events or found.gap)
    events = await asyncio.to_thread(lambda: [shortened_event(one.json, longest) for one in found.events])
    gap = b"" if found.gap is None else b',"gap":%b' % msgspec.json.encode(found.gap)
    return raw_answer(b'{"events":[%b],"after":"%b"%b}' % (b",".join(events), str(found.after).encode(), gap))


def shortened_event(event: bytes, longest: int | None) -> bytes:
    """Return an event, given as JSON, with what is long in its data shortened; None: as it is."""
    if longest is None or len(event) <= longest:
        return event
    value, has_cut = shorten_value(msgspec.json.decode(event), longest)
    return as_json({**value, "shortened": True}) if has_cut else event


@routes.add("POST", "/sessions", request=SessionRequest, answer=MonitoringSession, failures=(503,))
async def start(request: web.Request) -> MonitoringSession:
    """Start a session for events of your own."""
    shared = of(request)
    if shared.fleet is not None:
        raise UnprocessableError(
            "A centre records nothing itself: ask the server of the machine that you are on."
        )
    wanted = await body(request, _start)
    name, options = wanted.session_name, wanted.capture_options
    session_id = await asyncio.to_thread(shared.recordings.start, name, msgspec.structs.asdict(options))
    await shared.catch_up(session_id)
    return MonitoringSession(session_id=session_id, session_name=name, capture_options=options)


@routes.add("POST", "/events", request=EventRequest, answer=Recorded, failures=(404, 503))
async def post_event(request: web.Request) -> Recorded:
    """Record an event of your own."""
    shared = of(request)
    posted = await body(request, _event)
    if not EVENT_TYPE.fullmatch(posted.event_type):
        raise UnprocessableError("event_type takes letters, digits, `_`, `-` and dots, at most 128.")
    recorded = await asyncio.to_thread(_record, shared, posted)
    return Recorded(session_id=posted.session_id, event_type=posted.event_type, recorded=recorded)


def _record(shared: Shared, posted: EventRequest) -> bool:
    most = shared.settings.monitoring.max_events_per_session
    with _own(shared, posted.session_id):
        return shared.recordings.post(posted.session_id, posted.event_type, posted.data, most)


@routes.add("POST", "/sessions/{session_id}/stop", ID, answer=Stopped)
def stop(request: web.Request) -> Stopped:
    """Stop a session that was started here."""
    shared, session_id = of(request), request.match_info["session_id"]
    with _own(shared, session_id):
        shared.recordings.stop(session_id, "stopped")
    return Stopped(session_id=session_id, stopped=True)


@contextlib.contextmanager
def _own(shared: Shared, session_id: str) -> Iterator[None]:
    """Fill or stop a session of a client's own, and wait until the index has it.

    Raises:
        NotFoundError: there is none of that id.
        UnprocessableError: it is none of a client's own, or was stopped.
    """
    try:
        yield
    except KeyError:
        shared.session(session_id)
        raise UnprocessableError(
            "This session is a wrapped one or has been stopped;"
            " start one with POST /api/v1/monitoring/sessions and use its id."
        ) from None
    shared.wait_indexed(session_id)
