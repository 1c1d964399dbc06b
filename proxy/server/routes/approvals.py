"""Who or what allowed or denied each call of a session, in pages."""

from aiohttp import web

from proxy.api.sessions import ApprovalPage
from proxy.events.approved_calls import DECIDED, approved_call
from proxy.server.routes.parameters import paging
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import filled
from proxy.store.encoding import decode_envelope
from proxy.store.model import EventQuery

routes = Routes(OF_SESSION)
LIMIT, OFFSET = paging("Calls", 1000)


@routes.add("GET", "/approvals", LIMIT, OFFSET, answer=ApprovalPage)
def approvals(request: web.Request) -> ApprovalPage:
    """Who or what allowed or denied each call of a tool."""
    limit, offset = LIMIT.of(request), OFFSET.of(request)
    shared = filled(request)
    session = shared.session(request.match_info["session_id"])
    query = EventQuery(
        session_id=session.session_id, event_types=DECIDED, limit=limit, offset=offset, order="asc"
    )
    found = shared.store.events(query)
    decided = (approved_call(event.event_type, event.data) for event in map(decode_envelope, found.events))
    calls = [call for call in decided if call is not None]
    return ApprovalPage(approvals=calls, offset=offset, total=found.total, counts=session.figures.approvals)
