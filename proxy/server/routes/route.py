"""One call of the API: what is registered, and described, of it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import GenericAlias
from typing import Literal

from aiohttp import web

from proxy.api.published import PUBLISHED

_NAMES: dict[type, str] = {model: f"api/{name}" for name, (_, model) in PUBLISHED.items()}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a query, a header or a path."""

    name: str
    text: str
    schema: dict[str, object]
    place: str = "query"
    is_required: bool = False
    """Of a path all are."""


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the API."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    summary: str
    parameters: tuple[Parameter, ...] = ()
    request: type | None = None
    """The model of its body."""
    answer: type | GenericAlias | None = None
    """The model of its answer's `data`, or ``list`` of one, ``dict``: any object; None: its media type says it all."""
    media_type: str = "application/json"
    failures: tuple[int, ...] = ()
    access: Literal["open", "read", "write", "act", "push"] | None = None
    """What it needs; None: nothing for `/health...`, else ``read`` for GET and ``write`` for the others."""

    @property
    def query(self) -> tuple[str, ...]:
        """The names of its query's parameters."""
        return tuple(one.name for one in self.parameters if one.place == "query")

    @property
    def is_strict(self) -> bool:
        """Whether it refuses parameters that it does not know: not the pages, whose links others decorate."""
        return self.media_type not in ("text/html", "text/javascript")


def schema_name(model: type) -> str:
    """Return the name of the published schema of a model of the API."""
    return _NAMES[model]


def plain(path: str) -> str:
    """Return a path as OpenAPI writes it: ``{name:.+}`` is ``{name}``."""
    return re.sub(r"{(\w+):[^}]*}", r"{\1}", path)
