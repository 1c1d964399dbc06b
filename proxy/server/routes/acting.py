"""Acting on live sessions: the server only forwards; the session's relay decides, and puts everything on record."""

import asyncio
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from aiohttp import web

from proxy.acting.asking import ask
from proxy.acting.verbs import ActionError, checked_arguments
from proxy.api.acting import ActionAnswer, ActionPage, ActionRequest, QuestionPage
from proxy.events import Session
from proxy.events.fields import texts
from proxy.events.timestamps import parse_timestamp
from proxy.server.access.guard import author_of
from proxy.server.base.answers import answer
from proxy.server.base.errors import NotFoundError, RequestError, UnprocessableError
from proxy.server.routes.events import look_until
from proxy.server.routes.parameters import LONGEST_WAIT_S, number, paging
from proxy.server.routes.records import pieces_of
from proxy.server.routes.requests import body
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import Shared, of
from proxy.sessions.reader import Record, parse
from proxy.store.encoding import decode_envelope
from proxy.store.model import EventQuery
from proxy.store.records import find_record
from proxy.telling.acting import OUTCOMES, REQUESTS, Action, actions, open_questions

routes = Routes(OF_SESSION)
MOST_ACTIONS = 1000
"""Of one page: so many events are read for it in one piece."""
LIMIT, OFFSET = paging("Actions", MOST_ACTIONS)
WAIT = number("wait", "Seconds to wait for what the wire shows of it.", 0, LONGEST_WAIT_S, None)
_ID_DIGITS = 26
"""Of an action's id: 104 bits, so that two are never the same."""
_decode = msgspec.json.Decoder(ActionRequest)


@routes.add(
    "POST",
    "/actions",
    WAIT,
    request=ActionRequest,
    answer=ActionAnswer,
    failures=(409, 503, 504),
    access="act",
)
async def act(request: web.Request) -> ActionAnswer | web.Response:
    """Act on a live session that was started with `--act`; what enables takes a token that existed then."""
    shared, session_id = of(request), request.match_info["session_id"]
    wait_s = WAIT.of(request)
    with _coded():
        wanted = await body(request, _decode)
        arguments = checked_arguments(wanted.action, wanted.arguments())
        author, token = author_of(request)
        action_id = f"a_{_id_of(session_id, author, wanted.key)}"
        asked = {"action_id": action_id, "action": wanted.action, "args": arguments, "by": author}
        asked |= {} if token is None else {"token": token}
        async with shared.acting.setdefault(action_id, asyncio.Lock()):  # the same key twice at once
            may_be_done = wanted.key is not None
            seq, after_us = await asyncio.to_thread(_ask, shared, session_id, asked, may_be_done=may_be_done)
    if wait_s is None:
        return answer(ActionAnswer(action_id=action_id, seq=seq, state="sent"), 202)
    outcome = await _outcome(shared, session_id, action_id, after_us, wait_s)
    return ActionAnswer(action_id=action_id, seq=seq, **outcome)


@routes.add("GET", "/actions", LIMIT, OFFSET, answer=ActionPage)
def listed(request: web.Request) -> ActionPage:
    """What others did to a session, or were refused, newest first."""
    shared, session_id = of(request), request.match_info["session_id"]
    limit, offset = LIMIT.of(request), OFFSET.of(request)
    with _coded():
        _session(shared, session_id)
    found, total = _actions(shared, session_id, limit, offset)
    return ActionPage(actions=found, total=total)


@routes.add("GET", "/questions", answer=QuestionPage)
def questions(request: web.Request) -> QuestionPage:
    """Questions for permission that nobody has answered, oldest first, each with the tool's whole input."""
    shared, session_id = of(request), request.match_info["session_id"]
    with _coded():
        session = _session(shared, session_id)
    pieces = pieces_of(shared, session_id)

    def record_of(seq: int) -> Record | None:
        row = find_record(pieces, seq)
        record = None if row is None else parse(row.line)
        return None if isinstance(record, str) else record

    return QuestionPage(questions=list(open_questions(session, record_of)))


