"""Parameters of the API's calls: what each means and takes, and its value in a request.

Nothing that a client sends is passed over: a parameter that nobody knows, or that is there twice, is an error, because
whoever sent it expects an effect. What is wrong is told in one sentence that says what to change.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from aiohttp import web

from proxy.events.timestamps import parse_timestamp
from proxy.nearest import meant
from proxy.server.base.errors import UnprocessableError
from proxy.sessions.reader import LARGEST_SEQ
from proxy.store.model import Cursor

_Default = TypeVar("_Default")
_Value = TypeVar("_Value")

FARTHEST = LARGEST_SEQ
"""What a page may begin behind: nothing is counted further."""
LONGEST_WAIT_S = 60
"""A request may wait so long for something to answer: proxies cut silent connections, many after 60 s."""
LEAST_TEXT, LONGEST_TEXT = 200, 1_000_000
"""Characters of a value that is shown: ids and timestamps are shorter and never cut."""
EVENT_TYPE = re.compile(r"[A-Za-z0-9_.-]{1,128}", re.ASCII)
_LONGEST_SEARCH = 1000
"""Characters."""
_DIGITS = re.compile(r"[0-9]{1,16}", re.ASCII)


@dataclass(frozen=True, eq=False)
class Parameter(Generic[_Value]):
    """A parameter of a query, a header or a path."""

    name: str
    text: str
    schema: Mapping[str, object]
    read: Callable[[str], _Value]
    """Returns its value; UnprocessableError: it has none."""
    absent: _Value
    """Its value where it is not given."""
    place: str = "query"
    is_required: bool = False
    """Of a path all are."""

    def of(self, request: web.Request) -> _Value:
        """Return its value in a request. UnprocessableError: it is not what it should be."""
        places = {"query": request.query, "header": request.headers, "path": request.match_info}
        text = places[self.place].get(self.name, "" if self.is_required else None)
        return self.absent if text is None else self.read(text)


def any_text(name: str, text: str, place: str = "query") -> Parameter[str | None]:
    """Return a parameter that may be any text."""
    return Parameter(name, text, {"type": "string"}, str, None, place)


def number(name: str, text: str, least: int, most: int, default: _Default) -> Parameter[int | _Default]:
    """Return a parameter that is a whole number between two, both included."""

    def read(value: str) -> int:
        if not _DIGITS.fullmatch(value) or not least <= int(value) <= most:
            raise UnprocessableError(f"{name} is {value!r}; it takes a whole number from {least} to {most}.")
        return int(value)

    return Parameter(name, text, {"type": "integer", "minimum": least, "maximum": most}, read, default)


def choice(name: str, text: str, *allowed: str) -> Parameter[Any]:
    """Return a parameter that is one of several words, None for none."""

    def read(value: str) -> str:
        if value not in allowed:
            raise UnprocessableError(f"{name} is {value!r}; it takes {' or '.join(allowed)}.")
        return value

    return Parameter(name, text, {"enum": list(allowed)}, read, None)


def words(
    name: str,
    text: str,
    allowed: Collection[str] | None = None,
    pattern: str | None = None,
    hint_of: Callable[[str], str | None] | None = None,
) -> Parameter[tuple[str, ...]]:
    """Return a parameter that is a list of words, separated by commas: each once and in order.

    ``allowed``: all that it takes, else ``hint_of`` says what is wrong with a word, if anything is. ``pattern``: as the
    description has a word.
    """
    item: dict[str, object] = {"enum": list(allowed)} if allowed else {"type": "string"}
    item |= {} if pattern is None else {"pattern": pattern}

    def read(value: str) -> tuple[str, ...]:
        found = sorted({word.strip() for word in value.split(",") if word.strip()})
        for word in found:
            if allowed is not None and word not in allowed:
                raise UnprocessableError(f"{name} has {word!r}; {hint(word, allowed)}")
            if hint_of is not None and (wanted := hint_of(word)):
                raise UnprocessableError(f"{name} has {word!r}; {wanted}")
        return tuple(found)

    return Parameter(name, text, {"type": "array", "items": item}, read, ())


def search_text(text: str, *, is_required: bool = False) -> Parameter[str]:
    """Return a parameter that is looked for, empty for nothing."""
    schema: dict[str, object] = {"type": "string", "maxLength": _LONGEST_SEARCH}
    schema |= {"minLength": 1} if is_required else {}

    def read(value: str) -> str:
        if len(value) > _LONGEST_SEARCH:
            raise UnprocessableError(f"text has {len(value)} characters; it takes up to {_LONGEST_SEARCH}.")
        if is_required and not value:
            raise UnprocessableError("text is missing; give what to look for.")
        return value

    return Parameter("text", text, schema, read, "", is_required=is_required)


def timestamp(name: str, text: str) -> Parameter[int | None]:
    """Return a parameter that is a timestamp, in microseconds since 1970; one without a zone is UTC."""

    def read(value: str) -> int:
        try:
            # A plus sign that was not escaped arrives as a space.
            found = datetime.fromisoformat(value.strip().replace(" ", "+") if "T" in value else value)
            return parse_timestamp((found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat())
        except ValueError:
            example = "2026-01-31T12:00:00.000000Z"
            raise UnprocessableError(f"{name} is {value!r}; it takes a time, as in {example}.") from None

    return Parameter(name, text, {"type": "string", "format": "date-time"}, read, None)


_PLACE = "^[0-9a-zA-Z]{1,64}-[0-9]{1,18}-[0-9]{1,18}$"


def arrival_place(
    name: str, text: str, where: str = "query", *, may_be_empty: bool = True
) -> Parameter[Cursor | None]:
    """Return a parameter that is a place in the order of arrival, as the ids of events and answers name it."""

    def read(value: str) -> Cursor | None:
        found = Cursor.parse(value)
        if found is None and value:  # to go on anywhere else would pass over events without a word
            raise UnprocessableError(f"{value!r} is no id of an event; give the last one that came, or none.")
        return found

    pattern = f"^$|{_PLACE}" if may_be_empty else _PLACE
    return Parameter(name, text, {"type": "string", "pattern": pattern}, read, None, where)


def paging(what: str, most: int, default: int = 100) -> tuple[Parameter[int], Parameter[int]]:
    """Return the parameters with which pages of something are asked for: how many, and how many to pass over."""
    return (
        number("limit", f"{what} of a page (default {default}).", 1, most, default),
        number("offset", f"{what} to pass over, in the order of the answer.", 0, FARTHEST, 0),
    )


ID = any_text("session_id", "A session.", "path")
SESSION = any_text("session_id", "Only this session.")
TYPES = words(
    "event_types",
    "Only these, separated by commas.",
    pattern=r"^\s*[A-Za-z0-9_.-]{0,128}\s*$",
    hint_of=lambda word: (
        None if EVENT_TYPE.fullmatch(word) else "a type is letters, digits, `_`, `-` and dots."
    ),
)
MAX_TEXT = number(
    "max_text",
    "Longest text that is given whole; what is cut off is counted.",
    LEAST_TEXT,
    LONGEST_TEXT,
    None,
)
START = timestamp("start_time", "Only what is stamped later; without a zone it is UTC.")
END = timestamp("end_time", "Only what is stamped no later; it is not before `start_time`.")


def period(request: web.Request) -> tuple[int | None, int | None]:
    """Return `START` and `END` of a query, in microseconds since 1970."""
    start_us, end_us = START.of(request), END.of(request)
    if start_us is not None and end_us is not None and end_us < start_us:
        raise UnprocessableError("end_time is before start_time; exchange them.")
    return start_us, end_us


def hint(name: str, known: Collection[str]) -> str:
    """Return the end of a sentence about a word that is not known: which one was meant, or what there is."""
    return meant(name, known, f"it takes {', '.join(known) or 'none'}.")
