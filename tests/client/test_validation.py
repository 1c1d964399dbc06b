"""Judging, by the server and without it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from proxy.client import (
    AsyncClient,
    RefusedError,
    RequestError,
    ServerFaultError,
    UnreachableError,
    ValidationRequest,
)
from proxy.client.validation import BATCH_ITEMS
from tests.client.conftest import Live, answering, serving
from tests.recorded import SCENARIOS

pytestmark = pytest.mark.anyio
ODD: list[Any] = [
    {"action": "prompt"},
    {"action": "prompt", "prompt": ""},
    {"action": "prompt", "prompt": "a\ud800b"},
    {"action": "prompt", "prompt": "x", "timeout": 10**30},
    {"action": "prompt", "prompt": "x", "timeout": float("nan")},
    {"type": "user"},
    {"type": "never_heard_of"},
    [],
    None,
    5,
    "text",
    {"a": [[[[{}]]]]},
]


def recorded() -> list[tuple[str, Any]]:
    """Return messages that passed, and odd ones."""
    found: list[tuple[str, Any]] = []
    for name in ("simple", "tool_deny"):
        for stream in ("stdin", "stdout"):
            lines = (SCENARIOS / name / f"{stream}.jsonl").read_bytes().split(b"\n")
            found += [(stream, json.loads(line)) for line in lines if line]
    return found + [(schema, odd) for schema in ("commands", "stdin", "stdout", "events") for odd in ODD]


async def test_the_same_verdicts_without_the_server(live: Live, client: AsyncClient) -> None:
    """Whatever is judged, server and fallback agree in every word, and each says who it was."""
    requests = [ValidationRequest(schema_type=schema, data=data, request_id=7) for schema, data in recorded()]
    by_server = [answer async for answer in client.validate_many("stdout", requests)]
    one_by_one = [await client.validate(one.schema_type, one.data, request_id=7) for one in requests[-8:]]
    assert one_by_one == by_server[-8:]
    await live.stop()
    by_us = [answer async for answer in client.validate_many("stdout", requests)]
    assert {answer.validation_source for answer in by_server} == {"server"}
    assert {answer.validation_source for answer in by_us} == {"local"}
    for ours, theirs in zip(by_us, by_server, strict=True):
        assert {**_plain(ours)} == {**_plain(theirs)}


def _plain(answer: Any) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in answer.__struct_fields__ if name != "validation_source"}


async def test_wrong_requests_fall_back_to_nothing(live: Live, client: AsyncClient) -> None:
    """A schema that does not exist is the caller's error, with the server and without; so is no fallback."""
    with pytest.raises(RequestError, match="did you mean") as with_server:
        await client.validate("comands", {})
    await live.stop()
    with pytest.raises(RequestError, match="did you mean"):
        await client.validate("comands", {})
    with pytest.raises(UnreachableError):
        await client.validate("commands", {}, fallback=False)
    with pytest.raises(ValueError, match="in_flight"):
        client.validate_many("commands", [], in_flight=0)
    assert with_server.value.status == 422


async def test_the_server_comes_back(
    live: Live, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is back is asked again."""
    await live.stop()
    assert (await client.validate("commands", {"action": "interrupt"})).validation_source == "local"
    monkeypatch.setattr(client._absence, "_until", 0.0)
    await live.start()
    assert (await client.validate("commands", {"action": "interrupt"})).validation_source == "server"


async def test_a_server_with_too_much_to_do() -> None:
    """One that asks for patience is not waited for: values are judged here."""

    async def handle(_: web.Request) -> web.Response:
        told = {"success": False, "error": "Too many requests."}
        return web.json_response(told, status=429, headers={"Retry-After": "20"})

    async with answering(handle) as client, asyncio.timeout(120):
        assert (await client.validate("commands", {"action": "interrupt"})).validation_source == "local"
        many = [one async for one in client.validate_many("commands", [{"action": 1}] * 1200)]
        assert [one.verdict for one in many] == ["invalid"] * 1200
    async with answering(handle, retries=0) as client:
        with pytest.raises(RefusedError, match="Too many"):
            await client.validate("commands", {}, fallback=False)


async def test_a_server_that_takes_less_at_once(tmp_path: Path) -> None:
    """Batches that are too large for a server are halved; what is alone too large is an error."""
    async with (
        serving(tmp_path, api={"max_request_size": 20_000}) as live,
        AsyncClient(live.url) as client,
    ):
        items = [{"action": "prompt", "prompt": "x" * (number % 50)} for number in range(2000)]
        many = [one async for one in client.validate_many("commands", items, fallback=False)]
        assert [one.valid for one in many] == [bool(number % 50) for number in range(2000)]
        with pytest.raises(RequestError) as caught:
            await client.validate("commands", {"action": "prompt", "prompt": "x" * 20_000})
    assert caught.value.status == 413


@pytest.mark.parametrize("nonsense", [[], [{}] * 2, {"a": 1}])
async def test_a_server_that_judges_something_else(nonsense: Any) -> None:
    """As many judgements as values: else the server is at fault, and values are judged here."""

    async def handle(_: web.Request) -> web.Response:
        return web.json_response({"success": True, "data": nonsense})

    async with answering(handle) as client:
        answers = [one async for one in client.validate_many("commands", [{"action": "interrupt"}])]
        assert [one.validation_source for one in answers] == ["local"]
        with pytest.raises(ServerFaultError):
            await anext(client.validate_many("commands", [{}], fallback=False))


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_very_many(client: AsyncClient, asynchronous: bool) -> None:
    """100,000 items are judged in order, and never more of them are taken than are under way."""
    count, taken = 100_000 if asynchronous else 5_000, 0
    most = 0

    def items() -> Iterator[dict[str, Any]]:
        nonlocal taken
        for number in range(count):
            taken += 1
            yield {"action": "interrupt"} if number % 3 else {"action": str(number)}

    async def later() -> AsyncIterator[dict[str, Any]]:
        for item in items():
            yield item

    number = 0
    async for answer in client.validate_many("commands", later() if asynchronous else items(), in_flight=2):
        most = max(most, taken - number)
        assert answer.valid is bool(number % 3)
        number += 1
    assert number == count
    assert most <= 3 * BATCH_ITEMS


async def test_large_values_and_none(client: AsyncClient) -> None:
    """A value larger than a batch goes alone; nothing gives nothing."""
    large = {"action": "prompt", "prompt": "x" * 3_000_000}
    verdicts = [one.verdict async for one in client.validate_many("commands", [large, {"action": 1}, large])]
    assert verdicts == ["valid", "invalid", "valid"]
    assert [one async for one in client.validate_many("commands", [])] == []


async def test_without_any_server(tmp_path: Path) -> None:
    """Also where no server ever ran, values are judged."""
    async with AsyncClient(data_dir=str(tmp_path)) as client:
        answer = await client.validate("commands", {"action": "dance"})
    assert (answer.verdict, answer.validation_source) == ("invalid", "local")
    assert answer.validation_errors[0].startswith("/action")
