"""What the server costs and how fast it answers, each figure beside its base. Prints a table.

Everything runs on this machine at once: server, load and wrapped sessions share its cores.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from proxy.events.timestamps import format_timestamp
from proxy.server.background import server_address
from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.writer import SessionLog

START_US = 1_767_323_045_000_000
IDS = {"uuid": "90a46d69-3372-49c7-998f-573ea4e77a8f", "session_id": "90a46d69-3372-49c7-998f-573ea4e77a8f"}
USER = {"type": "user", "message": {"role": "user", "content": "say hello to the world"}}
COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
BARE = """
import sys
from aiohttp import web
async def handler(request):
    await request.json()
    return web.json_response({"success": True, "data": {}})
app = web.Application()
app.router.add_post("/", handler)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""
TALKER = """
import json, sys, time
rate, count = int(sys.argv[1]), int(sys.argv[2])
usage = {"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
start = time.monotonic()
for n in range(count):
    time.sleep(max(0, start + n / rate - time.monotonic()))
    block = {"type": "text", "text": str(time.time_ns())}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": [block],
               "stop_reason": None, "stop_sequence": None, "usage": usage}
    line = {"type": "assistant", "message": message, "parent_tool_use_id": None, "uuid": "u", "session_id": "c"}
    sys.stdout.write(json.dumps(line) + "\\n")
    sys.stdout.flush()
"""
ECHO = "import sys\nfor line in sys.stdin.buffer:\n sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"


def show(what: str, figure: str, base: str = "") -> None:
    """Print one row."""
    print(f"{what:58} {figure:>26}  {base}", flush=True)


def quantiles(values: list[float], unit: str = "ms") -> str:
    """Return the median and the 99th percentile."""
    values = sorted(values)
    return f"p50 {values[len(values) // 2]:.2f} p99 {values[int(len(values) * 0.99)]:.2f} {unit}"


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    """Return an assistant message."""
    usage = dict.fromkeys(COUNTS, 5)
    message = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": list(blocks),
    }
    stop = {"stop_reason": None, "stop_sequence": None, "usage": usage}
    return {"type": "assistant", "message": {**message, **stop}, "parent_tool_use_id": None, **IDS}


def turn() -> list[tuple[str, bytes]]:
    """Return the lines of one turn with a tool: eleven, four of them partial output."""
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "xxxxxxxxxx"}}
    partial = {"type": "stream_event", "event": delta, "parent_tool_use_id": None, **IDS}
    tool = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls -la"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "total 0\n" * 10}
    back = {
        "type": "user",
        "message": {"role": "user", "content": [result]},
        "parent_tool_use_id": None,
        **IDS,
    }
    text = assistant({"type": "text", "text": "hello " * 20})
    end = {"type": "result", "subtype": "success", "is_error": False, "duration_ms": 5, "num_turns": 1, **IDS}
    end |= {"total_cost_usd": 0.1, "usage": {}, "modelUsage": {}, "result": "x"}
    said = [partial, partial, text, assistant(tool), back, partial, partial, text, end]
    lines = [("stdin", USER), *(("stdout", message) for message in said)]
    return [(stream, json.dumps(message, separators=(",", ":")).encode()) for stream, message in lines]


def write_logs(data_dir: str, sessions: int, records: int) -> None:
    """Write finished logs of so many records in all."""
    os.makedirs(f"{data_dir}/sessions", exist_ok=True)
    lines = turn()
    for number in range(sessions):
        session_id = f"20260101T00{number:04d}.000000Z-aaaaaaaa"
        spellers = {stream: StreamRecords(session_id, stream) for stream in ("stdin", "stdout")}
        bodies = [b"".join(spellers[stream].message(line, "valid")) for stream, line in lines]
        first = lifecycle(session_id, "session_started", {"format": 1, "command": ["claude"]})
        last = lifecycle(session_id, "session_ended", {"exit_code": 0})
        with open(f"{data_dir}/sessions/{session_id}.jsonl", "wb") as log:
            count = records // sessions
            for seq in range(count):
                body = (
                    b"".join(first)
                    if not seq
                    else b"".join(last)
                    if seq == count - 1
                    else bodies[seq % len(bodies)]
                )
                moment = format_timestamp(START_US + number * 1_000_000 + seq * 3000)
                log.write(b'{"seq":%d,"ts":"%s",%s' % (seq, moment.encode(), body))


