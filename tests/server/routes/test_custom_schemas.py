"""Schemas that users bring, over HTTP and on the command line."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import claude_proxy
from tests.server.conftest import serving

pytestmark = pytest.mark.anyio
VALIDATE = "/api/v1/validation/validate"
SPECIFICATIONS = "/api/v1/specifications"
ADDRESS = {"title": "Address", "type": "object", "required": ["city"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two schemas, one of which takes for ever."""
    found = tmp_path / "schemas"
    found.mkdir()
    (found / "address.json").write_text(json.dumps(ADDRESS))
    (found / "slow.json").write_text(json.dumps({"pattern": "^(a+)+$"}))
    return found


def asked(name: str, data: object) -> dict[str, object]:
    """Return a request for a validation."""
    return {"schema_type": name, "data": data, "request_id": name}


async def test_they_are_specifications_like_ours(tmp_path: Path, folder: Path) -> None:
    """They are listed, given, described, and taken as `schema_type`, alone and in a batch with ours."""
    async with serving(tmp_path, schemas={"directory": str(folder)}) as rig:
        listed = await rig.get(SPECIFICATIONS, schema="api/specifications_answer")
        (mine,) = (one for one in listed["specifications"] if one["name"] == "user/address")
        assert (mine["type"], mine["title"]) == ("user", "Address")
        assert await rig.get(f"{SPECIFICATIONS}/user/address") == ADDRESS
        answer = await rig.post(VALIDATE, asked("user/address", {}), schema="api/validation_answer")
        assert (answer["verdict"], answer["errors"][0]["keyword"]) == ("invalid", "required")
        requests = [asked("user/address", {"city": "x"}), asked("stdin", {"type": "keep_alive"})]
        batch = await rig.post("/api/v1/validation/batch", {"requests": requests})
        assert [one["verdict"] for one in batch] == ["valid", "valid"]
        described = await (await rig.client.get("/openapi.json")).json()
        schema = described["components"]["schemas"]["api.validation_request"]["properties"]["schema_type"]
        assert {"stdin", "user/address", "user/slow"} <= set(schema["enum"])


async def test_wrong_names(tmp_path: Path, folder: Path) -> None:
    """A name that is none is told with the nearest, as for ours; without the setting there are none."""
    async with serving(tmp_path, schemas={"directory": str(folder)}) as rig:
        assert "did you mean 'user/address'?" in await rig.post(
            VALIDATE, asked("user/adress", {}), status=422
        )
        assert "did you mean 'user/address'?" in await rig.get(f"{SPECIFICATIONS}/user/adress", status=404)
    async with serving(tmp_path) as rig:
        assert "there are none" in await rig.post(VALIDATE, asked("user/address", {}), status=422)


async def test_a_pattern_that_takes_for_ever_holds_up_nobody(tmp_path: Path, folder: Path) -> None:
    """While one is judged, all other requests are answered; then it is stopped, and its client told so."""
    async with serving(tmp_path, schemas={"directory": str(folder)}) as rig, asyncio.TaskGroup() as group:
        large = {"type": "user", "x": "x" * 100_000}
        slow = group.create_task(rig.post(VALIDATE, asked("user/slow", "a" * 60 + "b"), status=422))
        while not rig.shared.custom_pool._limiter.borrowed_tokens:
            await rig.get("/health/live")
        await rig.get("/status")
        await rig.post(VALIDATE, asked("stdin", {}))
        await rig.post(VALIDATE, asked("stdin", large))
        assert "user/slow" in await slow


@pytest.mark.parametrize("keep", [True, False])
async def test_they_are_kept_or_not(tmp_path: Path, folder: Path, keep: bool) -> None:
    """`validation.cache_schemas`: whether a file that has changed counts at once; one that is wrong then is told."""
    settings: dict[str, Any] = {"schemas": {"directory": str(folder)}, "validation": {"cache_schemas": keep}}
    async with serving(tmp_path, **settings) as rig:
        await rig.post(VALIDATE, asked("user/address", {"city": "x"}))
        (folder / "address.json").write_text("false")
        answer = await rig.post(VALIDATE, asked("user/address", {"city": "x"}))
        assert answer["valid"] is keep
        assert (await rig.get(f"{SPECIFICATIONS}/user/address") == ADDRESS) is keep
        (folder / "address.json").write_text("{")
        path = str(folder / "address.json")
        if not keep:
            assert path in await rig.post(VALIDATE, asked("user/address", {}), status=503)


def test_a_schema_that_cannot_be_used_stops_the_server(tmp_path: Path, folder: Path) -> None:
    """`serve` exits with status 2 and one line that names the file; `config check` says the same beforehand."""
    (folder / "wrong.json").write_text('{"type":"strnig"}')
    (tmp_path / "config.yaml").write_text("schemas: {directory: schemas}")
    options = ["--config", str(tmp_path / "config.yaml"), "--data-dir", str(tmp_path / "data"), "--port", "0"]
    command = [sys.executable, "-m", "proxy", *options, "serve"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    said = f"claude-proxy: {folder}/wrong.json cannot be used as a schema: /type: 'strnig' is not valid"
    complaints = [line for line in ran.stderr.splitlines() if line.startswith("claude-proxy: ")]
    assert ran.returncode == 2
    assert len(complaints) == 1
    assert complaints[0].startswith(said)
    checked = claude_proxy(*options, "config", "check")
    assert checked.status == 2
    assert checked.stderr.startswith(said)


def test_validate_takes_them(tmp_path: Path, folder: Path) -> None:
    """`claude-proxy validate --schema user/NAME` judges lines by them, or says what is wrong."""
    (tmp_path / "config.yaml").write_text("schemas: {directory: schemas}")
    words = ["--config", str(tmp_path / "config.yaml"), "validate", "--schema"]
    ran = claude_proxy(*words, "user/address", stdin=b'{"city":"x"}\n{}\n')
    assert ran.status == 1
    assert [json.loads(line)["verdict"] for line in ran.stdout.splitlines()] == ["valid", "invalid"]
    wrong = claude_proxy(*words, "user/adress", stdin=b"{}\n")
    assert (wrong.status, wrong.stdout) == (2, "")
    assert "did you mean 'user/address'?" in wrong.stderr
    none = claude_proxy("validate", "--schema", "user/address", stdin=b"{}\n")
    assert none.status == 2
    assert "schemas.directory" in none.stderr
