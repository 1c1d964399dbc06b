"""What is measured: in a form that Prometheus reads, with few labels."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families as parse

from proxy.server.access.guard import default_access
from proxy.server.watch.metrics import METRICS
from tests.server.conftest import Rig, serving

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
Sample = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def measured(rig: Rig) -> Sample:
    """Return all samples, read by Prometheus' own parser."""
    response = await rig.client.get("/metrics")
    assert response.status == 200
    assert response.content_type == "text/plain"
    families = list(parse(await response.text()))
    assert len({family.name for family in families}) == len(families)
    assert all(family.documentation for family in families)
    samples = [sample for family in families for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples), "a sample is there twice"
    return found


def of(samples: Sample, name: str, **labels: str) -> float:
    """Return the sample of that name and labels."""
    return samples[f"claude_proxy_{name}", frozenset(labels.items())]


async def test_the_figures_are_what_the_api_says(rig: Rig) -> None:
    """Sessions, messages, turns and costs are those that the sessions themselves show."""
    sessions = (await rig.get("/api/v1/monitoring/sessions"))["sessions"]
    found = await measured(rig)
    assert of(found, "sessions", state="ended") == len(sessions) == 3
    assert of(found, "sessions", state="failed") == 0
    for stream, verdict in (("stdout", "valid"), ("stdin", "valid")):
        expected = sum(one["counts"][stream].get(verdict, 0) for one in sessions)
        assert of(found, "messages_total", stream=stream, verdict=verdict) == expected > 0
    assert of(found, "turns_total") == sum(one["turns"] for one in sessions)
    assert of(found, "events_total") == sum(one["events"] for one in sessions)
    cost = sum(one["cost"] or 0 for one in sessions)
    assert of(found, "cost_dollars_total") == pytest.approx(cost, abs=1e-5)
    tokens = sum(one["tokens"].get("output", 0) for one in sessions)
    assert of(found, "tokens_total", kind="output") == tokens > 0


async def test_the_figures_follow_live_sessions(rig: Rig) -> None:
    """A session that begins, and one that dies, is counted at the next question, and nothing twice."""
    log = rig.live()
    await rig.shared.catch_up("live")
    found = await measured(rig)
    assert of(found, "sessions", state="starting") == 1
    assert of(found, "sessions_recorded_total") == 4
    log.close()
    await rig.shared.catch_up()
    found = await measured(rig)
    assert (of(found, "sessions", state="starting"), of(found, "sessions", state="failed")) == (0, 1)
    assert of(found, "sessions_recorded_total") == 4


async def test_what_is_removed_stays_counted(rig: Rig) -> None:
    """Counters never fall for a session that has expired; the gauge of those that are kept does."""
    before = await measured(rig)
    for name in ("past0", "past1"):
        (rig.data_dir / "sessions" / f"{name}.jsonl").unlink()
    await rig.shared.catch_up()
    for found in (await measured(rig), await measured(rig)):
        assert of(found, "sessions", state="ended") == 1
        for (name, labels), value in before.items():
            if name.endswith("_total") and "http" not in name and "server" not in name:
                assert found[name, labels] == pytest.approx(value)
    async with serving(rig.data_dir) as another:
        assert of(await measured(another), "sessions_recorded_total") == 3


async def test_requests_are_measured_by_route(rig: Rig) -> None:
    """A route, a known method and a status: what a client makes up is `other`, so labels stay few."""
    for path in (
        "/status",
        "/api/v1/monitoring/sessions/past0",
        "/api/v1/monitoring/sessions/none",
        "/x/y",
        "/z",
    ):
        await rig.client.get(path)
    await rig.client.request("BREW", "/status")
    await rig.client.get("/api/v1/monitoring/events?wait=0")
    found = await measured(rig)
    name, one = "http_request_duration_seconds_count", "/api/v1/monitoring/sessions/{session_id}"
    assert of(found, name, method="GET", route="/status", status="200") == 1
    assert of(found, name, method="GET", route=one, status="200") == 1
    assert of(found, name, method="GET", route=one, status="404") == 1
    assert of(found, name, method="GET", route="other", status="404") == 2
    assert not [labels for _, labels in found if ("route", "/api/v1/monitoring/events") in labels]
    methods = {value for _, labels in found for key, value in labels if key == "method"}
    assert methods <= {"GET", "POST", "HEAD", "OPTIONS", "other"}


