"""What is wrong with a request is said in one shape, with the fitting status."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp import web

from proxy.protocol import library, specifications
from proxy.server.work.pool import Pool
from tests.server.conftest import Rig, serving

pytestmark = pytest.mark.anyio
VALIDATE = "/api/v1/validation/validate"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[", 400),
        (b'{"schema_type":5', 400),
        (b"nonsense", 400),
        (b'{"schema_type":"stdin","data":NaN}', 400),
        (b'{"schema_type":"stdin","data":"\xff"}', 400),
        (b'{"schema_type":"stdin","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"schema_type":1,"data":{}}', 422),
        (b'{"schema_type":"nonsense","data":{}}', 422),
        (b'{"schema_type":"../record","data":{}}', 422),
        (b'{"schema_type":"stdin"}', 422),
        (b'{"schema_type":1', 400),
        (b'{"schema_type":1,"data":NaN}', 400),
        (b'{"schema_type":1,"data":{}}x', 400),
        (b'{"schema_type":"stdin","data":{},"requestid":1}', 422),
    ],
)
async def test_bodies(rig: Rig, body: bytes, status: int) -> None:
    """What is no JSON is 400, what has the wrong shape 422."""
    headers = {"Content-Type": "application/json"}
    await rig.ask("POST", VALIDATE, status=status, data=body, headers=headers)


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/api/v1/monitoring/stream", 400, "This is a WebSocket: "),
        ("GET", "/api/v1/specifications/comanDs", 404, "'comanDs'; did you mean 'commands'? GET /api"),
        ("POST", VALIDATE, 400, "The body is empty; send JSON."),
    ],
)
async def test_sentences_say_what_to_change(rig: Rig, method: str, path: str, status: int, said: str) -> None:
    """Regression: a library's words, and a name in another spelling than it was asked for."""
    headers = {"Content-Type": "application/json"}
    assert said in await rig.ask(method, path, status=status, headers=headers)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/status?verbose=1", "'verbose' is no parameter of this call; it takes host, team."),
        ("/api/v1/fleet/hosts?x=1", "'x' is no parameter of this call; it takes none."),
        ("/api/v1/monitoring/events?limits=1", "did you mean limit?"),
        ("/api/v1/monitoring/events?event_types=a&event_types=b", "give it once, several values with commas"),
        ("/api/v1/monitoring/sessions/past1?x=", "'x' is no parameter"),
        ("/events?session=past1", "did you mean session_id?"),
        ("/health?x=", "'x' is no parameter"),
        ("/api/v1/monitoring/events?start_time=2026-01-02&end_time=2026-01-01", "exchange them"),
        ("/api/v1/monitoring/metrics?start_time=2026-01-02&end_time=2026-01-01", "exchange them"),
        ("/api/v1/monitoring/metrics?start_time=soon", "it takes a time, as in 2026"),
    ],
)
async def test_nothing_that_is_asked_is_passed_over(rig: Rig, path: str, said: str) -> None:
    """A parameter without effect, or values that can fit nothing, are an error that says what to change."""
    assert said in await rig.get(path, status=422)


async def test_links_to_pages_may_be_decorated(rig: Rig) -> None:
    """What others add to a link to a page does not break it."""
    for path in ("/", "/docs", "/static/app.js"):
        assert (await rig.client.get(f"{path}?utm_source=x")).status == 200


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"schema_type": "stdin", "data": {}, "schema": ""}, VALIDATE),
        ({"requests": [{"schema_type": "stdin", "data": {}, "id": 1}]}, "/api/v1/validation/batch"),
        ({"requests": [], "strict": True}, "/api/v1/validation/batch"),
        ({"name": "x"}, "/api/v1/monitoring/sessions"),
        ({"capture_options": {"capture_all": True}}, "/api/v1/monitoring/sessions"),
        ({"session_id": "x", "event_type": "x", "data": {}, "timestamp": ""}, "/api/v1/monitoring/events"),
    ],
)
async def test_fields_without_effect(rig: Rig, body: object, path: str) -> None:
    """A field that nobody knows is an error that names it."""
    assert "unknown field" in await rig.post(path, body, status=422)


