"""What the log of a sealed session is known to be."""

import msgspec


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the first bytes of a log are, as its newest checkpoint, or its line in `seals.jsonl`, says."""

    bytes: int
    records: int
    sha256: str
    """Of these bytes, in hexadecimal digits."""
    ended: str | None
    """When the session ended: nothing may follow these bytes. None while it runs, or when its wrapper was killed."""


class SealAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a session's log."""

    session_id: str
    head: Head | None
    """None: the session is not sealed."""
