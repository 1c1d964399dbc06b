"""While the centre is away nothing is held up where sessions run, and afterwards everything is there."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
import yaml

from proxy.shipping import centre as requests
from proxy.shipping import shipper
from tests.recorded import START_US, LogMaker, scenario
from tests.server.conftest import Rig, serving
from tests.server.test_background import is_ended
from tests.server.test_background import until as until_so
from tests.shipping.hosts import Host
from tests.shipping.processes import Balancer
from tests.shipping.test_shipper import until, wait_until

pytestmark = pytest.mark.anyio


class _Hole:
    """An address that takes connections, and never answers."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(64)
        self.port = self._socket.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def mended(self, centre: Rig) -> AsyncIterator[None]:
        """Let the address lead to a centre."""
        self.close()
        assert centre.client.port is not None
        async with Balancer([centre.client.port], port=self.port):
            yield

    def close(self) -> None:
        """Refuse connections."""
        self._socket.close()


def test_a_minute_after() -> None:
    """An outage of any length is over for a host within a minute: it asks again, and sends what has waited."""
    waited_s = requests._GREETING_S + shipper._LONGEST_PAUSE_S
    assert waited_s <= 50


async def test_sessions_go_on(centre: Rig, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host's own server records and answers as ever while nothing comes back from the centre."""
    monkeypatch.setattr(requests, "_GREETING_S", 0.2)
    monkeypatch.setattr(shipper, "_LONGEST_PAUSE_S", 0.1)
    hole = _Hole()
    async with serving(host.data_dir, ship={"to": hole.address, "gather": 0.01}) as rig:
        shipping = rig.shared.shipping
        assert shipping is not None
        await wait_until(lambda: shipping.trouble == "no answer came in time")
        logs = {f"past{number}": host.record(f"past{number}") for number in range(3)}
        text = scenario("subagent", LogMaker("live", START_US + 7_301))
        with host.writing("live"):
            for line in text.splitlines(keepends=True):
                host.append("live", line)
            await rig.shared.catch_up()
            assert (await rig.get("/api/v1/monitoring/sessions/live"))["exit_code"] == 0
        assert shipping.is_needed
        async with hole.mended(centre):
            for name, log in {**logs, "live": text}.items():
                await until(centre, name, log)
            await wait_until(lambda: shipping.trouble is None)


async def test_a_wrapped_command_waits_for_nothing(host: Host) -> None:
    """It starts, relays and ends, its log is whole, and a background server of its own does not outlive `linger`."""
    hole = _Hole()
    config = host.data_dir / "settings.yaml"
    config.write_text(yaml.safe_dump({"ship": {"to": hole.address, "linger": 0.1}, "api": {"linger": 0.1}}))
    words = ["--data-dir", str(host.data_dir), "--config", str(config), "--", "cat"]
    message = b'{"type":"user","message":{"role":"user","content":"hello"}}\n'
    with contextlib.closing(hole):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "proxy", *words],
            input=message * 3,
            capture_output=True,
            timeout=120,
            check=False,
        )
        until_so(lambda: is_ended(host.data_dir))
    assert (done.returncode, done.stdout) == (0, message * 3), done.stderr
    (log,) = (path for path in (host.data_dir / "sessions").glob("*.jsonl") if not path.is_symlink())
    assert log.read_bytes().count(b'"content":"hello"') == 6
    assert b'"session_ended"' in log.read_bytes()
