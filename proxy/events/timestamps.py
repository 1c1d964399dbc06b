"""Timestamps as records have them (RFC 3339), and as whole microseconds since 1970, which can be compared."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

Timestamp = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A timestamp as text, in models of what is published."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = (end.replace(tzinfo=UTC) - _EPOCH for end in (datetime.min, datetime.max))


def parse_timestamp(text: str) -> int:
    """Return the microseconds since 1970 of an RFC 3339 timestamp. ValueError when it is none, or has no zone.

    At the ends of time a zone leads beyond what UTC can express: such a time is the first or the last that it can.
    """
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return max(_FIRST, min(parsed - _EPOCH, _LAST)) // _MICROSECOND


def format_timestamp(timestamp_us: int) -> str:
    """Return the timestamp as records have it: UTC, six digits of a second, ``Z``."""
    local = (_EPOCH + timestamp_us * _MICROSECOND).replace(tzinfo=None)
    # And not `strftime`, which writes the year 524 without its zero.
    return local.isoformat(timespec="microseconds") + "Z"


class TimestampCodec:
    """`parse_timestamp` and `format_timestamp` for timestamps that mostly share their second, as in a log."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def format(self, timestamp_us: int) -> str:
        """Return the timestamp as records have it."""
        second, rest = divmod(timestamp_us, 1_000_000)
        if second != self._second:
            self._second, self._text = second, format_timestamp(second * 1_000_000)[:20]
        return f"{self._text}{rest:06d}Z"

    def parse(self, text: str) -> int:
        """Return the microseconds since 1970 of a record's `ts`. ValueError when it is no timestamp."""
        digits = text[20:26]
        if (
            len(text) == 27
            and text[26] == "Z"
            and text[:20] == self._text
            and digits.isdecimal()
            and digits.isascii()
        ):
            return self._second * 1_000_000 + int(digits)
        timestamp_us = parse_timestamp(text)
        self.format(timestamp_us)
        return timestamp_us
