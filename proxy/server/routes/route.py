"""The calls of the API: each handler declares what it answers to, and is registered and described by that."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from types import GenericAlias
from typing import Any, TypeVar

from aiohttp import web

from proxy.api.published import PUBLISHED
from proxy.server.access.guard import Access, default_access
from proxy.server.base.answers import answer
from proxy.server.base.errors import UnprocessableError
from proxy.server.routes.parameters import ID, Parameter, hint

Handler = Callable[[web.Request], Any]
"""Returns a response, or the `data` of a successful one; a plain function is called in a thread, and may block."""
_Handler = TypeVar("_Handler", bound=Handler)
OF_SESSION = "/api/v1/monitoring/sessions/{session_id}"
_NAMES: dict[type, str] = {model: f"api/{name}" for name, (_, model) in PUBLISHED.items()}


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the API."""

    method: str
    path: str
    handler: Handler
    parameters: tuple[Parameter[Any], ...] = ()
    request: type | None = None
    """The model of its body."""
    answer: type | GenericAlias | None = None
    """The model of its answer's `data`, or ``list`` of one, ``dict``: any object; None: its media type says it all."""
    media_type: str = "application/json"
    failures: tuple[int, ...] = ()
    """How it can fail beyond what follows from its path, its parameters and its body."""
    access: Access | None = None
    """What it needs, if that is not what `default_access` says."""

    @property
    def summary(self) -> str:
        """What it does: the first line of its handler's docstring."""
        return (self.handler.__doc__ or "").partition("\n")[0].rstrip(".")

    @property
    def query(self) -> tuple[str, ...]:
        """The names of its query's parameters."""
        return tuple(one.name for one in self.parameters if one.place == "query")

    @property
    def needs(self) -> Access:
        """The scope that a token needs, or ``open``."""
        return self.access or default_access(self.method, self.path)

    @property
    def is_strict(self) -> bool:
        """Whether it refuses parameters that it does not know: not the pages, whose links others decorate."""
        return self.media_type not in ("text/html", "text/javascript")

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Answer a request. UnprocessableError: a parameter of its query is not known, or is there twice."""
        names = self.query
        for name in request.query if self.is_strict else ():
            if name not in names:
                raise UnprocessableError(f"{name!r} is no parameter of this call; {hint(name, names)}")
            if len(request.query.getall(name)) > 1:
                raise UnprocessableError(f"{name} is there twice; give it once, several values with commas.")
        if iscoroutinefunction(self.handler):
            return _answered(await self.handler(request))
        return await asyncio.to_thread(lambda: _answered(self.handler(request)))


class Routes(list[Route]):
    """The calls of one module."""

    def __init__(self, prefix: str = "") -> None:
        """``prefix``: what the paths of all of them begin with; one with ``{session_id}`` has the parameter `ID`."""
        super().__init__()
        self._prefix = prefix

    def add(
        self, method: str, path: str, *parameters: Parameter[Any], **about: Any
    ) -> Callable[[_Handler], _Handler]:
        """Return a decorator that adds a handler. ``about``: further fields of its `Route`."""
        if "{session_id}" in self._prefix:
            parameters = (ID, *parameters)

        def decorate(handler: _Handler) -> _Handler:
            self.append(Route(method, self._prefix + path, handler, parameters, **about))
            return handler

        return decorate


def _answered(found: object) -> web.StreamResponse:
    return found if isinstance(found, web.StreamResponse) else answer(found)


def schema_name(model: type) -> str:
    """Return the name of the published schema of a model of the API."""
    return _NAMES[model]


def plain(path: str) -> str:
    """Return a path as OpenAPI writes it: ``{name:.+}`` is ``{name}``."""
    return re.sub(r"{(\w+):[^}]*}", r"{\1}", path)
