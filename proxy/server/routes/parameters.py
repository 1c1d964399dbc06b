"""Parameters of the API's calls: what each means and takes, and its value in a request.

Nothing that a client sends is passed over: a parameter that nobody knows, or that is there twice, is an error, because
whoever sent it expects an effect. What is wrong is told in one sentence that says what to change.
"""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from aiohttp import web

from proxy.events.timestamps import parse_timestamp
from proxy.nearest import meant
from proxy.server.base.errors import UnprocessableError
from proxy.sessions.reader import LARGEST_SEQ
from proxy.store.model import Cursor

_Default = TypeVar("_Default")

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


class Parameter:
    """A parameter of a query, a header or a path."""

    def __init__(
        self,
        name: str,
        text: str,
        schema: dict[str, object] | None = None,
        place: str = "query",
        *,
        is_required: bool = False,
    ) -> None:
        """``schema``: of its value, by default any text. Of a path all are required."""
        self.name, self.text, self.place = name, text, place
        self.schema = schema or {"type": "string"}
        self.is_required = is_required or place == "path"


class Number(Parameter, Generic[_Default]):
    """A whole number of a query, between two, both included."""

    def __init__(self, name: str, text: str, least: int, most: int, default: _Default) -> None:
        super().__init__(name, text, {"type": "integer", "minimum": least, "maximum": most})
        self._least, self._most, self._default = least, most, default

    def of(self, request: web.Request) -> int | _Default:
        """Return its value, or the default."""
        text = request.query.get(self.name)
        if text is None:
            return self._default
        if not _DIGITS.fullmatch(text) or not self._least <= int(text) <= self._most:
            raise UnprocessableError(
                f"{self.name} is {text!r}; it takes a whole number from {self._least} to {self._most}."
            )
        return int(text)


class Choice(Parameter):
    """One of several words."""

    def __init__(self, name: str, text: str, *words: str) -> None:
        super().__init__(name, text, {"enum": list(words)})
        self._words = words

    def of(self, request: web.Request) -> Any:
        """Return the word, None for none."""
        text = request.query.get(self.name)
        if text is not None and text not in self._words:
            raise UnprocessableError(f"{self.name} is {text!r}; it takes {' or '.join(self._words)}.")
        return text


class Words(Parameter):
    """A list of words, separated by commas: any, or some of several."""

    def __init__(
        self, name: str, text: str, allowed: Collection[str] | None = None, pattern: str | None = None
    ) -> None:
        """``pattern``: as the description has it, where any word is taken."""
        item: dict[str, object] = {"enum": list(allowed)} if allowed else {"type": "string"}
        item |= {} if pattern is None else {"pattern": pattern}
        super().__init__(name, text, {"type": "array", "items": item})
        self._allowed = allowed

    def of(self, request: web.Request) -> tuple[str, ...]:
        """Return the words, each once and in order."""
        found = {word.strip() for word in request.query.get(self.name, "").split(",") if word.strip()}
        for word in sorted(found):
            if self._allowed is not None and word not in self._allowed:
                raise UnprocessableError(f"{self.name} has {word!r}; {hint(word, self._allowed)}")
        return tuple(sorted(found))


class EventTypes(Words):
    """Types of events, separated by commas."""

    def __init__(self) -> None:
        pattern = r"^\s*[A-Za-z0-9_.-]{0,128}\s*$"
        super().__init__("event_types", "Only these, separated by commas.", pattern=pattern)

    def of(self, request: web.Request) -> tuple[str, ...]:
        """Return the types, none for all."""
        names = super().of(request)
        for name in names:
            if not EVENT_TYPE.fullmatch(name):
                wanted = "a type is letters, digits, `_`, `-` and dots."
                raise UnprocessableError(f"event_types has {name!r}; {wanted}")
        return names


class Text(Parameter):
    """A text that is looked for."""

    def __init__(self, text: str, *, is_required: bool = False) -> None:
        schema: dict[str, object] = {"type": "string", "maxLength": _LONGEST_SEARCH}
        schema |= {"minLength": 1} if is_required else {}
        super().__init__("text", text, schema, is_required=is_required)

    def of(self, request: web.Request) -> str:
        """Return the text, empty for nothing."""
        text = request.query.get(self.name, "")
        if len(text) > _LONGEST_SEARCH:
            raise UnprocessableError(f"text has {len(text)} characters; it takes up to {_LONGEST_SEARCH}.")
        if self.is_required and not text:
            raise UnprocessableError("text is missing; give what to look for.")
        return text


class Time(Parameter):
    """A timestamp."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text, {"type": "string", "format": "date-time"})

    def of(self, request: web.Request) -> int | None:
        """Return it in microseconds since 1970; one without a zone is UTC."""
        text = request.query.get(self.name)
        if text is None:
            return None
        try:
            # A plus sign that was not escaped arrives as a space.
            found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
            return parse_timestamp((found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat())
        except ValueError:
            example = "2026-01-31T12:00:00.000000Z"
            raise UnprocessableError(f"{self.name} is {text!r}; it takes a time, as in {example}.") from None


_PLACE = "^[0-9a-zA-Z]{1,64}-[0-9]{1,18}-[0-9]{1,18}$"


class Place(Parameter):
    """A place in the order of arrival, as the ids of events and answers name it."""

    def __init__(self, name: str, text: str, place: str = "query", *, may_be_empty: bool = True) -> None:
        pattern = f"^$|{_PLACE}" if may_be_empty else _PLACE
        super().__init__(name, text, {"type": "string", "pattern": pattern}, place)

    def of(self, request: web.Request) -> Cursor | None:
        """Return it, None for none.

        UnprocessableError: it is no id of ours. To go on anywhere else would pass over events without a word.
        """
        text = (request.headers if self.place == "header" else request.query).get(self.name)
        if not text:
            return None
        found = Cursor.parse(text)
        if found is None:
            raise UnprocessableError(f"{text!r} is no id of an event; give the last one that came, or none.")
        return found


def paging(what: str, most: int, default: int = 100) -> tuple[Number[int], Number[int]]:
    """Return the parameters with which pages of something are asked for: how many, and how many to pass over."""
    return (
        Number("limit", f"{what} of a page (default {default}).", 1, most, default),
        Number("offset", f"{what} to pass over, in the order of the answer.", 0, FARTHEST, 0),
    )


ID = Parameter("session_id", "A session.", place="path")
SESSION = Parameter("session_id", "Only this session.")
TYPES = EventTypes()
MAX_TEXT = Number(
    "max_text",
    "Longest text that is given whole; what is cut off is counted.",
    LEAST_TEXT,
    LONGEST_TEXT,
    None,
)
START = Time("start_time", "Only what is stamped later; without a zone it is UTC.")
END = Time("end_time", "Only what is stamped no later; it is not before `start_time`.")


def period(request: web.Request) -> tuple[int | None, int | None]:
    """Return `START` and `END` of a query, in microseconds since 1970."""
    start_us, end_us = START.of(request), END.of(request)
    if start_us is not None and end_us is not None and end_us < start_us:
        raise UnprocessableError("end_time is before start_time; exchange them.")
    return start_us, end_us


def hint(name: str, known: Collection[str]) -> str:
    """Return the end of a sentence about a word that is not known: which one was meant, or what there is."""
    return meant(name, known, f"it takes {', '.join(known) or 'none'}.")
