"""Two servers of a centre, and the hosts' own servers, give the same answers."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.recorded import NAMES, START_US, LogMaker, scenario
from tests.server.conftest import Rig, serving
from tests.shipping.hosts import Host, address

pytestmark = pytest.mark.anyio

_OF_HOSTS = ("host", "team", "reachable", "heard_at", "log", "read_share")
"""What only a centre says of a session, and what only the machine itself does."""
_OF_SESSIONS = ("", "/analysis", "/drift", "/conversation?limit=1000", "/records?limit=1000", "/records/1")
_OF_ALL = (
    "sessions?limit=10000",
    "sessions?outcome=ok,failed",
    "events?limit=10000&order=asc",
    "events?limit=50",
    "events?limit=50&offset=70",
    "events?limit=1000&event_types=tool_started,turn_completed",
    "metrics",
)


def _common(value: Any) -> Any:
    """Return an answer without what is of one place alone: epochs of cursors too."""
    if isinstance(value, dict):
        return {key: _common(one) for key, one in value.items() if key not in (*_OF_HOSTS, "after")}
    if isinstance(value, list):
        return [_common(one) for one in value]
    return value


@contextlib.asynccontextmanager
async def _servers(url: str, *folders: Path) -> AsyncIterator[list[Rig]]:
    """Give two servers of a centre, and one of each data directory."""
    async with contextlib.AsyncExitStack() as stack:
        rigs = []
        for number in range(2):
            folder = folders[0].parent / f"centre{number}"
            folder.mkdir(mode=0o700)
            rigs.append(await stack.enter_async_context(serving(folder, storage={"url": url})))
        rigs += [await stack.enter_async_context(serving(folder)) for folder in folders]
        yield rigs


async def test_every_answer_is_the_same(url: str, tmp_path: Path) -> None:
    """Of every recorded scenario, whoever is asked: the machine itself, or any server of the centre."""
    hosts = [Host(tmp_path / "laptop"), Host(tmp_path / "runner")]
    everything = Host(tmp_path / "everything")
    logs = {}
    for number, name in enumerate(NAMES):
        session_id = f"session{number:03}"
        maker = LogMaker(session_id, START_US + number * 7_300)
        logs[session_id] = hosts[number % 2], scenario(name, maker)
        for host in (hosts[number % 2], everything):
            host.log(session_id).write_bytes(logs[session_id][1])
    async with _servers(url, everything.data_dir, *(host.data_dir for host in hosts)) as rigs:
        first, second, whole, *own = rigs
        for number, host in enumerate(hosts):
            assert await host.ship(address(rigs[number]))
        await whole.shared.catch_up()
        for path in _OF_ALL:
            place = f"/api/v1/monitoring/{path}"
            expected = _common(await whole.get(place))
            assert _common(await first.get(place)) == expected, path
            assert _common(await second.get(place)) == expected, path
        for session_id, (host, text) in logs.items():
            mine = own[hosts.index(host)]
            for what in _OF_SESSIONS:
                place = f"/api/v1/monitoring/sessions/{session_id}{what}"
                expected = _common(await mine.get(place))
                assert _common(await first.get(place)) == expected, place
            place = f"/api/v1/monitoring/sessions/{session_id}/log"
            assert await (await second.client.get(place)).read() == text
            place = f"/api/v1/monitoring/sessions/{session_id}/page"
            pages = [await (await rig.client.get(place)).read() for rig in (first, mine)]
            assert pages[0] == pages[1]
