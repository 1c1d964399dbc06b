"""Who or what allowed or denied each call of a session, in pages."""

import asyncio

from aiohttp import web

from proxy.api.sessions import ApprovalPage
from proxy.events import Session
from proxy.events.approved_calls import DECIDED, approved_call
from proxy.server.routes.parameters import paging
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import Shared, of
from proxy.store.encoding import decode_envelope
from proxy.store.model import EventQuery

routes = Routes(OF_SESSION)
LIMIT, OFFSET = paging("Calls", 1000)


@routes.add("GET", "/approvals", LIMIT, OFFSET, answer=ApprovalPage)
async def approvals(request: web.Request) -> ApprovalPage:
    """Who or what allowed or denied each call of a tool."""
    shared, limit, offset = of(request), LIMIT.of(request), OFFSET.of(request)
    await shared.ready()
    session = await shared.session(request.match_info["session_id"])
    return await asyncio.to_thread(_page, shared, session, limit, offset)


def _page(shared: Shared, session: Session, limit: int, offset: int) -> ApprovalPage:
    query = EventQuery(
        session_id=session.session_id, event_types=DECIDED, limit=limit, offset=offset, order="asc"
    )
    found = shared.store.events(query)
    decided = (approved_call(event.event_type, event.data) for event in map(decode_envelope, found.events))
    calls = [call for call in decided if call is not None]
    return ApprovalPage(approvals=calls, offset=offset, total=found.total, counts=session.figures.approvals)
