"""Requests generated from the API's own description, against a server in a process of its own."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from proxy.protocol.specifications import names
from proxy.server.routes.route import Route, plain
from proxy.server.routes.table import ROUTES
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog
from tests.recorded import START_US, LogMaker, scenario
from tests.server.test_background import address
from tests.tiers import examples

ENDLESS = ("text/event-stream", "websocket")
"""Media types of answers that do not end; `test_streams` asks for them."""
LONGEST_LINE = 8000
"""What aiohttp takes for the first line of a request, nearly."""
FITTING, UNFITTING = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
CALLS = [(route, FITTING) for route in ROUTES if route.media_type not in ENDLESS]
CALLS += [
    (route, UNFITTING)
    for route, _ in CALLS
    if route.request or any(one.place == "query" for one in route.parameters)
]
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.positive_data_acceptance,
    checks.negative_data_rejection,
]
SETTINGS = settings(
    max_examples=examples(30), phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over one past and one live session; the live one keeps it from leaving."""
    data_dir = tmp_path_factory.mktemp("served")
    (data_dir / "sessions").mkdir()
    past = data_dir / "sessions" / "past.jsonl"
    past.write_bytes(scenario("subagent", LogMaker("past", START_US)))
    data = {"format": 1, "command": ["claude"], "pid": 7, "name": "mine"}
    live = SessionLog(str(data_dir), "live", lifecycle("live", "session_started", data))
    live.append([])
    with serving(data_dir) as found:
        yield found
    live.close()


@contextlib.contextmanager
def serving(data_dir: Path) -> Iterator[str]:
    """Run a server, and give where it is."""
    command = [sys.executable, "-m", "proxy.server", "--data-dir", str(data_dir)]
    process = subprocess.Popen([*command, "--host", "127.0.0.1", "--port", "0"])
    try:
        yield address(data_dir)["url"]
    finally:
        process.terminate()
        assert process.wait(120) == 0


@pytest.fixture(scope="module")
def operations(url: str) -> dict[tuple[str, str], Any]:
    """What the server says of itself, by method and path."""
    described = requests.get(f"{url}/openapi.json", timeout=120).json()
    asked = described["paths"]["/api/v1/monitoring/events"]["get"]
    # How long a client may be kept waiting is not for this test to find out.
    asked["parameters"] = [one for one in asked["parameters"] if one["name"] != "wait"]
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=url)
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return {(operation.method.upper(), operation.path): operation for operation in found}


@pytest.mark.parametrize(
    ("route", "mode"), CALLS, ids=[f"{route.method} {route.path} {mode.value}" for route, mode in CALLS]
)
def test_requests_made_from_the_description(
    url: str, operations: dict[tuple[str, str], Any], route: Route, mode: GenerationMode
) -> None:
    """What fits the description is taken, what does not is refused, and each answer is one that it names."""
    operation = operations[route.method, plain(route.path)]
    with requests.Session() as session:

        @SETTINGS
        @given(operation.as_strategy(mode), st.sampled_from(names()), st.booleans())
        def ask(case: Case[Any], schema: str, exists: bool) -> None:
            if mode.is_positive:
                for end in ("end_time", "to_seq"):
                    case.query.pop(end, None)  # which one comes first, no description can say
                for other in ("start_time", "offset", "order") if "after" in case.query else ():
                    case.query.pop(other, None)  # nor what goes together
                if route.path.endswith("/actions") and isinstance(case.body, dict):
                    case.body = {"action": "interrupt"}  # nor what each action takes
                if exists:
                    name_what_exists(case, schema, "past" if route.method == "GET" else started(session, url))
            assume(len(case.as_curl_command()) < LONGEST_LINE)  # longer ones are refused for that alone
            case.call_and_validate(session=session, checks=CHECKS, timeout=120)

        ask()


def started(session: requests.Session, url: str) -> str:
    """Start a session for events of our own, and return its id."""
    answer = session.post(f"{url}/api/v1/monitoring/sessions", json={}, timeout=120).json()
    return str(answer["data"]["session_id"])


def name_what_exists(case: Case[Any], schema: str, session_id: str) -> None:
    """Put names of what there is where a request has made-up ones."""
    for place in (case.path_parameters, case.query, case.body):
        for key, value in (("name", schema), ("session_id", session_id)):
            if isinstance(place, dict) and key in place:
                place[key] = value
