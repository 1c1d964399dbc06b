"""What the sessions do."""

import asyncio
import shlex
from collections.abc import Callable
from functools import partial

from aiohttp import web

from proxy.api.service import MonitoringStatus
from proxy.api.sessions import SessionPage, Status
from proxy.events import Session
from proxy.events.outcome import OUTCOMES
from proxy.events.shown_session import Session as ShownSession
from proxy.server.routes.parameters import ID, Words, paging
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import Shared, now_us, of
from proxy.store.model import SessionFilter

routes = Routes()
LIMIT, OFFSET = paging("Sessions", 10_000, default=1000)
OUTCOME = Words("outcome", "Only these, separated by commas: all are over.", tuple(OUTCOMES))
HOST = Words("host", "Of a fleet: only those of these hosts, names or ids separated by commas.")
TEAM = Words("team", "Of a fleet: only those of these teams, separated by commas.")


@routes.add("GET", "/status", HOST, TEAM, answer=Status)
async def status(request: web.Request) -> Status:
    """What every running session does."""
    shared = of(request)
    which = SessionFilter((), HOST.of(request), TEAM.of(request))
    await shared.ready()
    live = await asyncio.to_thread(_described, shared, partial(shared.running, which))
    return Status(active_sessions=len(live), sessions=live)


@routes.add("GET", "/api/v1/monitoring/sessions", LIMIT, OFFSET, OUTCOME, HOST, TEAM, answer=SessionPage)
async def sessions(request: web.Request) -> SessionPage:
    """Sessions, live and past."""
    shared = of(request)
    limit, offset = LIMIT.of(request), OFFSET.of(request)
    which = SessionFilter(OUTCOME.of(request), HOST.of(request), TEAM.of(request))
    await shared.ready()
    find = partial(shared.store.sessions, which=which, limit=limit, offset=offset)
    found = await asyncio.to_thread(_described, shared, find)
    total = await asyncio.to_thread(shared.store.count_sessions, which)
    return SessionPage(sessions=found, total=total)


@routes.add("GET", OF_SESSION, ID, answer=ShownSession)
async def session(request: web.Request) -> ShownSession:
    """One session."""
    shared = of(request)
    found = await shared.session(request.match_info["session_id"])
    (described,) = await asyncio.to_thread(shared.described, [found], now_us())
    return described


@routes.add("GET", "/api/v1/monitoring/status", answer=MonitoringStatus)
async def monitoring_status(request: web.Request) -> MonitoringStatus:
    """Counts and uptime."""
    shared = of(request)
    await shared.ready()
    live = await asyncio.to_thread(shared.running)
    return MonitoringStatus(
        active_sessions=len(live),
        total_sessions=await asyncio.to_thread(shared.store.count_sessions),
        total_events=await asyncio.to_thread(shared.store.count_events),
        subscribers=shared.hub.subscribers,
        uptime_seconds=(now_us() - shared.started_us) / 1_000_000,
        serve_command=_serve_command(request, shared.data_dir),
    )


def _serve_command(request: web.Request, data_dir: str) -> str:
    """Return what starts a server for the same data directory at the same port, for a shell."""
    port = request.transport.get_extra_info("sockname")[1] if request.transport is not None else 8000
    return shlex.join(["claude-proxy", "--data-dir", data_dir, "--port", str(port), "serve"])


def _described(shared: Shared, find: Callable[[], list[Session]]) -> list[ShownSession]:
    return shared.described(find(), now_us())
