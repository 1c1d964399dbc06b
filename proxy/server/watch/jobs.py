"""The timed jobs of a server: what expires goes, backups are made, figures are logged, alerts are sent.

``run_jobs`` runs as a task until it is cancelled. A job that fails is named in the log and tried again; it stops no
other. Over restarts the files themselves say what is due: the moment of the newest copy, of a log.
"""

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil

from proxy.config import Settings
from proxy.server.base.journal import journal
from proxy.server.rules.enforcement import Enforcement
from proxy.server.shared import Shared
from proxy.server.watch.heads import Heads
from proxy.server.watch.machine import system_figures
from proxy.server.watch.metrics import Metrics
from proxy.server.watch.monitor import AlertMonitor
from proxy.sessions import catalogue
from proxy.sessions.process import boot_ns
from proxy.shipping.report import unshipped
from proxy.upkeep.backup import AnotherIsMadeError, BackupError, backups_dir, list_backups, make_backup
from proxy.upkeep.retention import Rules, prune

_RETRY_S = 900.0
"""Longest time until something that failed is tried again."""
_LOOK_S = 600.0
"""Longest time between two looks at whether a copy is due: the clock may be set meanwhile."""
_JUMP_S = 3600.0
"""A clock that goes so much faster or slower than time itself was set."""
_FIGURES_S = 300.0  # as docs/operation.md says
_DAY_S = 86_400

if TYPE_CHECKING:
    from proxy.store.postgres.store import PostgresStore

IsStopping = Callable[[], bool]


async def run_jobs(shared: Shared, metrics: Metrics) -> None:
    """Do all timed jobs of a server until cancelled. Never fails."""
    stopping = threading.Event()
    retention = Retention(
        shared.data_dir, shared.settings, centre=None if shared.fleet is None else shared.fleet.store
    )
    backups = Backups(shared.data_dir, shared.settings)
    monitor = AlertMonitor(shared, metrics)
    loop = asyncio.get_running_loop()

    def rule_fired(session_id: str, occasion: str, text: str) -> None:  # in the thread that looks
        loop.call_soon_threadsafe(monitor.rule_fired, session_id, occasion, text)

    enforcement = Enforcement(shared, rule_fired)
    heads = Heads(
        shared.data_dir, shared.settings.seal, lambda: [session.session_id for session in shared.running()]
    )

    async def expire() -> float:
        return await asyncio.to_thread(retention.look, stopping.is_set)

    async def copy() -> float:
        pause = await asyncio.to_thread(backups.look, stopping.is_set)
        monitor.note_trouble("backup", backups.trouble)
        return pause

    async def send_seals() -> float:
        pause = await heads.look()
        monitor.note_trouble("seals", heads.trouble)
        return pause

    async def log_figures() -> float:
        percent = psutil.cpu_percent()  # here, as it is since this very thread asked last
        figures = await asyncio.to_thread(system_figures, shared.data_dir)
        journal.info("system.figures_taken", cpu_percent=percent, **figures)
        return _FIGURES_S

    try:
        async with asyncio.TaskGroup() as group:
            jobs = {"retention": expire, "backup": copy, "seals": send_seals, "figures": log_figures}
            if shared.settings.rules.named:
                jobs["rules"] = enforcement.look
            for name, job in jobs.items():
                group.create_task(_again_and_again(name, job, monitor.note))
            group.create_task(monitor.run())
    finally:
        stopping.set()  # the threads come to their end by themselves, each at its next piece


async def _again_and_again(
    name: str, job: Callable[[], Awaitable[float]], on_fault: Callable[[str], None]
) -> None:
    """Do a job whenever it is time; it says after how many seconds that is."""
    while True:
        try:
            pause = await job()
        except Exception:
            # A fault of ours: the log says which; the job is tried again, the others go on.
            journal.exception("job.failed", job=name)
            on_fault(name)
            pause = _RETRY_S
        await asyncio.sleep(pause)


