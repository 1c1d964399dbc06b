"""Moments as records spell them, and as whole microseconds since 1970, which can be compared and counted."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(text: str) -> int:
    """Return the moment that an RFC 3339 text names. ValueError when it names none, or has no zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return (moment - _EPOCH) // _MICROSECOND


def spelled(moment_us: int) -> str:
    """Return the moment as records spell it: UTC, six digits of a second, ``Z``."""
    moment = (_EPOCH + moment_us * _MICROSECOND).replace(tzinfo=None)
    return (
        moment.isoformat(timespec="microseconds") + "Z"
    )  # and not `strftime`: it writes the year 524 as it is


class Speller:
    """`spelled` and `microseconds` for moments that mostly share their second, as in a log."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def spelled(self, moment_us: int) -> str:
        """Return the moment as records spell it."""
        second, rest = divmod(moment_us, 1_000_000)
        if second != self._second:
            self._second, self._text = second, spelled(second * 1_000_000)[:20]
        return f"{self._text}{rest:06d}Z"

    def microseconds(self, text: str) -> int:
        """Return the moment that a record's `ts` names. ValueError when it names none."""
        digits = text[20:26]
        if (
            len(text) == 27
            and text[26] == "Z"
            and text[:20] == self._text
            and digits.isdecimal()
            and digits.isascii()
        ):
            return self._second * 1_000_000 + int(digits)
        moment_us = microseconds(text)
        self.spelled(moment_us)
        return moment_us
