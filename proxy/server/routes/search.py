"""What was said in any session, newest session first, as far as the time goes that a question has."""

import asyncio
import re

from aiohttp import web

from proxy.api.search import FoundSession, SearchPage
from proxy.server.base.errors import UnprocessableError
from proxy.server.routes.parameters import Parameter, number, search_text
from proxy.server.routes.route import Routes
from proxy.server.shared import of
from proxy.server.work.session_search import Place, look_through, merged, next_step, query_of

_PLACE = r"^(-?[0-9]{1,18})/([0-9]{1,12})/([A-Za-z0-9][A-Za-z0-9._-]{0,127})$"
"""What an answer's `after` is: when the next session started, how many of its pieces were looked through, its id."""
routes = Routes()
TEXT = search_text("What was said; of A to Z, capital and small letters are alike.", is_required=True)
LIMIT = number("limit", "Sessions of an answer, about (default 20).", 1, 100, 20)
_BUDGET_S = 0.5
"""A question takes about so long, and is then answered with what was found."""


def _place(text: str) -> Place:
    if not (found := re.fullmatch(_PLACE, text, re.ASCII)):
        raise UnprocessableError(f"after is {text!r}; it takes the `after` of an answer.")
    started, piece, session_id = found.groups()
    return Place(int(started), session_id, int(piece))


AFTER: Parameter[Place | None] = Parameter(
    "after", "Go on where an answer's `after` is.", {"type": "string", "pattern": _PLACE}, _place, None
)


@routes.add("GET", "/api/v1/monitoring/search", TEXT, LIMIT, AFTER, answer=SearchPage, failures=(503,))
async def search(request: web.Request) -> SearchPage:
    """Sessions in which something was said, newest first."""
    shared, query, most = of(request), query_of(TEXT.of(request)), LIMIT.of(request)
    place = AFTER.of(request)
    loop = asyncio.get_running_loop()
    if place is None:
        await shared.catch_up()
    is_complete = shared.store.wait_filled(0)
    until = loop.time() + _BUDGET_S
    found: list[FoundSession] = []
    searched = 0
    while True:
        step = await asyncio.to_thread(next_step, shared.store, query, place)
        more, is_read = await shared.pool.run(look_through, step.parts, query)
        found, place, searched = merged(found, more), step.place, searched + step.searched
        is_complete = is_complete and step.is_complete and is_read
        if place is None or len(found) >= most or loop.time() >= until:
            break
    return SearchPage(
        sessions=found,
        searched=searched,
        total=await asyncio.to_thread(shared.store.count_sessions),
        complete=is_complete,
        after=None if place is None else f"{place.started_us}/{place.piece}/{place.session_id}",
    )
