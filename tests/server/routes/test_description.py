"""The API's description is true."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from proxy.events.outcome import OUTCOMES
from proxy.events.vocabulary import EVENTS, STATES
from proxy.server.routes.route import plain
from proxy.server.routes.table import ROUTES
from tests.server.conftest import Rig

pytestmark = pytest.mark.anyio


async def described(rig: Rig) -> dict[str, Any]:
    """Return the OpenAPI description."""
    response = await rig.client.get("/openapi.json")
    value: dict[str, Any] = await response.json()
    return value


async def test_every_route_is_described_and_every_description_is_a_route(rig: Rig) -> None:
    """The description and the application have the same routes."""
    paths = (await described(rig))["paths"]
    there = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    registered = {
        (route.method, route.resource.canonical)
        for route in rig.client.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert there == registered == {(route.method, plain(route.path)) for route in ROUTES}


async def test_path_parameters_are_described(rig: Rig) -> None:
    """What a path leaves open is described as a parameter of it, and operations have names of their own."""
    names = []
    for path, methods in (await described(rig))["paths"].items():
        for operation in methods.values():
            names.append(operation["operationId"])
            places = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert places == set(re.findall(r"{(\w+)}", path))
    assert len(names) == len(set(names))


async def test_references_lead_somewhere(rig: Rig) -> None:
    """Every reference in the description resolves inside it, and every schema is one."""
    whole = await described(rig)
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(whole)):
        place: Any = whole
        for key in reference.removeprefix("#/").split("/"):
            place = place[key]
    for schema in whole["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


async def test_answers_are_as_described(rig: Rig) -> None:
    """The answers of all calls without parameters in their path fit the schemas that the description gives for them."""
    whole = await described(rig)
    for path, methods in whole["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if "{" in path or "application/json" not in content:
            continue
        schema = {**content["application/json"]["schema"], "components": whole["components"]}
        needed = {one["name"]: "x" for one in methods["get"].get("parameters", ()) if one["required"]}
        response = await rig.client.get(path, params=needed)
        assert jsonschema_rs.validator_for(schema).is_valid(await response.json()), path


async def test_docs_lead_somewhere(rig: Rig) -> None:
    """Each link of the page for people leads to a call on it, or to what the server gives."""
    page = await (await rig.client.get("/docs")).text()
    targets = set(re.findall(r'href="([^"]+)"', page)) - {"data:,"}
    assert len(targets) > len(ROUTES)  # one in the index for each, and the schemas
    for target in targets:
        if target.startswith("#"):
            assert f'id="{target[1:]}"' in page
        else:
            assert (await rig.client.get(target)).status == 200, target


async def test_docs_name_every_route(rig: Rig) -> None:
    """The page for people names every call, every event and every state."""
    response = await rig.client.get("/docs")
    page = await response.text()
    assert response.content_type == "text/html"
    for route in ROUTES:
        assert plain(route.path) in page
    for name in (*EVENTS, *STATES, *OUTCOMES):
        assert f"<code>{name}</code>" in page


async def test_health(rig: Rig) -> None:
    """A server that is well says so, with an entry for each thing that it needs."""
    health = await rig.get("/health", schema="api/health_answer")
    assert health["status"] == "healthy"
    assert set(health["checks"]) == {"data_directory", "disk", "index"}


async def test_health_without_a_place_to_record(rig: Rig) -> None:
    """Where nothing can be recorded the server is unhealthy, and says where."""
    rig.shared.data_dir = str(rig.data_dir / "nowhere")
    response = await rig.client.get("/health")
    body = await response.json()
    assert (response.status, body["data"]["status"]) == (503, "unhealthy")
