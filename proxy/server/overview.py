"""Whether the server is well, and what the sessions do."""

import asyncio
import os
import shutil
from typing import Any

from aiohttp import web

from proxy import __version__
from proxy.events import describe
from proxy.server.errors import NotFoundError, answer
from proxy.server.requests import whole
from proxy.server.shared import Shared, now_us, of
from proxy.sessions.identity import sessions_dir

__all__ = ["health", "monitoring_status", "session", "sessions", "status"]

_SCARCE_BYTES = 500_000_000
_NONE_LEFT_BYTES = 20_000_000
_MOST_SESSIONS = 10_000


async def health(request: web.Request) -> web.Response:
    """Say whether the server is well: one entry for each thing that it needs."""
    checks = await asyncio.to_thread(_checks, of(request))
    order = ("healthy", "degraded", "unhealthy")
    worst = max((check["status"] for check in checks.values()), key=order.index)
    response = answer({"status": worst, "version": __version__, "checks": checks})
    if worst == "unhealthy":
        response.set_status(503)
    return response


async def status(request: web.Request) -> web.Response:
    """Say what every running session does, since when, and what it waits for."""
    shared = of(request)
    await shared.ready()
    live = await asyncio.to_thread(shared.queries.sessions, live_only=True)
    moment = now_us()
    return answer({"active_sessions": len(live), "sessions": [describe(one, moment) for one in live]})


async def sessions(request: web.Request) -> web.Response:
    """List sessions, live and past, newest first."""
    shared = of(request)
    limit, offset = whole(request, "limit", 1000, 1, _MOST_SESSIONS), whole(request, "offset", 0, 0, 10**12)
    await shared.ready()
    found = await asyncio.to_thread(shared.queries.sessions, limit=limit or 0, offset=offset or 0)
    total = (await asyncio.to_thread(shared.queries.totals))["sessions"]
    moment = now_us()
    return answer({"sessions": [describe(one, moment) for one in found], "total": total})


async def session(request: web.Request) -> web.Response:
    """Give one session."""
    shared, session_id = of(request), request.match_info["session_id"]
    await shared.known(session_id)
    found = await asyncio.to_thread(shared.queries.session, session_id)
    if found is None:
        raise NotFoundError(f"The session {session_id!r} was removed.")
    return answer(describe(found, now_us()))


async def monitoring_status(request: web.Request) -> web.Response:
    """Count what there is."""
    shared = of(request)
    await shared.ready()
    live = await asyncio.to_thread(shared.queries.sessions, live_only=True)
    totals = await asyncio.to_thread(shared.queries.totals)
    return answer(
        {
            "active_sessions": len(live),
            "total_sessions": totals["sessions"],
            "total_events": totals["events"],
            "subscribers": shared.hub.subscribers,
            "uptime_seconds": (now_us() - shared.started_us) / 1_000_000,
        }
    )


def _checks(shared: Shared) -> dict[str, dict[str, Any]]:
    return {"data_directory": _data_directory(shared), "disk": _disk(shared), "index": _index(shared)}


def _data_directory(shared: Shared) -> dict[str, Any]:
    folder = sessions_dir(shared.data_dir)
    if os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return {"status": "healthy", "path": shared.data_dir}
    return {
        "status": "unhealthy",
        "path": shared.data_dir,
        "message": f"{folder} cannot be read and written.",
    }


def _disk(shared: Shared) -> dict[str, Any]:
    try:
        free = shutil.disk_usage(shared.data_dir).free
    except OSError as error:
        return {"status": "unhealthy", "message": f"The disk cannot be asked: {error.strerror}."}
    if free < _NONE_LEFT_BYTES:
        return {
            "status": "unhealthy",
            "free_bytes": free,
            "message": "The disk is full: nothing can be recorded.",
        }
    if free < _SCARCE_BYTES:
        return {"status": "degraded", "free_bytes": free, "message": "The disk is nearly full."}
    return {"status": "healthy", "free_bytes": free}


def _index(shared: Shared) -> dict[str, Any]:
    trouble = shared.follower.trouble
    if trouble is not None:
        return {"status": "degraded", "message": f"The index does not follow the logs: {trouble}."}
    if aside := sorted(shared.indexer.set_aside):
        return {
            "status": "degraded",
            "message": f"Not followed any more for a fault of ours: {', '.join(aside)}.",
        }
    if not shared.follower.caught_up.is_set():
        return {"status": "degraded", "message": "The index is being filled from the logs."}
    return {"status": "healthy"}
