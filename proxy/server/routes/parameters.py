"""Parameters of the API's calls: what each takes, and what it means."""

from proxy.server.routes import conversation, records, search
from proxy.server.routes.requests import FARTHEST, LONGEST_SEARCH, LONGEST_WAIT_S
from proxy.server.routes.route import Parameter
from proxy.telling.filters import FILTERS

_NAMES: dict[str, object] = {"type": "array", "items": {"type": "string"}}
SESSION = Parameter("session_id", "Only this session.", {"type": "string"})
TYPES = Parameter(
    "event_types",
    "Only these, separated by commas.",
    {"type": "array", "items": {"type": "string", "pattern": r"^\s*[A-Za-z0-9_.-]{0,128}\s*$"}},
)
ORIGIN = (
    Parameter("host", "Of a fleet: only those of these hosts, names or ids separated by commas.", _NAMES),
    Parameter("team", "Of a fleet: only those of these teams, separated by commas.", _NAMES),
)
ID = Parameter("session_id", "A session.", {"type": "string"}, "path")
RUN = Parameter("run_id", "A check.", {"type": "string"}, "path")
_TIME: dict[str, object] = {"type": "string", "format": "date-time"}
_PLACE: dict[str, object] = {"type": "string", "pattern": "^[0-9a-zA-Z]{1,64}-[0-9]{1,18}-[0-9]{1,18}$"}
PLACE_OR_NONE: dict[str, object] = {**_PLACE, "pattern": f"^$|{_PLACE['pattern']}"}
_WORDS: dict[str, object] = {"type": "array", "items": {"type": "string", "pattern": "^[^,]*$"}}


def some_of(words: tuple[str, ...]) -> dict[str, object]:
    """Return the schema of a list of some of these words."""
    return {"type": "array", "items": {"enum": list(words)}}


def number(least: int, most: int) -> dict[str, object]:
    """Return the schema of a whole number between two, both included."""
    return {"type": "integer", "minimum": least, "maximum": most}


def paging(what: str, most: int, default: int = 100) -> tuple[Parameter, Parameter]:
    """Return the parameters with which pages of something are asked for."""
    return (
        Parameter("limit", f"{what} of a page (default {default}).", number(1, most)),
        Parameter("offset", f"{what} to pass over, in the order of the answer.", number(0, FARTHEST)),
    )


MAX_TEXT = Parameter(
    "max_text",
    "Longest text that is given whole; what is cut off is counted.",
    number(records.LEAST_TEXT, records.LONGEST_TEXT),
)
_TEXT: dict[str, object] = {"type": "string", "maxLength": LONGEST_SEARCH}
PERIOD = (
    Parameter("start_time", "Only what is stamped later; without a zone it is UTC.", _TIME),
    Parameter("end_time", "Only what is stamped no later; it is not before `start_time`.", _TIME),
)
PAGE = (
    SESSION,
    TYPES,
    *PERIOD,
    *paging("Events", 10_000),
    Parameter(
        "after",
        "Go on behind this place, in the order of arrival: the `after` of an answer, or the id of an event. Without"
        " `start_time`, `end_time`, `offset` and `order`.",
        _PLACE,
    ),
    Parameter("order", "Oldest or newest first.", {"enum": ["asc", "desc"]}),
    Parameter("wait", "Seconds to wait for a first event when there is none yet.", number(0, LONGEST_WAIT_S)),
    MAX_TEXT,
)
RECORDS = (
    ID,
    Parameter("stream", "Only these, separated by commas.", some_of(records.STREAMS)),
    Parameter("verdict", "Only these, separated by commas.", some_of(records.VERDICTS)),
    Parameter("type", "Only these, separated by commas: `assistant`, `system/init`, `system`, ...", _WORDS),
    Parameter("text", "Only what holds this text.", _TEXT),
    Parameter("from_seq", "Only from this number.", number(0, FARTHEST)),
    Parameter("to_seq", "Only up to this number, which is not below `from_seq`.", number(0, FARTHEST)),
    *paging("Records", records.MOST_RECORDS),
    MAX_TEXT,
)

CONVERSATION = (
    ID,
    Parameter(
        "filter",
        f"Only these, separated by commas: {', '.join(f'`{name}`' for name in FILTERS)}.",
        {"type": "array", "items": {"enum": list(FILTERS)}},
    ),
    Parameter("from_seq", "Begin with what this record, or a later one, says.", number(0, FARTHEST)),
    *paging("Entries", conversation.MOST_ENTRIES),
    Parameter(
        "max_text",
        "Longest text that is given whole (default 4000); of a longer one both ends are.",
        number(conversation.LEAST_TEXT, conversation.LONGEST_TEXT),
    ),
)
SEARCH = (
    Parameter(
        "text",
        "What was said; of A to Z, capital and small letters are alike.",
        {**_TEXT, "minLength": 1},
        is_required=True,
    ),
    Parameter("limit", "Sessions of an answer, about (default 20).", number(1, search.MOST_SESSIONS)),
    Parameter("after", "Go on where an answer's `after` is.", {"type": "string", "pattern": search.PLACE}),
)
