"""Whether the server is well: each check with its figure, and the three states told apart."""

import asyncio
import contextlib
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from proxy.server.rules.enforcement import Enforcement
from proxy.server.watch import health
from proxy.store import StoreError
from proxy.store.embedded import readers
from proxy.store.embedded.database import TABLES, connect, index_path
from proxy.store.embedded.indexer import Indexer
from tests.server.conftest import Rig, serving

pytestmark = pytest.mark.anyio


async def asked(rig: Rig, path: str = "/health") -> tuple[int, dict[str, Any]]:
    """Return the status and the data of an answer."""
    response = await rig.client.get(path)
    return response.status, (await response.json())["data"]


async def test_each_check_has_its_figure(rig: Rig) -> None:
    """A healthy server says how much room there is, how much it wants, and how far the index is behind."""
    status, said = await asked(rig)
    assert (status, said["status"]) == (200, "healthy")
    checks = said["checks"]
    assert checks["disk"]["free_bytes"] > checks["disk"]["least_bytes"] == 1_000_000_000
    assert checks["index"] == {"status": "healthy", "sessions": 3, "behind_bytes": 0}
    assert checks["data_directory"]["path"] == str(rig.data_dir)


@pytest.mark.parametrize(
    ("free", "state", "status"),
    [
        (10**9, "healthy", 200),
        (10**9 - 1, "degraded", 200),
        (20_000_000, "degraded", 200),
        (19_999_999, "unhealthy", 503),
    ],
)
async def test_a_disk_is_told_apart_by_its_room(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, free: int, state: str, status: int
) -> None:
    """Little room is degraded and answered with 200, none is unhealthy and answered with 503; both at the byte."""
    monkeypatch.setattr(health, "free_bytes", lambda _data_dir: free)
    answered, said = await asked(rig)
    assert (answered, said["status"], said["checks"]["disk"]["free_bytes"]) == (status, state, free)


async def test_the_least_room_is_a_setting(tmp_path: Path) -> None:
    """`storage.min_free_space` says what little room is."""
    async with serving(tmp_path, storage={"min_free_space": "1000000GB"}) as rig:
        status, said = await asked(rig)
        assert (status, said["status"], said["checks"]["disk"]["least_bytes"]) == (200, "degraded", 10**15)


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EACCES])
async def test_a_place_that_cannot_be_written_is_unhealthy(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    """It is tried by writing, so a full, read-only or foreign disk is found, and named."""

    def refused(*_: object) -> int:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(health, "_try_to_write", refused)
    status, said = await asked(rig)
    assert (status, said["checks"]["data_directory"]["status"]) == (503, "unhealthy")
    assert os.strerror(fault) in said["checks"]["data_directory"]["message"]
    assert (await asked(rig, "/health/ready"))[0] == 503
    assert (await asked(rig, "/health/live"))[0] == 200


async def test_trying_to_write_leaves_nothing_behind(rig: Rig) -> None:
    """The file that is tried has no name: a process that is killed meanwhile leaves none."""
    before = sorted(path.name for path in rig.data_dir.rglob("*"))
    health._try_to_write(str(rig.data_dir / "sessions"))
    assert sorted(path.name for path in rig.data_dir.rglob("*")) == before


async def test_what_is_not_indexed_yet_is_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index's backlog is what live logs hold beyond it."""
    log = rig.live()
    await rig.shared.catch_up("live")

    def full(*_: object, **__: object) -> None:
        raise StoreError("no room")

    monkeypatch.setattr(Indexer, "step", full)
    os.truncate(log.path, os.stat(log.path).st_size + 100)
    checks = (await asked(rig))[1]["checks"]
    assert checks["index"]["behind_bytes"] == 100
    log.close()


async def test_ready_is_not_while_the_index_is_filled_nor_at_the_end(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load balancer sends nothing before the index is filled, and nothing once the server stops."""
    assert await asked(rig, "/health/ready") == (200, {"status": "ready"})
    stands = rig.shared.store.health()._replace(is_filled=False)
    with monkeypatch.context() as patch:
        patch.setattr(rig.shared.store, "wait_filled", lambda _: False)
        patch.setattr(rig.shared.store, "health", lambda: stands)
        assert await asked(rig, "/health/ready") == (
            503,
            {"status": "not_ready", "message": "The index is being filled from the logs."},
        )
        assert (await asked(rig))[1]["status"] == "degraded"
    rig.shared.hub.closing = True
    assert (await asked(rig, "/health/ready"))[0] == 503
    assert (await asked(rig, "/health/live"))[0] == 200


async def test_an_index_that_cannot_be_read_is_unhealthy(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its index the server can answer nothing."""

    away = str(rig.data_dir / "away" / "index.sqlite3")
    monkeypatch.setattr(readers, "connect", lambda _, **options: connect(away, **options))
    rig.shared.store._readers.forget()  # type: ignore[attr-defined]
    status, said = await asked(rig)
    assert (status, said["checks"]["index"]["status"]) == (503, "unhealthy")
    assert (await rig.client.get("/status")).status == 503


@pytest.mark.parametrize("table", TABLES)
async def test_a_missing_table_is_never_healthy(rig: Rig, table: str) -> None:
    """Regression: the health asked two tables, and was well while every page was answered with 503. It heals, too.

    Degraded while the index is being made again, unhealthy at the moment at which there is none.
    """
    with contextlib.closing(connect(index_path(str(rig.data_dir)))) as connection:
        connection.execute(f"DROP TABLE {table}")
    status, said = await asked(rig)
    assert said["checks"]["index"]["status"] == said["status"], said
    assert (status, said["status"]) in ((200, "degraded"), (503, "unhealthy"))
    async with asyncio.timeout(120):
        while (await asked(rig))[1]["status"] != "healthy":
            pass
    assert (await rig.get("/api/v1/monitoring/status"))["total_sessions"] == 3


async def test_rules_that_nobody_looks_at_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is there where rules are; a minute without a look is degraded, also from the start on."""
    calls = {"when": {"calls_in_turn": 2}}
    async with serving(tmp_path, rules={"calls": calls}) as rig:
        rig.shared.rules_looked_us = None
        for since_s, state in ((60, "healthy"), (61, "degraded")):
            monkeypatch.setattr(health, "now_us", lambda: rig.shared.started_us + since_s * 1_000_000)  # noqa: B023
            _, said = await asked(rig)
            about = {"rules": 1, "mode": "dry_run", "last_look_s": since_s}
            assert said["checks"]["rules"].items() >= about.items()
            assert (said["status"], said["checks"]["rules"]["status"]) == (state, state)
        await Enforcement(
            rig.shared, lambda *_: None, clock_us=lambda: rig.shared.started_us + 61_000_000
        ).look()
        _, said = await asked(rig)
        assert said["checks"]["rules"]["last_look_s"] == 0
