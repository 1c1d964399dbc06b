"""Wrapped sessions as they run, seen through the server; and what may befall their logs."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.events import interpreter
from proxy.store import StoreError
from proxy.store.embedded import indexer
from proxy.store.model import Arrival
from tests.recorded import SCENARIOS, START_US, LogMaker, scenario
from tests.server.conftest import Rig, event, serving
from tests.server.routes.test_streams import STREAM, say

pytestmark = pytest.mark.anyio
EVENTS = "/api/v1/monitoring/events"
FAKE = """
import sys
prompt = sys.stdin.readline()
for line in open(sys.argv[1]):
    if '"type":"control_response"' not in line:
        print(line, end="", flush=True)
sys.stdin.read()
"""
PROMPT = b'{"type":"user","message":{"role":"user","content":"say hello"}}\n'


@pytest.fixture
def wrapped(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A wrapped command that answers a prompt with a recorded session, and ends with its input."""
    output = SCENARIOS / "raw_simple" / "stdout.jsonl"
    command = [
        sys.executable,
        "-m",
        "proxy",
        "--data-dir",
        str(tmp_path),
        "--server",
        "off",
        "--session-name",
        "it",
    ]
    command += ["--", sys.executable, "-c", FAKE, str(output)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(PROMPT)
        process.stdin.flush()
        yield process
        process.kill()


async def when(rig: Rig, state: str, turns: int = 2) -> dict[str, Any]:
    """Return the session when it is in a state, after so many turns."""
    async with asyncio.timeout(120):
        while True:
            found = (await rig.get("/api/v1/monitoring/sessions"))["sessions"]
            if found and (found[0]["state"], found[0]["turns"]) == (state, turns):
                session: dict[str, Any] = found[0]
                return session
            await rig.shared.catch_up()


async def test_from_start_to_end(tmp_path: Path, wrapped: "subprocess.Popen[bytes]") -> None:
    """A wrapped session is seen while it runs, with its turns and cost, and when it has ended."""
    async with serving(tmp_path) as rig:
        running = await when(rig, "idle")
        assert (running["name"], running["pid"] > 0) == ("it", True)
        assert running["model"]
        assert (await rig.get("/status"))["active_sessions"] == 1
        assert wrapped.stdin is not None
        wrapped.stdin.close()
        ended = await when(rig, "ended")
        assert ended["exit_code"] == 0
        assert ended["cost"] == running["cost"] > 0
        page = await rig.get(f"{EVENTS}?event_types=run_started,run_completed,session_ended&order=asc")
        kinds = [one["event_type"] for one in page["events"]]
        assert kinds == [*["run_started", "run_completed"] * 2, "session_ended"]


@pytest.fixture
def outlived(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A wrapped command that takes a prompt and exits in mid-turn, while a descendant goes on holding its streams."""
    gate, claude = tmp_path / "gate", tmp_path / "claude"
    os.mkfifo(gate)
    claude.write_text(f"#!/bin/sh\nread -r prompt; read -r line <{gate} & exit 3\n")
    claude.chmod(0o755)
    command = [
        sys.executable,
        "-m",
        "proxy",
        "--data-dir",
        str(tmp_path),
        "--server",
        "off",
        "--",
        str(claude),
        "-p",
    ]
    command += ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(PROMPT)
        process.stdin.close()
        yield process
        os.close(os.open(gate, os.O_RDWR))  # lets the descendant go


async def test_a_command_that_a_descendant_outlives(
    tmp_path: Path, outlived: "subprocess.Popen[bytes]"
) -> None:
    """Regression: it went on waiting for the model, with a dead process. Nor does the end of its relay undo the end."""
    async with serving(tmp_path) as rig:
        session = await when(rig, "ended", turns=0)
        assert await asyncio.to_thread(outlived.wait, 120) == 3
        assert (session["evidence"]["message"], session["waits_for"]) == ("command_exited", [])
        assert (session["exit_code"], session["outcome"]) == (3, "failed")
        assert session["outcome_reason"] == "The command exited with status 3 in the middle of a turn."
        assert (await rig.get("/status"))["sessions"] == []
        log = (tmp_path / "sessions" / f"{session['session_id']}.jsonl").read_bytes()
        os.kill(json.loads(log.split(b"\n")[0])["event"]["data"]["relay_pid"], signal.SIGKILL)
        async with asyncio.timeout(120):
            while rig.shared.store.live():
                await rig.shared.catch_up()
        later = await when(rig, "ended", turns=0)
        assert (later["outcome"], later["evidence"]) == ("failed", session["evidence"])
        analysis = await rig.get(f"/api/v1/monitoring/sessions/{session['session_id']}/analysis")
        assert (analysis["state"], analysis["turn_outcomes"]) == ("ended", {"unfinished": 1})


async def test_killed_wrapper(tmp_path: Path, wrapped: "subprocess.Popen[bytes]") -> None:
    """A session whose wrapper is killed has ended or failed, and is not seen as running any more."""
    async with serving(tmp_path) as rig:
        session = await when(rig, "idle")
        log = (tmp_path / "sessions" / f"{session['session_id']}.jsonl").read_bytes()
        started = json.loads(log.split(b"\n")[0])["event"]["data"]
        os.kill(started["relay_pid"], signal.SIGKILL)
        failed = await when(rig, "failed")
        assert failed["warnings"][0]["kind"] == "crashed"
        assert (await rig.get("/status"))["active_sessions"] == 0


async def test_logs_that_are_odd(tmp_path: Path) -> None:
    """Torn ends, foreign and future lines, gaps and other files in the folder stop nothing."""
    folder = tmp_path / "sessions"
    folder.mkdir()
    maker = LogMaker("torn")
    (folder / "torn.jsonl").write_bytes(maker.started() + b"foreign\n\n[]\n" + maker.ended()[:-20])
    maker = LogMaker("future")
    (folder / "future.jsonl").write_bytes(maker.life("session_started", format=9) + maker.ended())
    maker = LogMaker("gap")
    gap = maker.life("recording_gap", lost_records=3, lost_bytes=5, since=None, reason="ENOSPC")
    (folder / "gap.jsonl").write_bytes(maker.started() + gap + maker.ended())
    (folder / "empty.jsonl").touch()
    (folder / "unreadable.jsonl").symlink_to("/proc/self/mem")
    (folder / "notes.txt").write_text("not a log")
    async with serving(tmp_path) as rig:
        found = {one["session_id"]: one for one in (await rig.get("/api/v1/monitoring/sessions"))["sessions"]}
        assert {name: one["state"] for name, one in found.items() if name != "empty"} == {
            "torn": "failed",
            "future": "failed",
            "gap": "ended",
        }
        assert found["gap"]["lost_records"] == 3
        assert (await rig.get("/health"))["status"] == "healthy"


async def test_logs_that_go_and_come(rig: Rig) -> None:
    """A log that is removed or replaced while it is served leaves no trace of what it was."""
    folder = rig.data_dir / "sessions"
    (folder / "past0.jsonl").unlink()
    (folder / "new.jsonl").write_bytes(scenario("simple", LogMaker("past1", START_US + 5)))
    os.rename(folder / "new.jsonl", folder / "past1.jsonl")
    await rig.shared.catch_up()
    await rig.get("/api/v1/monitoring/sessions/past0", status=404)
    assert (await rig.get("/api/v1/monitoring/sessions/past1"))["turns"] == 2
    everything = await rig.get(f"{EVENTS}?limit=10000")
    assert everything["total"] == len(everything["events"])


async def test_full_disk(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the index cannot be written the server answers with what it has and says so; then it catches up."""
    step = indexer.Indexer.step

    def full(self: indexer.Indexer, *, quiet: bool = False) -> list[Arrival]:
        raise StoreError("database or disk is full")

    monkeypatch.setattr(indexer.Indexer, "step", full)
    log = rig.live()
    async with asyncio.timeout(120):
        while (await rig.get("/health"))["status"] != "degraded":
            pass
    assert (await rig.get("/status"))["active_sessions"] == 0
    monkeypatch.setattr(indexer.Indexer, "step", step)
    async with asyncio.timeout(120):
        while (await rig.get("/health"))["status"] != "healthy":
            pass
    async with rig.client.ws_connect(STREAM) as socket:
        say(log)
        frame = json.loads((await socket.receive(timeout=120)).data)
        assert event(json.dumps(frame["data"]))["session_id"] == "live"
    assert (await rig.get("/status"))["active_sessions"] == 1
    log.close()


async def test_fault_in_one_session(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours in one log stops that one alone, and the health says so."""
    take = interpreter.Interpreter.take

    def faulty(self: interpreter.Interpreter, record: Any) -> Any:
        if self.session.session_id == "bad":
            raise RuntimeError("a fault")
        return take(self, record)

    monkeypatch.setattr(interpreter.Interpreter, "take", faulty)
    bad, good = rig.live("bad"), rig.live("good")
    async with asyncio.timeout(120):
        while (await rig.get(f"{EVENTS}?event_types=session_started&limit=1"))["events"][0][
            "session_id"
        ] != "good":
            await rig.shared.catch_up()
    health = await rig.get("/health")
    assert (health["status"], "bad" in health["checks"]["index"]["message"]) == ("degraded", True)
    bad.close()
    good.close()