def _session(shared: Shared, session_id: str) -> Session:
    """Return a session as it is now. NotFoundError: there is none."""
    shared.session(session_id)
    shared.wait_indexed(session_id)
    return shared.session(session_id)


def _ask(shared: Shared, session_id: str, asked: dict[str, Any], *, may_be_done: bool) -> tuple[int, int]:
    """Ask for an action, unless it was done before; return its record, and a moment before all that comes of it.

    ActionError: it is refused, or nobody listens.
    """
    session = _session(shared, session_id)
    if may_be_done and (done := _find(shared, session_id, asked["action_id"])) is not None:
        return done.seq, parse_timestamp(done.requested_at)
    if session.over:
        raise ActionError("ended", "the session is over")
    if session.grant == "off":
        raise ActionError("acting_off", "start the session with --act")
    seq = ask(shared.data_dir, session_id, asked)
    if may_be_done:
        shared.wait_indexed(session_id)
    return seq, session.last_event_us


def _id_of(session_id: str, author: dict[str, str | None], key: str | None) -> str:
    """Return an action's id; the same for the same key of the same client, also after the server was started anew."""
    if key is None:
        return secrets.token_hex(_ID_DIGITS // 2)
    client = f"token {author['name']}" if author["name"] is not None else f"address {author['address']}"
    return hashlib.sha256(f"{session_id}\0{client}\0{key}".encode()).hexdigest()[:_ID_DIGITS]


def _actions(shared: Shared, session_id: str, limit: int, offset: int = 0) -> tuple[list[Action], int]:
    def events(types: tuple[str, ...], limit: int, offset: int) -> tuple[list[tuple[str, str, Any]], int]:
        query = EventQuery(session_id=session_id, event_types=types, limit=limit, offset=offset, order="desc")
        page = shared.store.events(query)
        found = map(decode_envelope, page.events)
        return [(event.event_type, event.timestamp, event.data) for event in found], page.total

    requests, total = events(REQUESTS, limit, offset)
    outcomes, _ = events(OUTCOMES, limit + offset, 0)  # of an action there is one at most
    return list(actions(requests, outcomes)), total


def _find(shared: Shared, session_id: str, action_id: str) -> Action | None:
    """Return an action that was done, None where it is none of the newest."""
    found, _ = _actions(shared, session_id, MOST_ACTIONS)
    return next((one for one in found if one.action_id == action_id and one.state != "refused"), None)


async def _outcome(
    shared: Shared, session_id: str, action_id: str, after_us: int, wait_s: int
) -> dict[str, Any]:
    """Return what the wire shows of an action within so many seconds, as `ActionAnswer` has it.

    ``after_us``: what comes of the action is stamped later. Each look reads what is new.
    """

    def look() -> dict[str, Any] | None:
        nonlocal after_us
        query = EventQuery(session_id=session_id, event_types=OUTCOMES, after_us=after_us, limit=MOST_ACTIONS)
        for event in map(decode_envelope, shared.store.events(query).events):
            after_us = parse_timestamp(event.timestamp)
            if event.data.get("action_id") == action_id:
                state = event.event_type.removeprefix("action_")
                return {"state": state, **texts(event.data, "effect", "error")}
        return None

    found = await look_until(shared, wait_s, look, lambda found: found)
    return found or {"state": "sent"}


@contextmanager
def _coded() -> Iterator[None]:
    """Begin each reason for a refusal with its code."""
    try:
        yield
    except ActionError as error:
        refused = error
    except NotFoundError as error:
        refused = ActionError("unknown_session", str(error))
    except UnprocessableError as error:
        refused = ActionError("bad_arguments", str(error))
    else:
        return
    answered = RequestError(str(refused))
    answered.status = refused.status
    raise answered
