"""What reaches a collector, and what is said of one that does not take it."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from proxy import __version__
from proxy.telemetry import collector as module
from proxy.telemetry.collector import (
    Collector,
    CollectorAwayError,
    CollectorRefusedError,
    MissingLibraryError,
    is_asked_for,
)
from tests.telemetry.receiver import Receiver, receiver
from tests.telemetry.test_traces import of

if TYPE_CHECKING:
    from proxy.telemetry.traces import TraceSpan


def points(given: Receiver, name: str, label: str) -> dict[str, object]:
    """Return the sums of a metric by one of its attributes."""
    metric = given.metrics[name]
    data = metric.histogram if metric.HasField("histogram") else metric.sum
    return {
        next(pair.value.string_value for pair in point.attributes if pair.key == label): getattr(
            point, "as_double" if metric.HasField("sum") else "sum"
        )
        for point in data.data_points
    }


def sent(spans: list[TraceSpan], given: Receiver, **options: object) -> None:
    """Send spans and metrics."""
    collector = Collector(given.url, **options)  # type: ignore[arg-type]
    collector.send(spans)
    collector.send_metrics(now=True)
    collector.close()


def test_spans_arrive_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, times, places, kinds, attributes and errors are what they were, and who sends them is told."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=ci,team=a")
    spans = of("api_errors")
    with receiver() as given:
        sent(spans, given)
    assert [path for path, _ in given.requests] == ["/v1/traces", "/v1/metrics"]
    for one in spans:
        came = given.by_id()[f"{one.span_id:016x}"]
        assert came["trace_id"] == f"{one.trace_id:032x}"
        assert came["parent_id"] == ("" if one.parent_id is None else f"{one.parent_id:016x}")
        assert (came["name"], came["start_us"], came["end_us"]) == (one.name, one.start_us, one.end_us)
        assert came["attributes"] == one.attributes
        assert (came["status"], came["message"]) == (0 if one.error is None else 2, one.error or "")
        assert came["kind"] == (3 if one.operation == "chat" else 1)  # client, internal
    assert given.resources[0]["service.name"] == "claude-proxy"
    assert given.resources[0]["service.version"] == __version__
    assert given.resources[0]["deployment.environment.name"] == "ci"


def test_metrics_measure_what_arrived() -> None:
    """Tokens and cost by model, and durations of calls, tools and turns, are sums over the spans that were taken."""
    spans = of("subagent")
    with receiver() as given:
        sent(spans, given)
    model = "claude-opus-5-5"
    assert points(given, "claude_proxy.cost", "gen_ai.request.model") == {model: pytest.approx(0.00432)}
    assert points(given, "gen_ai.client.token.usage", "gen_ai.token.type") == {"input": 480, "output": 120}
    assert set(points(given, "gen_ai.execute_tool.duration", "gen_ai.tool.name")) == {"Agent", "Bash"}
    turn = next(one for one in spans if one.is_turn)
    durations = points(given, "gen_ai.invoke_agent.duration", "gen_ai.agent.name")
    assert durations["claude-code"] == pytest.approx((turn.end_us - turn.start_us) / 1e6)
    calls = given.metrics["gen_ai.client.operation.duration"]
    assert calls.unit == "s"
    assert calls.histogram.data_points[0].count == 3
    assert calls.histogram.data_points[0].explicit_bounds[0] == 0.01


def test_metrics_go_together_and_not_too_often() -> None:
    """Metrics are sent when there is something new, and not with every span; what did not arrive goes along later."""
    with receiver() as given:
        collector = Collector(given.url)
        collector.send_metrics(now=True)
        assert given.requests == []
        given.statuses["/v1/metrics"] = [400]
        collector.send(of("simple"))
        collector.send_metrics()
        assert given.metrics == {}
        collector.send_metrics()
        assert "claude_proxy.cost" in given.metrics
        collector.send(of("simple"))
        count = len(given.requests)
        collector.send_metrics()
        assert len(given.requests) == count
        collector.send_metrics(now=True)
        assert points(given, "gen_ai.client.token.usage", "gen_ai.token.type")["output"] == 120
        collector.close()


@pytest.mark.parametrize("status", [404, 405])
def test_a_place_without_metrics_is_asked_once(status: int) -> None:
    """Phoenix and Langfuse take traces alone; they are not asked again and again."""
    with receiver() as given:
        given.statuses["/v1/metrics"] = [status]
        collector = Collector(given.url)
        for _ in range(3):
            collector.send(of("simple"))
            collector.send_metrics(now=True)
        collector.close()
    assert [path for path, _ in given.requests].count("/v1/metrics") == 1
    with receiver() as given:
        sent(of("simple"), given, with_metrics=False)
    assert [path for path, _ in given.requests] == ["/v1/traces"]


@pytest.mark.parametrize("status", [400, 401, 404, 413])
def test_what_is_refused_is_told(status: int) -> None:
    """Spans that are not wanted are an error that says so: sending them again would change nothing."""
    with receiver() as given:
        given.statuses["/v1/traces"] = [status]
        collector = Collector(given.url)
        with pytest.raises(CollectorRefusedError, match=f"it answers {status} to 4 spans"):
            collector.send(of("simple"))
        collector.close()


def test_a_collector_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not answer, or cannot now, is an error that says that it may later."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    with socket.create_server(("127.0.0.1", 0)) as place:
        url = f"http://127.0.0.1:{place.getsockname()[1]}"
    collector = Collector(url)
    with pytest.raises(CollectorAwayError, match="it does not answer"):
        collector.send(of("simple"))
    collector.close()
    with receiver() as given:
        given.statuses["/v1/traces"] = [503] * 10
        collector = Collector(given.url)
        with pytest.raises(CollectorAwayError, match="it answers 503"):
            collector.send(of("simple"))
        collector.close()


def test_headers_and_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers go along; the address may have the path, or be that of the variables."""
    with receiver() as given:
        for url in (given.url, f"{given.url}/", f"{given.url}/v1/traces"):
            collector = Collector(url, {"x-api-key": "secret"}, with_metrics=False)
            collector.send(of("simple"))
            collector.close()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", given.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=other")
        collector = Collector(None)
        collector.send(of("simple"))
        collector.send_metrics(now=True)
        collector.close()
    assert [path for path, _ in given.requests] == ["/v1/traces"] * 4 + ["/v1/metrics"]
    keys = [
        {name.lower(): value for name, value in headers.items()}["x-api-key"] for _, headers in given.requests
    ]
    assert keys == ["secret"] * 3 + ["other"] * 2


def test_whether_spans_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration asks for them, or a variable of OpenTelemetry; without either nothing is sent."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert not is_asked_for(None)
    assert is_asked_for("http://x")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x")
    assert is_asked_for(None)


def test_the_libraries_come_with_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are not installed, the sentence says how they are; nothing else imports them."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'claude-proxy\[otlp\]'"):
        Collector("http://127.0.0.1:1")
    assert not [name for name in vars(module) if "opentelemetry" in name]
