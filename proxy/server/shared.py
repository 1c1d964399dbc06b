"""What requests share: one object, made when the server starts."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from aiohttp import web
from msgspec import structs

from proxy.config import Settings
from proxy.custom_schemas import CustomSchemas
from proxy.events import Session, describe
from proxy.events.shown_session import Session as ShownSession
from proxy.server.access.guard import team_of
from proxy.server.base.errors import NotFoundError
from proxy.server.live.hub import Hub
from proxy.server.live.recordings import Recordings
from proxy.server.work.analyses import Analyses
from proxy.server.work.checks import Checks
from proxy.server.work.pool import Pool
from proxy.server.work.record_search import RecordSearches
from proxy.sessions.catalogue import is_session_id
from proxy.sessions.identity import log_path
from proxy.sessions.process import is_stopped
from proxy.store import Store
from proxy.store.model import EVERY_SESSION, SessionFilter

if TYPE_CHECKING:
    from proxy.shipping.background import Shipping
    from proxy.store.postgres.centre import Centre
    from proxy.store.postgres.store import PostgresStore
    from proxy.telemetry.exporting import Export

_CATCH_UP_S = 5.0  # a request that waits longer is better answered with what is there


def now_us() -> int:
    """Return this moment in microseconds since 1970."""
    return time.time_ns() // 1000


@dataclass
class Fleet:
    """What a centre has beside a store."""

    store: "PostgresStore"
    """The store."""
    centre: "Centre"
    """What changes it."""


@dataclass
class Shared:
    """The parts of a running server."""

    data_dir: str
    settings: Settings
    store: Store
    hub: Hub
    recordings: Recordings
    validating: asyncio.Semaphore
    """Bounds the validations that are given to the pool."""
    pool: Pool
    custom: CustomSchemas
    """Schemas that users bring."""
    custom_pool: Pool
    """Where those judge: nothing else waits for it."""
    analyses: Analyses
    searches: RecordSearches
    checks: Checks | None
    """None: clients may not ask for them."""
    fleet: Fleet | None = None
    """None: the store is of this machine alone."""
    shipping: "Shipping | None" = None
    """None: nothing is sent to a centre."""
    otlp: "Export | None" = None
    """None: nothing is exported to a collector."""
    started_us: int = field(default_factory=now_us)
    rules_looked_us: int | None = None
    """When the rules were last held to the sessions that go on."""
    acting: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """By the id of an action: held while it is forwarded."""

    def seen_by(self, team: str | None) -> "Shared":
        """Return the same for those who may see one team's sessions alone."""
        if team is None or self.fleet is None:
            return self
        store = self.fleet.store.for_team(team)
        return replace(self, store=store, fleet=replace(self.fleet, store=store))

    def wait_filled(self) -> None:
        """Wait, but not for ever, until what is in the logs is in the index for the first time."""
        self.store.wait_filled(_CATCH_UP_S)

    def wait_indexed(self, session_id: str | None = None) -> None:
        """Wait, but not for ever, until what is in the logs now, or in one, is in the index."""
        self.store.catch_up(_CATCH_UP_S, session_id)

    async def ready(self) -> None:
        """As `wait_filled`, in the event loop."""
        if not self.store.wait_filled(0):
            await asyncio.to_thread(self.wait_filled)

    async def known(self, session_id: str | None) -> None:
        """Wait until the index is filled; NotFoundError when a session is named, and there is none of that id."""
        await self.ready()
        if session_id is not None:
            await asyncio.to_thread(self.session, session_id)

    async def catch_up(self, session_id: str | None = None) -> None:
        """As `wait_indexed`, in the event loop."""
        await asyncio.to_thread(self.wait_indexed, session_id)

    def running(self, which: SessionFilter = EVERY_SESSION) -> list[Session]:
        """Return the sessions that go on: not those of which the index merely has not read the end yet."""
        live = self.store.sessions(live_only=True, which=which)
        if self.fleet is not None:  # what its host does not hold any more is over
            return live
        return [one for one in live if not one.over and self.store.is_written(one.session_id)]

    def described(self, sessions: Sequence[Session]) -> list[ShownSession]:
        """Return what the API gives of sessions now."""
        moment_us = now_us()
        if self.fleet is None:
            return [self._described(one, moment_us) for one in sessions]
        origins: Mapping[str, Mapping[str, Any]] = self.fleet.store.hosted(
            [one.session_id for one in sessions]
        )
        # One that was removed just now has no origin.
        return [
            structs.replace(describe(one, moment_us), **origins.get(one.session_id, {})) for one in sessions
        ]

    def _described(self, session: Session, moment_us: int) -> ShownSession:
        catching_up = not session.over and not self.store.is_written(session.session_id)
        # Of what is over and not read to its end, all is as it was where reading has come to.
        until_us = session.last_record_us if catching_up else moment_us
        return structs.replace(
            describe(session, until_us),
            catching_up=catching_up,
            suspended=not session.over and session.pid is not None and is_stopped(session.pid),
            log=log_path(self.data_dir, session.session_id),
            read_share=self.store.read_share(session.session_id) if catching_up else 1.0,
        )

    def session(self, session_id: str) -> Session:
        """Return a session. NotFoundError when there is none of that id."""
        if is_session_id(session_id):
            found = self.store.session(session_id)
            # It may have begun just now; its first record is to be read.
            if found is None or found.last_seq < 0:
                self.wait_indexed(session_id)
                found = self.store.session(session_id)
            if found is not None:
                return found
        raise NotFoundError(
            f"There is no session {session_id!r}; GET /api/v1/monitoring/sessions lists them."
        )


SHARED = web.AppKey("SHARED", Shared)


def of(request: web.Request) -> Shared:
    """Return what requests share, as far as the one who asks may see it."""
    return request.app[SHARED].seen_by(team_of(request))


def filled(request: web.Request) -> Shared:
    """As `of`, once what is in the logs is in the index, or has kept us waiting for too long. For threads."""
    shared = of(request)
    shared.wait_filled()
    return shared
