"""Parameters of pages of events, records and conversations: keywords of the client's calls."""

from collections.abc import Sequence
from typing import Literal, TypedDict


class EventQuery(TypedDict, total=False):
    """Parameters of a page of events; all are optional."""

    session_id: str | None
    event_types: Sequence[str] | str | None
    """Several as a sequence, or in a text with commas."""
    start_time: str | None
    """RFC 3339: only what is stamped later."""
    end_time: str | None
    """RFC 3339: only what is stamped no later."""
    limit: int | None
    """1 to 10,000."""
    offset: int | None
    order: Literal["asc", "desc"] | None
    wait: int | None
    """Seconds, up to 60, for which the server waits for an event where there is none."""
    max_text: int | None
    """Characters from which on a text is shortened."""


class RecordQuery(TypedDict, total=False):
    """Parameters of a page of records; all are optional."""

    stream: str | None
    verdict: str | None
    type: str | None
    """Of the message."""
    text: str | None
    """What the record holds somewhere."""
    from_seq: int | None
    to_seq: int | None
    limit: int | None
    offset: int | None
    max_text: int | None
    """Characters from which on a text is shortened."""


class ConversationQuery(TypedDict, total=False):
    """Parameters of a page of a conversation; all are optional."""

    filter: str | None
    """Groups of entries, separated by commas; the API's description names them."""
    from_seq: int | None
    """Begin with what this record, or a later one, says."""
    limit: int | None
    offset: int | None
    max_text: int | None
    """Characters from which on a text is shortened."""
