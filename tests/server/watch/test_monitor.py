"""Alerts as they are sent: once, over restarts, through a webhook that fails, and never without bound."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.server.watch import monitor
from proxy.server.watch.metrics import METRICS, Metrics
from proxy.server.watch.monitor import AlertMonitor
from proxy.server.watch.webhook import Webhook
from tests.recorded import START_US, LogMaker, scenario
from tests.server.conftest import Rig, serving
from tests.server.watch.test_webhook import Receiver, receiving
from tests.store.embedded.test_indexer import fill

pytestmark = pytest.mark.anyio

S = 1_000_000


class Clock:
    """A clock that goes when told to; whoever sleeps by it has slept at once."""

    def __init__(self) -> None:
        self.now_us = START_US + 3600 * S
        self.slept: list[float] = []
        self.has_slept = asyncio.Event()

    def __call__(self) -> int:
        """Return the time."""
        return self.now_us

    async def sleep(self, seconds: float) -> None:
        """Take note, and let others run."""
        self.slept.append(seconds)
        self.has_slept.set()
        await asyncio.sleep(0)


class Watch:
    """A monitor over a rig, and the webhook that it tells."""

    def __init__(self, rig: Rig, receiver: Receiver, clock: Clock, metrics: Metrics | None = None) -> None:
        self.rig, self.receiver, self.clock = rig, receiver, clock
        self.metrics = metrics or Metrics()
        self.monitor = AlertMonitor(rig.shared, self.metrics, clock_us=clock, sleep=clock.sleep)

    async def look(self) -> list[str]:
        """Look once, and return the kinds that wait to be sent."""
        await self.rig.shared.catch_up()
        await self.monitor.look()
        return [alert.kind for alert in self.monitor._memory.waiting]

    async def told(self, count: int) -> list[dict[str, Any]]:
        """Send what waits until the webhook has been told so often, and nothing waits any more."""
        async with Webhook(self.receiver.url, timeout_s=0.2) as webhook, asyncio.TaskGroup() as group:
            telling = group.create_task(self.monitor.tell(webhook))
            await self.receiver.told(count)
            async with asyncio.timeout(120):
                while self.monitor._memory.waiting:
                    self.receiver.news.clear()
                    await asyncio.sleep(0)
            telling.cancel()
        return self.receiver.bodies


@contextlib.asynccontextmanager
async def watching(data_dir: Path, clock: Clock | None = None, **alerts: Any) -> AsyncIterator[Watch]:
    """Serve a data directory with a webhook, and a monitor that looks when told to."""
    async with receiving() as receiver:
        section = {"webhook_url": receiver.url, **alerts}
        async with serving(data_dir, alerts=section) as rig:
            yield Watch(rig, receiver, clock or Clock())


def fails(data_dir: Path, name: str) -> None:
    """Put the log of a session whose wrapper died into a data directory."""
    (data_dir / "sessions").mkdir(exist_ok=True)
    whole = scenario("simple", LogMaker(name, START_US))
    (data_dir / "sessions" / f"{name}.jsonl").write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])


def remove_index(data_dir: Path) -> None:
    """Let the next server make the index anew."""
    for path in data_dir.glob("index.sqlite3*"):
        path.unlink()


async def test_history_is_not_told(tmp_path: Path) -> None:
    """Switching alerts on tells nothing of what was long over."""
    fails(tmp_path, "old")
    async with watching(tmp_path) as watch:
        assert await watch.look() == []


async def test_a_session_that_fails_is_told_once(tmp_path: Path) -> None:
    """Also when it began and failed between two looks."""
    async with watching(tmp_path) as watch:
        assert await watch.look() == []
        fails(tmp_path, "new")
        assert await watch.look() == ["session_failed"]
        assert await watch.look() == ["session_failed"]
        (body,) = await watch.told(1)
        assert (body["kind"], body["session_id"]) == ("session_failed", "new")
        assert body["timestamp"] == "2026-01-02T04:04:05.000000Z"
        assert await watch.look() == []


async def test_a_rule_that_fires_is_told(tmp_path: Path) -> None:
    """Each time it is said that one has; unless alerts.rule is off."""
    async with watching(tmp_path) as watch:
        watch.monitor.rule_fired("s", "budget 1", "one")
        watch.monitor.rule_fired("s", "loop 1", "two")
        bodies = await watch.told(2)
        assert [(body["kind"], body["text"]) for body in bodies] == [("rule", "one"), ("rule", "two")]
    async with watching(tmp_path, rule=False) as watch:
        watch.monitor.rule_fired("s", "budget 2", "three")
        assert await watch.look() == []


async def test_a_restart_repeats_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """What was told stays told; what waits is sent by the next server; what failed meanwhile is told then."""
    async with watching(tmp_path, exit_wait=None) as watch:
        await watch.look()
        fails(tmp_path, "one")
        await watch.look()
        await watch.told(1)
        fails(tmp_path, "two")
        assert await watch.look() == ["session_failed"]
    fails(tmp_path, "three")
    async with watching(tmp_path) as watch:
        assert await watch.look() == ["session_failed", "session_failed"]
        bodies = await watch.told(2)
        assert [body["session_id"] for body in bodies] == ["two", "three"]
        assert (tmp_path / "alerts.json").stat().st_mode & 0o777 == 0o600


async def test_an_index_begun_anew_is_no_news(tmp_path: Path) -> None:
    """When the index is made again from the logs, what they tell is history."""
    async with watching(tmp_path) as watch:
        await watch.look()
        fails(tmp_path, "one")
        await watch.look()
        await watch.told(1)
    remove_index(tmp_path)
    async with watching(tmp_path) as watch:
        assert await watch.look() == []


async def test_a_wait_is_told_once_and_the_next_one_after_a_while(tmp_path: Path) -> None:
    """The same question is one alert; another one within ten minutes is not told yet, and none is told twice."""
    question = {
        "type": "control_request",
        "request_id": "q1",
        "request": {"subtype": "can_use_tool", "tool_name": "Bash", "input": {}, "tool_use_id": "t"},
    }
    async with watching(tmp_path, model_wait=None) as watch:
        await watch.look()
        log = watch.rig.live("asks")  # begins now, by the real clock: nothing in it can have been before
        watch.clock.now_us = time.time_ns() // 1000 + 3600 * S
        with open(log.path, "ab") as file:  # noqa: ASYNC230 - a few bytes
            maker = LogMaker("asks", START_US)
            maker.seq = 1
            file.write(maker.lines("stdout", question, question | {"request_id": "q2"}))
        assert await watch.look() == ["permission_wait"]
        (body,) = await watch.told(1)
        assert "a permission for Bash" in body["text"]
        assert await watch.look() == []
        watch.clock.now_us += 601 * S
        assert await watch.look() == ["permission_wait"]
        watch.clock.now_us += 601 * S
        assert await watch.look() == ["permission_wait"]
        watch.clock.now_us -= 10**7 * S
        assert await watch.look() == ["permission_wait"]
        log.close()


async def test_a_webhook_in_trouble_is_tried_again_and_again(tmp_path: Path) -> None:
    """Hanging and failing answers are tried again with growing, scattered pauses, until it is taken."""
    async with watching(tmp_path) as watch:
        await watch.look()
        fails(tmp_path, "one")
        await watch.look()
        watch.receiver.answers = [500, 0, 503, 429, 200]
        bodies = await watch.told(5)
        assert len({body["session_id"] for body in bodies}) == 1
        assert len(watch.clock.slept) == 4
        assert all(0 <= pause <= 2**index for index, pause in enumerate(watch.clock.slept))
        assert watch.metrics.alerts.labels("session_failed", "sent")._value.get() == 1


async def test_a_webhook_that_never_takes_it_holds_up_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After eight attempts an alert is given up and the next one has its turn; one that is refused, at once."""
    async with watching(tmp_path) as watch:
        await watch.look()
        fails(tmp_path, "one")
        fails(tmp_path, "two")
        await watch.look()
        watch.receiver.answers = [500] * 8 + [404]
        assert len(await watch.told(9)) == 9
        assert [json.loads(json.dumps(record.msg))["event"] for record in caplog.records] == [
            "alert.undelivered"
        ] * 2
        assert watch.metrics.alerts.labels("session_failed", "undelivered")._value.get() == 2


