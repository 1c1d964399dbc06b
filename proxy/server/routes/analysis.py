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
from proxy.server.routes.parameters import END, ID, LONGEST_WAIT_S, START, number, period
from proxy.server.routes.records import CATCH_UP_S
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import filled, now_us, of
from proxy.store import Store

routes = Routes()
WITHIN = number(
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
    known = await asyncio.to_thread(shared.session, session_id)
    found = await shared.analyses.answer(known, now_us(), math.inf if within_s is None else within_s)
    if found is None:
        raise NotFoundError(f"The session {session_id!r} was removed.")
    return raw_answer(found)


@routes.add("GET", f"{OF_SESSION}/drift", ID, answer=Drift)
def drift(request: web.Request) -> Drift:
    """What passed in a session that the specification does not have, each with its first record."""
    shared, session_id = of(request), request.match_info["session_id"]
    shared.session(session_id)
    try:
        found, complete = shared.store.drift(session_id)
        if not complete:
            shared.store.catch_up(CATCH_UP_S, session_id)
            found, complete = shared.store.drift(session_id)
    except (KeyError, OSError):
        raise NotFoundError(f"The session {session_id!r} was removed.") from None
    return Drift(drift=found.listed(), unlisted=found.unlisted, complete=complete)


@routes.add("GET", "/api/v1/monitoring/metrics", START, END, answer=over_time.Metrics, failures=(503,))
def metrics(request: web.Request) -> over_time.Metrics:
    """What happened in a period, over all sessions."""
    bounds = period(request)
    return _metrics(filled(request).store, *bounds)


@routes.add("GET", "/api/v1/monitoring/overview", answer=Overview, failures=(503,))
def overview(request: web.Request) -> Overview:
    """What there is, and what happened in the last 24 hours."""
    shared = filled(request)
    now = now_us()
    return Overview(
        generated_at=format_timestamp(now),
        active_sessions=len(shared.running()),
        total_sessions=shared.store.count_sessions(),
        total_events=shared.store.count_events(),
        last_24_hours=_metrics(shared.store, now - _DAY_US, now),
        sessions=shared.described(shared.store.sessions(limit=_NEWEST)),
    )


def _metrics(store: Store, after_us: int | None, until_us: int | None) -> over_time.Metrics:
    counts = store.event_counts(after_us, until_us)
    with (
        closing(store.events_between(over_time.READ_TYPES, after_us, until_us)) as ended,
        closing(store.all_sessions()) as sessions,
    ):
        ends = ((timestamp_us, kind, data) for kind, timestamp_us, data in ended)
        return over_time.metrics(after_us, until_us, counts, ends, sessions)