@dataclass
class Server:
    """A server in a process of its own."""

    data_dir: str
    url: str
    pid: int

    def cpu_s(self) -> float:
        """Return the processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Return the memory that it holds."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def serving(data_dir: str) -> Iterator[Server]:
    """Run a server."""
    command = [
        sys.executable,
        "-m",
        "proxy.server",
        "--data-dir",
        data_dir,
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while (said := server_address(data_dir)) is None:
            time.sleep(0.02)
        yield Server(data_dir, said["url"], process.pid)
    finally:
        process.terminate()
        process.wait(30)


async def rate(url: str, body: object, seconds: float = 4.0, clients: int = 4) -> float:
    """Return how many posts a second are answered."""
    done = 0
    until = time.monotonic() + seconds
    data = json.dumps(body).encode()

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal done
        while time.monotonic() < until:
            async with session.post(url, data=data, headers={"Content-Type": "application/json"}) as response:
                await response.read()
            done += 1

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(one(session))
    return done / seconds


async def timed(url: Callable[[], str], count: int) -> list[float]:
    """Return how long each of some requests took, in milliseconds."""
    found = []
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            began = time.perf_counter()
            async with session.get(url()) as response:
                await response.read()
                assert response.status == 200
            found.append((time.perf_counter() - began) * 1000)
    return found


async def requests(folder: str) -> None:
    """Validation beside a bare handler."""
    port = random.randrange(20000, 60000)
    bare = spawned([sys.executable, "-c", BARE, str(port)])
    try:
        await asyncio.sleep(2)
        message = assistant({"type": "text", "text": "hello " * 20})
        single = {"schema_type": "stdout", "data": message}
        base = await rate(f"http://127.0.0.1:{port}/", single)
    finally:
        bare.terminate()
        bare.wait()
    with serving(f"{folder}/requests") as server:
        mine = await rate(f"{server.url}/api/v1/validation/validate", single)
        many = await rate(f"{server.url}/api/v1/validation/batch", {"requests": [single] * 100})
    show("validate", f"{mine:.0f} /s", f"bare handler {base:.0f} /s: {mine / base:.2f}")
    show(
        "batch of 100, messages",
        f"{many * 100:.0f} /s",
        f"single calls {mine:.0f} /s: {many * 100 / mine:.1f}",
    )


async def index(folder: str) -> None:
    """Filling an index, starting over it, and pages of it."""
    data_dir, records = f"{folder}/index", 1_100_000
    write_logs(data_dir, 10, records)
    code = (
        "import sys, time\nfrom proxy.store.embedded.indexer import Indexer\nbegan = time.perf_counter()\n"
        "indexer = Indexer(sys.argv[1])\nindexer.look()\nwhile indexer.is_behind: indexer.step(quiet=True)\n"
        "print(time.perf_counter() - began, time.process_time())"
    )
    for what in ("index", "warm start"):
        output = await asyncio.to_thread(_output, [sys.executable, "-c", code, data_dir])
        wall, cpu = map(float, output.split())
        figure = f"{records / wall:.0f} records/s" if what == "index" else f"{wall:.2f} s"
        show(what, figure, f"{records} records; {cpu:.1f} s of processor time")
    with serving(data_dir) as server:
        total = json.loads(await _get(f"{server.url}/api/v1/monitoring/status"))["data"]["total_events"]
        pages = f"{server.url}/api/v1/monitoring/events?limit=100"
        show(f"page of 100 among {total}, newest", quantiles(await timed(lambda: pages, 200)))
        anywhere = await timed(lambda: f"{pages}&offset={random.randrange(total)}", 200)
        show("page of 100, any offset", quantiles(anywhere))
        deep = await timed(
            lambda: f"{pages}&order=asc&event_types=tool_started&offset={random.randrange(total // 9)}", 200
        )
        show("page of 100, one type, any offset", quantiles(deep))


def spawned(command: list[str]) -> "subprocess.Popen[bytes]":
    """Start a command that nobody talks to."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _output(command: list[str]) -> bytes:
    return subprocess.check_output(command)


