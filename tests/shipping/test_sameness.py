"""Two servers of a centre, and the hosts' own servers, give the same answers."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from proxy.server.routes import search
from tests.recorded import INTERACTIVE, NAMES, START_US, LogMaker, firing, scenario
from tests.server.conftest import Rig, serving
from tests.shipping.hosts import Host, address
from tests.tiers import first_in_short

pytestmark = pytest.mark.anyio

_OF_ONE_PLACE = (
    *("host", "team", "reachable", "heard_at"),  # what only a centre says of a session
    *("log", "read_share", "catching_up"),  # what only the machine itself does
    *("after", "uptime_seconds", "serve_command"),  # of one server
    *("generated_at", "start_time", "end_time"),  # of the time at which it was asked
)
_APART_US = 7_301
"""Between the starts of sessions: no two events have one timestamp, for whose order each place has its own rule."""
_OF_SESSIONS = (
    "sessions/{}",
    "sessions/{}/actions",
    "sessions/{}/analysis",
    "sessions/{}/approvals",
    "sessions/{}/conversation?limit=1000",
    "sessions/{}/drift",
    "sessions/{}/questions",
    "sessions/{}/records?limit=1000",
    "sessions/{}/records?limit=5&offset=3&stream=stdout",
    "sessions/{}/records/1",
    "events?session_id={}&limit=10000",
    "events?session_id={}&limit=3&offset=4&order=asc",
)
_OF_SESSIONS_AS_BYTES = ("sessions/{}/log", "sessions/{}/page")
_OF_ALL = (
    "status",
    "overview",
    "sessions?limit=10000",
    "sessions?outcome=ok,failed",
    "events?limit=10000&order=asc",
    "events?limit=50",
    "events?limit=50&offset=70",
    "events?limit=1000&event_types=tool_started,turn_completed",
    "metrics",
    "metrics?start_time=2026-01-02T03:04:05Z&end_time=2026-01-02T03:04:05.050Z",
    "search?text=hello&limit=100",
)


def _common(value: Any) -> Any:
    """Return an answer without what is of one place alone."""
    if isinstance(value, dict):
        return {key: _common(one) for key, one in value.items() if key not in _OF_ONE_PLACE}
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


async def _asked(rig: Rig, path: str) -> Any:
    return _common(await rig.get(f"/api/v1/monitoring/{path}"))


async def _bytes(rig: Rig, path: str) -> bytes:
    response = await rig.client.get(f"/api/v1/monitoring/{path}")
    assert response.status == 200, path
    return await response.read()


def _recorded(names: Sequence[str], hosts: Sequence[Host], everything: Host) -> dict[str, Host]:
    """Record scenarios, and an interactive session, on hosts in turn; return which has which."""
    logs = {
        f"session{number:03}": scenario(name, LogMaker(f"session{number:03}", START_US + number * _APART_US))
        for number, name in enumerate(names)
    }
    interactive = INTERACTIVE.read_bytes()
    logs[json.loads(interactive.split(b"\n")[0])["session_id"]] = interactive
    owners = dict(zip(logs, itertools.cycle(hosts), strict=False))
    for number, (session_id, text) in enumerate(logs.items()):
        # Among its first records, and behind all of them.
        fired = [firing(START_US + number * _APART_US + at_us) for at_us in (5_509, 60_000_009)]
        for host in (owners[session_id], everything):
            host.log(session_id).write_bytes(text)
            host.fire(session_id, *fired)
    return owners


@pytest.mark.parametrize("names", first_in_short([NAMES[::10], NAMES]), ids=["some", "all"])
@pytest.mark.timeout(900)  # all are thousands of questions
async def test_every_answer_is_the_same(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: Sequence[str]
) -> None:
    """Of every recorded scenario, whoever is asked: the machine itself, or any server of the centre."""
    monkeypatch.setattr(search, "_BUDGET_S", 3600.0)  # else an answer has what was found in half a second
    hosts = [Host(tmp_path / name) for name in ("laptop", "runner", "pod")]
    everything = Host(tmp_path / "everything")
    owners = _recorded(names, hosts, everything)
    async with _servers(url, everything.data_dir, *(host.data_dir for host in hosts)) as rigs:
        first, second, whole, *own = rigs
        for number, host in enumerate(hosts):
            assert await host.ship(address(rigs[number % 2]))
        for rig in (whole, *own):
            await rig.shared.catch_up()
        for path in _OF_ALL:
            expected = await _asked(whole, path)
            assert await _asked(first, path) == expected, path
            assert await _asked(second, path) == expected, path
        for session_id, host in owners.items():
            mine = own[hosts.index(host)]
            for pattern in _OF_SESSIONS:
                path = pattern.format(session_id)
                answers = await asyncio.gather(*(_asked(rig, path) for rig in (mine, first, second)))
                assert answers[1:] == [answers[0]] * 2, path
            for pattern in _OF_SESSIONS_AS_BYTES:
                path = pattern.format(session_id)
                texts = await asyncio.gather(*(_bytes(rig, path) for rig in (mine, first, second)))
                assert texts[1:] == [texts[0]] * 2, path
            assert await _bytes(first, f"sessions/{session_id}/log") == host.log(session_id).read_bytes()
