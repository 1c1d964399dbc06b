"""What the hosts of a fleet say to their centre, and who they are."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from proxy.events.timestamps import parse_timestamp
from proxy.fleet import PROTOCOL, Acknowledged, CostPage, Greeting, Hello, HostPage
from proxy.server.access.guard import team_of
from proxy.server.base.answers import failure
from proxy.server.base.errors import (
    BadRequestError,
    NotAllowedError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
    UnprocessableError,
)
from proxy.server.routes.parameters import END, FARTHEST, ID, START, Parameter, choice, number, period
from proxy.server.routes.requests import body, receiving
from proxy.server.routes.route import Routes
from proxy.server.shared import Fleet, now_us, of
from proxy.sessions.catalogue import is_session_id
from proxy.store.fleet import LONGEST_PUSH, Arriving, Outcome, Saying

if TYPE_CHECKING:
    from proxy.store.postgres.centre import Centre

routes = Routes("/api/v1/fleet")
FROM_LINE = number("from_line", "How many lines of the log are before these.", 0, FARTHEST, 0)
FIRINGS = number(
    "firings", "How many of the last lines are no lines of the log, but what rules found.", 0, FARTHEST, 0
)
FIRINGS_FROM = number("firings_from", "How many of those were found before these.", 0, FARTHEST, 0)
MORE = choice(
    "more",
    "Whether more lines of the log are there already: what rules found later is told behind those.",
    "true",
    "false",
)
RUNNING = choice("running", "Whether the session's writer lives.", "true", "false")
_EVERYBODY = "everybody"
"""The team of hosts whose token has none."""
_HOST_ID = re.compile("[0-9a-f]{32}", re.ASCII)
_REFUSED = {
    Outcome.GAP: (409, "Lines are missing before these: go on where next_line says."),
    Outcome.FORGOTTEN: (410, "This session was erased here, or has expired, and is not taken again."),
    Outcome.FOREIGN: (422, "This session is another host's, and has other lines."),
    Outcome.FUTURE: (422, "This log is of a newer format than this centre knows: upgrade the centre."),
    Outcome.STRANGER: (
        404,
        "This host is not known here, or not in the team of this token: say hello first.",
    ),
}


def _host_id(text: str) -> str:
    if not _HOST_ID.fullmatch(text):
        raise UnprocessableError(f"{text!r} is no id of a host: it has 32 hexadecimal digits.")
    return text


_HOST_SCHEMA = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
HOST = Parameter("host_id", "A host, as it calls itself.", _HOST_SCHEMA, _host_id, "", "path")
_hello = msgspec.json.Decoder(Hello)


@routes.add(
    "POST", "/hosts/{host_id}/hello", HOST, request=Hello, answer=Greeting, failures=(503,), access="push"
)
async def hello(request: web.Request) -> Greeting:
    """A host of a fleet says that it is there, and learns what this centre lacks."""
    fleet, host_id = _fleet(request), HOST.of(request)
    said = await body(request, _hello)
    if said.protocol != PROTOCOL:
        raise UnprocessableError(
            f"This centre speaks version {PROTOCOL} of the protocol, and the host {said.protocol}: upgrade the older."
        )
    team = team_of(request)
    offset_ms = (parse_timestamp(said.sent_at) - now_us()) // 1000
    saying = Saying(host_id, team or _EVERYBODY, offset_ms, said)
    heard = await asyncio.wrap_future(fleet.centre.hear(saying))
    if team is not None and heard.team != team:
        raise NotAllowedError(f"This host is of the team {heard.team!r}, and this token of {team!r}.")
    return heard.greeting


@routes.add(
    "POST",
    "/hosts/{host_id}/sessions/{session_id}/records",
    *(HOST, ID, FROM_LINE, RUNNING, FIRINGS, FIRINGS_FROM, MORE),
    answer=Acknowledged,
    failures=(400, 408, 409, 410, 413, 503),
    access="push",
)
async def records(request: web.Request) -> Acknowledged | web.Response:
    """Lines of a session's log, `application/x-ndjson`, and what rules found: stored, on disk, once answered."""
    fleet, host_id, session_id = _fleet(request), HOST.of(request), request.match_info["session_id"]
    from_line, running = FROM_LINE.of(request), RUNNING.of(request) != "false"
    if not is_session_id(session_id):
        raise UnprocessableError(f"{session_id!r} is no id of a session.")
    async with _received(request, fleet.centre) as received:
        text, fired = _split(received, FIRINGS.of(request))
        arriving = Arriving(
            *(host_id, team_of(request), session_id, from_line, text, running),
            firings=fired,
            firings_from=FIRINGS_FROM.of(request),
            has_more=MORE.of(request) == "true",
        )
        pushed = await asyncio.wrap_future(fleet.centre.push(arriving))
    stored = pushed.answer
    if stored.outcome is Outcome.STORED:
        return Acknowledged(next_line=stored.next_line, epoch=pushed.epoch, pushes=pushed.pushes)
    status, sentence = _REFUSED[stored.outcome]
    next_line = {"next_line": stored.next_line} if stored.outcome is Outcome.GAP else {}
    return failure(status, sentence, more=next_line)


@routes.add("GET", "/hosts", answer=HostPage)
def hosts(request: web.Request) -> HostPage:
    """The hosts of a fleet."""
    fleet = of(request).fleet
    return HostPage(hosts=[] if fleet is None else fleet.store.hosts())


@routes.add("GET", "/costs", START, END, answer=CostPage)
def costs(request: web.Request) -> CostPage:
    """What was spent on the sessions of a fleet that began in a period, by team, day and model."""
    fleet, bounds = of(request).fleet, period(request)
    return CostPage(costs=[] if fleet is None else fleet.store.spent(*bounds))


def _fleet(request: web.Request) -> Fleet:
    fleet = of(request).fleet
    if fleet is None:
        raise NotFoundError("This server is no centre of a fleet; one has a storage.url.")
    return fleet


def _split(text: bytes, count: int) -> tuple[bytes, list[bytes]]:
    """Return text without so many last lines, and these. UnprocessableError: there are not so many."""
    start = len(text)
    for found in range(count):
        if not start:
            raise UnprocessableError(f"firings is {count}, and there are {found} lines.")
        start = text.rfind(b"\n", 0, start - 1) + 1
    return text[:start], text[start:].split(b"\n")[:-1]


@contextlib.asynccontextmanager
async def _received(request: web.Request, centre: "Centre") -> AsyncIterator[bytes]:
    """Give the body, decompressed: whole lines. Until they are stored they take of the memory that there is for all.

    Raises:
        BadRequestError, TooSlowError: as `receiving` has it; or it is of another content type.
        TooLargeError, UnavailableError: it is too much, or too much for now.
        UnprocessableError: its last line has no end.
    """
    if request.content_type != "application/x-ndjson":
        raise BadRequestError(f"The content type is {request.content_type!r}; send application/x-ndjson.")
    parts: list[bytes] = []
    size = 0
    try:
        while True:
            async with receiving(request):  # each part has its time, however many there are
                part = await request.content.readany()
            if not part:
                break
            if not centre.take_room(len(part)):
                raise UnavailableError("Too much is being stored already; send it again.", wait_s=1)
            size += len(part)
            if size > LONGEST_PUSH:
                raise TooLargeError(f"This is more than {LONGEST_PUSH} bytes of lines; send less at once.")
            parts.append(part)
        if parts and not parts[-1].endswith(b"\n"):
            raise UnprocessableError("The last line has no end; send whole lines.")
        yield b"".join(parts)
    finally:
        centre.give_room(size)
