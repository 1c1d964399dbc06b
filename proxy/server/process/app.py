"""The application: made by a factory, so that tests and the command line run the same one."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from proxy.config import Settings
from proxy.custom_schemas import CustomSchemas, read_folder
from proxy.redaction import Redactor
from proxy.server.access.guard import GUARD, Guard, add_headers, security_middleware
from proxy.server.access.tokens import StoredTokens
from proxy.server.base.answers import error_middleware, expect
from proxy.server.base.journal import journal
from proxy.server.live.hub import Hub
from proxy.server.live.recordings import Recordings
from proxy.server.process.connections import request_middleware
from proxy.server.routes.description import DESCRIPTION, Description
from proxy.server.routes.table import ROUTES
from proxy.server.shared import SHARED, Fleet, Shared
from proxy.server.watch.metrics import METRICS, Metrics, metrics_middleware
from proxy.server.work.analyses import Analyses
from proxy.server.work.checks import Checks
from proxy.server.work.pool import Pool
from proxy.server.work.record_search import RecordSearches
from proxy.shipping.background import Shipping
from proxy.store import Store, StoreError
from proxy.store.embedded.store import EmbeddedStore
from proxy.store.model import Arrival
from proxy.telemetry.collector import CollectorRefusedError, MissingLibraryError, is_asked_for
from proxy.telemetry.exporting import Export

_CUSTOM_S = 10.0
"""For a batch of validations by schemas that users bring; one value has two seconds (see `CustomJudge`)."""


def create_app(
    data_dir: str, settings: Settings | None = None, *, owner_token: str | None = None
) -> web.Application:
    """Return the application for a data directory. It follows the logs as long as it runs.

    ``owner_token``: a token that may do what the same user may.

    UnusableSchemaError: a file of ``schemas.directory`` is no schema that can be used.
    """
    settings = settings or Settings()
    custom = read_folder(settings.schemas.directory)
    app = web.Application(
        middlewares=[request_middleware, metrics_middleware, error_middleware, security_middleware],
        client_max_size=settings.api.max_request_size,
    )
    app[GUARD] = guard = Guard(data_dir, settings, owner_token)
    app[METRICS] = Metrics()
    app[DESCRIPTION] = Description(ROUTES, custom.names())
    for route in ROUTES:
        registered = app.router.add_route(route.method, route.path, route.respond, expect_handler=expect)
        if route.method == "GET" and route.media_type != "websocket":  # aiohttp leaves the body out
            app.router.add_route("HEAD", route.path, route.respond, expect_handler=expect)
        if registered.resource is not None:
            guard.needs[f"{route.method} {registered.resource.canonical}"] = route.needs

    async def lifetime(app: web.Application) -> AsyncIterator[None]:
        shared = await _started(data_dir, settings, custom)
        if shared.fleet is not None:
            guard.token_store = StoredTokens(shared.fleet.store)
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


class _Listener:
    """Brings what the store tells, in threads of its own, to the event loop."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()

    def on_arrivals(self, arrivals: list[Arrival]) -> None:
        """Hand on what is new."""
        self._loop.call_soon_threadsafe(self._hub.publish, arrivals)

    def on_epoch(self, reason: str) -> None:
        """Let all listeners come back: their places mean nothing any more."""
        journal.warning("index.begun_anew", reason=reason)
        self._loop.call_soon_threadsafe(self._hub.reset)

    def on_fault(self, sentence: str) -> None:
        """Say why the index does not follow."""
        journal.warning("index.cannot_follow", error=sentence)


async def _started(data_dir: str, settings: Settings, custom: CustomSchemas) -> Shared:
    store, fleet = await asyncio.to_thread(_opened, data_dir, settings)
    hub, pool, how = Hub(), Pool(settings.api.workers), settings.redaction
    redactor = Redactor(how.mode, patterns=how.patterns, fields=how.fields)
    store.start(_Listener(hub))
    return Shared(
        data_dir,
        settings,
        store,
        hub,
        Recordings(data_dir, seal=settings.storage.seal, redactor=redactor),
        asyncio.Semaphore(settings.validation.concurrent_validations),
        pool,
        custom,
        Pool(1, _CUSTOM_S),
        Analyses(store, pool),
        RecordSearches(pool),
        Checks(settings.compliance.concurrent_runs) if settings.compliance.enabled else None,
        fleet,
        _shipping(data_dir, settings),
        _export(data_dir, settings),
    )


def _opened(data_dir: str, settings: Settings) -> tuple[Store, Fleet | None]:
    """Return the store, and what a centre has beside it. StoreError: it cannot be used."""
    most = settings.monitoring.max_events_per_session
    url = settings.storage.url
    if url is None:
        return EmbeddedStore(data_dir, most_events=most, min_free_bytes=settings.storage.min_free_space), None
    try:
        from proxy.store.postgres.centre import Centre  # noqa: PLC0415 - its libraries are an extra
        from proxy.store.postgres.store import PostgresStore  # noqa: PLC0415
    except ImportError as error:
        raise StoreError(f"storage.url needs pip install 'claude-proxy[postgres]' ({error})") from None
    is_pooled = not settings.storage.listen
    store = PostgresStore(url, is_pooled=is_pooled)
    return store, Fleet(store, Centre(url, is_pooled=is_pooled, most_events=most))


def _shipping(data_dir: str, settings: Settings) -> Shipping | None:
    """Begin to send what is recorded to a centre, if there is one."""
    if settings.ship.to is None:
        return None
    return Shipping(
        data_dir,
        settings.ship,
        on_trouble=lambda trouble: (
            journal.warning("shipping.failed", error=trouble) if trouble else journal.info("shipping.resumed")
        ),
        on_fault=lambda error: journal.error("shipping.stopped", exc_info=error),
    )


def _export(data_dir: str, settings: Settings) -> Export | None:
    """Begin to export what sessions do, if that is asked for; the hosts of a fleet do it, not their centre."""
    endpoint = settings.otlp.endpoint
    if settings.storage.url is not None or not is_asked_for(endpoint):
        return None

    def note_fault(error: Exception) -> None:
        if isinstance(error, CollectorRefusedError):
            journal.warning("otlp.refused", error=str(error))
        else:
            journal.error("otlp.stopped", exc_info=error)

    try:
        return Export(
            data_dir,
            endpoint,
            with_content=settings.otlp.content,
            on_trouble=lambda trouble: (
                journal.warning("otlp.failed", error=trouble) if trouble else journal.info("otlp.resumed")
            ),
            on_fault=note_fault,
        )
    except MissingLibraryError as error:
        journal.warning("otlp.failed", error=str(error))
        return None


def _stopped(shared: Shared) -> None:
    shared.recordings.stop_all("server_stopped")
    if shared.shipping is not None:
        shared.shipping.stop()
    if shared.otlp is not None:
        shared.otlp.stop()
    if shared.fleet is not None:
        shared.fleet.centre.close()
    shared.store.close()
