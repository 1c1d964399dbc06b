"""How shipping stands, read from files."""

from proxy.ship_settings import Ship
from proxy.shipping.report import report, would_send
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
    elsewhere = report(str(host.data_dir), Ship(to="https://centre.example"))
    assert elsewhere["acknowledged"]["records"] == 0
    assert elsewhere["waiting"]["bytes"] == len(text) + len(more)
