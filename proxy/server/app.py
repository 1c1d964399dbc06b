"""The application: made by a factory, so that tests and the command line run the same one."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from proxy.config import Settings
from proxy.server.analyses import Analyses
from proxy.server.checks import Checks
from proxy.server.description import DESCRIPTION, Description
from proxy.server.drifts import Drifts
from proxy.server.errors import error_middleware, expect
from proxy.server.journal import journal
from proxy.server.live import Hub
from proxy.server.metrics import METRICS, Metrics, metrics_middleware
from proxy.server.recording import Keeper, OwnKeeper, Recordings
from proxy.server.routes import ROUTES
from proxy.server.security import ACCESS, add_headers, default_access, security_middleware
from proxy.server.shared import SHARED, Shared
from proxy.server.tokens import TokenFile, of_configuration
from proxy.store.follower import Follower
from proxy.store.history import History
from proxy.store.indexer import Arrival, Indexer
from proxy.store.onlooker import Onlooker
from proxy.store.queries import Queries
from proxy.store.records import Records

if TYPE_CHECKING:
    from proxy.server.limits import Limit

__all__ = ["create_app", "lead"]


def create_app(
    data_dir: str, settings: Settings | None = None, *, keeper: Keeper | None = None
) -> web.Application:
    """Return the application for a data directory.

    It follows the logs as long as it runs. With a ``keeper`` it is one of several processes: then it reads along in
    the index, until `lead` is called.
    """
    settings = settings or Settings()
    app = web.Application(
        middlewares=[metrics_middleware, error_middleware, security_middleware],
        client_max_size=settings.api.max_request_size,
    )
    app[ACCESS] = {}
    app[METRICS] = Metrics()
    app[DESCRIPTION] = Description(ROUTES)
    for route in ROUTES:
        registered = app.router.add_route(route.method, route.path, route.handler, expect_handler=expect)
        if route.method == "GET" and route.media_type != "websocket":  # aiohttp leaves the body out
            app.router.add_route("HEAD", route.path, route.handler, expect_handler=expect)
        if registered.resource is not None:
            path = registered.resource.canonical
            app[ACCESS][f"{route.method} {path}"] = route.access or default_access(route.method, path)

    async def lifetime(app: web.Application) -> AsyncIterator[None]:
        shared = await _started(data_dir, settings, keeper)
        app[SHARED] = shared
        yield
        if shared.checks is not None:
            await shared.checks.close()
        await asyncio.to_thread(_stopped, shared)

    async def let_go(app: web.Application) -> None:
        app[SHARED].hub.close()

    app.cleanup_ctx.append(lifetime)
    app.on_shutdown.append(let_go)
    app.on_response_prepare.append(add_headers)
    return app


async def lead(shared: Shared) -> None:
    """Index from now on, for all processes. sqlite3.Error, OSError: the index can be neither used nor made."""
    # What is new reaches the listeners of this process as it reaches those of the others: through the index.
    shared.indexer, shared.follower = await _following(shared.data_dir, shared.settings, lambda _: None)


async def _started(data_dir: str, settings: Settings, keeper: Keeper | None) -> Shared:
    loop = asyncio.get_running_loop()
    queries, hub = Queries(data_dir), Hub()
    restarting = asyncio.Event()

    def on_arrivals(arrivals: list[Arrival]) -> None:
        loop.call_soon_threadsafe(hub.publish, arrivals)

    def on_begun_anew() -> None:
        loop.call_soon_threadsafe(restarting.set)

    indexer: Indexer | Onlooker
    follower: Follower | Onlooker
    onlooker = None
    if keeper is None:
        indexer, follower = await _following(data_dir, settings, on_arrivals)
    else:
        onlooker = Onlooker(data_dir, queries, on_arrivals, on_begun_anew)
        indexer = follower = onlooker
        onlooker.start()
    keeper = keeper or OwnKeeper()
    return Shared(
        data_dir,
        settings,
        indexer,
        follower,
        queries,
        Records(data_dir),
        hub,
        Recordings(data_dir, keeper),
        await asyncio.to_thread(_limit, data_dir, settings.security.rate_limit),
        asyncio.Semaphore(settings.validation.concurrent_validations),
        TokenFile(data_dir),
        of_configuration(settings.security.tokens),
        Analyses(History(queries.reading)),
        Drifts(data_dir),
        keeper=keeper,
        onlooker=onlooker,
        restarting=restarting,
        checks=Checks(settings.compliance.concurrent_runs) if settings.compliance.enabled else None,
    )


async def _following(
    data_dir: str, settings: Settings, on_arrivals: Callable[[list[Arrival]], None]
) -> tuple[Indexer, Follower]:
    indexer = await asyncio.to_thread(
        Indexer,
        data_dir,
        max_events_per_session=settings.monitoring.max_events_per_session,
        min_free_bytes=settings.storage.min_free_space,
    )

    def on_fault(sentence: str) -> None:
        journal.warning("index.cannot_follow", error=sentence)

    follower = Follower(indexer, on_arrivals, on_fault)
    follower.start()
    return indexer, follower


def _limit(data_dir: str, rate: str | None) -> "Limit | None":
    if rate is None:
        return None
    from proxy.server.limits import Limit  # noqa: PLC0415 - its library is for those who have a limit

    return Limit(rate, os.path.join(data_dir, "limits.sqlite3"))


def _stopped(shared: Shared) -> None:
    if isinstance(shared.keeper, OwnKeeper):
        shared.recordings.stop_all(shared.keeper.held(), "server_stopped")
    if isinstance(shared.follower, Follower):
        shared.follower.catch_up(2.0)
        shared.follower.stop()
    if shared.onlooker is not None:
        shared.onlooker.stop()
    if shared.limit is not None:
        shared.limit.close()
    shared.records.close()
