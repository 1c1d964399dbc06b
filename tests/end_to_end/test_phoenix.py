"""A real receiver of OpenTelemetry, Arize Phoenix, shows what it is sent. Skipped where it is not installed.

python -m venv /tmp/phoenix && /tmp/phoenix/bin/pip install arize-phoenix   # .ci/run does
CLAUDE_PROXY_TEST_PHOENIX=/tmp/phoenix/bin/phoenix pytest tests/end_to_end/test_phoenix.py
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.command_line import claude_proxy
from tests.recorded import LogMaker, scenario
from tests.server.test_background import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
PHOENIX = os.environ.get("CLAUDE_PROXY_TEST_PHOENIX") or shutil.which("phoenix")


def asked(url: str) -> Any:
    """Return an answer, None while there is none."""
    try:
        with urllib.request.urlopen(url, timeout=120) as response:
            return json.load(response)
    except (OSError, ValueError):
        return None


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[str]:
    """A running Phoenix, and where it is."""
    if PHOENIX is None:
        pytest.skip("Phoenix is not installed")
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as place:
            ports.append(place.getsockname()[1])
    variables = {"WORKING_DIR": str(tmp_path / "phoenix"), "HOST": "127.0.0.1", "TELEMETRY_ENABLED": "false"}
    variables |= {"PORT": str(ports[0]), "GRPC_PORT": str(ports[1])}
    environment = os.environ | {f"PHOENIX_{name}": value for name, value in variables.items()}
    with subprocess.Popen([PHOENIX, "serve"], env=environment, stdout=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{ports[0]}"
        try:
            until(lambda: asked(f"{url}/v1/projects"), 300)
            yield url
        finally:
            process.terminate()


def test_phoenix_shows_a_session(phoenix: str, tmp_path: Path) -> None:
    """Each span is there once, of the kind that it is, under its parent, with model, tokens and messages."""
    (tmp_path / "sessions").mkdir(mode=0o700)
    (tmp_path / "sessions" / "s.jsonl").write_bytes(scenario("subagent", LogMaker("s")))
    for _ in range(2):
        ran = claude_proxy("--data-dir", str(tmp_path), "export", "s", "--otlp", phoenix, "--content")
        assert ran.stdout == f"7 spans of 1 turn are at {phoenix}\n"
    address = f"{phoenix}/v1/projects/default/spans?limit=100"
    spans = until(lambda: (found := asked(address)) and len(found["data"]) >= 7 and found["data"], 60)
    assert len(spans) == 7
    kinds = sorted((one["span_kind"], one["name"]) for one in spans)
    assert kinds == [
        ("AGENT", "invoke_agent claude-code"),
        ("AGENT", "invoke_agent counter"),
        *[("LLM", "chat claude-opus-5-5")] * 3,
        ("TOOL", "execute_tool Agent"),
        ("TOOL", "execute_tool Bash"),
    ]
    (turn,) = (one for one in spans if one["parent_id"] is None)
    assert turn["attributes"]["session.id"] == "s"
    assert turn["attributes"]["llm.model_name"] == "claude-opus-5-5"
    assert turn["attributes"]["llm.token_count.completion"] == 120  # 60 of them of the subagent
    assert turn["attributes"]["llm.input_messages.0.message.role"] == "user"
