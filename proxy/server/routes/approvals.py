"""Who or what allowed or denied each call of a session, in pages."""

import asyncio

from aiohttp import web

from proxy.api.approvals import ApprovalPage
from proxy.events.approved_calls import DECIDED, approved_call
from proxy.server.base.answers import answer
from proxy.server.base.refusals import NotFoundError
from proxy.server.routes.requests import FARTHEST, whole
from proxy.server.shared import Shared, of
from proxy.store.encoding import decode_envelope
from proxy.store.model import EventQuery

MOST_CALLS = 1000  # bounds the size of a page


async def approvals(request: web.Request) -> web.Response:
    """Give a page of calls with their approvals, oldest first."""
    shared, session_id = of(request), request.match_info["session_id"]
    limit = whole(request, "limit", 100, 1, MOST_CALLS) or 0
    offset = whole(request, "offset", 0, 0, FARTHEST) or 0
    await shared.ready()
    await shared.known(session_id)
    return answer(await asyncio.to_thread(_page, shared, session_id, limit, offset))


def _page(shared: Shared, session_id: str, limit: int, offset: int) -> ApprovalPage:
    query = EventQuery(session_id=session_id, event_types=DECIDED, limit=limit, offset=offset, order="asc")
    found, session = shared.store.events(query), shared.store.session(session_id)
    if session is None:
        raise NotFoundError(f"The session {session_id!r} was removed.")
    decided = (approved_call(event.event_type, event.data) for event in map(decode_envelope, found.events))
    calls = [call for call in decided if call is not None]
    return ApprovalPage(approvals=calls, offset=offset, total=found.total, counts=session.figures.approvals)
