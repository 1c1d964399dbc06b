"""How shipping stands, read from files."""

import time

import pytest

from proxy.config import Settings, settings_of
from proxy.server.watch.jobs import Retention
from proxy.ship_settings import Ship
from proxy.shipping.report import report, unshipped, would_send
from proxy.upkeep.retention import Rules, prune
from tests.server.conftest import Rig
from tests.shipping.hosts import Host, address
from tests.shipping.test_shipper import pytestmark as pytestmark  # noqa: PLC0414 - these tests run on it, too


async def test_what_is_acknowledged_and_what_waits(centre: Rig, host: Host) -> None:
    """Whole lines behind what the centre has wait; at another centre, all of them."""
    to = address(centre)
    text = host.record("a")
    assert await host.ship(to)
    more = host.record("b")
    host.append("b", b'{"half')
    found = report(str(host.data_dir), Ship(to=to))
    assert found["acknowledged"] == {"records": text.count(b"\n"), "bytes": len(text)}
    assert found["waiting"] == {"records": more.count(b"\n"), "bytes": len(more)}
    assert b"".join(would_send(str(host.data_dir), Ship(to=to))) == more
    host.log("a").rename(host.data_dir / "before")  # so that the number of its inode is not used again
    again = host.record("a")
    assert report(str(host.data_dir), Ship(to=to))["waiting"]["bytes"] == len(again) + len(more)
    elsewhere = report(str(host.data_dir), Ship(to="https://centre.example"))
    assert elsewhere["acknowledged"]["records"] == 0
    assert elsewhere["waiting"]["bytes"] == len(text) + len(more)
    assert b"".join(would_send(str(host.data_dir), Ship(to="https://centre.example"))) == text + more


def would_go(host: Host, settings: Settings, after_days: float) -> tuple[list[str], list[str]]:
    """Return what would expire in some days, and what would be past its days and wait."""
    lacking = unshipped(str(host.data_dir), settings.ship)
    now_s = time.time() + after_days * 86_400
    pruned = prune(str(host.data_dir), Rules.of(settings), now_s, unshipped=lacking, dry_run=True)
    return sorted(one.session_id for one in pruned.removed), sorted(pruned.waiting)


async def test_what_the_centre_lacks_does_not_expire(centre: Rig, host: Host) -> None:
    """However old it is: its days count once the centre has all of it. For room it goes all the same, but last."""
    for name in ("a", "b", "c"):
        host.record(name)
    host.append("c", b'{"half')  # of a writer that was killed
    size = host.log("a").stat().st_size
    settings = settings_of({"monitoring": {"retention_days": 1}, "ship": {"to": address(centre)}})
    assert would_go(host, settings, 400) == ([], ["a", "b", "c"])
    assert await host.ship(address(centre))
    host.record("d")
    host.append("b", b"{}\n")
    assert unshipped(str(host.data_dir), settings.ship) == {"b": 3, "d": size}
    assert would_go(host, settings, 400) == (["a", "c"], ["b", "d"])
    assert would_go(host, settings, 6) == ([], [])  # all are younger than ship.keep
    everything = settings_of({"storage": {"max_total_size": 1}, "ship": {"to": address(centre)}})
    room = settings_of({"storage": {"max_total_size": 2 * size + 3}, "ship": {"to": address(centre)}})
    assert would_go(host, room, 400) == (["a", "c"], [])
    assert would_go(host, everything, 400) == (["a", "b", "c", "d"], [])
    alone = settings_of({"monitoring": {"retention_days": 1}})
    assert would_go(host, alone, 400) == (["a", "b", "c", "d"], [])
    other = settings_of({"monitoring": {"retention_days": 1}, "ship": {"to": "https://other.example"}})
    assert would_go(host, other, 400) == ([], ["a", "b", "c", "d"])


async def test_what_is_erased_at_the_centre_may_expire(centre: Rig, host: Host) -> None:
    """It will never be acknowledged, so nothing waits for that; nor is it sent again by the next shipper."""
    to = address(centre)
    host.record("a")
    assert await host.ship(to)
    assert centre.shared.fleet is not None
    assert list(centre.shared.fleet.store.forget(["a"], [])) == ["a"]
    host.append("a", b"{}\n")
    assert unshipped(str(host.data_dir), Ship(to=to)) == {"a": 3}
    for _ in range(2):
        assert await host.ship(to)
        assert unshipped(str(host.data_dir), Ship(to=to)) == {}
    assert report(str(host.data_dir), Ship(to=to))["waiting"] == {"records": 0, "bytes": 0}
    assert list(would_send(str(host.data_dir), Ship(to=to))) == []


async def test_what_is_lost_is_told(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """A log that goes for room before the centre has it is in the server's log, and in the status."""
    size = len(host.record("a"))
    settings = settings_of({"storage": {"max_total_size": 1}, "ship": {"to": "http://127.0.0.1:1"}})
    now_s = time.time() + 86_400
    Retention(str(host.data_dir), settings, lambda: now_s, lambda: now_s).look(lambda: False)
    assert "shipping.unshipped_lost" in caplog.text
    (loss,) = report(str(host.data_dir), settings.ship)["unshipped_lost"]
    assert (loss["session_id"], loss["bytes"]) == ("a", size)
