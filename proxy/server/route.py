"""One call of the API: what is registered, and described, of it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

__all__ = ["Parameter", "Route", "plain"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a query, a header or a path."""

    name: str
    text: str
    schema: dict[str, object]
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the API."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    summary: str
    parameters: tuple[Parameter, ...] = ()
    request: str | None = None
    """The schema of its body."""
    answer: str | None = None
    """The schema of its answer's `data`; None: described by its media type alone."""
    media_type: str = "application/json"
    failures: tuple[int, ...] = ()
    access: Literal["open", "read", "write"] | None = None
    """What it needs; None: nothing for `/health...`, else ``read`` for GET and ``write`` for the others."""

    @property
    def query(self) -> tuple[str, ...]:
        """The names of its query's parameters."""
        return tuple(one.name for one in self.parameters if one.place == "query")

    @property
    def is_strict(self) -> bool:
        """Whether it refuses parameters that it does not know: not the pages, whose links others decorate."""
        return self.media_type not in ("text/html", "text/javascript")


def plain(path: str) -> str:
    """Return a path as OpenAPI writes it: ``{name:.+}`` is ``{name}``."""
    return re.sub(r"{(\w+):[^}]*}", r"{\1}", path)
