"""Seals on their way elsewhere: each line at least once, in order, whatever is away, restarted or killed."""

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.config import Seal
from proxy.server.watch import heads as heads_module
from proxy.server.watch.heads import Heads
from proxy.server.watch.jobs import run_jobs
from proxy.server.watch.metrics import Metrics
from proxy.sessions import catalogue
from proxy.sessions.record import lifecycle
from proxy.sessions.sealing import SealedLog, add_seal, seals_path
from proxy.sessions.writer import SessionLog
from proxy.upkeep.seals import Seal as Line
from proxy.upkeep.seals import read_seals
from tests.server.conftest import serving
from tests.server.watch.test_webhook import receiving

NOW_S = 2_000_000_000.0


@pytest.fixture
def anyio_backend() -> str:
    """Run tests on asyncio, which aiohttp needs."""
    return "asyncio"


class Watched:
    """A data directory whose seals are sent, and a clock that goes when told to."""

    def __init__(self, data_dir: Path, **settings: Any) -> None:
        self.path = Path(seals_path(str(data_dir)))
        self.data_dir, self.now, self.running = str(data_dir), NOW_S, list[str]()
        self._settings = settings
        self.restart()

    def restart(self) -> None:
        """Begin anew, as a server does that was killed."""
        self.heads = Heads(self.data_dir, Seal(**self._settings), lambda: self.running, lambda: self.now)

    async def look(self, later_s: float = 0.0) -> float:
        """Look, after so many seconds."""
        self.now += later_s
        return await self.heads.look()

    def add(self, *session_ids: str) -> None:
        """Add lines."""
        for session_id in session_ids:
            assert add_seal(self.data_dir, {"session_id": session_id})

    def begin(self, session_id: str, *, is_left: bool = False, sealed: bool = True) -> SessionLog:
        """Begin a session; ``is_left``: its wrapper is killed at once, long ago."""
        kind = SealedLog if sealed else SessionLog
        data = {"format": 1, **({"seal": "on"} if sealed else {})}
        log = kind(self.data_dir, session_id, lifecycle(session_id, "session_started", data))
        log.append([])
        if is_left:
            log.close()
            os.utime(log.path, (NOW_S - 100,) * 2)
        return log


def ids(bodies: list[dict[str, Any]]) -> list[str]:
    """Return what sessions bodies are about."""
    return [body["session_id"] for body in bodies]


@pytest.mark.anyio
async def test_each_line_is_sent_once_and_says_whence(tmp_path: Path) -> None:
    """Lines go in their order, as they are but for host and data directory; what was sent is not sent again."""
    async with receiving() as receiver:
        watched = Watched(tmp_path, send_to=receiver.url)
        await watched.look()
        watched.add("a", "b")
        await watched.look()
        await watched.look()
        watched.restart()
        await watched.look()
        watched.add("c")
        await watched.look()
        assert ids(receiver.bodies) == ["a", "b", "c"]
        here = {"host": socket.gethostname(), "data_dir": str(tmp_path)}
        raw = watched.path.read_bytes().splitlines()
        assert [{"prev": None, **body} for body in receiver.bodies] == [
            {**json.loads(line), **here} for line in raw
        ]


@pytest.mark.anyio
async def test_what_is_not_taken_is_sent_later(tmp_path: Path) -> None:
    """A place in trouble, or one that refuses, gets each line when it takes it; till then trouble is told."""
    async with receiving() as receiver:
        watched = Watched(tmp_path, send_to=receiver.url)
        watched.add("a", "b")
        receiver.answers = [200, 503, 403]
        pauses = [await watched.look(), await watched.look()]
        assert pauses == [10.0, 20.0]
        assert watched.heads.trouble is not None
        assert "seal.send_to" in watched.heads.trouble
        assert receiver.url not in watched.heads.trouble
        assert await watched.look() == 5.0
        assert watched.heads.trouble is None
        assert ids(receiver.bodies) == ["a", "b", "b", "b"]


@pytest.mark.anyio
async def test_a_file_that_was_replaced_is_sent_whole(tmp_path: Path) -> None:
    """After a restore the lines are others: twice is better than not at all."""
    async with receiving() as receiver:
        watched = Watched(tmp_path, send_to=receiver.url)
        watched.add("a", "b")
        await watched.look()
        watched.path.unlink()
        watched.add("c")
        await watched.look()
        assert ids(receiver.bodies) == ["a", "b", "c"]


