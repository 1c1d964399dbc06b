"""Looks at the sessions and the server every few seconds, and tells the webhook what somebody should know.

Rules it lives by:

* What was told is remembered in ``DATA_DIR/alerts.json``, with what waits to be sent: a restart neither repeats nor
  loses an alert. (Killed between the webhook's answer and the remembering, one is told twice.)
* What happened before alerts were switched on is history, and not told.
* The same occasion is told once; of one kind and one session, at most one in ten minutes.
* The queue is bounded: beyond, alerts are dropped, and the log says so. A webhook that hangs or fails holds up nothing
  but the queue.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import msgspec
import tenacity

from proxy.events.timestamps import format_timestamp
from proxy.protocol.grammar import REFUSALS
from proxy.server.base.journal import journal
from proxy.server.watch.alerts import Alert, alerts_of
from proxy.server.watch.webhook import NotTakenError, RefusedError, Webhook
from proxy.sessions.private import read_private, replace_file
from proxy.store import StoreError
from proxy.store.model import Watched
from proxy.store.space import free_bytes

if TYPE_CHECKING:
    from proxy.server.shared import Shared
    from proxy.server.watch.metrics import Metrics

_LOOK_S = 5.0  # waits are counted in minutes
_QUIET_US = 600 * 1_000_000  # ten minutes, so that a webhook is not flooded
_MOST_WAITING = 100  # beyond, nobody reads them one by one
_ATTEMPTS = 8  # as docs/operation.md says
_LONGEST_PAUSE_S = 60.0  # so that an alert is late by a minute at most
_MOST_OCCASIONS = 100
"""Of one kind and one session that are remembered."""
_OUR_FAULT = "for a fault of claude-proxy; its log says more."
_RELIEF = 1.1
"""Room has to be this much above the limit for a low disk to be told again."""


class _Told(msgspec.Struct):
    occasions: list[str]
    moment_us: int


class _Memory(msgspec.Struct):
    """What outlives a restart."""

    epoch: str = ""
    newest_row: int = -1
    watched: list[str] = []
    told: dict[str, _Told] = {}
    waiting: list[Alert] = []


_decode = msgspec.json.Decoder(_Memory).decode


class AlertMonitor:
    """Finds out what is to be told, and tells it. One for a data directory at a time."""

    def __init__(
        self,
        shared: "Shared",
        metrics: "Metrics",
        *,
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._shared, self._metrics = shared, metrics
        self._settings = shared.settings.alerts
        self._clock_us, self._sleep = clock_us, sleep
        self._path = os.path.join(shared.data_dir, "alerts.json")
        self._memory = self._remembered()
        self._failures = metrics.failures()
        self._noted: list[Alert] = []
        self._troubles: dict[str, str | None] = {}
        self._news = asyncio.Event()
        self._is_unwritable = False

    async def run(self) -> None:
        """Watch and tell until cancelled; without a webhook, do nothing."""
        url = self._settings.webhook_url
        if url is None:
            return
        async with Webhook(url) as webhook, asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self.tell(webhook))

    def note(self, job: str) -> None:
        """Learn that a job of the server has failed."""
        sentence = f"The server's job {job} has failed {_OUR_FAULT}"
        self._noted.append(Alert("server_error", f"job {job}", sentence, comes_again=True))

    def rule_fired(self, session_id: str, occasion: str, text: str) -> None:
        """Tell that a rule has fired, which happens once on each occasion."""
        if self._settings.rule and self._settings.webhook_url is not None:
            self._append(Alert("rule", occasion, text, session_id), self._clock_us())
            self._remember()
            self._announce()

    def note_trouble(self, job: str, sentence: str | None) -> None:
        """Learn what keeps a job from being done (None: nothing any more): it is told once, until that is over."""
        self._troubles[job] = sentence

    async def _watch(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                # A fault of ours, or an index that cannot be read now: watching goes on.
                journal.exception("job.failed", job="alerts")
            await self._sleep(_LOOK_S)

    async def look(self) -> None:
        """Find out what is to be told now, and put it into the queue."""
        if not self._shared.store.wait_filled(0):
            return
        memory = self._memory
        try:
            seen = await asyncio.to_thread(self._shared.store.watched, memory.newest_row, memory.watched)
            trouble = (await asyncio.to_thread(self._shared.store.health)).trouble
        except StoreError:
            return  # said by the health
        self.note_trouble("index", trouble and f"The server's index does not follow the logs: {trouble}.")
        free = await asyncio.to_thread(self._free_bytes)
        before = msgspec.json.encode(memory)
        now_us = self._clock_us()
        for alert in (*self._of_sessions(seen, now_us), *self._of_the_server(), *self._of_the_disk(free)):
            self._queue(alert, now_us)
        self._forget_over(seen)
        if msgspec.json.encode(memory) != before:
            self._remember()
        self._announce()

    async def tell(self, webhook: Webhook) -> None:
        """Send what waits, one after the other, until cancelled."""
        self._announce()
        while True:
            await self._news.wait()
            while self._memory.waiting:
                alert = self._memory.waiting[0]
                outcome = await self._sent(webhook, alert)
                self._memory.waiting.remove(alert)
                self._metrics.alerts.labels(alert.kind, outcome).inc()
                self._remember()
            self._news.clear()
            self._announce()

    async def _sent(self, webhook: Webhook, alert: Alert) -> str:
        """Post an alert until it is taken, or it is in vain; return what became of it."""
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_not_exception_type(RefusedError)
            & tenacity.retry_if_exception_type(NotTakenError),
            wait=tenacity.wait_random_exponential(multiplier=1, max=_LONGEST_PAUSE_S),
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            await retrying(webhook.post, alert)
        except NotTakenError as error:
            journal.error("alert.undelivered", kind=alert.kind, session_id=alert.session_id, error=str(error))
            return "undelivered"
        journal.info("alert.sent", kind=alert.kind, session_id=alert.session_id)
        return "sent"

    # -- what there is to tell ---------------------------------------------------------------------------------

    def _of_sessions(self, seen: Watched, now_us: int) -> Iterator[Alert]:
        memory = self._memory
        is_history = memory.newest_row < 0 or seen.epoch != memory.epoch
        for session in seen.sessions:
            if not is_history or session.session_id in seen.live or session.session_id in memory.watched:
                yield from alerts_of(session, now_us, self._settings)

    def _forget_over(self, seen: Watched) -> None:
        """Remember what is watched from now on; nothing more can come of sessions that are over."""
        memory = self._memory
        over = {session.session_id for session in seen.sessions} - set(seen.live)
        for key in [key for key in memory.told if key.partition(":")[2] in over]:
            del memory.told[key]
        memory.epoch, memory.newest_row, memory.watched = seen.epoch, seen.newest_row, seen.live

    def _of_the_server(self) -> list[Alert]:
        noted, self._noted = self._noted, []
        if not self._settings.server_error:
            return []
        before, self._failures = self._failures, self._metrics.failures()
        for route, count in self._failures.items():
            if (new := count - before.get(route, 0)) > 0:
                sentence = f"The server failed to answer {new:.0f} requests ({route}) {_OUR_FAULT}"
                noted.append(Alert("server_error", route, sentence, comes_again=True))
        for job, said in self._troubles.items():
            if said is None:
                self._memory.told.pop(f"server_error:{job}", None)
            else:
                noted.append(Alert("server_error", job, said))
        return noted

    def _free_bytes(self) -> int | None:
        try:
            return free_bytes(self._shared.data_dir)
        except OSError:
            return None  # said by the health

    def _of_the_disk(self, free: int | None) -> Iterator[Alert]:
        least = self._shared.settings.storage.min_free_space
        if free is None or free >= least * _RELIEF:
            self._memory.told.pop("disk_low:low", None)
        if self._settings.disk_low and free is not None and free < least:
            left = f"{free / 1e9:.2f} GB left, less than {least / 1e9:g} GB"
            yield Alert("disk_low", "low", f"The disk of {self._shared.data_dir} has {left}.")

    def _queue(self, alert: Alert, now_us: int) -> None:
        """Put an alert into the queue, unless it was told."""
        told = self._memory.told.get(alert.subject) or _Told([], -_QUIET_US)
        is_quiet = 0 <= now_us - told.moment_us < _QUIET_US  # below 0: the clock was set back
        if alert.occasion in told.occasions or is_quiet:
            return
        occasions = [*told.occasions, alert.occasion][-_MOST_OCCASIONS:]
        self._memory.told[alert.subject] = _Told([] if alert.comes_again else occasions, now_us)
        self._append(alert, now_us)

    def _append(self, alert: Alert, now_us: int) -> None:
        if len(self._memory.waiting) >= _MOST_WAITING:
            self._metrics.alerts.labels(alert.kind, "dropped").inc()
            journal.warning("alert.dropped", kind=alert.kind, session_id=alert.session_id)
            return
        self._memory.waiting.append(msgspec.structs.replace(alert, timestamp=format_timestamp(now_us)))

    def _announce(self) -> None:
        self._metrics.alert_queue.set(len(self._memory.waiting))
        if self._memory.waiting:
            self._news.set()

    # -- what outlives a restart -------------------------------------------------------------------------------

    def _remembered(self) -> _Memory:
        try:
            return _decode(read_private(self._path))
        except FileNotFoundError:
            pass
        except (OSError, *REFUSALS) as error:
            journal.warning("alert.memory_unreadable", path=self._path, error=str(error))
        return _Memory()  # what happened before is history

    def _remember(self) -> None:
        # Not in a thread: between the webhook's answer and this, nothing may be cancelled. It is a small file.
        try:
            replace_file(self._path, msgspec.json.encode(self._memory))
            self._is_unwritable = False
        except OSError as error:
            # Alerts are sent all the same; after a restart some may be told again.
            if not self._is_unwritable:
                journal.warning("alert.memory_unwritable", path=self._path, error=str(error))
            self._is_unwritable = True
