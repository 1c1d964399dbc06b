"""What is recorded on a host comes to its centre, whole, once, and whatever happens on the way."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from proxy.shipping import centre as requests
from proxy.shipping import identity, ledger
from proxy.shipping.centre import RefusedTokenError
from proxy.store.derivation import Derivation
from tests.recorded import LogMaker, scenario
from tests.server.conftest import Rig
from tests.shipping.hosts import Host, address

pytestmark = pytest.mark.anyio


async def log_of(centre: Rig, session_id: str) -> bytes:
    """Return the log of a session as the centre gives it."""
    response = await centre.client.get(f"/api/v1/monitoring/sessions/{session_id}/log")
    assert response.status == 200
    return await response.read()


async def session_of(centre: Rig, session_id: str) -> dict[str, Any]:
    """Return a session as the centre describes it."""
    found: dict[str, Any] = await centre.get(
        f"/api/v1/monitoring/sessions/{session_id}", schema="api/session"
    )
    return found


async def until(centre: Rig, session_id: str, text: bytes) -> None:
    """Wait until the centre has this log."""

    async def is_there() -> bool:
        response = await centre.client.get(f"/api/v1/monitoring/sessions/{session_id}/log")
        return response.status == 200 and await response.read() == text

    await wait_for(is_there)


async def wait_for(is_so: Callable[[], Awaitable[object]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not await is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def wait_until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def shipping(host: Host, to: str, **settings: Any) -> AsyncIterator[Any]:
    """Ship a host as long as the context lasts."""
    shipper = host.shipper(to, **settings)
    task = asyncio.create_task(shipper.run())
    try:
        yield shipper
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_everything_comes_byte_for_byte(centre: Rig, host: Host) -> None:
    """The centre gives the log as it is on the host, and knows from where it has it."""
    text = host.record("a", "subagent")
    assert await host.ship(address(centre))
    assert await log_of(centre, "a") == text
    session = await session_of(centre, "a")
    assert (session["team"], session["reachable"]) == ("everybody", True)
    (known,) = (await centre.get("/api/v1/fleet/hosts", schema="api/hosts_answer"))["hosts"]
    assert (known["name"], known["sessions"]) == (session["host"], 1)


async def test_a_live_session_is_live_at_the_centre(centre: Rig, host: Host) -> None:
    """It comes as it is recorded; once its writer is gone without an end it has failed, and said so once."""
    text = scenario("simple", LogMaker("a"))
    lines = text.splitlines(keepends=True)
    async with shipping(host, address(centre), gather=0.01):
        with host.writing("a"):
            for line in lines[:-1]:
                host.append("a", line)
            await until(centre, "a", b"".join(lines[:-1]))
            assert (await centre.get("/status"))["active_sessions"] == 1
            assert (await session_of(centre, "a"))["state"] != "failed"

        async def has_failed() -> bool:
            return bool((await session_of(centre, "a"))["state"] == "failed")

        await wait_for(has_failed)
        host.append("a", lines[-1])  # it was not gone
        await until(centre, "a", text)
    assert (await session_of(centre, "a"))["exit_code"] == 0
    found = await centre.get("/api/v1/monitoring/events?session_id=a&limit=10000")
    ends = [
        one["event_type"] for one in found["events"] if one["event_type"] in ("session_ended", "run_failed")
    ]
    assert ends == ["session_ended"]


async def test_a_killed_wrapper_on_a_living_host(centre: Rig, host: Host) -> None:
    """Its host tells at once that it is gone, so its session has failed, once; the host itself is heard as before."""
    words = ["--data-dir", str(host.data_dir), "--server", "off", "--session-id", "a", "--", "cat"]
    command = [sys.executable, "-m", "proxy", *words]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        async with shipping(host, address(centre), gather=0.01):

            async def has_state(*states: str) -> bool:
                response = await centre.client.get("/api/v1/monitoring/sessions/a")
                return response.status == 200 and (await response.json())["data"]["state"] in states

            await wait_for(lambda: has_state("starting", "idle"))
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            await wait_for(lambda: has_state("failed"))
            session = await session_of(centre, "a")
            assert (session["outcome"], session["reachable"]) == ("crashed", True)
            failed = await centre.get("/api/v1/monitoring/sessions?outcome=crashed")
            assert [one["session_id"] for one in failed["sessions"]] == ["a"]
            assert (await centre.get("/status"))["active_sessions"] == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


async def test_half_a_line_waits(centre: Rig, host: Host) -> None:
    """What a writer has not finished is not sent, and comes whole once it is."""
    text = host.record("a")
    host.log("a").write_bytes(text[:-10])
    assert await host.ship(address(centre))
    whole = text[:-10].rpartition(b"\n")[0] + b"\n"
    assert await log_of(centre, "a") == whole
    host.append("a", text[-10:])
    assert await host.ship(address(centre))
    assert await log_of(centre, "a") == text


async def test_the_centre_is_away_and_comes_back(centre: Rig, host: Host) -> None:
    """Sessions go on and wait in their logs; the trouble is told once, and that it is over."""
    told: list[str | None] = []
    line = _Line(centre)
    async with line:
        text = host.record("before")
        shipper = host.shipper(line.address)
        shipper._on_trouble = told.append
        task = asyncio.create_task(shipper.run())
        await until(centre, "before", text)
        await line.cut()
        texts = {name: host.record(name) for name in ("b", "c")}
        await wait_until(lambda: told)
        assert not shipper.is_done
        await line.mend()
        for name, text in texts.items():
            await until(centre, name, text)
        await wait_until(lambda: told[-1] is None)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert [one is None for one in told] == [False, True]


async def test_a_network_that_drops_everything(
    centre: Rig, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection on which no answer comes is given up; what was sent may be stored all the same, and is once."""
    for name in ("_GREETING_S", "_ANSWER_S"):
        monkeypatch.setattr(requests, name, 0.3)
    line = _Line(centre)
    async with line:
        line.is_hole = True
        text = host.record("a")
        async with shipping(host, line.address) as shipper:
            await wait_until(lambda: shipper.trouble is not None)
            line.is_hole = False
            await until(centre, "a", text)


