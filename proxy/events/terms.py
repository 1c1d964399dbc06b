"""Texts and numbers of a certain form, as several models of what is published have them."""

from typing import Annotated

import msgspec

# What the forms are is for the schemas: a server says what is wrong with a text better than a pattern does.
SessionId = Annotated[
    str,
    msgspec.Meta(
        description="The session, as this proxy names it.",
        extra_json_schema={"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"},
    ),
]
EventType = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[A-Za-z0-9_.-]{1,128}$"})]
Share = Annotated[float, msgspec.Meta(extra_json_schema={"maximum": 1})]
