"""The timed jobs: due when the files say so, whatever the clock does, and none stops another."""

import asyncio
import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from proxy.config import Settings, settings_of
from proxy.server.watch import jobs as upkeep
from proxy.server.watch.jobs import Backups, Retention, run_jobs
from proxy.server.watch.metrics import Metrics
from proxy.sessions import catalogue
from proxy.upkeep.backup import list_backups
from tests.server.conftest import Rig, serving
from tests.store.embedded.test_indexer import fill

DAY_S = 86_400.0
NOW_S = 2_000_000_000.0


class Clock:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now = NOW_S

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def settings(**sections: dict[str, Any]) -> Settings:
    """Return settings with these sections."""
    return settings_of(sections)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Two sessions, one of them 100 days old."""
    fill(tmp_path, ["simple", "tool_deny"])
    for name, age in (("s0", 100), ("s1", 1)):
        os.utime(tmp_path / "sessions" / f"{name}.jsonl", (NOW_S - age * DAY_S,) * 2)
    return tmp_path


def go_on() -> bool:
    """Nothing stops."""
    return False


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the names of what was logged."""
    return [str(record.msg["event"]) for record in caplog.records if isinstance(record.msg, dict)]


def test_nothing_expires_by_default(data_dir: Path) -> None:
    """A server without a rule removes nothing, ever."""
    clock = Clock()
    expiry = Retention(str(data_dir), settings(), clock, clock)
    clock.now += 10_000 * DAY_S
    assert expiry.look(go_on) == 3600
    assert len(catalogue.list_logs(str(data_dir))) == 2


