"""Unusual hosts and lines: clocks that are wrong, hosts that are gone, lines that databases would refuse or change."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.events.timestamps import parse_timestamp
from proxy.store.postgres.connections import connect
from tests.recorded import LogMaker, scenario
from tests.server.conftest import Rig, serving
from tests.server.routes.test_fleet import Teller
from tests.shipping.hosts import Host, address
from tests.shipping.processes import server, wait_ready
from tests.shipping.test_shipper import log_of, session_of
from tests.store.postgres.test_intake import ODD

pytestmark = pytest.mark.anyio
_MONITORING = "/api/v1/monitoring"
_LONG_BYTES = 100_000_000


async def _events(centre: Rig, **query: str) -> list[dict[str, Any]]:
    page = await centre.get(f"{_MONITORING}/events", params={"limit": "10000", **query})
    found: list[dict[str, Any]] = page["events"]
    return found


@pytest.mark.parametrize("days", [1, -1])
async def test_a_wrong_clock(centre: Rig, days: int) -> None:
    """Its events keep their time, how wrong it is can be seen, and what others record is told as ever."""
    now = datetime.now(UTC) + timedelta(days=days)
    sent_at = now.isoformat().replace("+00:00", "Z")
    wrong, right = Teller(centre, "0" * 32), Teller(centre, "1" * 32)
    text = scenario("simple", LogMaker("wrong", parse_timestamp(sent_at)))
    await wrong.hello(name="wrong", sent_at=sent_at)
    await wrong.push("wrong", text[: text.rindex(b"\n", 0, -1) + 1], running=True)
    await right.hello(name="right")
    await right.push("right", scenario("simple", LogMaker("right")))
    hosts = {one["name"]: one for one in (await centre.get("/api/v1/fleet/hosts"))["hosts"]}
    assert round(hosts["wrong"]["clock_offset_ms"] / 86_400_000, 2) == days
    assert abs(hosts["right"]["clock_offset_ms"]) < 60_000
    (first, *_) = await _events(centre, session_id="wrong", order="asc")
    assert parse_timestamp(first["timestamp"]) == parse_timestamp(sent_at)
    count = len(await _events(centre, session_id="right"))
    assert len([one for one in await _events(centre) if one["session_id"] == "right"]) == count
    for path in ("overview", "metrics", "sessions/wrong/analysis", "sessions/wrong/conversation", "status"):
        await centre.get(f"{_MONITORING}/{path}")


async def test_a_host_that_is_gone(centre: Rig, url: str) -> None:
    """It is unreachable after 45 seconds, and its sessions with it, in the state in which they were; never failed."""
    host = Teller(centre)
    text = scenario("simple", LogMaker("a"))
    await host.hello()
    await host.push("a", text[: text.rindex(b"\n", 0, -1) + 1], running=True)
    before = await session_of(centre, "a")
    for seconds, is_reachable in ((40, True), (46, False)):
        with connect(url) as connection:
            connection.execute(
                "UPDATE claude_proxy.hosts SET heard_at = now() - %s * interval '1 second'", (seconds,)
            )
        session = await session_of(centre, "a")
        assert (session["reachable"], session["state"]) == (is_reachable, before["state"])
        (known,) = (await centre.get("/api/v1/fleet/hosts"))["hosts"]
        assert (known["reachable"], known["live_sessions"]) == (is_reachable, 1)
    kinds = {one["event_type"] for one in await _events(centre, session_id="a")}
    assert not kinds & {"run_failed", "session_ended"}
    await host.hello()
    assert (await session_of(centre, "a"))["reachable"]


async def test_odd_lines(centre: Rig, host: Host) -> None:
    """Identical bytes come out, and whoever asks for records gets what the host itself gives."""
    text = LogMaker("a").started() + b"".join(line + b"\n" for line in ODD)
    host.log("a").write_bytes(text)
    assert await host.ship(address(centre))
    assert await log_of(centre, "a") == text
    async with serving(host.data_dir) as own:
        await own.shared.catch_up()
        for path in ("records", "conversation", "drift", "analysis"):
            answers = []
            for rig in (centre, own):
                response = await rig.client.get(f"{_MONITORING}/sessions/a/{path}")
                assert response.status == 200
                answers.append(await response.json())
            assert answers[0] == answers[1], path


@pytest.mark.slow
async def test_a_line_of_a_hundred_megabytes(url: str, tmp_path: Path) -> None:
    """It comes out as it went in, and takes a bounded multiple of its size at the centre's server."""
    program, port = server(tmp_path / "centre", url)
    program.start()
    try:
        wait_ready(program, port)
        host = Host(tmp_path / "host")
        line = (
            b'{"seq":1,"ts":"2026-01-02T03:04:05.001000Z","session_id":"a","stream":"stdout","message":{"x":"%b"}}\n'
            % random.Random(1).randbytes(_LONG_BYTES // 2).hex().encode()
        )
        host.log("a").write_bytes(LogMaker("a").started() + line)
        to = f"http://127.0.0.1:{port}"
        assert await host.ship(to)
        async with (
            aiohttp.ClientSession(to) as client,
            client.get(f"{_MONITORING}/sessions/a/log") as response,
        ):
            assert await response.read() == host.log("a").read_bytes()
        assert program.peak_bytes() < 8 * _LONG_BYTES
    finally:
        program.kill()
