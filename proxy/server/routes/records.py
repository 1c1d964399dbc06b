"""The raw records of a session, in pages, with filters and search, and one by one."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, cast, get_args

import msgspec
from aiohttp import web

from proxy.api.records import RecordKind, RecordPage, ShownRecord
from proxy.protocol import Verdict, library
from proxy.server.base.answers import answer, raw_answer
from proxy.server.base.errors import NotFoundError, UnprocessableError
from proxy.server.routes.parameters import FARTHEST, MAX_TEXT, Parameter, number, paging, search_text, words
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import Shared, of
from proxy.sessions.reader import parse
from proxy.store.pieces import NO_RECORD, Pieces, Row
from proxy.store.records import Part, RecordQuery, find_record, page_of_records
from proxy.telling.preview import preview
from proxy.telling.shortening import shorten_value

routes = Routes(OF_SESSION)
_STREAMS = (*library.load("record.json")["properties"]["stream"]["enum"], NO_RECORD)
CATCH_UP_S = 0.5
"""A page of what is indexed comes about so soon, whatever the index is busy with."""
_PLAIN_TEXT = 300
"""Characters of a text in a page, unless something else is asked for."""
STREAM = words("stream", "Only these, separated by commas.", _STREAMS)
VERDICT = words("verdict", "Only these, separated by commas.", get_args(Verdict))
TYPE = words(
    "type", "Only these, separated by commas: `assistant`, `system/init`, `system`, ...", pattern="^[^,]*$"
)
TEXT = search_text("Only what holds this text.")
FROM_SEQ = number("from_seq", "Only from this number.", 0, FARTHEST, None)
TO_SEQ = number("to_seq", "Only up to this number, which is not below `from_seq`.", 0, FARTHEST, None)
LIMIT, OFFSET = paging("Records", 1000)
_ALWAYS = ("seq", "ts", "session_id", "stream")
_BEFORE_MESSAGE = ("verdict", "raw", "raw_base64", "origin", "eol", "event")
_BEHIND_MESSAGE = {"errors": [], "redacted": [], "bom": False, "truncated": False, "forwarded": True}
"""Fields of records that are shown where they say something."""


def _seq(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise UnprocessableError(f"{text!r} is no number of a record; it takes a whole number from 0.")
    return int(text)


_SEQ_SCHEMA = {"type": "integer", "minimum": 0, "maximum": FARTHEST}
SEQ = Parameter("seq", "Its number.", _SEQ_SCHEMA, _seq, 0, "path")


@routes.add(
    "GET",
    "/records",
    *(STREAM, VERDICT, TYPE, TEXT, FROM_SEQ, TO_SEQ, LIMIT, OFFSET, MAX_TEXT),
    answer=RecordPage,
)
async def records(request: web.Request) -> web.Response:
    """A page of a session's records, long values shortened."""
    shared, session_id = of(request), request.match_info["session_id"]
    query = RecordQuery(
        streams=STREAM.of(request),
        verdicts=VERDICT.of(request),
        types=TYPE.of(request),
        text=TEXT.of(request),
    )
    from_seq, to_seq = FROM_SEQ.of(request), TO_SEQ.of(request)
    if from_seq is not None and to_seq is not None and to_seq < from_seq:
        raise UnprocessableError("to_seq is before from_seq; exchange them.")
    part = Part(limit=LIMIT.of(request), offset=OFFSET.of(request), from_seq=from_seq, to_seq=to_seq)
    longest = MAX_TEXT.of(request) or _PLAIN_TEXT
    pieces = await asyncio.to_thread(pieces_of, shared, session_id)
    with _of_log(session_id):
        if query.text:
            page = await shared.searches.page(session_id, pieces, query, part)
        else:
            page = await asyncio.to_thread(page_of_records, pieces, query, part)

    def shown() -> web.Response:
        return answer(
            RecordPage(
                records=[_described(row, longest) for row in page.rows],
                position=page.position,
                total=page.total,
                searched=page.searched,
                complete=page.is_complete,
                kinds=[cast("RecordKind", kind._asdict() | {"count": n}) for kind, n in page.kinds.items()],
            )
        )

    return await asyncio.to_thread(shown)


@routes.add("GET", "/records/{seq}", SEQ, MAX_TEXT, answer=dict)
def record(request: web.Request) -> web.Response:
    """One record, as it is in the log; with `max_text` as in a page."""
    shared, session_id = of(request), request.match_info["session_id"]
    seq, longest = SEQ.of(request), MAX_TEXT.of(request)
    with _of_log(session_id):
        row = find_record(pieces_of(shared, session_id), seq)
    if row is None:
        raise NotFoundError(f"The session {session_id!r} has no record {seq}.")
    return raw_answer(row.line) if longest is None else answer(_described(row, longest))


def pieces_of(shared: Shared, session_id: str) -> Pieces:
    """Return the records of a session: those that there are now, if the index has them soon enough."""
    shared.session(session_id)
    with _of_log(session_id):
        pieces = shared.store.pieces(session_id)
        if not pieces.is_complete:
            shared.store.catch_up(CATCH_UP_S, session_id)
            pieces = shared.store.pieces(session_id)
        return pieces


@contextlib.contextmanager
def _of_log(session_id: str) -> Iterator[None]:
    """Read a session's log. NotFoundError when it cannot be read."""
    try:
        yield
    except KeyError:
        raise NotFoundError(f"The session {session_id!r} was removed.") from None
    except OSError as error:
        raise NotFoundError(f"The log of {session_id!r} cannot be read: {error.strerror}.") from None


def _described(row: Row, longest: int) -> ShownRecord:
    about: dict[str, Any] = {"type": row.kind.type, "size": len(row.line)}
    parsed = parse(row.line)
    if row.kind.stream == NO_RECORD or isinstance(parsed, str):
        text, cut = shorten_value(row.line.decode(errors="replace"), longest)
        reason = parsed if isinstance(parsed, str) else "The line is of a newer format."
        skipped = {"seq": None, "stream": NO_RECORD, "raw": text, "skipped": reason}
        shown = {**skipped, **about, "shortened": cut, "preview": f"{reason} {text}"[:_PLAIN_TEXT]}
        return cast("ShownRecord", shown)
    fields: dict[str, Any] = {name: getattr(parsed, name) for name in _ALWAYS}
    for name in _BEFORE_MESSAGE:
        if (value := getattr(parsed, name)) is not None:
            fields[name] = msgspec.to_builtins(value)
    if parsed.has_message:
        fields["message"] = _value(parsed.value)
    for name, absent in _BEHIND_MESSAGE.items():
        if (value := getattr(parsed, name)) != absent:
            fields[name] = value
    fields, cut = shorten_value(fields, longest)
    return cast("ShownRecord", {**fields, **about, "shortened": cut, "preview": preview(parsed)})


def _value(decode: Any) -> Any:
    try:
        return decode()
    except (ValueError, RecursionError):
        return None  # no reader here can hold it; the whole record has it as it is