async def test_a_time_without_a_zone_is_utc(rig: Rig) -> None:
    """Times in a query that name no zone, as `datetime.isoformat` writes them, are UTC."""
    events = "/api/v1/monitoring/events"
    stamped = [
        one["timestamp"] for one in (await rig.get(f"{events}?order=asc&offset=0&limit=1000"))["events"]
    ]
    for zone in ("Z", "", "%2B00:00", "+00:00"):
        page = await rig.get(f"{events}?limit=1000&start_time={stamped[3].removesuffix('Z')}{zone}")
        assert [one["timestamp"] for one in page["events"]] == stamped[4:]
    day = stamped[0][:10]
    assert (await rig.get(f"/api/v1/monitoring/metrics?end_time={day}"))["sessions"]["total"] == 0


async def test_content_type(rig: Rig) -> None:
    """A body of another content type is 400: forms, which any page can send, included."""
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        await rig.ask("POST", VALIDATE, status=400, data=b"{}", headers={"Content-Type": kind})


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_content_encoding(rig: Rig, encoding: str) -> None:
    """A body that is not encoded as it says is 400."""
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    await rig.ask("POST", VALIDATE, status=400, data=b'{"schema_type"', headers=headers)


async def test_size(tmp_path: Any) -> None:
    """A body up to the limit is taken, one byte more is 413."""
    async with serving(tmp_path, api={"max_request_size": 200}) as rig:
        for size, status in ((200, 200), (201, 413)):
            body = b'{"schema_type":"stdin","data":"%s"}'
            body %= b"x" * (size - len(body) + 2)
            assert len(body) == size
            headers = {"Content-Type": "application/json"}
            await rig.ask("POST", VALIDATE, status=status, data=body, headers=headers)


async def test_slow_body(tmp_path: Any) -> None:
    """A body that does not arrive in time is 408, and holds nobody up."""
    async with serving(tmp_path, api={"timeout": 0.1}) as rig:
        never = asyncio.Event()

        async def slowly() -> Any:
            yield b"{"
            await never.wait()

        headers = {"Content-Type": "application/json"}
        await rig.ask("POST", VALIDATE, status=408, data=slowly(), headers=headers)


