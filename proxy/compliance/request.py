"""What a check is asked for, and what it does where nothing is asked."""

import os
from typing import Annotated

import msgspec

DEFAULT_JOBS = max(4, 2 * (os.cpu_count() or 1))
"""Most scenarios wait for processes to start and to end."""
DEFAULT_PATIENCE_S = 10.0
"""Longest silence of a wrapper: a hundred times what the slowest one that was checked takes to start."""

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
