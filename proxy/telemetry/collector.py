"""Sends spans, and metrics of what they measure, to whoever takes OTLP over HTTP.

OpenTelemetry's own exporters do it; they come with ``claude-proxy[otlp]``. What they do not take over is to remember
what could not be sent: that is in the log, and whoever calls asks again.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from proxy import __version__
from proxy.events.spending import COST, TOKENS, Usage
from proxy.telemetry.traces import PROVIDER, TraceSpan

if TYPE_CHECKING:
    import requests
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

MOST_SPANS = 200
"""Spans of one request: with their content some megabytes, which is what collectors take."""
_METRICS_S = 15.0
"""Least time between two sendings of metrics: each has all of them, and backends keep one value in some ten seconds."""
_TRY_AGAIN = frozenset([408, 425, 429])
_CHAT_S = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_AGENT_S = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6]
_TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]
"""The buckets that the conventions name for each."""
_DURATIONS = {
    "chat": ("gen_ai.client.operation.duration", _CHAT_S, "Calls of the model."),
    "execute_tool": ("gen_ai.execute_tool.duration", _CHAT_S, "Executions of tools."),
    "invoke_agent": ("gen_ai.invoke_agent.duration", _AGENT_S, "Turns, and subagents in them."),
}
_MEASURED_BY = {
    "chat": (
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.model",
    ),
    "execute_tool": ("gen_ai.tool.name", "gen_ai.tool.type"),
    "invoke_agent": ("gen_ai.agent.name",),
}
"""Attributes of spans that are those of their metric too, besides ``error.type``."""


class MissingLibraryError(Exception):
    """The libraries of OpenTelemetry are not installed; the sentence says how they are."""


class CollectorAwayError(Exception):
    """Nothing was sent, and may be later; the sentence says why."""


class CollectorRefusedError(Exception):
    """What was sent was refused for good; the sentence says how."""


class Collector:
    """A place that takes spans and metrics. For one thread at a time, but for `close`."""

    def __init__(
        self, endpoint: str | None, headers: Mapping[str, str] | None = None, *, with_metrics: bool = True
    ) -> None:
        """``endpoint``: without ``/v1/traces``; None: as ``OTEL_EXPORTER_OTLP_ENDPOINT`` and its like say.

        MissingLibraryError when the libraries are not installed.
        """
        try:
            import requests  # noqa: PLC0415 - these come with an extra
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        except ImportError:
            hint = "pip install 'claude-proxy[otlp]'"
            raise MissingLibraryError(f"OpenTelemetry's libraries are not installed: {hint}") from None
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what fails is told by who calls
        self._base = None if endpoint is None else endpoint.rstrip("/").removesuffix("/v1/traces")
        self._session = requests.Session()
        self._session.hooks["response"].append(self._heard)
        self._status: int | None = None
        self._resource = _resource()
        self._exporter = OTLPSpanExporter(self._at("v1/traces"), headers=headers, session=self._session)
        self._metrics = None
        if with_metrics:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

            exporter = OTLPMetricExporter(self._at("v1/metrics"), headers=headers, session=self._session)
            self._metrics = _Metrics(exporter, self._resource)

    def send(self, spans: Sequence[TraceSpan]) -> None:
        """Send spans, and measure them.

        Raises:
            CollectorAwayError: they have not arrived; nothing was measured.
            CollectorRefusedError: they are not wanted.
        """
        if not spans:
            return
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415

        self._status = None
        if self._exporter.export([self._encoded(span) for span in spans]) is not SpanExportResult.SUCCESS:
            if self._status is None:
                raise CollectorAwayError("it does not answer")
            if self._status in _TRY_AGAIN or self._status >= 500:
                raise CollectorAwayError(f"it answers {self._status}")
            raise CollectorRefusedError(f"it answers {self._status} to {len(spans)} spans")
        if self._metrics is not None:
            self._metrics.measure(spans)

    def send_metrics(self, *, now: bool = False) -> None:
        """Send metrics if it is time, or now. Never raises: the next ones have all that these have.

        A place that has no metrics is asked once.
        """
        if self._metrics is None:
            return
        self._status = None
        if not self._metrics.send(now=now) and self._status in (404, 405, 501):
            self._metrics = None

    def close(self) -> None:
        """Let go; what is being sent is given up."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
        self._session.close()

    def _at(self, path: str) -> str | None:
        return None if self._base is None else f"{self._base}/{path}"

    def _heard(self, response: "requests.Response", *_: Any, **__: Any) -> None:
        self._status = response.status_code

    def _encoded(self, span: TraceSpan) -> "ReadableSpan":
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags  # noqa: PLC0415

        def context(span_id: int) -> SpanContext:
            return SpanContext(span.trace_id, span_id, False, TraceFlags(TraceFlags.SAMPLED))

        return ReadableSpan(
            span.name,
            context=context(span.span_id),
            parent=None if span.parent_id is None else context(span.parent_id),
            resource=self._resource,
            attributes=span.attributes,
            kind=SpanKind.CLIENT if span.operation == "chat" else SpanKind.INTERNAL,
            instrumentation_scope=InstrumentationScope("claude-proxy", __version__),
            status=Status() if span.error is None else Status(StatusCode.ERROR, span.error),
            start_time=span.start_us * 1000,
            end_time=span.end_us * 1000,
        )


