"""Reads what a request says, or tells in one sentence what to change.

Nothing that a client sends is passed over: a parameter or a field that nobody knows, or a parameter that is there
twice, is an error, because whoever sent it expects an effect.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from proxy.events.timestamps import parse_timestamp
from proxy.nearest import nearest
from proxy.server.base.answers import TOO_LARGE
from proxy.server.base.decoding import decoded
from proxy.server.base.refusals import BadRequestError, TooLargeError, TooSlowError, UnprocessableError
from proxy.server.shared import of
from proxy.sessions.reader import LARGEST_SEQ
from proxy.store.model import Cursor

if TYPE_CHECKING:
    import msgspec

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_T = TypeVar("_T")
FARTHEST = LARGEST_SEQ
"""What a page may begin behind: nothing is counted further."""
EVENT_TYPE = re.compile(r"[A-Za-z0-9_.-]{1,128}", re.ASCII)
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 and 9999."""
LONGEST_SEARCH = 1000
"""Characters."""
LONGEST_WAIT_S = 60
"""A request may wait so long for something to answer: proxies cut silent connections, many after 60 s."""
_DIGITS = re.compile(r"[0-9]{1,16}", re.ASCII)


async def body(request: web.Request, decoder: "msgspec.json.Decoder[_T]") -> _T:
    """Return the body, decoded. Errors as by `raw_body` and `decoded`."""
    return decoded(await raw_body(request), decoder)


async def raw_body(request: web.Request) -> bytes:
    """Return the body.

    Raises:
        BadRequestError: it is of another content type than JSON, or not encoded as it says.
        TooSlowError: it did not arrive in time.
        TooLargeError, web.HTTPRequestEntityTooLarge: it is too large.
    """
    kind = request.content_type
    if kind != "application/json" and not kind.endswith("+json"):
        raise BadRequestError(f"The content type is {kind!r}; send application/json.")
    if (request.content_length or 0) > request.client_max_size:
        raise TooLargeError(TOO_LARGE)
    async with receiving(request):
        return await request.read()


@contextlib.asynccontextmanager
async def receiving(request: web.Request) -> AsyncIterator[None]:
    """Wait, within `api.timeout`, for the body or a part of it.

    Raises:
        BadRequestError: it is not encoded as it says, or the client has left.
        TooSlowError: it did not arrive in time.
    """
    try:
        async with asyncio.timeout(of(request).settings.api.timeout):
            yield
    except TimeoutError:
        raise TooSlowError("The body did not arrive in time; see api.timeout.") from None
    except web.RequestPayloadError:
        raise BadRequestError("The body is not in the transfer or content encoding that it says.") from None
    except ConnectionError:
        raise BadRequestError("The client left before the body was whole.") from None  # nobody will read it


def knowing(handler: Handler, names: Collection[str]) -> Handler:
    """Return a handler that refuses parameters of the query which it does not know, or gets twice."""

    async def asked(request: web.Request) -> web.StreamResponse:
        for name in request.query:
            if name not in names:
                raise UnprocessableError(f"{name!r} is no parameter of this call; {_hint(name, names)}")
            if len(request.query.getall(name)) > 1:
                raise UnprocessableError(f"{name} is there twice; give it once, several values with commas.")
        return await handler(request)

    return asked


def whole(request: web.Request, name: str, default: int | None, least: int, most: int) -> int | None:
    """Return a whole number of the query."""
    text = request.query.get(name)
    if text is None:
        return default
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise UnprocessableError(f"{name} is {text!r}; it takes a whole number from {least} to {most}.")
    return int(text)


def period(request: web.Request) -> tuple[int | None, int | None]:
    """Return `start_time` and `end_time` of the query, in microseconds."""
    start_us, end_us = moment(request, "start_time"), moment(request, "end_time")
    if start_us is not None and end_us is not None and end_us < start_us:
        raise UnprocessableError("end_time is before start_time; exchange them.")
    return start_us, end_us


def moment(request: web.Request, name: str) -> int | None:
    """Return a timestamp of the query, in microseconds since 1970; one without a zone is UTC."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        # A plus sign that was not escaped arrives as a space.
        found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
        found_us = parse_timestamp((found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat())
    except (ValueError, OverflowError):
        example = "2026-01-31T12:00:00.000000Z"
        raise UnprocessableError(f"{name} is {text!r}; it takes a time, as in {example}.") from None
    # At the ends of time a zone leads beyond what UTC can express; nothing is stamped there.
    return max(_FIRST_US, min(found_us, _LAST_US))


def place(text: str | None) -> Cursor | None:
    """Return the place that an id names, None for none.

    UnprocessableError: it is no id of ours. To go on anywhere else would pass over events without a word.
    """
    if not text:
        return None
    found = Cursor.parse(text)
    if found is None:
        raise UnprocessableError(f"{text!r} is no id of an event; give the last one that came, or none.")
    return found


def choice(request: web.Request, name: str, allowed: tuple[str, ...]) -> Any:
    """Return one of the allowed words of the query, None when it says nothing."""
    text = request.query.get(name)
    if text is not None and text not in allowed:
        raise UnprocessableError(f"{name} is {text!r}; it takes {' or '.join(allowed)}.")
    return text


def words(request: web.Request, name: str, allowed: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the words of a list in the query, which are among the allowed ones if these are given."""
    found = {word.strip() for word in request.query.get(name, "").split(",") if word.strip()}
    for word in sorted(found):
        if allowed is not None and word not in allowed:
            raise UnprocessableError(f"{name} has {word!r}; {_hint(word, allowed)}")
    return tuple(sorted(found))


def event_types(request: web.Request) -> tuple[str, ...] | None:
    """Return the event types that the query asks for, None for all."""
    names = words(request, "event_types")
    for name in names:
        if not EVENT_TYPE.fullmatch(name):
            raise UnprocessableError(
                f"event_types has {name!r}; a type is letters, digits, `_`, `-` and dots."
            )
    return names or None


def search_text(request: web.Request) -> str:
    """Return `text` of the query: what is looked for, empty for nothing."""
    text = request.query.get("text", "")
    if len(text) > LONGEST_SEARCH:
        raise UnprocessableError(f"text has {len(text)} characters; it takes up to {LONGEST_SEARCH}.")
    return text


def _hint(name: str, known: Collection[str]) -> str:
    if near := nearest(name, known):
        return f"did you mean {near}?"
    return f"it takes {', '.join(known) or 'none'}."