async def test_the_queue_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its bound, alerts are dropped and counted, and memory does not grow."""
    monkeypatch.setattr(monitor, "_MOST_WAITING", 2)
    async with watching(tmp_path) as watch:
        await watch.look()
        for name in ("a", "b", "c"):
            fails(tmp_path, name)
        assert len(await watch.look()) == 2
        assert watch.metrics.alerts.labels("session_failed", "dropped")._value.get() == 1
        assert watch.metrics.alert_queue._value.get() == 2


async def test_a_fault_of_the_server_is_told_and_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that is answered with 500 is told by its route, with how many; not each of them."""
    async with watching(tmp_path) as plain:
        watch = Watch(plain.rig, plain.receiver, plain.clock, plain.rig.client.app[METRICS])
        await watch.look()

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("boom")

        monkeypatch.setattr(watch.rig.shared.store, "count_events", broken)
        for _ in range(3):
            await watch.rig.client.get("/api/v1/monitoring/status")
        assert await watch.look() == ["server_error"]
        assert "answer 3 requests (GET /api/v1/monitoring/status)" in watch.monitor._memory.waiting[0].text
        await watch.rig.client.get("/api/v1/monitoring/status")
        assert await watch.look() == ["server_error"]
        watch.clock.now_us += 601 * S
        await watch.rig.client.get("/api/v1/monitoring/status")
        assert await watch.look() == ["server_error"] * 2