@pytest.mark.anyio
async def test_live_sessions_once_a_minute(tmp_path: Path) -> None:
    """The newest checkpoint of a session that goes on is sent each minute, if there is a newer one."""
    async with receiving() as receiver:
        watched = Watched(tmp_path, send_to=receiver.url)
        log = watched.begin("live")
        watched.begin("plain", sealed=False)
        watched.running = ["live", "plain", "gone"]
        await watched.look()
        await watched.look(59.0)
        await watched.look(60.0)
        assert [(body["session_id"], body["records"]) for body in receiver.bodies] == [("live", 1)]
        log._due_s = 0.0  # type: ignore[attr-defined]
        log.append([lifecycle("live", "wrapper_error", {})])
        log._due_s = 0.0  # type: ignore[attr-defined]
        log.append([lifecycle("live", "wrapper_error", {})])
        await watched.look(60.0)
        assert [body["records"] for body in receiver.bodies] == [1, 3]
        assert "ended" not in receiver.bodies[-1]


def lines(data_dir: Path) -> list[Line]:
    """Return the lines of seals."""
    return [line for _, line in read_seals(Path(seals_path(str(data_dir))).read_bytes()).lines]


@pytest.mark.anyio
async def test_sessions_whose_wrapper_was_killed_get_their_line(tmp_path: Path) -> None:
    """A sealed log that nobody writes gets one line, which does not say that it ended; no other log gets any."""
    watched = Watched(tmp_path)
    left = watched.begin("left", is_left=True)
    watched.begin("plain", is_left=True, sealed=False)
    os.utime(watched.begin("live").path, (NOW_S - 100,) * 2)
    fresh = watched.begin("fresh", is_left=True)
    os.utime(fresh.path, (NOW_S + 150,) * 2)
    for _ in range(3):
        await watched.look(60.0)
    assert [(line.session_id, line.ended) for line in lines(tmp_path)] == [("left", None)]
    assert lines(tmp_path)[0].bytes == os.stat(left.path).st_size


@pytest.mark.anyio
async def test_nothing_is_done_where_nothing_is_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without seals no log is looked at."""
    watched = Watched(tmp_path, send_to="http://127.0.0.1:9/")
    watched.begin("plain", is_left=True, sealed=False)
    monkeypatch.setattr(catalogue, "list_logs", None)
    assert await watched.look() == 5.0
    assert sorted(os.listdir(tmp_path)) == ["sessions"]


@pytest.fixture
def journald(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket in the place of journald's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "journal"))
        listening.settimeout(120)
        monkeypatch.setattr(heads_module, "JOURNAL", str(tmp_path / "journal"))
        yield listening


@pytest.mark.anyio
async def test_the_journal(tmp_path: Path, journald: socket.socket) -> None:
    """Journald gets each line as a message, so that `journalctl -t claude-proxy -o cat` prints what `verify` reads."""
    watched = Watched(tmp_path / "data", journal=True)
    watched.add("a")
    await watched.look()
    fields = dict(line.split("=", 1) for line in journald.recv(65536).decode().splitlines())
    assert fields["SYSLOG_IDENTIFIER"] == "claude-proxy"
    assert read_seals(fields["MESSAGE"].encode()).lines[0][1].session_id == "a"


@pytest.mark.anyio
async def test_one_place_does_not_hold_up_what_another_has_taken(
    tmp_path: Path, journald: socket.socket
) -> None:
    """While the webhook is away the journal has its lines, once."""
    async with receiving() as receiver:
        watched = Watched(tmp_path / "data", journal=True, send_to=receiver.url)
        watched.add("a")
        receiver.answers = [500, 500]
        await watched.look()
        await watched.look()
        journald.recv(65536)
        journald.setblocking(False)
        with pytest.raises(BlockingIOError):
            journald.recv(65536)
        assert len(receiver.bodies) == 2


@pytest.mark.anyio
async def test_a_server_sends_what_its_sessions_leave(tmp_path: Path) -> None:
    """It is a job of the server; the sessions that clients begin are sealed where ``storage.seal`` is on."""
    async with (
        receiving() as receiver,
        serving(tmp_path, storage={"seal": True}, seal={"send_to": receiver.url}) as rig,
    ):
        recordings = rig.shared.recordings
        session_id = recordings.start("mine", {})
        recordings.stop(session_id, "stopped")
        async with asyncio.TaskGroup() as group:
            jobs = group.create_task(run_jobs(rig.shared, Metrics()))
            (body,) = await receiver.told(1)
            jobs.cancel()
    assert body["session_id"] == session_id
    assert body["ended"]
