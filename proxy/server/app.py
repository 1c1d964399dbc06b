"""The application: made by a factory, so that tests and the command line run the same one."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from proxy.config import Settings
from proxy.server.errors import error_middleware
from proxy.server.journal import journal
from proxy.server.limits import Limit
from proxy.server.live import Hub
from proxy.server.recording import Recordings
from proxy.server.routes import ROUTES
from proxy.server.security import add_cors_headers, security_middleware
from proxy.server.shared import SHARED, Shared
from proxy.store.follower import Follower
from proxy.store.indexer import Arrival, Indexer
from proxy.store.queries import Queries

__all__ = ["create_app"]


def create_app(data_dir: str, settings: Settings | None = None) -> web.Application:
    """Return the application for a data directory. It follows the logs as long as it runs."""
    settings = settings or Settings()
    app = web.Application(
        middlewares=[error_middleware, security_middleware], client_max_size=settings.api.max_request_size
    )
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler)
        if route.method == "GET" and route.media_type != "websocket":  # aiohttp leaves the body out
            app.router.add_route("HEAD", route.path, route.handler)

    async def lifetime(app: web.Application) -> AsyncIterator[None]:
        shared = await _started(data_dir, settings)
        app[SHARED] = shared
        yield
        await asyncio.to_thread(_stopped, shared)

    async def let_go(app: web.Application) -> None:
        app[SHARED].hub.close()

    app.cleanup_ctx.append(lifetime)
    app.on_shutdown.append(let_go)
    app.on_response_prepare.append(add_cors_headers)
    return app


async def _started(data_dir: str, settings: Settings) -> Shared:
    indexer = await asyncio.to_thread(
        Indexer, data_dir, max_events_per_session=settings.monitoring.max_events_per_session
    )
    loop = asyncio.get_running_loop()
    queries, hub = Queries(data_dir), Hub()

    def on_arrivals(arrivals: list[Arrival]) -> None:
        loop.call_soon_threadsafe(hub.publish, arrivals)

    def on_fault(sentence: str) -> None:
        journal.warning("index.cannot_follow", error=sentence)

    follower = Follower(indexer, on_arrivals, on_fault)
    follower.start()
    return Shared(
        data_dir,
        settings,
        indexer,
        follower,
        queries,
        hub,
        Recordings(data_dir),
        Limit(settings.security.rate_limit) if settings.security.rate_limit else None,
        asyncio.Semaphore(settings.validation.concurrent_validations),
    )


def _stopped(shared: Shared) -> None:
    shared.recordings.stop_all("server_stopped")
    shared.follower.catch_up(2.0)
    shared.follower.stop()
