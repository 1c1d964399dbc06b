"""What is measured, for Prometheus.

Two kinds of figures: what the index knows is read from it when asked; requests, listeners and alerts are counted here.

Labels are closed sets: routes, not paths; nothing that a client or a log may make up.
"""

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from proxy import __version__
from proxy.events.outcome import OUTCOMES
from proxy.events.vocabulary import STATES
from proxy.server.watch.machine import processes
from proxy.upkeep.backup import backups_dir, list_backups

if TYPE_CHECKING:
    from proxy.server.shared import Shared

_Family = TypeVar("_Family", CounterMetricFamily, GaugeMetricFamily)
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_METHODS = frozenset(["GET", "HEAD", "POST", "OPTIONS"])
_STREAMING = frozenset(["/events", "/api/v1/monitoring/stream"])
"""Answers that last as long as somebody listens."""
_GONE = "499"
"""The status of requests whose client left before the answer, as other servers have it."""


class Metrics:
    """What this process counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Histogram(
            "claude_proxy_http_request_duration_seconds",
            "Time to answer requests; those that stream or wait for events are not in it.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.alerts = Counter(
            "claude_proxy_alerts", "Alerts by what became of them.", ["kind", "outcome"], registry=registry
        )
        self.alert_queue = Gauge(
            "claude_proxy_alert_queue_length", "Alerts that wait to be sent.", registry=registry
        )

    def failures(self) -> dict[str, float]:
        """Return how many requests were answered with 500, by method and route."""
        return {
            f"{sample.labels['method']} {sample.labels['route']}": sample.value
            for family in self.requests.collect()
            for sample in family.samples
            if sample.name.endswith("request_duration_seconds_count") and sample.labels["status"] == "500"
        }

    def exposed(self, shared: "Shared", accept: str) -> tuple[bytes, str]:
        """Return everything in the form that is accepted, and the name of that form."""
        encode, form = choose_encoder(accept)
        return encode(_Exposed(shared, self.registry)), form


METRICS = web.AppKey("METRICS", Metrics)


@web.middleware
async def metrics_middleware(request: web.Request, handler: "web.Handler") -> web.StreamResponse:  # type: ignore[name-defined]
    """Measure how long answers take."""
    began, status = time.perf_counter(), _GONE
    try:
        response: web.StreamResponse = await handler(request)
        status = str(response.status)
        return response
    finally:
        resource = request.match_info.route.resource
        route = "other" if resource is None else resource.canonical
        if route not in _STREAMING and "wait" not in request.query:
            method = request.method if request.method in _METHODS else "other"
            took = time.perf_counter() - began
            request.app[METRICS].requests.labels(method, route, status).observe(took)


class _Exposed(Collector):
    """What was counted, and what the index, the disk and the system know."""

    def __init__(self, shared: "Shared", counted: Collector) -> None:
        self._shared, self._counted = shared, counted

    def collect(self) -> Iterable[Metric]:
        """Yield each figure."""
        yield from self._counted.collect()
        yield from self._sessions()
        figures = processes()
        for name, text, value in (
            *self._disk(),
            ("server_processes", "Processes of the server.", figures["server_processes"]),
            ("server_memory_bytes", "Memory of the server's processes.", figures["server_memory_bytes"]),
            (
                "server_open_files",
                "Files that the server's processes hold open.",
                figures["server_open_files"],
            ),
            ("server_threads", "Threads of the server's processes.", figures["server_threads"]),
            ("server_start_time_seconds", "When the server was started.", self._shared.started_us / 1e6),
        ):
            yield GaugeMetricFamily(f"claude_proxy_{name}", text, value)
        text = "Processor time of the server's processes."
        yield CounterMetricFamily("claude_proxy_server_cpu_seconds", text, figures["server_cpu_seconds"])
        build = GaugeMetricFamily("claude_proxy_build", "The version that answers.", labels=["version"])
        yield _filled(build, [((__version__,), 1)])

    def _sessions(self) -> Iterable[Metric]:
        store, listeners = self._shared.store, self._shared.hub.listeners
        kinds = (((kind,), listeners[kind]) for kind in ("sse", "websocket"))
        text = "Listeners to live events."
        yield _filled(GaugeMetricFamily("claude_proxy_subscribers", text, labels=["kind"]), kinds)
        totals = store.totals()
        states = (((state,), totals["state", state]) for state in STATES)
        text = "Sessions that are kept, by state."
        yield _filled(GaugeMetricFamily("claude_proxy_sessions", text, labels=["state"]), states)
        outcomes = (((outcome,), totals["outcome", outcome]) for outcome in OUTCOMES)
        text = "Sessions that are over, by what became of them, those that were removed included."
        yield _filled(CounterMetricFamily("claude_proxy_sessions_over", text, labels=["outcome"]), outcomes)
        for name, text, labels in (
            ("messages", "Lines that passed, by verdict.", ["stream", "verdict"]),
            ("tokens", "Tokens that results report.", ["kind"]),
            ("approvals", "Calls of tools, by who or what decided on them, and how.", ["by", "decision"]),
        ):
            counts = ((key[1:], count) for key, count in sorted(totals.items()) if key[0] == name)
            yield _filled(CounterMetricFamily(f"claude_proxy_{name}", text, labels=labels), counts)
        for name, value, text in (
            ("sessions_recorded", totals["sessions",], "Sessions, those that were removed included."),
            ("turns", totals["turns",], "Results of Claude Code."),
            ("events", totals["events",], "Events of sessions."),
            ("lost_records", totals["lost_records",], "Records that could not be written: the gaps in logs."),
            ("cost_dollars", totals["microdollars",] / 1e6, "Costs that results report, in US dollars."),
        ):
            yield CounterMetricFamily(f"claude_proxy_{name}", text, value)
        text = "What live logs hold that is not indexed yet."
        yield GaugeMetricFamily("claude_proxy_index_behind_bytes", text, store.health().behind_bytes)

    def _disk(self) -> Iterator[tuple[str, str, float]]:
        folder = self._shared.data_dir
        with suppress(OSError):
            disk = shutil.disk_usage(folder)
            yield "disk_free_bytes", "Room on the data directory's disk.", disk.free
            yield "disk_size_bytes", "Size of the data directory's disk.", disk.total
        there = list_backups(folder)
        yield "backups", "Backups that there are.", len(there)
        with suppress(OSError, IndexError):
            made = os.stat(os.path.join(backups_dir(folder), there[-1])).st_mtime
            yield "backup_time_seconds", "When the newest copy was made.", made


def _filled(family: _Family, values: Iterable[tuple[Sequence[str], int]]) -> _Family:
    for key, value in values:
        family.add_metric(key, value)
    return family
