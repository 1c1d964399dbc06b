"""What sessions did: of one, over a period, and at a glance; and what of it the specification does not have."""

import asyncio
import math
from contextlib import closing
from typing import Any

from aiohttp import web

from proxy.analysis import period as over_time
from proxy.events.timestamps import format_timestamp
from proxy.server.errors import NotFoundError, answer, raw_answer
from proxy.server.records import from_log
from proxy.server.requests import period, whole
from proxy.server.shared import now_us, of
from proxy.store.history import History

__all__ = ["LONGEST_S", "drift", "metrics", "overview", "session"]

LONGEST_S = 60

_DAY_US = 86_400_000_000
_NEWEST = 20


async def session(request: web.Request) -> web.Response:
    """Give the analysis of one session."""
    shared, session_id = of(request), request.match_info["session_id"]
    within_s = whole(request, "within", None, 1, LONGEST_S)
    await shared.ready()
    await shared.known(session_id)
    known = await asyncio.to_thread(shared.queries.session, session_id)
    found = None
    if known is not None:
        found = await shared.analyses.answer(known, now_us(), math.inf if within_s is None else within_s)
    if found is None:
        raise NotFoundError(f"The session {session_id!r} was removed.")
    return raw_answer(found)


async def drift(request: web.Request) -> web.Response:
    """Give what passed in one session that the specification does not have."""
    shared, session_id = of(request), request.match_info["session_id"]
    await shared.known(session_id)
    return raw_answer(await from_log(session_id, lambda: shared.drifts.answer(session_id)))


async def metrics(request: web.Request) -> web.Response:
    """Give the metrics of a period."""
    shared = of(request)
    after_us, until_us = period(request)
    await shared.ready()
    found = await asyncio.to_thread(_metrics, shared.analyses.history, after_us, until_us)
    return answer(found)


async def overview(request: web.Request) -> web.Response:
    """Give what there is, and the metrics of the last 24 hours."""
    shared = of(request)
    await shared.ready()
    now = now_us()
    live = await asyncio.to_thread(shared.running)
    newest = await asyncio.to_thread(shared.queries.sessions, limit=_NEWEST)
    totals = await asyncio.to_thread(shared.queries.totals)
    found: dict[str, Any] = {
        "generated_at": format_timestamp(now),
        "active_sessions": len(live),
        "total_sessions": totals["sessions"],
        "total_events": totals["events"],
        "last_24_hours": await asyncio.to_thread(_metrics, shared.analyses.history, now - _DAY_US, now),
        "sessions": await asyncio.to_thread(lambda: [shared.described(one, now) for one in newest]),
    }
    return answer(found)


def _metrics(history: History, after_us: int | None, until_us: int | None) -> over_time.Metrics:
    counts = history.counts(after_us, until_us, over_time.HOUR_US)
    with (
        closing(history.data_of(over_time.READ_TYPES, after_us, until_us)) as ended,
        closing(history.all_sessions()) as sessions,
    ):
        return over_time.metrics(after_us, until_us, counts, ended, sessions)
