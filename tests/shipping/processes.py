"""A fleet of real processes, each of which may be killed: servers of a centre, shippers, and a way to the servers."""

import asyncio
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Self

import yaml

__all__ = ["Balancer", "Program", "server", "shipper"]


class Program:
    """A process of `claude-proxy` that is killed and started again."""

    def __init__(self, log: Path, *words: str) -> None:
        self._log, self._words = log, words
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "proxy", *self._words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.getcwd()},
            )

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def revive(self) -> None:
        """Start it again if it has ended by itself, as a server does that finds no database when it starts."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def kill(self) -> None:
        """Kill it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(60)

    def peak_bytes(self) -> int:
        """Return how much memory it held at most."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024

    def wait(self) -> int:
        """Wait until it ends, and return its status."""
        assert self._process is not None
        return self._process.wait(240)


def _configured(folder: Path, **sections: dict[str, object]) -> str:
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(sections))
    return str(path)


def server(folder: Path, url: str) -> tuple[Program, int]:
    """Return a server of a centre, which is not started yet, and its port."""
    folder.mkdir(mode=0o700)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = _configured(folder, storage={"url": url})
    words = ("--data-dir", str(folder), "--port", str(port), "--config", config, "serve")
    return Program(folder / "output", *words), port


def shipper(data_dir: Path, to: str, token: str, *options: str) -> Program:
    """Return what ships a data directory, which is not started yet."""
    config = _configured(data_dir, ship={"to": to, "gather": 0.01, "piece": "20KB", "token": token})
    words = ("--data-dir", str(data_dir), "--config", config, "ship", *options)
    return Program(data_dir / "output", *words)


def is_ready(port: int) -> bool:
    """Tell whether a server answers, and its database does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_ready(program: Program, port: int) -> None:
    """Wait until a server answers."""
    until = time.monotonic() + 120
    while not is_ready(port):
        assert time.monotonic() < until, "the server does not come up"
        program.revive()
        time.sleep(0.05)


class Balancer:
    """One address for several servers: a connection leads to one of those that take it."""

    def __init__(self, ports: list[int], dice: random.Random | None = None, *, port: int = 0) -> None:
        """``port``: the one to listen on; 0: any."""
        self._ports, self._dice = ports, dice or random.Random(0)
        self._open: set[asyncio.StreamWriter] = set()
        self.port = port

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        for writer in self._open:
            writer.transport.abort()
        while self._open:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = {writer}
        self._open |= ends
        with contextlib.suppress(OSError):
            far_reader, far_writer = await self._far()
            ends.add(far_writer)
            self._open |= ends
            await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer), return_exceptions=True)
        for one in ends:
            one.transport.abort()
        self._open -= ends

    async def _far(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for port in self._dice.sample(self._ports, len(self._ports)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        raise ConnectionRefusedError


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.transport.abort()