class Retention:
    """Looks for what has expired."""

    def __init__(
        self,
        data_dir: str,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = lambda: boot_ns() / 1e9,
        *,
        centre: "PostgresStore | None" = None,
    ) -> None:
        """``centre``: from where sessions expire, instead of from the data directory.

        ``clock``: seconds since 1970; ``steady``: seconds that nobody sets, and that go on in a sleep.
        """
        self._data_dir, self._interval_s = data_dir, settings.monitoring.cleanup_interval
        self._rules, self._ship = Rules.of(settings), settings.ship
        self._centre, self._clock, self._steady = centre, clock, steady
        self._apart = clock() - steady()

    def look(self, is_stopping: IsStopping) -> float:
        """Remove what has expired; return the seconds until the next look."""
        if self._rules == Rules():
            return self._interval_s
        apart = self._clock() - self._steady()
        jumped, self._apart = apart - self._apart, apart
        if abs(jumped) > _JUMP_S:
            # Whoever set it may set it right again; what is gone would stay gone.
            journal.warning("retention.clock_jumped", seconds=round(jumped))
            return self._interval_s
        if self._centre is None:
            self._prune(is_stopping)
        elif self._rules.days is not None:
            before = datetime.fromtimestamp(self._clock() - self._rules.days * _DAY_S, UTC)
            for gone in self._centre.expire(before, is_stopping):
                journal.info("retention.removed", **gone._asdict(), reason="days")
        return self._interval_s

    def _prune(self, is_stopping: IsStopping) -> None:
        lacking = unshipped(self._data_dir, self._ship)
        pruned = prune(self._data_dir, self._rules, self._clock(), unshipped=lacking, is_stopping=is_stopping)
        for failure in pruned.failed:
            journal.warning("retention.failed", session_id=failure.session_id, error=failure.error)
        for gone in pruned.removed:
            journal.info(
                "retention.removed", session_id=gone.session_id, bytes=gone.bytes, reason=gone.reason
            )
            if (size := pruned.lost.get(gone.session_id)) is not None:
                journal.warning("shipping.unshipped_lost", session_id=gone.session_id, bytes=size)
        if self._rules.max_bytes is not None and pruned.left_bytes > self._rules.max_bytes:
            journal.warning("retention.over_size", bytes=pruned.left_bytes, sessions=pruned.left_sessions)


class Backups:
    """Makes a copy when one is due."""

    def __init__(self, data_dir: str, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._data_dir, self._storage, self._clock = data_dir, settings.storage, clock
        self.trouble: str | None = None
        """Why the last try has failed, if it has."""

    def look(self, is_stopping: IsStopping) -> float:
        """Make a copy if it is time; return the seconds until the next look."""
        if not self._storage.backup_enabled:
            return _LOOK_S
        if (left_s := self._left_s()) > 0:
            self.trouble = None
        if left_s > 0 or self._is_empty():
            return min(max(left_s, 1.0), _LOOK_S)
        began = time.monotonic()
        try:
            made = make_backup(
                self._data_dir,
                datetime.fromtimestamp(self._clock(), UTC),
                keep=self._storage.backups_kept,
                min_free_bytes=self._storage.min_free_space,
                is_stopping=is_stopping,
            )
        except AnotherIsMadeError:
            return min(self._storage.backup_interval, _RETRY_S)
        except BackupError as error:
            if not is_stopping():
                journal.error("backup.failed", error=str(error))
                self.trouble = f"The server's backup has failed: {error}."
            return min(self._storage.backup_interval, _RETRY_S)
        self.trouble = None
        journal.info(
            "backup.made",
            path=made.path,
            bytes=made.bytes,
            sessions=made.sessions,
            dropped=len(made.dropped),
            seconds=round(time.monotonic() - began, 1),
        )
        return min(self._storage.backup_interval, _LOOK_S)

    def _is_empty(self) -> bool:
        try:
            return not catalogue.list_logs(self._data_dir)
        except OSError:
            return False  # trying to copy them says what is wrong

    def _left_s(self) -> float:
        """Return the seconds until the next copy; not above 0 when it is due."""
        there = list_backups(self._data_dir)
        if not there:
            return 0.0
        try:
            age_s = self._clock() - os.stat(os.path.join(backups_dir(self._data_dir), there[-1])).st_mtime
        except OSError:
            return 0.0
        # A copy of the future: the clock was set back, and nobody knows how old it is.
        return self._storage.backup_interval - age_s if age_s >= 0 else 0.0
