"""What the rules of a host found comes to its centre, as its log does."""

import json
from typing import Any

import msgspec
import pytest

from proxy.fleet import Greeting
from proxy.sessions.firings import decoded
from proxy.ship_settings import Ship
from proxy.shipping import ledger, shipper
from proxy.shipping.centre import Centre
from proxy.shipping.content import of_firings
from proxy.shipping.report import report, unshipped, would_send
from proxy.store.postgres import hosts
from tests.recorded import START_US, firing
from tests.server.conftest import Rig, serving
from tests.shipping.hosts import Host, address
from tests.shipping.test_shipper import pytestmark as pytestmark  # noqa: PLC0414 - these tests run on it, too
from tests.shipping.test_shipper import shipping, until, wait_for, wait_until


async def events_of(rig: Rig, session_id: str) -> list[dict[str, Any]]:
    """Return the events of a session."""
    answer = await rig.get(f"/api/v1/monitoring/events?session_id={session_id}&limit=10000")
    found: list[dict[str, Any]] = answer["events"]
    return found


async def rules_of(rig: Rig, session_id: str) -> list[str]:
    """Return which rules fired."""
    events = await events_of(rig, session_id)
    return [one["data"]["rule"] for one in events if one["event_type"] == "rule_fired"]


async def test_the_centre_tells_what_the_host_tells(centre: Rig, host: Host) -> None:
    """The same events in the same order, however small the pieces are in which they come."""
    for name in ("at once", "in pieces"):
        session_id = name.replace(" ", "-")
        host.record(session_id, "subagent")
        host.fire(session_id, *(firing(START_US + 1000 * at + 500, f"r{at}") for at in (1, 8, 25, 10_000)))
        assert await host.ship(address(centre), piece=1 << 20 if name == "at once" else 2000)
    async with serving(host.data_dir) as own:
        await own.shared.catch_up()
        for session_id in ("at-once", "in-pieces"):
            assert await rules_of(centre, session_id) == ["r1", "r8", "r25", "r10000"]
            assert await events_of(centre, session_id) == await events_of(own, session_id)


async def test_it_comes_while_a_session_goes_on_and_late(centre: Rig, host: Host) -> None:
    """Without a line of the log beside it; also once the session was sent whole."""
    async with shipping(host, address(centre), gather=0.01):
        with host.writing("a"):
            text = host.record("a")
            await until(centre, "a", text)
            host.fire("a", firing(START_US, "live"))
            await wait_for(lambda: _has(centre, "a", ["live"]))
    assert await host.ship(address(centre))
    host.fire("a", firing(START_US, "late"))
    assert await host.ship(address(centre))
    assert await rules_of(centre, "a") == ["live", "late"]
    async with shipping(host, address(centre), gather=0.01) as shipper:
        await wait_until(lambda: shipper.is_done)
        host.fire("a", firing(START_US, "later"))
        await wait_for(lambda: _has(centre, "a", ["live", "late", "later"]))


async def _has(centre: Rig, session_id: str, rules: list[str]) -> bool:
    return await rules_of(centre, session_id) == rules


async def test_what_is_sent_twice_is_stored_once(centre: Rig, host: Host) -> None:
    """Also by a shipper that has forgotten what was acknowledged."""
    host.record("a")
    host.fire("a", firing(START_US, "first"))
    assert await host.ship(address(centre))
    ledger.clear(str(host.data_dir))
    host.fire("a", firing(START_US, "second"))
    assert await host.ship(address(centre))
    assert ledger.read(str(host.data_dir))["a"].firings == 2
    assert await rules_of(centre, "a") == ["first", "second"]


async def test_what_a_centre_has_lost_comes_again(centre: Rig, host: Host, url: str) -> None:
    """Also where every line of the log is there."""
    from proxy.store.postgres.connections import connect, execute, writing  # noqa: PLC0415 - an extra
    from proxy.store.postgres.rebuild import rebuild  # noqa: PLC0415

    host.record("a")
    host.fire("a", firing(START_US, "first"), firing(START_US, "second"))
    assert await host.ship(address(centre))
    with connect(url) as connection, writing(connection):
        execute(connection, "UPDATE sessions SET firings = firings[:1]")
    assert list(rebuild(url, everything=True)) == ["a"]
    assert await rules_of(centre, "a") == ["first"]
    assert await host.ship(address(centre))
    assert await rules_of(centre, "a") == ["first", "second"]


async def test_a_centre_of_an_older_version(centre: Rig, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent nothing that it does not know, and nothing waits for it; once it was upgraded, all of it is sent."""

    push, asked = Centre._post, set[str]()

    def old(**fields: Any) -> Greeting:
        return Greeting(**{**fields, "takes_firings": False, "version": "0"})

    async def noted(self: Centre, *args: Any, query: dict[str, str] | None = None, **rest: Any) -> Any:
        asked.update(query or {})
        return await push(self, *args, query=query, **rest)

    monkeypatch.setattr(Centre, "_post", noted)
    text = host.record("a")
    host.fire("a", firing(START_US))
    settings = Ship(to=address(centre))
    monkeypatch.setattr(shipper, "_HEARTBEAT_S", 0.1)
    monkeypatch.setattr(hosts, "Greeting", old)
    async with shipping(host, address(centre), piece=500) as shipping_host:
        await wait_until(lambda: shipping_host.is_done)
        assert asked == {"from_line", "running"}
        assert await rules_of(centre, "a") == []
        assert unshipped(str(host.data_dir), settings) == {}
        monkeypatch.setattr(hosts, "Greeting", Greeting)
        await wait_for(lambda: _has(centre, "a", ["dear"]))
    assert report(str(host.data_dir), settings)["acknowledged"]["bytes"] == len(text)


def test_what_waits_and_what_would_leave(host: Host) -> None:
    """What rules found counts as what is recorded does, and is shown as it would leave."""
    text = host.record("a")
    lines = host.fire("a", firing(START_US, "PROJECT-7", running=["Bash"]))
    settings = Ship(to="https://centre.example")
    found = report(str(host.data_dir), settings)
    assert found["waiting"] == {"records": text.count(b"\n") + 1, "bytes": len(text) + len(lines)}
    assert unshipped(str(host.data_dir), settings) == {"a": len(text) + len(lines)}
    assert b"".join(would_send(str(host.data_dir), settings)) == text + lines
    hidden = Ship(to="https://centre.example", redact=(r"PROJECT-\d",))
    assert b"PROJECT-7" not in b"".join(would_send(str(host.data_dir), hidden))


@pytest.mark.parametrize(
    ("kind", "patterns", "left"),
    [
        ("full", [], {}),
        ("texts_removed", [], {}),
        ("figures", [], {"running": []}),
        ("full", ["dea."], {"rule": "[redacted]"}),
    ],
)
def test_what_leaves(kind: Any, patterns: list[str], left: dict[str, object]) -> None:
    """Names, kinds and figures: there are no texts in it; patterns of one's own are replaced."""
    one = firing(START_US, running=["Bash"], evidence=[3], known="as far as is known")
    line = of_firings(kind, patterns)(one)
    assert line.endswith(b"}\n")
    assert json.loads(line)["value"] == 5.5
    (found,) = decoded([line[:-1]])
    if patterns:
        assert found.rule != one.rule
        assert "dear" not in found.rule
        left = {"rule": found.rule}
    assert found == msgspec.structs.replace(one, **left)