def test_what_has_expired_goes_at_each_look(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The rules of the configuration are applied every `cleanup_interval`, and each session that goes is logged."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    rules = settings(monitoring={"retention_days": 90, "cleanup_interval": 77})
    expiry = Retention(str(data_dir), rules, clock, clock)
    assert expiry.look(go_on) == 77
    assert catalogue.list_logs(str(data_dir)) == ["s1"]
    clock.now += 100 * DAY_S
    expiry.look(go_on)
    assert catalogue.list_logs(str(data_dir)) == []
    assert events(caplog) == ["retention.removed"] * 2


def test_a_clock_that_jumps_costs_one_look(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A clock set years ahead by mistake removes nothing if it is set right before the next look."""
    clock, steady = Clock(), Clock()
    rules = settings(monitoring={"retention_days": 200})
    expiry = Retention(str(data_dir), rules, clock, steady)
    clock.now += 1000 * DAY_S
    expiry.look(go_on)
    assert len(catalogue.list_logs(str(data_dir))) == 2
    clock.now -= 1000 * DAY_S
    expiry.look(go_on)
    expiry.look(go_on)
    assert len(catalogue.list_logs(str(data_dir))) == 2
    clock.now += 1000 * DAY_S
    expiry.look(go_on)
    expiry.look(go_on)
    assert catalogue.list_logs(str(data_dir)) == []
    assert events(caplog) == ["retention.clock_jumped"] * 3


def test_what_may_not_go_is_said_when_all_is_too_large(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A cap that cannot be kept, because what is left still runs, is a warning."""
    clock = Clock()
    (data_dir / "sessions" / "s2.jsonl").write_text("{}\n" * 1000)
    os.utime(data_dir / "sessions" / "s2.jsonl", (NOW_S, NOW_S))
    Retention(str(data_dir), settings(storage={"max_total_size": "1KB"}), clock, clock).look(go_on)
    assert catalogue.list_logs(str(data_dir)) == ["s2"]
    assert events(caplog) == ["retention.over_size"]


def copies(data_dir: Path, clock: Clock, **storage: Any) -> Backups:
    """Return the job that makes copies, every hour."""
    wanted = {"backup_enabled": True, "backup_interval": 3600, "min_free_space": 1, **storage}
    return Backups(str(data_dir), settings(storage=wanted), clock)


def aged(data_dir: Path, clock: Clock) -> None:
    """Stamp the newest copy with the moment of the clock."""
    path = data_dir / "backups" / list_backups(str(data_dir))[-1]
    os.utime(path, (clock.now, clock.now))


def test_no_copy_is_made_by_default(data_dir: Path) -> None:
    """Backups are made where the configuration says so."""
    clock = Clock()
    copies(data_dir, clock, backup_enabled=False).look(go_on)
    assert not (data_dir / "backups").exists()


def test_copies_are_due_by_the_newest_one(data_dir: Path) -> None:
    """The interval is counted from the newest copy, over restarts of the server."""
    clock = Clock()
    assert copies(data_dir, clock).look(go_on) == 600
    aged(data_dir, clock)
    for ahead, made in ((3599, 1), (3600, 2)):
        clock.now = NOW_S + ahead
        copies(data_dir, clock).look(go_on)
        assert len(list_backups(str(data_dir))) == made


def test_a_copy_of_the_future_is_no_reason_to_wait(data_dir: Path) -> None:
    """After a clock was set back by years, copies are made at once and go on to be made."""
    clock = Clock()
    copies(data_dir, clock).look(go_on)
    aged(data_dir, clock)
    clock.now -= 5000 * DAY_S
    copies(data_dir, clock).look(go_on)
    aged(data_dir, clock)
    assert len(list_backups(str(data_dir))) == 2
    copies(data_dir, clock).look(go_on)
    assert len(list_backups(str(data_dir))) == 2


def test_a_failed_copy_is_said_and_tried_again_soon(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk now does not mean no copy for a day."""
    clock = Clock()
    job = copies(data_dir, clock, backup_interval=DAY_S, min_free_space="1000000GB")
    assert job.look(go_on) == 900
    assert events(caplog) == ["backup.failed"]
    assert "storage.min_free_space keeps" in (job.trouble or "")
    copies(data_dir, clock).look(go_on)  # somebody makes one by hand
    aged(data_dir, clock)
    job.look(go_on)
    assert job.trouble is None


def test_as_many_copies_are_kept_as_is_wanted(data_dir: Path) -> None:
    """Beyond `backups_kept` the oldest go."""
    clock = Clock()
    names = []
    for clock.now in (NOW_S, NOW_S + DAY_S, NOW_S + 2 * DAY_S):
        copies(data_dir, clock, backups_kept=2).look(go_on)
        aged(data_dir, clock)
        names.append(list_backups(str(data_dir))[-1])
    assert list_backups(str(data_dir)) == names[1:]


def test_one_that_somebody_else_makes_is_no_failure(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While somebody makes a copy by hand, the server makes none, and does not complain."""
    caplog.set_level(logging.INFO)
    job = copies(data_dir, Clock())
    os.makedirs(data_dir / "backups")
    fd = os.open(data_dir / "backups", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert job.look(go_on) == 900
    assert (job.trouble, events(caplog)) == (None, [])
    os.close(fd)
    job.look(go_on)
    assert events(caplog) == ["backup.made"]


def test_an_empty_directory_is_not_copied(tmp_path: Path) -> None:
    """Copies of nothing would push out those of something."""
    copies(tmp_path, Clock()).look(go_on)
    assert not (tmp_path / "backups").exists()


def test_a_directory_that_cannot_be_read_is_a_failed_copy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is to find out when the copy is needed."""
    (tmp_path / "sessions").touch()  # permissions do not stop root
    assert copies(tmp_path, Clock()).look(go_on) == 900
    assert events(caplog) == ["backup.failed"]


class Heard(logging.Handler):
    """What was logged, and waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._events: set[str] = set()
        self._news = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of an event."""
        if isinstance(record.msg, dict):
            with self._news:
                self._events.add(record.msg["event"])
                self._news.notify_all()

    async def all_of(self, names: set[str]) -> None:
        """Wait until all of these have been logged."""

        def wait() -> bool:
            with self._news:
                return self._news.wait_for(lambda: names <= self._events, 120)

        assert await asyncio.to_thread(wait), self._events


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[Heard]:
    """Listen to the server's log."""
    caplog.set_level(logging.INFO)
    handler = Heard()
    logging.getLogger("claude_proxy.server").addHandler(handler)
    yield handler
    logging.getLogger("claude_proxy.server").removeHandler(handler)


@pytest.mark.anyio
async def test_a_server_does_its_jobs(tmp_path: Path, heard: "Heard") -> None:
    """Retention, copies and figures run beside each other until they are cancelled."""
    fill(tmp_path, ["simple", "tool_deny"])
    os.utime(tmp_path / "sessions" / "s0.jsonl", (0, 0))
    storage = {"backup_enabled": True, "min_free_space": 1}
    async with serving(tmp_path, storage=storage, monitoring={"retention_days": 9}) as rig:
        async with asyncio.timeout(120), asyncio.TaskGroup() as group:
            jobs = group.create_task(run_jobs(rig.shared, Metrics()))
            expected = {"retention.removed", "backup.made", "system.figures_taken"}
            await heard.all_of(expected)
            jobs.cancel()
        await rig.shared.catch_up()
        assert [one["session_id"] for one in (await rig.get("/api/v1/monitoring/sessions"))["sessions"]] == [
            "s1"
        ]


@pytest.mark.anyio
async def test_a_job_with_a_fault_stops_no_other(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, heard: "Heard"
) -> None:
    """A fault of ours in one job is logged, and the others go on."""

    def broken(*_: object) -> float:
        raise RuntimeError("boom")

    monkeypatch.setattr(upkeep.Retention, "look", broken)
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        jobs = group.create_task(run_jobs(rig.shared, Metrics()))
        await heard.all_of({"job.failed", "system.figures_taken"})
        assert not jobs.done()
        jobs.cancel()


@pytest.mark.anyio
async def test_one_thread_asks_for_the_processors(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, heard: "Heard", caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: each thread that asked had a beginning of its own, so what was logged was of no certain time."""
    asked = []

    def percent() -> float:
        asked.append(threading.current_thread())
        return 12.5

    monkeypatch.setattr(psutil, "cpu_percent", percent)
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        jobs = group.create_task(run_jobs(rig.shared, Metrics()))
        await heard.all_of({"system.figures_taken"})
        jobs.cancel()
    assert asked == [threading.current_thread()]
    told = [one.msg for one in caplog.records if isinstance(one.msg, dict)]
    assert [one["cpu_percent"] for one in told if one["event"] == "system.figures_taken"] == [12.5]
