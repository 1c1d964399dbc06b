"""A place that takes OTLP over HTTP, decodes what comes, and answers as a test says."""

from __future__ import annotations

import contextlib
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

__all__ = ["Receiver", "receiver"]


class Receiver:
    """What has arrived, and what is answered."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[dict[str, Any]] = []
        """Each span once for each time it came."""
        self.metrics: dict[str, Any] = {}
        """By name: the newest."""
        self.resources: list[dict[str, Any]] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        """Path and headers of each request."""
        self.statuses: dict[str, list[int]] = {}
        """By path: what the next requests are answered with; then 200."""
        self.arrived = threading.Condition()

    def by_id(self) -> dict[str, dict[str, Any]]:
        """Return the spans as a backend keeps them."""
        return {span["span_id"]: span for span in self.spans}

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Take a request and return the status."""
        with self.arrived:
            self.requests.append((path, headers))
            status = self.statuses[path].pop(0) if self.statuses.get(path) else 200
            if status == 200:
                (self._take_spans if path == "/v1/traces" else self._take_metrics)(body)
            self.arrived.notify_all()
            return status

    def _take_spans(self, body: bytes) -> None:
        for one in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(_attributes(one.resource.attributes))
            for scope in one.scope_spans:
                self.spans += [
                    {
                        "name": span.name,
                        "kind": span.kind,
                        "trace_id": span.trace_id.hex(),
                        "span_id": span.span_id.hex(),
                        "parent_id": span.parent_span_id.hex(),
                        "start_us": span.start_time_unix_nano // 1000,
                        "end_us": span.end_time_unix_nano // 1000,
                        "attributes": _attributes(span.attributes),
                        "status": span.status.code,
                        "message": span.status.message,
                    }
                    for span in scope.spans
                ]

    def _take_metrics(self, body: bytes) -> None:
        for one in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in one.scope_metrics:
                self.metrics |= {metric.name: metric for metric in scope.metrics}


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """Receive on a free port."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            status = found.take(self.path, dict(self.headers.items()), body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind or "string_value")
