"""What sessions did: of one, over a period, and at a glance; and what of it the specification does not have."""

import asyncio
import math
from contextlib import closing

from aiohttp import web

from proxy.analysis import period as over_time
from proxy.analysis.report import Analysis
from proxy.api.records import Drift
from proxy.api.service import Overview
from proxy.events.timestamps import format_timestamp
from proxy.server.base.answers import raw_answer
from proxy.server.base.errors import NotFoundError
from proxy.server.routes.parameters import END, ID, LONGEST_WAIT_S, START, Number, period
from proxy.server.routes.records import CATCH_UP_S
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import Shared, now_us, of
from proxy.sessions.drift import Sightings
from proxy.store import Store

routes = Routes()
WITHIN = Number(
    "within",
    "Seconds after which the answer is of what was read by then; asked again, it goes on from there.",
    1,
    LONGEST_WAIT_S,
    None,
)
_DAY_US = 86_400_000_000
_NEWEST = 20  # a page of a list


@routes.add("GET", f"{OF_SESSION}/analysis", ID, WITHIN, answer=Analysis, failures=(503,))
async def session(request: web.Request) -> web.Response:
    """What a session did, where its time and money went, what stands out."""
    shared, session_id = of(request), request.match_info["session_id"]
    within_s = WITHIN.of(request)
    await shared.ready()
    known = await shared.session(session_id)
    found = await shared.analyses.answer(known, now_us(), math.inf if within_s is None else within_s)
    if found is None:
        raise NotFoundError(f"The session {session_id!r} was removed.")
    return raw_answer(found)


@routes.add("GET", f"{OF_SESSION}/drift", ID, answer=Drift)
async def drift(request: web.Request) -> Drift:
    """What passed in a session that the specification does not have, each with its first record."""
    shared, session_id = of(request), request.match_info["session_id"]
    await shared.session(session_id)
    found, complete = await _drift(shared, session_id)
    if not complete:
        await asyncio.to_thread(shared.store.catch_up, CATCH_UP_S, session_id)
        found, complete = await _drift(shared, session_id)
    return Drift(drift=found.listed(), unlisted=found.unlisted, complete=complete)


async def _drift(shared: Shared, session_id: str) -> tuple[Sightings, bool]:
    try:
        return await asyncio.to_thread(shared.store.drift, session_id)
    except (KeyError, OSError):
        raise NotFoundError(f"The session {session_id!r} was removed.") from None


@routes.add("GET", "/api/v1/monitoring/metrics", START, END, answer=over_time.Metrics, failures=(503,))
async def metrics(request: web.Request) -> over_time.Metrics:
    """What happened in a period, over all sessions."""
    shared = of(request)
    after_us, until_us = period(request)
    await shared.ready()
    return await asyncio.to_thread(_metrics, shared.store, after_us, until_us)


@routes.add("GET", "/api/v1/monitoring/overview", answer=Overview, failures=(503,))
async def overview(request: web.Request) -> Overview:
    """What there is, and what happened in the last 24 hours."""
    shared = of(request)
    await shared.ready()
    now = now_us()
    live = await asyncio.to_thread(shared.running)
    newest = await asyncio.to_thread(shared.store.sessions, limit=_NEWEST)
    return Overview(
        generated_at=format_timestamp(now),
        active_sessions=len(live),
        total_sessions=await asyncio.to_thread(shared.store.count_sessions),
        total_events=await asyncio.to_thread(shared.store.count_events),
        last_24_hours=await asyncio.to_thread(_metrics, shared.store, now - _DAY_US, now),
        sessions=await asyncio.to_thread(shared.described, newest, now),
    )


def _metrics(store: Store, after_us: int | None, until_us: int | None) -> over_time.Metrics:
    counts = store.event_counts(after_us, until_us)
    with (
        closing(store.events_between(over_time.READ_TYPES, after_us, until_us)) as ended,
        closing(store.all_sessions()) as sessions,
    ):
        ends = ((timestamp_us, kind, data) for kind, timestamp_us, data in ended)
        return over_time.metrics(after_us, until_us, counts, ends, sessions)
