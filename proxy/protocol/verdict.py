"""What a line is found to be, and why."""

from typing import Literal

import msgspec

Verdict = Literal["valid", "invalid", "unknown", "malformed", "text"]


class Violation(msgspec.Struct, frozen=True):
    """One reason why a message is invalid or malformed."""

    path: str
    """JSON pointer into the message, empty for the whole of it."""
    message: str
    """A sentence for a person."""
    keyword: str
    """The JSON Schema keyword, or the rule, that was not met."""


class Judgement(msgspec.Struct, frozen=True):
    """A verdict, with its reasons where it is `invalid` or `malformed`.

    `spliceable` is false when the line cannot stand inside another JSON document that ordinary parsers
    are to read: it is no JSON, is nested too deep, or holds an integer too long for them.
    """

    verdict: Verdict
    errors: tuple[Violation, ...] = ()
    spliceable: bool = True


# Shared, so that the ordinary case allocates nothing.
VALID = Judgement("valid")
UNKNOWN = Judgement("unknown")


def invalid(path: str, message: str, keyword: str, *, spliceable: bool = True) -> Judgement:
    """Return the judgement on a line with one violation."""
    return Judgement("invalid", (Violation(path, message, keyword),), spliceable)


def malformed(message: str, keyword: str = "json") -> Judgement:
    """Return the judgement on a line that is not JSON."""
    return Judgement("malformed", (Violation("", message, keyword),), spliceable=False)
