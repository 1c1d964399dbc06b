"""What the sessions do."""

import asyncio
import shlex
from collections.abc import Callable
from functools import partial

from aiohttp import web

from proxy.api import sessions as sessions_of
from proxy.api.service import MonitoringStatus
from proxy.api.sessions import SessionPage, Status
from proxy.events import Session
from proxy.events.outcome import OUTCOMES
from proxy.server.base.answers import answer
from proxy.server.base.refusals import NotFoundError
from proxy.server.routes.requests import FARTHEST, whole, words
from proxy.server.shared import Shared, now_us, of
from proxy.store.model import SessionFilter

_MOST_SESSIONS = 10_000  # bounds the size of a page


async def status(request: web.Request) -> web.Response:
    """Say what every running session does, since when, and what it waits for."""
    shared = of(request)
    which = _wanted(request)
    await shared.ready()
    live = await asyncio.to_thread(_described, shared, partial(shared.running, which))
    return answer(Status(active_sessions=len(live), sessions=live))


async def sessions(request: web.Request) -> web.Response:
    """List sessions, live and past, newest first."""
    shared = of(request)
    limit, offset = whole(request, "limit", 1000, 1, _MOST_SESSIONS), whole(request, "offset", 0, 0, FARTHEST)
    which = _wanted(request)
    await shared.ready()
    find = partial(shared.store.sessions, which=which, limit=limit or 0, offset=offset or 0)
    found = await asyncio.to_thread(_described, shared, find)
    total = await asyncio.to_thread(shared.store.count_sessions, which)
    return answer(SessionPage(sessions=found, total=total))


async def session(request: web.Request) -> web.Response:
    """Give one session."""
    shared, session_id = of(request), request.match_info["session_id"]
    await shared.known(session_id)
    found = await asyncio.to_thread(shared.store.session, session_id)
    if found is None:
        raise NotFoundError(f"The session {session_id!r} was removed.")
    (described,) = await asyncio.to_thread(shared.described, [found], now_us())
    return answer(described)


async def monitoring_status(request: web.Request) -> web.Response:
    """Count what there is."""
    shared = of(request)
    await shared.ready()
    live = await asyncio.to_thread(shared.running)
    return answer(
        MonitoringStatus(
            active_sessions=len(live),
            total_sessions=await asyncio.to_thread(shared.store.count_sessions),
            total_events=await asyncio.to_thread(shared.store.count_events),
            subscribers=shared.hub.subscribers,
            uptime_seconds=(now_us() - shared.started_us) / 1_000_000,
            serve_command=_serve_command(request, shared.data_dir),
        )
    )


def _wanted(request: web.Request) -> SessionFilter:
    """Return which sessions the query asks for."""
    return SessionFilter(words(request, "outcome", OUTCOMES), words(request, "host"), words(request, "team"))


def _serve_command(request: web.Request, data_dir: str) -> str:
    """Return what starts a server for the same data directory at the same port, for a shell."""
    port = request.transport.get_extra_info("sockname")[1] if request.transport is not None else 8000
    return shlex.join(["claude-proxy", "--data-dir", data_dir, "--port", str(port), "serve"])


def _described(shared: Shared, find: Callable[[], list[Session]]) -> list[sessions_of.Session]:
    return shared.described(find(), now_us())