async def test_listeners_are_counted_as_long_as_they_listen(rig: Rig) -> None:
    """A listener of either kind shows up, and goes; how long it listened is no time to answer."""
    socket = await rig.client.ws_connect("/api/v1/monitoring/stream")
    stream = await rig.client.get("/events")
    await stream.content.readline()
    found = await measured(rig)
    assert of(found, "subscribers", kind="websocket") == 1
    assert of(found, "subscribers", kind="sse") == 1
    await socket.close()
    stream.close()
    async with asyncio.timeout(120):
        while of(found, "subscribers", kind="websocket") + of(found, "subscribers", kind="sse"):
            rig.live(f"wakes{os.urandom(4).hex()}").close()
            await rig.shared.catch_up()
            found = await measured(rig)
    assert not [labels for _, labels in found if ("route", "/events") in labels]


async def test_names_that_a_log_makes_up_are_other(tmp_path: Path) -> None:
    """A log of foreign origin cannot make the figures grow without bound."""
    folder = tmp_path / "sessions"
    folder.mkdir()
    records = [
        {
            "seq": n,
            "ts": f"2026-01-02T03:04:05.{n:06d}Z",
            "session_id": "a",
            "stream": f"s{n}",
            "verdict": f"v{n}",
            "raw": "x",
        }
        for n in range(50)
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    async with serving(tmp_path) as rig:
        found = await measured(rig)
        labels = [dict(labels) for name, labels in found if name == "claude_proxy_messages_total"]
        assert all(set(one.values()) <= {"other", "unjudged", "text"} for one in labels)


async def test_open_metrics_is_spoken_where_it_is_accepted(rig: Rig) -> None:
    """Prometheus asks for OpenMetrics first; it is well formed by the library's strict parser."""
    response = await rig.client.get(
        "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    assert response.content_type == "application/openmetrics-text"
    text = await response.text()
    assert text.endswith("# EOF\n")
    assert "claude_proxy_sessions" in {family.name for family in parse_open_metrics(text)}  # type: ignore[no-untyped-call]


def test_a_token_is_needed_as_for_every_route() -> None:
    """Figures tell what a team does: whoever is not the same user needs a token with the scope read."""
    assert default_access("GET", "/metrics") == "read"
    assert default_access("GET", "/health/ready") == "open"


async def test_the_dashboard_asks_for_figures_that_exist(rig: Rig) -> None:
    """Each query of the Grafana dashboard names a figure, and labels, that the server has."""
    (rig.data_dir / "backups").mkdir()
    shutil.copy(__file__, rig.data_dir / "backups" / "20260102T030405Z.tar.gz")
    rig.client.app[METRICS].alerts.labels("server_error", "sent")
    await rig.client.get("/status")
    labels: dict[str, set[str]] = {}
    for name, keys in await measured(rig):
        labels.setdefault(name, set()).update(key for key, _ in keys)
    dashboard: Any = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    used = set()
    for query in queries:
        names = re.findall(r"claude_proxy_\w+", query)
        assert names, query
        for name in names:
            assert name in labels, f"{name} does not exist: {query}"
            used.add(name)
            by = {key.strip() for group in re.findall(r"by \(([^)]*)\)", query) for key in group.split(",")}
            matched = set(re.findall(r'(\w+)(?:!~|=~|=)"', query)) - {"job"}
            assert by | matched <= labels[name], query
    shown = {
        name for name in labels if not name.endswith(("_created", "_sum")) and name.startswith("claude_proxy")
    }
    assert shown - used <= {"claude_proxy_backups", "claude_proxy_server_start_time_seconds"}
    operation = (ROOT / "docs" / "operation.md").read_text()
    assert all(f"`{re.sub('_(bucket|count)$', '', name)}`" in operation for name in shown)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