async def _get(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.read()


async def live(folder: str) -> None:
    """From a wrapped command's write to its delivery."""
    data_dir, per_s, count = f"{folder}/live", 1000, 10_000
    with serving(data_dir) as server:
        for name, listen in (("WebSocket", by_socket), ("server-sent events", _by_stream)):
            took: list[float] = []
            async with aiohttp.ClientSession() as session:
                heard = listen(session, server.url)
                await anext(heard)
                command = [sys.executable, "-m", "proxy", "--data-dir", data_dir, "--server", "off", "--"]
                command += [sys.executable, "-c", TALKER, str(per_s), str(count)]
                talker = spawned(command)
                async for event in heard:
                    if event["event_type"] == "assistant_message":
                        took.append((time.time_ns() - int(event["data"]["text"])) / 1_000_000)
                    if len(took) == count:
                        break
                talker.wait()
            show(f"write to {name}, {per_s}/s", quantiles(took), f"{len(took)} of {count} delivered")


async def by_socket(session: aiohttp.ClientSession, url: str) -> AsyncIterator[dict[str, Any]]:
    """Yield something once it listens, then each event."""
    async with session.ws_connect(f"{url}/api/v1/monitoring/stream") as socket:
        yield {}
        async for message in socket:
            yield json.loads(message.data)["data"]


async def _by_stream(session: aiohttp.ClientSession, url: str) -> AsyncIterator[dict[str, Any]]:
    async with session.get(f"{url}/events", timeout=aiohttp.ClientTimeout(total=None)) as response:
        yield {}
        async for line in response.content:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


async def sessions(folder: str) -> None:
    """Fifty sessions that talk, one listener on all."""
    data_dir, count, per_s, seconds = f"{folder}/sessions", 50, 20, 10
    line = json.dumps(assistant({"type": "text", "text": "hello " * 20})).encode()
    with serving(data_dir) as server:
        async with aiohttp.ClientSession() as session:
            heard = by_socket(session, server.url)
            await anext(heard)
            logs = []
            for number in range(count):
                session_id = f"s{number:02d}"
                log = SessionLog(
                    data_dir, session_id, lifecycle(session_id, "session_started", {"format": 1})
                )
                log.append([])
                logs.append((log, StreamRecords(session_id, "stdout")))

            async def talk() -> None:
                began = time.monotonic()
                for step in range(per_s * seconds * count):
                    log, records = logs[step % count]
                    log.append([records.message(line, "valid")])
                    await asyncio.sleep(max(0, began + step / (per_s * count) - time.monotonic()))

            before = server.cpu_s()
            async with asyncio.TaskGroup() as group:
                group.create_task(talk())
                got, wanted = 0, per_s * seconds * count
                async for event in heard:
                    got += event["event_type"] == "assistant_message"
                    if got == wanted:
                        break
            used = (server.cpu_s() - before) / seconds
            for log, _ in logs:
                log.close()
        show(
            f"{count} sessions at {per_s}/s, one listener",
            f"{got} of {wanted}",
            f"server: {used:.2f} of a core",
        )


async def relay(folder: str) -> None:
    """A wrapped session's round trip, while the API is idle and while it is asked without pause."""
    data_dir = f"{folder}/relay"
    write_logs(data_dir, 2, 100_000)
    with serving(data_dir) as server:
        await _get(f"{server.url}/status")
        rest = await asyncio.to_thread(round_trips, data_dir)
        page = f"{server.url}/api/v1/monitoring/events?limit=1000"
        asking = asyncio.create_task(timed(lambda: page, 100_000))
        busy = await asyncio.to_thread(round_trips, data_dir)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    show(
        "round trip through the wrapper, API asked without pause",
        quantiles(busy),
        f"at rest {quantiles(rest)}",
    )


def round_trips(data_dir: str, count: int = 3000) -> list[float]:
    """Return how long each of so many messages took through the wrapper and back, in milliseconds."""
    command = [
        sys.executable,
        "-m",
        "proxy",
        "--data-dir",
        data_dir,
        "--server",
        "off",
        "--",
        sys.executable,
        "-c",
        ECHO,
    ]
    line = json.dumps(USER).encode() + b"\n"
    found = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as wrapped:
        assert wrapped.stdin is not None
        assert wrapped.stdout is not None
        for number in range(count + 100):
            began = time.perf_counter()
            wrapped.stdin.write(line)
            wrapped.stdin.flush()
            wrapped.stdout.readline()
            if number >= 100:
                found.append((time.perf_counter() - began) * 1000)
            time.sleep(0.001)
        wrapped.stdin.close()
    return found


async def idle(folder: str) -> None:
    """A server with nothing to do."""
    data_dir = f"{folder}/idle"
    write_logs(data_dir, 100, 10_000)
    with serving(data_dir) as server:
        await _get(f"{server.url}/status")
        before, seconds = server.cpu_s(), 20
        await asyncio.sleep(seconds)
        resident = server.resident_bytes()
        show(
            "idle server",
            f"{(server.cpu_s() - before) / seconds:.2%} of a core",
            f"{resident / 1e6:.0f} MB resident",
        )


PARTS = {part.__name__: part for part in (requests, index, live, sessions, relay, idle)}


async def measure(names: list[str]) -> None:
    """Measure these parts, one after the other."""
    with tempfile.TemporaryDirectory(prefix="claude-proxy-benchmark-") as folder:
        for name in names:
            await PARTS[name](folder)


def main() -> None:
    """Measure the parts that are asked for, or all."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.server",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", nargs="*", help=f"{', '.join(PARTS)}; all without any")
    names = parser.parse_args().part or list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    asyncio.run(measure(names))


if __name__ == "__main__":
    main()