async def test_client_that_leaves(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that leaves in the middle of a body is no fault of ours, nor logged as one."""

    async def left(_: web.Request) -> bytes:
        raise ConnectionResetError("Connection lost")  # as aiohttp says it

    monkeypatch.setattr(web.Request, "read", left)
    await rig.post(VALIDATE, {}, status=400)


async def test_paths_and_methods(rig: Rig) -> None:
    """An unknown path is 404, a wrong method 405 with what is allowed."""
    assert "/docs" in await rig.get("/nothing/here", status=404)
    response = await rig.client.delete("/status")
    assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")
    await rig.ask("PUT", "/status", status=405)


async def test_head(rig: Rig) -> None:
    """HEAD is answered as GET is, without the body; the WebSocket, which has no such answer, does not take it."""
    for path in ("/status", "/docs", "/openapi.json", "/api/v1/specifications/stdin", "/nothing/here"):
        asked, told = await rig.client.get(path), await rig.client.head(path)
        assert (told.status, told.content_type) == (asked.status, asked.content_type)
        assert await told.read() == b""
    stream = await rig.client.head("/events")
    assert (stream.status, stream.content_type, await stream.read()) == (200, "text/event-stream", b"")
    assert rig.shared.hub.subscribers == 0
    for path in ("/api/v1/monitoring/stream", VALIDATE):
        assert (await rig.client.head(path)).status == 405


async def test_verdicts(rig: Rig) -> None:
    """Validation gives the verdicts of a session, in words and as objects, and the request's id back."""
    good = {"type": "keep_alive"}
    for data, verdict in (
        (good, "valid"),
        ({"type": "novelty"}, "unknown"),
        ({}, "invalid"),
        ([], "invalid"),
    ):
        asked: dict[str, object] = {"schema_type": "stdin", "data": data, "request_id": "r1"}
        answer = await rig.post(VALIDATE, asked, schema="api/validation_answer")
        assert (answer["verdict"], answer["request_id"]) == (verdict, "r1")
        assert answer["valid"] is (verdict != "invalid")
        assert len(answer["validation_errors"]) == len(answer["errors"])
        assert bool(answer["errors"]) is (verdict == "invalid")


async def test_batch_answers_in_order(rig: Rig) -> None:
    """A batch gives the answers of single calls, in order; an unknown schema in it is an error of the whole."""
    requests = [
        {"schema_type": "commands", "data": {"action": "prompt", "prompt": text}, "request_id": str(number)}
        for number, text in enumerate(["a", "", "b" * 70_000])
    ]
    batch = await rig.post("/api/v1/validation/batch", {"requests": requests})
    assert batch == [await rig.post(VALIDATE, one) for one in requests]
    assert [one["valid"] for one in batch] == [True, False, True]
    requests.append({"schema_type": "nonsense", "data": {}})
    await rig.post("/api/v1/validation/batch", {"requests": requests}, status=422)


async def test_specifications(rig: Rig) -> None:
    """Every schema in the list can be had, and is itself."""
    listed = await rig.get("/api/v1/specifications", schema="api/specifications_answer")
    assert listed["count"] == len(listed["specifications"])
    for one in listed["specifications"]:
        assert (await rig.get(f"/api/v1/specifications/{one['name']}"))["title"] == one["title"]
    for name in ("nonsense", "../pyproject", "%2e%2e/x"):
        await rig.get(f"/api/v1/specifications/{name}", status=404)


@pytest.mark.parametrize("keep", [True, False])
async def test_schemas_are_kept_or_not(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, keep: bool) -> None:
    """`validation.cache_schemas`: whether what is compiled is kept; without it, files are read for each request."""
    specifications.forget()
    read: list[str] = []
    decode = msgspec.json.decode

    def counting(raw: bytes) -> Any:
        read.append("")
        return decode(raw)

    monkeypatch.setattr(library, "msgspec", SimpleNamespace(json=SimpleNamespace(decode=counting)))
    async with serving(tmp_path, validation={"cache_schemas": keep}) as rig:
        counts = []
        for _ in range(3):
            await rig.post(VALIDATE, {"schema_type": "commands", "data": {}})
            await rig.get("/api/v1/specifications/commands")
            counts.append(len(read))
    assert counts[0] > 0
    assert (counts[2] == counts[1]) is keep


async def test_validations_at_once(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of large validations no more than `validation.concurrent_validations` are taken at a time; the others wait."""
    running, most = 0, 0

    async def counted(_: Pool, judge: Callable[[], bytes]) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return judge()

    monkeypatch.setattr(Pool, "run", counted)
    body = {"schema_type": "stdin", "data": {"type": "user", "x": "x" * 100_000}}
    async with (
        serving(tmp_path, validation={"concurrent_validations": 2}) as rig,
        asyncio.TaskGroup() as group,
    ):
        asked = [group.create_task(rig.post(VALIDATE, body)) for _ in range(12)]
    assert len({task.result()["verdict"] for task in asked}) == 1
    assert 1 <= most <= 2


async def test_size_of_a_validation(tmp_path: Any) -> None:
    """`data` up to `validation.max_validation_size` is judged, one byte more is 413 and says which setting it is."""
    async with serving(tmp_path, validation={"max_validation_size": 20}) as rig:
        await rig.post(VALIDATE, {"schema_type": "stdin", "data": "x" * 18})
        said = await rig.post(VALIDATE, {"schema_type": "stdin", "data": "x" * 19}, status=413)
        assert "validation.max_validation_size" in said
