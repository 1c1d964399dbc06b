"""The processes beside the server: they hold nobody up, and when one dies, the next one answers."""

import asyncio
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from proxy.server.base.errors import UnavailableError
from proxy.server.routes import specifications
from proxy.server.work.pool import Pool
from tests.server.conftest import serving

pytestmark = pytest.mark.anyio
BATCH = "/api/v1/validation/batch"


def waited_for(path: str, answer: bytes) -> bytes:
    """Return the answer as soon as there is such a file."""
    while not os.path.exists(path):
        time.sleep(0.01)
    return answer


def met(mine: str, other: str) -> None:
    """Make a file, and wait for another's."""
    Path(mine).touch()
    waited_for(other, b"")


def noted(path: str) -> None:
    """Say when it begins and when it ends."""
    for word in ("begin ", "end "):
        with open(path, "a") as said:
            said.write(word)


def in_the_pool(body: bytes, *_: object, **__: object) -> bytes:
    """Stand for a judge that goes on until the file exists that its first message names."""
    return waited_for(body.split(b'"')[-2].decode(), b"[]")


def endless() -> None:
    """Never end."""
    while True:
        time.sleep(60)


def dying() -> None:
    """Die as for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def failing() -> None:
    """Fail with what the caller is to hear."""
    raise ValueError("so it is")


async def test_the_server_answers_others_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a batch of 250,000 small requests stalled everybody: it is decoded and judged elsewhere."""
    monkeypatch.setattr(specifications, "judged", in_the_pool)
    body = {"requests": ["x" * 100_000, str(tmp_path / "go on")]}
    async with serving(tmp_path) as rig, asyncio.timeout(60):
        asked = asyncio.create_task(rig.post(BATCH, body))
        while not psutil.Process().children():
            await rig.get("/health/live")
        await rig.get("/health/live")
        assert not asked.done()
        (tmp_path / "go on").touch()
        assert await asked == []


async def test_many_small_requests(tmp_path: Path) -> None:
    """A batch that is judged elsewhere gives the answers of one that is not, in order; so with what is wrong in it."""
    one = {"schema_type": "commands", "data": {"action": "prompt", "prompt": "x"}}
    requests = [{**one, "request_id": number} for number in range(5000)]
    async with serving(tmp_path) as rig:
        found = await rig.post(BATCH, {"requests": requests})
        assert [answer.pop("request_id") for answer in found] == list(range(5000))
        (alone,) = await rig.post(BATCH, {"requests": [one]})
        assert all(
            answer == {key: value for key, value in alone.items() if key != "request_id"} for answer in found
        )
        for wrong, status in (({**one, "schema_type": "none"}, 422), ({"data": 1}, 422)):
            wanted = await rig.post(BATCH, {"requests": [wrong]}, status=status)
            said = await rig.post(BATCH, {"requests": [*requests, wrong]}, status=status)
            assert said.replace("[5000]", "[0]") == wanted.replace("[...]", "[0]")


async def test_as_many_processes_as_wanted(tmp_path: Path) -> None:
    """`api.workers` are busy at a time, and no more: two can wait for each other, of one each goes by itself."""
    async with asyncio.timeout(60):
        both, one = Pool(2), Pool(1)
        left, right = str(tmp_path / "left"), str(tmp_path / "right")
        async with asyncio.TaskGroup() as group:
            group.create_task(both.run(met, left, right))
            group.create_task(both.run(met, right, left))
        said = tmp_path / "said"
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(one.run(noted, str(said)))
        assert said.read_text() == "begin end " * 4


async def test_a_process_that_dies() -> None:
    """Who waits for one that dies, or does not end, is told to ask again; the next one is answered."""
    pool = Pool(1)
    async with asyncio.timeout(60):
        assert await pool.run(len, "abc") == 3
        with pytest.raises(UnavailableError, match="ask again"):
            await pool.run(dying)
        assert await pool.run(len, "abc") == 3
        with pytest.raises(ValueError, match="so it is"):
            await pool.run(failing)
        with pytest.raises(UnavailableError, match=r"0\.2 s"):
            await Pool(1, 0.2).run(endless)
        assert await pool.run(len, "abc") == 3
