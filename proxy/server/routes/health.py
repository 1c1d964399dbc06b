"""How the server is, for people and load balancers; only what is unhealthy is a 503."""

import asyncio

from aiohttp import web

from proxy import __version__
from proxy.api.service import Health, Liveness, Readiness
from proxy.server.base.answers import answer
from proxy.server.shared import of
from proxy.server.watch.health import STATUSES, checks, unready


async def health(request: web.Request) -> web.Response:
    """Say whether the server is well: one entry for each thing that it needs."""
    found = await asyncio.to_thread(checks, of(request))
    worst = max((check["status"] for check in found.values()), key=STATUSES.index)
    response = answer(Health(status=worst, version=__version__, checks=found))
    if worst == "unhealthy":
        response.set_status(503)
    return response


async def live(request: web.Request) -> web.Response:
    """Say that this process answers: whoever gets no answer should start it again."""
    return answer(Liveness(status="alive", version=__version__))


async def ready(request: web.Request) -> web.Response:
    """Say whether requests should be sent here: not while the index is filled, nor when the server stops."""
    shared = of(request)
    reason = await asyncio.to_thread(unready, shared)
    response = answer(Readiness(status="not_ready" if reason else "ready", message=reason))
    if reason:
        response.set_status(503)
    return response
