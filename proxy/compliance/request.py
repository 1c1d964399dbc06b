"""What a check is asked for, when it runs in a process of its own."""

from typing import Annotated

import msgspec

__all__ = ["DEFAULT_THRESHOLD", "CheckRequest", "Percent"]

DEFAULT_THRESHOLD = 100.0
"""A stand-in for `claude` is right when everything passes."""

_Program = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[!-~][ -~]*$"})]
_Argument = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[^\\u0000]*$"})]
Percent = Annotated[float, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": 100})]


class CheckRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /api/v1/compliance/runs`: what `claude-proxy check` takes on its command line."""

    wrapper: _Program
    """A program, by its path or as a name on the server's PATH."""
    arguments: list[_Argument] = []
    """Arguments of its own."""
    scenarios: list[str] = []
    """Names or patterns; none: all."""
    as_argument: bool | None = None
    """Whether claude is its first argument; None: that is found out."""
    variables: list[str] = []
    """Further variables in which it looks for claude."""
    threshold: Percent = DEFAULT_THRESHOLD
    """The score that it is to reach."""