class _Metrics:
    """What spans measure, summed up since the start."""

    def __init__(self, exporter: "MetricExporter", resource: "Resource") -> None:
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415

        self._exporter, self._reader = exporter, InMemoryMetricReader()
        provider = MeterProvider([self._reader], resource, shutdown_on_exit=False)
        meter = provider.get_meter("claude-proxy", __version__)
        self._durations = {
            operation: meter.create_histogram(name, "s", text, explicit_bucket_boundaries_advisory=buckets)
            for operation, (name, buckets, text) in _DURATIONS.items()
        }
        text = "Tokens of turns, subagents included."
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", text, explicit_bucket_boundaries_advisory=_TOKENS
        )
        text = "What turns cost, as Claude Code says it."
        self._cost = meter.create_counter("claude_proxy.cost", "USD", text)
        self._sent = 0.0
        self._has_news = False

    def measure(self, spans: Sequence[TraceSpan]) -> None:
        """Take spans that have arrived."""
        self._has_news = True
        for span in spans:
            names = (*_MEASURED_BY[span.operation], "error.type")
            about = {name: span.attributes[name] for name in names if name in span.attributes}
            self._durations[span.operation].record((span.end_us - span.start_us) / 1e6, about)
            for model, usage in span.tokens.items():
                self._take(model, usage)

    def send(self, *, now: bool) -> bool:
        """Send all, if there is something new and it is time; return whether that has worked, or was not needed."""
        from opentelemetry.sdk.metrics.export import MetricExportResult  # noqa: PLC0415

        if not self._has_news or (time.monotonic() - self._sent < _METRICS_S and not now):
            return True
        data = self._reader.get_metrics_data()
        if data is None or self._exporter.export(data) is not MetricExportResult.SUCCESS:
            return False
        self._sent, self._has_news = time.monotonic(), False
        return True

    def _take(self, model: str, usage: Usage) -> None:
        about = {"gen_ai.provider.name": PROVIDER, "gen_ai.request.model": model}
        counts = {name: int(usage.get(name, 0)) for name in TOKENS}
        # Tokens that come in are all of them, cached ones too, as on spans.
        kinds = {"input": sum(counts.values()) - counts["output"], "output": counts["output"]}
        for kind, count in kinds.items():
            self._tokens.record(count, {**about, "gen_ai.operation.name": "chat", "gen_ai.token.type": kind})
        if cost := usage.get(COST):
            self._cost.add(max(0.0, cost), about)


def _resource() -> "Resource":
    """Return who sends: as ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` say, or this program on this host."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415

    given = OTELResourceDetector().detect().attributes
    ours = {"service.name": "claude-proxy", "service.version": __version__, "host.name": socket.gethostname()}
    return Resource.create({**ours, **given})


def is_asked_for(endpoint: str | None) -> bool:
    """Tell whether spans are wanted: by the configuration, or by the variables of OpenTelemetry."""
    return endpoint is not None or any(
        os.environ.get(name) for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    )
