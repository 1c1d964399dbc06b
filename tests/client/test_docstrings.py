"""The documentation of the client's methods: arguments, errors, and an example that runs."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from proxy.client import AsyncClient, MonitoredRun, Run
from tests.client.conftest import end, say, serving
from tests.client.test_monitored import fake

pytestmark = pytest.mark.anyio

METHODS = {
    f"{kind.__name__}.{name}": method
    for kind in (AsyncClient, Run)
    for name, method in inspect.getmembers(kind, inspect.isfunction)
    if not name.startswith("_")
}


def example_of(method: Any) -> str:
    """Return the code under "Example:" in a docstring."""
    _, _, code = (inspect.getdoc(method) or "").partition("Example:\n")
    return textwrap.dedent(code)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "AsyncClient.close"])
def test_a_method_says_what_it_takes_and_how_it_is_used(name: str) -> None:
    """Whoever calls it needs neither the source nor the API's description."""
    method = METHODS[name]
    documentation = inspect.getdoc(method) or ""
    ast.parse(f"async def example():\n{textwrap.indent(example_of(method), '    ')}")
    arguments = set(inspect.signature(method).parameters) - {"self"}
    if len(arguments) > 1:
        assert "Args:\n" in documentation
        for argument in arguments:
            assert f"    {argument}: " in documentation, argument


def test_the_blocking_client_is_documented_too() -> None:
    """Its methods have the documentation of what they stand for."""
    assert inspect.getdoc(MonitoredRun.event) == inspect.getdoc(Run.event)


@pytest.mark.parametrize(
    "name", [name for name in METHODS if name not in ("AsyncClient.close", "AsyncClient.stream")]
)
async def test_an_example_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the documentation can be copied. (A stream has no end; `examples/follow.py` is run elsewhere.)"""
    wrapper = str(Path(sys.executable).with_name("claude-proxy"))
    code = textwrap.indent(example_of(METHODS[name]).replace("./my-wrapper", wrapper), "    ")
    monkeypatch.setenv("CLAUDE_PROXY_CLAUDE", fake(tmp_path))
    async with (
        serving(tmp_path / "data", compliance={"enabled": True}) as live,
        AsyncClient(live.url) as client,
    ):
        log = live.log("past")
        say(log, 3)
        end(log)
        await live.shared.catch_up()
        names: dict[str, Any] = {}
        exec(f"async def example(client, session_id):\n{code}", names)
        await names["example"](client, "past")