async def test_a_failed_job_and_a_stuck_index_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong beside the requests is told too; an index in trouble once, until it is well again."""
    async with watching(tmp_path) as watch:
        watch.monitor.note("backup")
        assert await watch.look() == ["server_error"]
        stands = watch.rig.shared.store.health()._replace(trouble="no space")
        monkeypatch.setattr(watch.rig.shared.store, "health", lambda: stands)
        await watch.monitor.look()
        watch.clock.now_us += 10**4 * S
        await watch.monitor.look()
        texts = [alert.text for alert in watch.monitor._memory.waiting]
        assert ["backup" in texts[0], "no space" in texts[1], len(texts)] == [True, True, 2]


async def test_a_backup_that_fails_is_told_once_until_it_works_again(tmp_path: Path) -> None:
    """Nobody finds out in the hour of need that there has been no copy for months; nor is told every 15 minutes."""
    async with watching(tmp_path) as watch:
        for trouble, count in (("A.", 1), ("B.", 1), (None, 1), ("C.", 2)):
            watch.monitor.note_trouble("backup", trouble)
            watch.clock.now_us += 3600 * S
            assert len(await watch.look()) == count
        assert [alert.text for alert in watch.monitor._memory.waiting] == ["A.", "C."]


async def test_what_the_server_fails_in_need_not_be_told(tmp_path: Path) -> None:
    """With `server_error` off neither jobs nor troubles of the server are told."""
    async with watching(tmp_path, server_error=False) as watch:
        watch.monitor.note("retention")
        watch.monitor.note_trouble("backup", "A.")
        assert await watch.look() == []


async def test_a_low_disk_is_told_again_after_relief_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk around its limit does not chatter."""
    room = [2e9]
    monkeypatch.setattr(monitor, "free_bytes", lambda _: room[0])
    async with watching(tmp_path) as watch:
        expected = 0
        for room[0], news in (
            (2e9, 0),
            (0.9e9, 1),
            (0.8e9, 0),
            (1.05e9, 0),
            (0.9e9, 0),
            (1.2e9, 0),
            (0.9e9, 1),
        ):
            watch.clock.now_us += 601 * S
            expected += news
            assert await watch.look() == ["disk_low"] * expected
    async with watching(tmp_path, disk_low=False) as watch:
        watch.monitor._memory.waiting.clear()
        assert await watch.look() == []


async def test_a_full_disk_costs_the_memory_and_no_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it cannot be remembered, it is told all the same, and the log says so once."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with watching(tmp_path) as watch:
        await watch.look()
        monkeypatch.setattr(monitor, "replace_file", full)
        fails(tmp_path, "one")
        await watch.look()
        assert len(await watch.told(1)) == 1
        events = [record.msg["event"] for record in caplog.records if isinstance(record.msg, dict)]
        assert events == ["alert.memory_unwritable"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"waiting": 7}', b"\xff"])
async def test_a_memory_that_cannot_be_read_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    """A damaged file stops no alert, and no server."""
    (tmp_path / "alerts.json").write_bytes(content)
    fails(tmp_path, "old")
    async with watching(tmp_path) as watch:
        assert await watch.look() == []
        fails(tmp_path, "new")
        assert await watch.look() == ["session_failed"]


async def test_it_runs_until_cancelled(tmp_path: Path) -> None:
    """The whole of it: looks by itself, and tells."""
    fill(tmp_path, ["simple"])
    async with watching(tmp_path) as watch, asyncio.TaskGroup() as group:
        running = group.create_task(watch.monitor.run())
        async with asyncio.timeout(120):
            await watch.clock.has_slept.wait()  # it has looked
        fails(tmp_path, "one")
        (body,) = await watch.receiver.told(1)
        assert body["session_id"] == "one"
        running.cancel()
