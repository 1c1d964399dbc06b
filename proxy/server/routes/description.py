"""The API's own description, made from the table of routes and the published schemas."""

import os
from collections.abc import Sequence
from functools import cached_property
from types import GenericAlias
from typing import Any

import msgspec
from aiohttp import web

from proxy import __version__
from proxy.protocol import library
from proxy.protocol.specifications import names
from proxy.server.base.errors import RequestError
from proxy.server.routes.manual import manual
from proxy.server.routes.page import POLICY
from proxy.server.routes.parameters import SESSION, Parameter
from proxy.server.routes.route import Route, Routes, plain, schema_name

_FAILURES = {error.status: str(error.__doc__) for error in RequestError.__subclasses__()} | {
    409: "Not possible as things are: the question was answered, the session is over, lines are missing, ...",
    410: "The session was erased, or has expired, and is never taken again.",
    431: "The head of the request is too large.",
    504: "The session did not say in time whether it was done.",
}
_EVERYWHERE = frozenset((401, 403, 429, 431))


class Description:
    """What some routes are, in both forms, each made when it is first asked for."""

    def __init__(self, routes: Sequence[Route], custom_names: Sequence[str] = ()) -> None:
        """``custom_names``: those of schemas that users bring."""
        self._routes = routes
        self._schema_names = [*names(), *custom_names]

    @cached_property
    def document(self) -> bytes:
        """The OpenAPI description."""
        return _openapi(self._routes, self._schema_names)

    @cached_property
    def page(self) -> str:
        """The same for people."""
        return manual(self._routes)


routes = Routes()
DESCRIPTION: web.AppKey[Description] = web.AppKey("DESCRIPTION", Description)


@routes.add("GET", "/openapi.json")
async def openapi(request: web.Request) -> web.Response:
    """This description."""
    return web.Response(body=request.app[DESCRIPTION].document, content_type="application/json")


@routes.add("GET", "/docs", media_type="text/html")
async def docs(request: web.Request) -> web.Response:
    """This description, for people."""
    page = request.app[DESCRIPTION].page
    return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": POLICY})


def _openapi(routes: Sequence[Route], schema_names: Sequence[str]) -> bytes:
    components: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(plain(route.path), {})[route.method.lower()] = _operation(route, components)
    # Which schemas there are, a schema cannot know.
    components["api.validation_request"]["properties"]["schema_type"]["enum"] = schema_names
    text = (
        "Live status, events and validation of wrapped Claude Code sessions."
        " HEAD is answered as GET is, without the body; the WebSocket takes GET alone."
    )
    security = {"token": {"type": "http", "scheme": "bearer"}}
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "claude-proxy", "version": __version__, "description": text},
            "paths": paths,
            "components": {"schemas": components, "securitySchemes": security},
        }
    )


def _operation(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}",
        "responses": _responses(route, components),
        "security": [{}] if route.needs == "open" else [{}, {"token": [route.needs]}],
    }
    if route.parameters:
        operation["parameters"] = [_parameter(one) for one in route.parameters]
    if route.request is not None:
        content = _json(_data(route.request, components))
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameter(one: Parameter[Any]) -> dict[str, Any]:
    is_list = one.schema.get("type") == "array"
    return {
        "name": one.name,
        "in": one.place,
        "description": one.text,
        "required": one.is_required or one.place == "path",
        "schema": one.schema,
        **({"style": "form", "explode": False} if is_list else {}),  # a list is one text with commas
    }


def _responses(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    if route.media_type == "websocket":
        responses: dict[str, Any] = {"101": {"description": "The WebSocket is open."}}
    else:
        if route.answer is None:
            kind = "object" if route.media_type == "application/json" else "string"
            content = {route.media_type: {"schema": {"type": kind}}}
        else:
            properties = {"success": {"const": True}, "data": _data(route.answer, components)}
            content = _json({"type": "object", "required": ["success", "data"], "properties": properties})
        responses = {"200": {"description": "As it says.", "content": content}}
    failure = _json(_component("api/answer.json", components))
    for status in sorted(_EVERYWHERE | _failures(route)):
        responses[str(status)] = {"description": _FAILURES[status], "content": failure}
    return responses


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _failures(route: Route) -> set[int]:
    """Return the statuses of its failures: those that it names, and what follows from what it takes."""
    found = set(route.failures)
    if "{" in route.path or SESSION in route.parameters:
        found.add(404)
    if route.is_strict:
        found.add(422)
    return found | ({400, 408, 413} if route.request is not None else set())


def _data(model: type | GenericAlias, components: dict[str, Any]) -> dict[str, Any]:
    if isinstance(model, GenericAlias):
        return {"type": "array", "items": _data(model.__args__[0], components)}
    return {"type": "object"} if model is dict else _component(f"{schema_name(model)}.json", components)


def _component(name: str, components: dict[str, Any]) -> dict[str, Any]:
    """Put a schema file and all that it refers to among the components; return a reference to it."""
    key = name.removesuffix(".json").replace("/", ".")
    if key not in components:
        components[key] = {}  # one that refers to itself is there already
        schema = {k: v for k, v in library.load(name).items() if k not in ("$schema", "$id")}
        components[key] = _rewritten(schema, name, components)
    return {"$ref": f"#/components/schemas/{key}"}


def _rewritten(value: Any, name: str, components: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_rewritten(item, name, components) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(reference := value.get("$ref"), str):
        path, _, fragment = reference.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
        return {"$ref": _component(target, components)["$ref"] + fragment}
    return {key: _rewritten(item, name, components) for key, item in value.items()}