async def test_what_is_sent_twice_is_stored_once(centre: Rig, host: Host) -> None:
    """Two shippers, and one that has forgotten everything, change nothing."""
    text = host.record("a", "subagent")
    to = address(centre)
    assert all(await asyncio.gather(*(host.ship(to, piece=2000) for _ in range(3))))
    (host.data_dir / "shipped.jsonl").unlink()
    assert await host.ship(to, piece=500)
    assert await log_of(centre, "a") == text
    known = ledger.read(str(host.data_dir))["a"]
    assert (known.lines, known.bytes) == (text.count(b"\n"), len(text))


async def test_a_rewritten_log_changes_nothing(centre: Rig, host: Host) -> None:
    """The first that was sent stays; that others came is counted."""
    text = host.record("a")
    assert await host.ship(address(centre))
    host.log("a").rename(host.data_dir / "before")  # so that the number of its inode is not used again
    host.log("a").write_bytes(text.replace(b"claude", b"cloude"))
    assert await host.ship(address(centre))
    assert await log_of(centre, "a") == text
    (known,) = (await centre.get("/api/v1/fleet/hosts", schema="api/hosts_answer"))["hosts"]
    assert known["rewritten_lines"] == sum(b"claude" in line for line in text.splitlines()) > 0
    host.log("a").write_bytes(text[: len(text) // 2])  # cut short
    assert await host.ship(address(centre))
    host.log("a").unlink()
    assert await host.ship(address(centre))
    assert await log_of(centre, "a") == text


async def test_the_same_session_of_two_hosts(centre: Rig, host: Host) -> None:
    """It stays its first host's. A copy is nothing new; another session of that id is set aside, and that is told."""
    text = host.record("a")
    other = Host(host.data_dir.parent / "other")
    other.record("a")
    different = Host(host.data_dir.parent / "different")
    different.record("a", "subagent")
    different.record("b")
    to = address(centre)
    assert await host.ship(to)
    assert await other.ship(to)
    shipper = different.shipper(to)
    assert await shipper.run_once(60)
    assert list(shipper.set_aside) == ["a"]
    assert "another host's" in shipper.set_aside["a"]
    assert await log_of(centre, "a") == text
    assert (await session_of(centre, "b"))["state"] == "ended"


async def test_a_newer_format_waits_for_an_upgrade(
    centre: Rig, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that the centre does not know is set aside, and sent once the centre is another one."""
    text = host.record("a").replace(b'"format":1', b'"format":2')
    host.log("a").write_bytes(text)
    shipper = host.shipper(address(centre))
    assert await shipper.run_once(60)
    assert "newer format" in shipper.set_aside["a"]
    assert (await centre.get("/api/v1/monitoring/sessions"))["total"] == 0
    monkeypatch.setattr("proxy.store.postgres.hosts.__version__", "2")
    monkeypatch.setattr("proxy.store.postgres.intake.is_future", lambda _: False)
    assert await shipper.run_once(60)
    assert shipper.set_aside == {}
    assert await log_of(centre, "a") == text


async def test_what_the_centre_fails_at_holds_up_no_other_session(
    centre: Rig, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the centre at one session is told, and it is tried again with the next greeting."""
    texts = {name: host.record(name) for name in ("bad", "good")}
    take = Derivation.take

    def faulty(self: Derivation, item: Any) -> Any:
        if self.session.session_id == "bad":
            raise RuntimeError("a fault")
        return take(self, item)

    with monkeypatch.context() as patched:
        patched.setattr(Derivation, "take", faulty)
        shipper = host.shipper(address(centre))
        assert await shipper.run_once(60)
        assert {name: "fault" in reason for name, reason in shipper.set_aside.items()} == {"bad": True}
    assert await log_of(centre, "good") == texts["good"]
    assert await shipper.run_once(60)
    assert shipper.set_aside == {}
    assert await log_of(centre, "bad") == texts["bad"]


async def test_a_fault_at_a_line_that_is_to_leave_holds_up_no_other_session(
    centre: Rig, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be looked at stays, and the rest goes."""
    host.record("bad")
    text = host.record("good")
    shipper = host.shipper(address(centre))

    def content(lines: bytes) -> bytes:
        if b'"bad"' in lines:
            raise RuntimeError("a fault")
        return lines

    monkeypatch.setattr(shipper, "_content", content)
    assert await shipper.run_once(60)
    assert {name: "a fault" in reason for name, reason in shipper.set_aside.items()} == {"bad": True}
    assert await log_of(centre, "good") == text


async def test_what_is_removed_or_no_log_holds_up_nobody(centre: Rig, host: Host) -> None:
    """A log that is gone, before it was sent or after, and a folder in the place of one."""
    host.log("folder").mkdir()
    sent, text = host.record("sent"), host.record("other")
    async with shipping(host, address(centre), gather=0.01) as shipper:
        await until(centre, "sent", sent)
        host.log("sent").unlink()
        host.record("unsent")
        host.log("unsent").unlink()
        await until(centre, "other", text)
        later = host.record("later")
        await until(centre, "later", later)
        await wait_until(lambda: shipper.is_done)
        assert shipper.trouble is None
    assert await log_of(centre, "sent") == sent


def test_a_ledger_that_has_grown_is_shortened(host: Host) -> None:
    """Only the last line of a session counts, and none of one that is gone; not while somebody else appends to it."""
    host.record("a")
    path = Path(ledger.ledger_path(str(host.data_dir)))
    lines = [f'["{name}",{count},{count},7]' for count in range(9000) for name in ("a", "gone")]
    path.write_text("\n".join(lines) + "\n")
    with contextlib.closing(ledger.Ledger(str(host.data_dir))) as kept:
        assert kept.known == {"a": ledger.Acknowledged("a", 8999, 8999, 7)}
        assert path.stat().st_size < 100
        kept.note(ledger.Acknowledged("a", 9000, 9000, 7, 2))
        path.write_text(path.read_text() + "\n".join(lines) + "\n")
        with contextlib.closing(ledger.Ledger(str(host.data_dir))):
            assert path.stat().st_size > 100_000
    assert ledger.read(str(host.data_dir))["a"].lines == 8999


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (200, b"<html>", "the answer is none of claude-proxy's"),
        (200, b'{"data": {"epoch": 1}}', "the answer is none of claude-proxy's"),
        (502, b"<html>", "the answer was 502, and is none of claude-proxy's"),
        (302, b"", "the answer was 302, and is none of claude-proxy's"),
        (503, b'{"success": false, "error": "Later."}', "Later."),
    ],
)
async def test_somebody_else_answers(host: Host, status: int, body: bytes, sentence: str) -> None:
    """A proxy or another program in the centre's place is told as what it is, and does not see the token elsewhere."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        headers = {"Location": "/elsewhere", "Retry-After": "0"}
        return web.Response(status=status, body=body, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    host.record("a")
    async with TestServer(app) as server, shipping(host, str(server.make_url("/")), token="t") as shipper:
        await wait_until(lambda: shipper.trouble is not None)
        assert shipper.trouble == sentence
    assert {path.rsplit("/", 1)[1] for path in asked} == {"hello"}


async def test_a_cloned_data_directory_is_another_host(centre: Rig, host: Host) -> None:
    """An image of a machine goes on as a machine of its own."""
    host.record("a")
    assert await host.ship(address(centre))
    clone = host.data_dir.parent / "clone"
    shutil.copytree(host.data_dir, clone)
    again = object.__new__(Host)
    again.data_dir = clone
    text = again.record("b")
    assert await again.ship(address(centre))
    assert await log_of(centre, "b") == text
    assert [one["sessions"] for one in (await centre.get("/api/v1/fleet/hosts"))["hosts"]] == [1, 1]


def test_two_that_begin_at_once_are_one_host(host: Host) -> None:
    """Else what one of them has sent would be another host's for the other."""
    with ThreadPoolExecutor(8) as pool:
        states = list(
            pool.map(lambda _: identity.load(str(host.data_dir), "https://centre.example"), range(8))
        )
    assert len({one.host_id for one in states}) == 1


async def test_another_centre_gets_everything(centre: Rig, host: Host) -> None:
    """What one centre has acknowledged says nothing of another one."""
    text = host.record("a")
    assert await host.ship(address(centre))
    async with _Line(centre) as line:  # another address
        assert await host.ship(line.address)
    assert await log_of(centre, "a") == text


async def test_a_token_that_is_not_taken(centre: Rig, host: Host) -> None:
    """By hand it is said at once: waiting would not help."""
    host.record("a")
    with pytest.raises(RefusedTokenError, match="token is none of this server's"):
        await host.ship(address(centre), token="wrong")


async def test_settings_of_speed(centre: Rig, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ship.piece` cuts what is sent, `ship.rate` spreads it over time, and `ship.gather` waits for more."""
    real, slept = asyncio.sleep, list[float]()

    async def sleep(delay_s: float) -> None:
        slept.append(delay_s)
        await real(0.001)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    text = host.record("a")
    assert await host.ship(address(centre))
    known = identity.read(str(host.data_dir))
    assert known is not None
    assert known.pushes == 1
    host.record("b")
    assert await host.ship(address(centre), piece=500, rate=10)
    again = identity.read(str(host.data_dir))
    assert again is not None
    assert again.pushes > 2
    assert sum(one for one in slept if one > 1) == pytest.approx(len(text) / 10)
    slept.clear()
    async with shipping(host, address(centre), gather=3600):
        await wait_until(lambda: True)
        later = host.record("c")
        await until(centre, "c", later)
        host.record("d")
        await wait_until(lambda: any(one > 3000 for one in slept))


class _Line:
    """A way to a centre that can be cut."""

    def __init__(self, centre: Rig) -> None:
        assert centre.client.port is not None
        self._target = centre.client.port
        self.is_hole = False
        """Whether what comes is taken, and goes nowhere."""
        self._port = 0
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def address(self) -> str:
        """Where it begins."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> "_Line":
        await self.mend()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def mend(self) -> None:
        """Let it work."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers = []
        await asyncio.sleep(0)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, far_writer]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        writer.close()
        far_writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1 << 16):
            if not self.is_hole:
                writer.write(chunk)
                await writer.drain()
        writer.close()


async def test_an_erased_session_is_not_sent_again(centre: Rig, host: Host) -> None:
    """Nor what is added to its log, nor by a shipper that has lost its memory; others are not held up by it."""
    host.record("a")
    assert await host.ship(address(centre))
    assert centre.shared.fleet is not None
    assert list(centre.shared.fleet.store.forget(["a"], [])) == ["a"]
    host.append("a", b"{}\n")
    text = host.record("b")
    assert await host.ship(address(centre))
    ledger.clear(str(host.data_dir))
    assert await host.ship(address(centre))
    await centre.get("/api/v1/monitoring/sessions/a", status=404)
    assert await log_of(centre, "b") == text
